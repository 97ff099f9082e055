"""IoT policies and their versions (developer guide, iot-policies; API reference, CreatePolicyVersion)."""

import asyncio
import uuid
from collections.abc import Mapping
from functools import partial

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import DeleteConflict, InvalidRequest, ResourceAlreadyExists, ResourceNotFound
from fogbank.policy.document import MalformedPolicy as UnreadablePolicy
from fogbank.policy.document import parse_document
from fogbank.ports import Documents
from fogbank.registry.changes import Change, Changes, Touched, settle
from fogbank.registry.constraints import POLICY_NAME, POLICY_VERSION_ID
from fogbank.registry.creation_order import CreationOrder
from fogbank.registry.errors import MalformedPolicy, VersionsLimitExceeded
from fogbank.registry.holders import holders_of
from fogbank.registry.records import Policy, PolicyVersion, Records
from fogbank.registry.removal import mark
from fogbank.registry.tags import Tags
from fogbank.storage.collection import Stored
from fogbank.storage.paging import MARKER_PAGE, Page, Paging

VERSIONS = 5
DOCUMENT_SIZE = 2048
"""Characters other than white space (general reference, IoT Core security limits)."""
DOCUMENT_LENGTH = 404_600
"""Characters with it (API model, PolicyDocument)."""


class Policies:
    """The policies of the account. A policy's name never changes; its default version is what is in effect."""

    def __init__(
        self, documents: Documents, records: Records, changes: Changes, arns: Arns, clock: Clock, tags: Tags
    ) -> None:
        self._records = records
        self._order = CreationOrder(documents, "policy")
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._tags = tags
        tags.register("policy", records.policies.presence)

    def arn(self, name: str) -> str:
        return self._arns.iot("policy", name)

    async def create(self, name: str, document: str, *, tags: Mapping[str, str] | None = None) -> Policy:
        """Make a policy with `document` as version 1. Raises MalformedPolicy, InvalidRequest, ResourceAlreadyExists."""
        POLICY_NAME.check(name)
        check_document(document)
        now = self._clock.time()
        value = Policy(
            name=name,
            created=now,
            modified=now,
            default=1,
            last=1,
            versions={1: self._version(document)},
        )

        async def attempt() -> Policy:
            if await self._records.policies.get(name) is not None:
                raise ResourceAlreadyExists(
                    f"Policy cannot be created - name already exists (name={name})",
                    resourceId=name,
                    resourceArn=self.arn(name),
                )
            await self._changes.commit(
                self._records.policies.putting(name, value, expect=0),
                *self._order.entering(name, now),
                self._tags.putting(self.arn(name), tags or {}),
                change=_change(name),
            )
            return value

        return await settle(attempt)

    async def describe(self, name: str) -> Policy:
        """Raises ResourceNotFound, InvalidRequest."""
        return (await self.stored(name)).value

    async def stored(self, name: str) -> Stored[Policy]:
        """The policy with the version it is stored at, to hold on to. Raises ResourceNotFound, InvalidRequest."""
        found = await self._records.policies.get(POLICY_NAME.check(name))
        if found is None:
            raise ResourceNotFound(f"Policy not found: {name}")
        return found

    async def page(self, paging: Paging, *, ascending: bool = False) -> Page[Policy]:
        """In order of creation; newest first unless `ascending`."""
        page = await paging.page(
            f"policies {ascending}",
            lambda after, limit: self._order.read(after, limit, ascending=ascending),
            default=MARKER_PAGE,
        )
        found = await asyncio.gather(*(self._records.policies.get(entry.value.name) for entry in page.items))
        return Page([one.value for one in found if one is not None], page.next)

    async def delete(self, name: str) -> None:
        """Remove a policy that has one version and no target. Raises ResourceNotFound, DeleteConflict."""

        async def attempt() -> None:
            found = await self.stored(name)
            await self._check_removable(found.value)
            stored = await mark(self._changes, self._records.policies, found)
            await self._check_removable(stored.value)
            await self._changes.commit(
                self._records.policies.deleting(name, expect=stored.version),
                *self._order.leaving(name, stored.value.created),
                self._tags.deleting(self.arn(name)),
                change=_change(name),
            )

        await settle(attempt)

    async def create_version(self, name: str, document: str, *, default: bool) -> int:
        """Add a version, in effect at once where `default`; its number.

        Raises ResourceNotFound, MalformedPolicy, VersionsLimitExceeded.
        """
        check_document(document)

        async def attempt() -> int:
            stored = await self.stored(name)
            policy = stored.value
            if len(policy.versions) >= VERSIONS:
                raise VersionsLimitExceeded(
                    f"The policy {name} already has the maximum number of versions ({VERSIONS})"
                )
            number = policy.last + 1
            versions = {**policy.versions, number: self._version(document)}
            await self._write(stored, last=number, versions=versions, default=number if default else policy.default)
            return number

        return await settle(attempt)

    async def version(self, name: str, version: str) -> tuple[Policy, int]:
        """The policy and the number of its version `version`. Raises ResourceNotFound, InvalidRequest."""
        policy = await self.describe(name)
        return policy, _number(policy, version)

    async def set_default(self, name: str, version: str) -> None:
        """Put a version into effect; who holds the policy hears of it before this returns. Raises ResourceNotFound."""

        async def attempt() -> None:
            stored = await self.stored(name)
            number = _number(stored.value, version)
            if number != stored.value.default:
                await self._write(stored, default=number)

        await settle(attempt)

    async def delete_version(self, name: str, version: str) -> None:
        """Remove a version that is not the default one. Raises ResourceNotFound, InvalidRequest."""

        async def attempt() -> None:
            stored = await self.stored(name)
            number = _number(stored.value, version)
            if number == stored.value.default:
                raise InvalidRequest(f"Cannot delete the default version of a policy: {name}, version {number}")
            versions = {one: kept for one, kept in stored.value.versions.items() if one != number}
            await self._write(stored, versions=versions)

        await settle(attempt)

    async def _check_removable(self, policy: Policy) -> None:
        """Raises DeleteConflict."""
        if await self._records.policy_attachments.find("policy", policy.name, limit=1):
            raise DeleteConflict(
                f"The policy cannot be deleted as the policy is attached to one or more principals (name={policy.name})"
            )
        if len(policy.versions) > 1:
            raise DeleteConflict(
                "Cannot delete the policy because it has one or more policy versions attached to it"
                f" (name={policy.name})"
            )

    async def _write(
        self,
        stored: Stored[Policy],
        *,
        default: int | None = None,
        last: int | None = None,
        versions: dict[int, PolicyVersion] | None = None,
    ) -> None:
        before = stored.value
        after = msgspec.structs.replace(
            before,
            modified=self._clock.time(),
            default=before.default if default is None else default,
            last=before.last if last is None else last,
            versions=before.versions if versions is None else versions,
        )
        touched = None if after.default == before.default else partial(holders_of, self._records, stored.key)
        await self._changes.commit(
            self._records.policies.putting(stored.key, after, expect=stored.version),
            change=_change(stored.key, touched),
        )

    def _version(self, document: str) -> PolicyVersion:
        return PolicyVersion(document=document, created=self._clock.time(), generation=str(uuid.uuid4()))


def check_document(document: str) -> None:
    """Raises MalformedPolicy where the text is too long, or no policy document."""
    if len(document) > DOCUMENT_LENGTH:
        raise MalformedPolicy(f"The policy document is longer than {DOCUMENT_LENGTH} characters")
    size = sum(map(len, document.split()))
    if size > DOCUMENT_SIZE:
        raise MalformedPolicy(
            f"The policy document has {size} characters without white space; {DOCUMENT_SIZE} are allowed"
        )
    try:
        parse_document(document)
    except UnreadablePolicy as error:
        raise MalformedPolicy(f"Policy document is malformed: {error}") from None


def _number(policy: Policy, version: str) -> int:
    number = int(POLICY_VERSION_ID.check(version))
    if number not in policy.versions:
        raise ResourceNotFound(f"Policy version not found: {policy.name}, version {version}")
    return number


def _change(name: str, touched: Touched | None = None) -> Change:
    return Change(policies=frozenset((name,)), touched=touched)
