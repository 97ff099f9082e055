"""Static thing groups: a forest whose branches bear policies (developer guide, thing-groups).

A group's parent is fixed when it is made, so that each group keeps its whole path and nobody ever climbs the tree.
"""

import uuid
from collections.abc import Mapping

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound, VersionConflict
from fogbank.registry.changes import Change, Changes, held, settle
from fogbank.registry.constraints import THING_GROUP_DESCRIPTION, THING_GROUP_NAME
from fogbank.registry.holders import certificates_within, members_of
from fogbank.registry.paging import Page, Paging, Read, filtered
from fogbank.registry.records import Records, ThingGroup
from fogbank.registry.removal import mark
from fogbank.registry.targets import Holder, HolderKind
from fogbank.registry.things import AttributeUpdate, checked_attributes
from fogbank.storage.collection import Stored

DEPTH = 7
CHILDREN = 100
ATTRIBUTES = 50
"""(general reference, IoT Device Management thing group limits)"""


class GroupSearch(msgspec.Struct, frozen=True, kw_only=True):
    """What ListThingGroups filters by."""

    parent: str | None = None
    prefix: str = ""
    """How names begin."""
    recursive: bool | None = None
    """Whether groups below the children (of `parent`, or of the roots) are listed too. Without a parent the guide
    lists all groups where the caller does not say (developer guide, thing-groups, List thing groups)."""


class ThingGroups:
    """The static thing groups of the account."""

    def __init__(self, records: Records, changes: Changes, arns: Arns, clock: Clock) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock

    def arn(self, name: str) -> str:
        return self._arns.iot("thinggroup", name)

    async def create(
        self,
        name: str,
        *,
        parent: str | None = None,
        description: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> ThingGroup:
        """Make a group; the same name with the same configuration succeeds and changes nothing.

        Raises InvalidRequest (for a parent that does not exist too), ResourceAlreadyExists.
        """
        THING_GROUP_NAME.check(name)
        _check_description(description)
        given = AttributeUpdate(checked_attributes(attributes or {})).apply({})
        _check_count(given)

        async def attempt() -> ThingGroup:
            stored = await self._records.thing_groups.get(name)
            if stored is not None:
                there = stored.value
                if (there.parent, there.description, there.attributes) != (parent, description, given):
                    raise ResourceAlreadyExists(
                        f"Thing group {name} already exists in account with different configuration",
                        resourceId=there.id,
                        resourceArn=self.arn(name),
                    )
                return there
            above = None if parent is None else await self._parent(parent)
            value = ThingGroup(
                name=name,
                id=str(uuid.uuid4()),
                created=self._clock.time(),
                ancestors=() if above is None else above.value.path,
                description=description,
                attributes=given,
            )
            await self._changes.commit(
                *(() if above is None else (held(self._records.thing_groups, above),)),
                self._records.thing_groups.putting(name, value, expect=0),
                change=_change(name),
            )
            return value

        return await settle(attempt)

    async def describe(self, name: str) -> ThingGroup:
        """Raises ResourceNotFound, InvalidRequest."""
        return (await self.stored(name)).value

    async def stored(self, name: str) -> Stored[ThingGroup]:
        """The group with the version it is stored at, to hold on to. Raises ResourceNotFound, InvalidRequest."""
        found = await self._records.thing_groups.get(THING_GROUP_NAME.check(name))
        if found is None:
            raise ResourceNotFound(f"Thing group {name} not found")
        return found

    async def page(self, paging: Paging, search: GroupSearch | None = None) -> Page[ThingGroup]:
        """Those that match, in order of their names. Raises ResourceNotFound (the parent), InvalidRequest."""
        search = search or GroupSearch()
        if search.parent is not None:
            await self.stored(search.parent)
        if search.prefix:
            THING_GROUP_NAME.check(search.prefix)
        page = await paging.page(f"thing groups {search!r}", self._matching(search))
        return Page([one.value for one in page.items], page.next)

    async def update(
        self,
        name: str,
        *,
        description: str | None = None,
        attributes: AttributeUpdate | None = None,
        expected_version: int | None = None,
    ) -> ThingGroup:
        """Change what is given and raise the version by one.

        Raises InvalidRequest, ResourceNotFound, VersionConflict.
        """
        _check_description(description)
        if attributes is not None:
            checked_attributes(attributes.attributes)

        async def attempt() -> ThingGroup:
            stored = await self.stored(name)
            before = stored.value
            _check_version(before, expected_version)
            after = msgspec.structs.replace(
                before,
                description=before.description if description is None else description,
                attributes=before.attributes if attributes is None else attributes.apply(before.attributes),
                version=before.version + 1,
            )
            _check_count(after.attributes)
            write = self._records.thing_groups.putting(name, after, expect=stored.version)
            await self._changes.commit(write, change=Change())
            return after

        return await settle(attempt)

    async def delete(self, name: str, *, expected_version: int | None = None) -> None:
        """Remove a group that has no children; its things leave it, its policies are detached.

        One that does not exist is no error. Raises InvalidRequest, VersionConflict.
        """
        THING_GROUP_NAME.check(name)

        async def attempt() -> None:
            found = await self._records.thing_groups.get(name)
            if found is None:
                return
            _check_version(found.value, expected_version)
            if await self._records.thing_groups.find("parent", name, limit=1):
                raise InvalidRequest(
                    f"Cannot delete thing group : {name} when there are still child groups attached to it."
                )
            stored = await mark(self._changes, self._records.thing_groups, found)
            members = await members_of(self._records, name)
            policies = await self._records.policy_attachments.scan(prefix=Holder(HolderKind.GROUP, name).prefix)
            certificates = await certificates_within(self._records, name)
            await self._changes.commit(
                self._records.thing_groups.deleting(name, expect=stored.version),
                *(self._records.memberships.deleting(one.key) for one in members),
                *(self._records.policy_attachments.deleting(one.key) for one in policies),
                change=Change(
                    groups=frozenset((name,)),
                    things=frozenset(one.value.thing for one in members),
                    identities=certificates,
                ),
            )

        await settle(attempt)

    async def _parent(self, name: str) -> Stored[ThingGroup]:
        """Raises InvalidRequest where no child can be made below it."""
        found = await self._records.thing_groups.get(THING_GROUP_NAME.check(name))
        if found is None:
            raise InvalidRequest(f"Parent thing group {name} not found")
        if len(found.value.path) >= DEPTH:
            raise InvalidRequest(f"Thing group {name} is at depth {DEPTH}, below which there are no groups")
        if len(await self._records.thing_groups.find("parent", name, limit=CHILDREN)) >= CHILDREN:
            raise InvalidRequest(f"Thing group {name} has {CHILDREN} child groups, which is the most")
        return found

    def _matching(self, search: GroupSearch) -> Read[ThingGroup]:
        groups = self._records.thing_groups
        if search.parent is None and search.recursive in (None, True):
            return lambda after, limit: groups.scan(prefix=search.prefix, after=after, limit=limit)
        index = "ancestor" if search.recursive else "parent"

        async def read(after: str, limit: int) -> list[Stored[ThingGroup]]:
            return await groups.find(index, search.parent or "", after=after, limit=limit)

        return filtered(read, lambda one: one.name.startswith(search.prefix)) if search.prefix else read


def _change(name: str) -> Change:
    return Change(groups=frozenset((name,)))


def _check_description(description: str | None) -> None:
    if description is not None:
        THING_GROUP_DESCRIPTION.check(description)


def _check_count(attributes: Mapping[str, str]) -> None:
    if len(attributes) > ATTRIBUTES:
        raise InvalidRequest(f"A thing group has at most {ATTRIBUTES} attributes, not {len(attributes)}")


def _check_version(group: ThingGroup, expected: int | None) -> None:
    if expected is not None and expected != group.version:
        raise VersionConflict(f"The version of thing group {group.name} is {group.version}, expected {expected}")
