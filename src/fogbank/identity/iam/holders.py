"""What users and roles have in common: they are made, listed and removed alike, and hold policies alike."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from fogbank.arns import Arns
from fogbank.identity.iam.changes import Changes
from fogbank.identity.iam.errors import DeleteConflict, EntityAlreadyExists, InvalidInput, LimitExceeded, NoSuchEntity
from fogbank.identity.iam.policies import Policies
from fogbank.identity.iam.records import Holder, key_of
from fogbank.identity.iam.texts import check_permissions, size_of
from fogbank.identity.records import settle
from fogbank.ports import Delete, Expect, PolicyDocument, Put
from fogbank.storage.collection import Collection, Stored

H = TypeVar("H", bound=Holder)

ATTACHED = 10
"""Managed policies on a user or role."""
TAGS = 50
BOUNDARY = "permissions boundary"
"""What `PolicyDocument.limit` says of it."""


class Kind(msgspec.Struct, frozen=True):
    """Users or roles."""

    noun: str
    """`user`, as ARNs and error texts have it."""
    most: int
    """In an account."""
    quota: str
    inline_size: int
    """Characters of all inline policies together, white space aside."""


class HolderStore(Generic[H]):
    """All users, or all roles."""

    def __init__(self, kind: Kind, collection: Collection[H], policies: Policies, changes: Changes, arns: Arns) -> None:
        self.kind = kind
        self._collection = collection
        self._policies = policies
        self._changes = changes
        self._arns = arns

    def arn(self, holder: Holder) -> str:
        return self.arn_at(holder.path, holder.name)

    def arn_at(self, path: str, name: str) -> str:
        """The ARN that one of this path and name has."""
        return f"arn:{self._arns.partition}:iam::{self._arns.account}:{self.kind.noun}{path}{name}"

    async def find(self, name: str) -> H | None:
        stored = await self._collection.get(key_of(name))
        return None if stored is None or stored.value.name != name else stored.value

    async def stored(self, name: str) -> Stored[H]:
        """Raises NoSuchEntity."""
        stored = await self._collection.get(key_of(name))
        if stored is None or stored.value.name != name:
            raise NoSuchEntity(f"The {self.kind.noun} with name {name} cannot be found.")
        return stored

    async def get(self, name: str) -> H:
        """Raises NoSuchEntity."""
        return (await self.stored(name)).value

    async def all(self) -> list[H]:
        return [one.value for one in await self._collection.scan()]

    async def create(self, made: H, boundary: str | None = None) -> H:
        """Make a user or role; `boundary` is the ARN of a policy. Raises EntityAlreadyExists, LimitExceeded, ..."""
        self._check_tags(made.tags)

        async def attempt() -> H:
            if await self._collection.get(key_of(made.name)) is not None:
                raise EntityAlreadyExists(f"{self.kind.noun.capitalize()} with name {made.name} already exists.")
            if len(await self._collection.scan(limit=self.kind.most)) >= self.kind.most:
                raise LimitExceeded(f"Cannot exceed quota for {self.kind.quota}: {self.kind.most}")
            reference, along = (None, ()) if boundary is None else await self._policies.holding(boundary)
            bounded = msgspec.structs.replace(made, boundary=reference)
            write = self._collection.putting(key_of(made.name), bounded, expect=0)
            await self._changes.commit(write, *along, touched=frozenset((made.id,)))
            return bounded

        return await settle(attempt)

    async def delete(self, name: str) -> None:
        """Remove one that holds nothing any more. Raises NoSuchEntity, DeleteConflict."""

        async def attempt() -> None:
            stored = await self.stored(name)
            await self._check_removable(stored.value)
            deletion = self._collection.deleting(stored.key, expect=stored.version)
            await self._changes.commit(deletion, touched=frozenset((stored.value.id,)))

        await settle(attempt)

    async def change(self, name: str, change: Callable[[H], H], *along: Put | Delete | Expect) -> H:
        """Write what `change` makes of one. Raises NoSuchEntity."""

        async def attempt() -> H:
            stored = await self.stored(name)
            return await self._write(stored, change(stored.value), *along)

        return await settle(attempt)

    async def tag(self, name: str, tags: Mapping[str, str], remove: tuple[str, ...] = ()) -> None:
        """Add tags, and remove those of some keys. Raises NoSuchEntity, LimitExceeded."""

        def change(holder: H) -> H:
            kept = {key: value for key, value in {**holder.tags, **tags}.items() if key not in remove}
            self._check_tags(kept)
            return msgspec.structs.replace(holder, tags=kept)

        await self.change(name, change)

    # --- policies -----------------------------------------------------------------------------------------------

    async def documents(self, holder: H) -> tuple[PolicyDocument, ...]:
        """All that the policies of one say now."""
        found: list[PolicyDocument | None] = [PolicyDocument(*one) for one in holder.inline.items()]
        found += [await self._policies.document(one) for one in holder.attached]
        if holder.boundary is not None:
            found.append(await self._policies.document(holder.boundary, BOUNDARY) or _NOTHING)
        return tuple(one for one in found if one is not None)

    async def attach(self, name: str, policy_arn: str) -> None:
        """Attach a managed policy; once more is no error. Raises NoSuchEntity, LimitExceeded."""

        async def attempt() -> None:
            stored = await self.stored(name)
            reference, along = await self._policies.holding(policy_arn)
            held = stored.value.attached
            if reference in held:
                return
            if len(held) >= ATTACHED:
                raise LimitExceeded(f"Cannot exceed quota for PoliciesPer{self.kind.noun.capitalize()}: {ATTACHED}")
            await self._write(stored, msgspec.structs.replace(stored.value, attached=(*held, reference)), *along)

        await settle(attempt)

    async def detach(self, name: str, policy_arn: str) -> None:
        """Raises NoSuchEntity."""

        async def attempt() -> None:
            stored = await self.stored(name)
            for reference in stored.value.attached:
                if await self._policies.arn_of(reference) == policy_arn:
                    break
            else:
                raise NoSuchEntity(f"Policy {policy_arn} was not found.")
            kept = tuple(one for one in stored.value.attached if one != reference)
            await self._write(stored, msgspec.structs.replace(stored.value, attached=kept))

        await settle(attempt)

    async def attached(self, name: str) -> list[str]:
        """The ARNs of its managed policies. Raises NoSuchEntity."""
        return [await self._policies.arn_of(one) for one in (await self.get(name)).attached]

    async def put_inline(self, name: str, policy: str, document: str) -> None:
        """Write an inline policy, in place of the one of that name. Raises MalformedPolicyDocument, LimitExceeded."""
        check_permissions(document)

        def change(holder: H) -> H:
            inline = {**holder.inline, policy: document}
            if sum(map(size_of, inline.values())) > self.kind.inline_size:
                raise LimitExceeded(
                    f"Maximum policy size of {self.kind.inline_size} bytes exceeded for {self.kind.noun} {name}"
                )
            return msgspec.structs.replace(holder, inline=inline)

        await self.change(name, change)

    async def inline(self, name: str, policy: str) -> str:
        """The document of an inline policy. Raises NoSuchEntity."""
        return self._inline(await self.get(name), policy)

    async def delete_inline(self, name: str, policy: str) -> None:
        """Raises NoSuchEntity."""

        def change(holder: H) -> H:
            self._inline(holder, policy)
            kept = {one: document for one, document in holder.inline.items() if one != policy}
            return msgspec.structs.replace(holder, inline=kept)

        await self.change(name, change)

    async def bound(self, name: str, policy_arn: str | None) -> None:
        """Set the permissions boundary, or take it away. Raises NoSuchEntity."""

        async def attempt() -> None:
            stored = await self.stored(name)
            if policy_arn is None and stored.value.boundary is None:
                raise NoSuchEntity(f"The {self.kind.noun} with name {name} has no permissions boundary.")
            reference, along = (None, ()) if policy_arn is None else await self._policies.holding(policy_arn)
            await self._write(stored, msgspec.structs.replace(stored.value, boundary=reference), *along)

        await settle(attempt)

    async def _check_removable(self, holder: H) -> None:
        """Raises DeleteConflict."""
        if holder.attached:
            raise DeleteConflict("Cannot delete entity, must detach all policies first.")
        if holder.inline:
            raise DeleteConflict("Cannot delete entity, must delete policies first.")

    def _inline(self, holder: H, policy: str) -> str:
        if policy not in holder.inline:
            raise NoSuchEntity(f"The {self.kind.noun} policy with name {policy} cannot be found.")
        return holder.inline[policy]

    def _check_tags(self, tags: Mapping[str, str]) -> None:
        if len(tags) > TAGS:
            raise LimitExceeded(f"Cannot exceed quota for TagsPer{self.kind.noun.capitalize()}: {TAGS}")
        if reserved := [key for key in tags if key.lower().startswith("aws:")]:
            raise InvalidInput(f"Tag keys that begin with aws: are AWS's own: {reserved[0]}")

    async def _write(self, stored: Stored[H], after: H, *along: Put | Delete | Expect) -> H:
        write = self._collection.putting(stored.key, after, expect=stored.version)
        await self._changes.commit(write, *along, touched=frozenset((after.id,)))
        return after


_NOTHING = PolicyDocument(
    "missing boundary", '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}', BOUNDARY
)
"""A boundary that cannot be found bounds everything."""
