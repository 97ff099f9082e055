"""Billing groups: what costs of things are put down to, by the groups' tags (developer guide, billing-groups)."""

import uuid
from collections.abc import Mapping

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import ResourceAlreadyExists, ResourceNotFound, VersionConflict
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.constraints import BILLING_GROUP_DESCRIPTION, BILLING_GROUP_NAME
from fogbank.registry.holders import billed_to
from fogbank.registry.records import BillingGroup, Records
from fogbank.registry.removal import mark
from fogbank.registry.tags import Tags
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Page, Paging


class BillingGroups:
    """The billing groups of the account."""

    def __init__(self, records: Records, changes: Changes, arns: Arns, clock: Clock, tags: Tags) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._tags = tags
        tags.register("billinggroup", records.billing_groups.presence)

    def arn(self, name: str) -> str:
        return self._arns.iot("billinggroup", name)

    async def create(
        self, name: str, description: str | None = None, *, tags: Mapping[str, str] | None = None
    ) -> BillingGroup:
        """Make a group; the same name with the same configuration succeeds and changes nothing, tags neither.

        Raises InvalidRequest, ResourceAlreadyExists.
        """
        BILLING_GROUP_NAME.check(name)
        _check_description(description)
        wanted = BillingGroup(name=name, id=str(uuid.uuid4()), created=self._clock.time(), description=description)

        async def attempt() -> BillingGroup:
            stored = await self._records.billing_groups.get(name)
            if stored is None:
                await self._changes.commit(
                    self._records.billing_groups.putting(name, wanted, expect=0),
                    self._tags.putting(self.arn(name), tags or {}),
                    change=Change(),
                )
                return wanted
            if stored.value.description != description:
                raise ResourceAlreadyExists(
                    f"Billing group {name} already exists in account with different configuration",
                    resourceId=stored.value.id,
                    resourceArn=self.arn(name),
                )
            return stored.value

        return await settle(attempt)

    async def describe(self, name: str) -> BillingGroup:
        """Raises ResourceNotFound, InvalidRequest."""
        return (await self.stored(name)).value

    async def stored(self, name: str) -> Stored[BillingGroup]:
        """The group with the version it is stored at, to hold on to. Raises ResourceNotFound, InvalidRequest."""
        found = await self._records.billing_groups.get(BILLING_GROUP_NAME.check(name))
        if found is None:
            raise ResourceNotFound(f"Billing group {name} not found")
        return found

    async def page(self, paging: Paging, prefix: str = "") -> Page[BillingGroup]:
        """Those whose names begin with `prefix`, in order of their names. Raises InvalidRequest."""
        if prefix:
            BILLING_GROUP_NAME.check(prefix)
        return await paging.values(
            f"billing groups {prefix}",
            lambda after, limit: self._records.billing_groups.scan(prefix=prefix, after=after, limit=limit),
        )

    async def update(self, name: str, description: str | None, *, expected_version: int | None = None) -> BillingGroup:
        """Change the description, where one is given, and raise the version by one.

        Raises InvalidRequest, ResourceNotFound, VersionConflict.
        """
        _check_description(description)

        async def attempt() -> BillingGroup:
            stored = await self.stored(name)
            before = stored.value
            _check_version(before, expected_version)
            after = msgspec.structs.replace(
                before,
                description=before.description if description is None else description,
                version=before.version + 1,
            )
            write = self._records.billing_groups.putting(name, after, expect=stored.version)
            await self._changes.commit(write, change=Change())
            return after

        return await settle(attempt)

    async def delete(self, name: str, *, expected_version: int | None = None) -> None:
        """Remove a group; its things leave it (UNVERIFIED: as they do a thing group). One that does not exist is no
        error: the API reference names no ResourceNotFoundException. Raises InvalidRequest, VersionConflict.
        """
        BILLING_GROUP_NAME.check(name)

        async def attempt() -> None:
            found = await self._records.billing_groups.get(name)
            if found is None:
                return
            _check_version(found.value, expected_version)
            stored = await mark(self._changes, self._records.billing_groups, found)
            members = await billed_to(self._records, name)
            await self._changes.commit(
                self._records.billing_groups.deleting(name, expect=stored.version),
                *(self._records.billing_memberships.deleting(one.key, expect=one.version) for one in members),
                self._tags.deleting(self.arn(name)),
                change=Change(),
            )

        await settle(attempt)


def _check_description(description: str | None) -> None:
    if description is not None:
        BILLING_GROUP_DESCRIPTION.check(description)


def _check_version(group: BillingGroup, expected: int | None) -> None:
    if expected is not None and expected != group.version:
        raise VersionConflict(f"The version of billing group {group.name} is {group.version}, expected {expected}")
