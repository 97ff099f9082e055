"""Managed policies: the account's own with their versions, and those of AWS, which can only be read and attached."""

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.identity.iam import ids
from fogbank.identity.iam.changes import Changes, Touched
from fogbank.identity.iam.errors import DeleteConflict, EntityAlreadyExists, InvalidInput, LimitExceeded, NoSuchEntity
from fogbank.identity.iam.managed import PREFIX, AwsPolicy, aws_policies
from fogbank.identity.iam.records import Holder, Policy, PolicyVersion, Records, key_of
from fogbank.identity.iam.texts import check_managed
from fogbank.identity.records import settle
from fogbank.ports import PolicyDocument, Put
from fogbank.storage.collection import Stored

VERSIONS = 5
MAX_POLICIES = 1500
"""In an account (IAM user guide, "IAM and AWS STS quotas")."""


class Policies:
    """The account's managed policies. Elsewhere they are known by references: a name, or the ARN of one of AWS's."""

    def __init__(self, records: Records, changes: Changes, arns: Arns, clock: Clock) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock

    # --- names --------------------------------------------------------------------------------------------------

    def arn(self, name: str, path: str) -> str:
        return f"arn:{self._arns.partition}:iam::{self._arns.account}:policy{path}{name}"

    async def arn_of(self, reference: str) -> str:
        """The ARN of a policy that a user or role refers to."""
        if reference.startswith(PREFIX):
            return reference
        stored = await self._records.policies.get(key_of(reference))
        return self.arn(reference, "/" if stored is None else stored.value.path)

    async def stored(self, arn: str) -> Stored[Policy]:
        """A policy of the account. Raises NoSuchEntity; InvalidInput where it is one of AWS's."""
        if arn.startswith(PREFIX):
            raise InvalidInput(f"Policy {arn} is managed by AWS; it can be attached, not changed.")
        stored = await self._records.policies.get(key_of(arn.rpartition("/")[2]))
        if stored is None or self.arn(stored.value.name, stored.value.path) != arn:
            raise NoSuchEntity(f"Policy {arn} was not found.")
        return stored

    async def holding(self, arn: str) -> tuple[str, tuple[Put, ...]]:
        """How to refer to a policy, and what a batch that does so must take along. Raises NoSuchEntity."""
        if arn.startswith(PREFIX):
            if arn not in aws_policies():
                there = ", ".join(one.name for one in aws_policies().values())
                raise NoSuchEntity(
                    f"Policy {arn} does not exist or is not attachable: of AWS's own there are here {there}. "
                    "Create one of your own from its document."
                )
            return arn, ()
        try:
            stored = await self.stored(arn)
        except NoSuchEntity:
            raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.") from None
        held = self._records.policies.putting(stored.key, stored.value, expect=stored.version)
        return stored.value.name, (held,)

    async def document(self, reference: str, limit: str | None = None) -> PolicyDocument | None:
        """What a policy that somebody refers to says now."""
        if reference.startswith(PREFIX):
            found = aws_policies().get(reference)
            return None if found is None else PolicyDocument(found.name, found.document, limit)
        stored = await self._records.policies.get(key_of(reference))
        return None if stored is None else PolicyDocument(stored.value.name, stored.value.document, limit)

    # --- policies -----------------------------------------------------------------------------------------------

    async def create(
        self,
        name: str,
        document: str,
        *,
        path: str = "/",
        description: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> Policy:
        """Raises MalformedPolicyDocument, LimitExceeded, EntityAlreadyExists."""
        check_managed(document)
        now = self._clock.time()
        made = Policy(
            name=name,
            id=ids.new_id(ids.POLICY),
            path=path,
            created=now,
            updated=now,
            default=1,
            last=1,
            versions={1: PolicyVersion(document=document, created=now)},
            description=description,
            tags=tags or {},
        )

        async def attempt() -> Policy:
            if await self._records.policies.get(key_of(name)) is not None:
                raise EntityAlreadyExists(f"A policy called {name} already exists. Duplicate names are not allowed.")
            if len(await self._records.policies.scan(limit=MAX_POLICIES)) >= MAX_POLICIES:
                raise LimitExceeded(f"Cannot exceed quota for PoliciesPerAccount: {MAX_POLICIES}")
            await self._changes.commit(self._records.policies.putting(key_of(name), made, expect=0))
            return made

        return await settle(attempt)

    async def get(self, arn: str) -> Policy | AwsPolicy:
        """Raises NoSuchEntity."""
        found = aws_policies().get(arn)
        if found is None and arn.startswith(PREFIX):
            raise NoSuchEntity(f"Policy {arn} was not found.")
        return found or (await self.stored(arn)).value

    async def all(self) -> list[Policy]:
        """The account's own."""
        return [one.value for one in await self._records.policies.scan()]

    async def delete(self, arn: str) -> None:
        """Remove a policy that nobody holds. Raises NoSuchEntity, DeleteConflict."""

        async def attempt() -> None:
            stored = await self.stored(arn)
            if len(stored.value.versions) > 1:
                raise DeleteConflict(
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                    "versions. The default version is deleted with the policy."
                )
            if any(await self.used(stored.value.name)):
                raise DeleteConflict("Cannot delete a policy attached to entities.")
            await self._changes.commit(self._records.policies.deleting(stored.key, expect=stored.version))

        await settle(attempt)

    async def used(self, reference: str) -> tuple[int, int]:
        """How many users and roles hold a policy, and for how many it is a boundary."""
        key = key_of(reference)
        users, roles = await self._records.users.find("policy", key), await self._records.roles.find("policy", key)
        holders: list[Holder] = [*(one.value for one in users), *(one.value for one in roles)]
        attached = sum(key in map(key_of, one.attached) for one in holders)
        bounding = sum(one.boundary is not None and key_of(one.boundary) == key for one in holders)
        return attached, bounding

    async def tag(self, arn: str, tags: dict[str, str], remove: tuple[str, ...] = ()) -> None:
        """Add tags, and remove those of some keys. Raises NoSuchEntity."""

        async def attempt() -> None:
            stored = await self.stored(arn)
            kept = {key: value for key, value in {**stored.value.tags, **tags}.items() if key not in remove}
            changed = msgspec.structs.replace(stored.value, tags=kept)
            await self._changes.commit(self._records.policies.putting(stored.key, changed, expect=stored.version))

        await settle(attempt)

    # --- versions -----------------------------------------------------------------------------------------------

    async def create_version(self, arn: str, document: str, *, default: bool) -> int:
        """Add a version, in effect at once where `default`; its number.

        Raises NoSuchEntity, MalformedPolicyDocument, LimitExceeded.
        """
        check_managed(document)

        async def attempt() -> int:
            stored = await self.stored(arn)
            policy = stored.value
            if len(policy.versions) >= VERSIONS:
                raise LimitExceeded(
                    f"A managed policy can have up to {VERSIONS} versions. Before you create a new version, you must "
                    "delete an existing version."
                )
            number = policy.last + 1
            versions = {**policy.versions, number: PolicyVersion(document=document, created=self._clock.time())}
            chosen = number if default else policy.default
            await self._write(stored, msgspec.structs.replace(policy, last=number, versions=versions, default=chosen))
            return number

        return await settle(attempt)

    async def version(self, arn: str, version: str) -> tuple[Policy, int]:
        """The policy and the number of its version `v2`. Raises NoSuchEntity."""
        policy = (await self.stored(arn)).value
        return policy, _number(arn, policy, version)

    async def set_default(self, arn: str, version: str) -> None:
        """Put a version into effect; who holds the policy hears of it before this returns. Raises NoSuchEntity."""

        async def attempt() -> None:
            stored = await self.stored(arn)
            number = _number(arn, stored.value, version)
            await self._write(stored, msgspec.structs.replace(stored.value, default=number))

        await settle(attempt)

    async def delete_version(self, arn: str, version: str) -> None:
        """Remove a version that is not the default one. Raises NoSuchEntity, DeleteConflict."""

        async def attempt() -> None:
            stored = await self.stored(arn)
            number = _number(arn, stored.value, version)
            if number == stored.value.default:
                raise DeleteConflict("Cannot delete the default version of a policy.")
            versions = {one: kept for one, kept in stored.value.versions.items() if one != number}
            await self._write(stored, msgspec.structs.replace(stored.value, versions=versions))

        await settle(attempt)

    async def _write(self, stored: Stored[Policy], after: Policy) -> None:
        after = msgspec.structs.replace(after, updated=self._clock.time())

        async def holders() -> Touched:
            users = await self._records.users.find("policy", stored.key)
            roles = await self._records.roles.find("policy", stored.key)
            return frozenset([*(one.value.id for one in users), *(one.value.id for one in roles)])

        write = self._records.policies.putting(stored.key, after, expect=stored.version)
        await self._changes.commit(write, touched=holders)


def _number(arn: str, policy: Policy, version: str) -> int:
    number = int(version[1:]) if version[1:].isdecimal() and len(version) < len("v1000000") else 0
    if number not in policy.versions or version != f"v{number}":
        raise NoSuchEntity(f"Policy {arn} version {version} does not exist or is not attachable.")
    return number
