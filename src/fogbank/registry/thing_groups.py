"""Thing groups: a forest whose branches bear policies (developer guide, thing-groups).

A group's parent is fixed when it is made, so that each group keeps its whole path and nobody ever climbs the tree.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound, VersionConflict
from fogbank.registry.changes import Change, Changes, held, settle
from fogbank.registry.constraints import THING_GROUP_DESCRIPTION, THING_GROUP_NAME
from fogbank.registry.happenings import (
    GroupHappening,
    Happening,
    HierarchyHappening,
    MembershipHappening,
    Operation,
)
from fogbank.registry.holders import certificates_within, members_of
from fogbank.registry.records import DynamicQuery, Membership, Records, ThingGroup
from fogbank.registry.removal import mark
from fogbank.registry.tags import Tags
from fogbank.registry.targets import Holder, HolderKind
from fogbank.registry.things import AttributeUpdate, checked_attributes
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Page, Paging, Read, filtered

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
    """The thing groups of the account, static and dynamic; the latter are made through `index.dynamic_groups`."""

    def __init__(self, records: Records, changes: Changes, arns: Arns, clock: Clock, tags: Tags) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._tags = tags
        tags.register("thinggroup", records.thing_groups.presence)

    def arn(self, name: str) -> str:
        return self._arns.iot("thinggroup", name)

    async def create(
        self,
        name: str,
        *,
        parent: str | None = None,
        description: str | None = None,
        attributes: Mapping[str, str] | None = None,
        dynamic: DynamicQuery | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ThingGroup:
        """Make a group; the same name with the same configuration succeeds and changes nothing, tags neither.

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
                asked = (parent, description, given, _asked(dynamic))
                if (there.parent, there.description, there.attributes, _asked(there.dynamic)) != asked:
                    raise ResourceAlreadyExists(
                        f"Thing Group {name} already exists in current account with different properties",
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
                dynamic=dynamic,
            )
            await self._changes.commit(
                *(() if above is None else (held(self._records.thing_groups, above),)),
                self._records.thing_groups.putting(name, value, expect=0),
                self._tags.putting(self.arn(name), tags or {}),
                change=Change(
                    groups=frozenset((name,)),
                    happened=partial(_happened, Operation.CREATED, value, await self._above(value)),
                ),
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

    async def static(self, name: str) -> Stored[ThingGroup]:
        """As `stored`, of a group that things can be put into. Raises ResourceNotFound, InvalidRequest."""
        found = await self.stored(name)
        _check_kind(found.value, dynamic=False)
        return found

    async def page(self, paging: Paging, search: GroupSearch | None = None) -> Page[ThingGroup]:
        """Those that match, in order of their names. Raises ResourceNotFound (the parent), InvalidRequest."""
        search = search or GroupSearch()
        if search.parent is not None:
            await self.stored(search.parent)
        if search.prefix:
            THING_GROUP_NAME.check(search.prefix)
        return await paging.values(f"thing groups {search!r}", self._matching(search))

    async def update(
        self,
        name: str,
        *,
        description: str | None = None,
        attributes: AttributeUpdate | None = None,
        expected_version: int | None = None,
        requery: Callable[[DynamicQuery], DynamicQuery] | None = None,
    ) -> ThingGroup:
        """Change what is given and raise the version by one. `requery` changes the query; it is for dynamic groups.

        Raises InvalidRequest, ResourceNotFound, VersionConflict.
        """
        _check_description(description)
        if attributes is not None:
            checked_attributes(attributes.attributes)

        async def attempt() -> ThingGroup:
            stored = await self.stored(name)
            before = stored.value
            _check_kind(before, dynamic=requery is not None)
            _check_version(before, expected_version)
            after = msgspec.structs.replace(
                before,
                description=before.description if description is None else description,
                attributes=before.attributes if attributes is None else attributes.apply(before.attributes),
                version=before.version + 1,
                dynamic=before.dynamic if requery is None or before.dynamic is None else requery(before.dynamic),
            )
            _check_count(after.attributes)
            happening = GroupHappening(Operation.UPDATED, after, await self._above(after))
            await self._changes.commit(
                self._records.thing_groups.putting(name, after, expect=stored.version),
                change=Change(groups=frozenset((name,)), happened=lambda: [happening]),
            )
            return after

        return await settle(attempt)

    async def delete(self, name: str, *, expected_version: int | None = None, dynamic: bool = False) -> None:
        """Remove a group that has no children; its things leave it, its policies are detached.

        One that does not exist is no error. Raises InvalidRequest, VersionConflict.
        """
        THING_GROUP_NAME.check(name)

        async def attempt() -> None:
            found = await self._records.thing_groups.get(name)
            if found is None:
                return
            _check_kind(found.value, dynamic=dynamic)
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
                *(self._records.memberships.deleting(one.key, expect=one.version) for one in members),
                *(self._records.policy_attachments.deleting(one.key) for one in policies),
                self._tags.deleting(self.arn(name)),
                change=Change(
                    groups=frozenset((name,)),
                    things=frozenset(one.value.thing for one in members),
                    identities=certificates,
                    happened=partial(
                        _happened,
                        Operation.DELETED,
                        stored.value,
                        await self._above(stored.value),
                        [one.value for one in members],
                    ),
                ),
            )

        await settle(attempt)

    async def _above(self, group: ThingGroup) -> list[ThingGroup]:
        """The groups above it, the root first: all are there as long as it is."""
        found = [await self._records.thing_groups.get(name) for name in group.ancestors]
        return [one.value for one in found if one is not None]

    async def _parent(self, name: str) -> Stored[ThingGroup]:
        """Raises InvalidRequest where no child can be made below it."""
        found = await self._records.thing_groups.get(THING_GROUP_NAME.check(name))
        if found is None:
            raise InvalidRequest(f"Parent thing group {name} not found")
        _check_kind(found.value, dynamic=False)
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


def _happened(
    operation: Operation, group: ThingGroup, above: Sequence[ThingGroup], left: Sequence[Membership] = ()
) -> Iterator[Happening]:
    """What a group's creation or deletion means to those who listen: its things leave it before it goes."""
    for one in left:
        yield MembershipHappening(Operation.REMOVED, one)
    deleted = operation is Operation.DELETED
    if above and deleted:
        yield HierarchyHappening(Operation.REMOVED, above[-1], group)
    yield GroupHappening(operation, group, above)
    if above and not deleted:
        yield HierarchyHappening(Operation.ADDED, above[-1], group)


def _asked(dynamic: DynamicQuery | None) -> tuple[str, ...] | None:
    """What of a dynamic group's query the caller has a say in."""
    return None if dynamic is None else (dynamic.text, dynamic.index, dynamic.version)


def _check_kind(group: ThingGroup, *, dynamic: bool) -> None:
    """Raises InvalidRequest where an operation on one kind of group is tried on the other; AWS's text is not known."""
    if (group.dynamic is not None) is dynamic:
        return
    if dynamic:
        raise InvalidRequest(f"Thing group {group.name} is not a dynamic thing group")
    raise InvalidRequest(
        f"Thing group {group.name} is a dynamic thing group: its query decides which things are in it, it has no"
        " hierarchy and no policies, and it is updated and deleted by UpdateDynamicThingGroup and"
        " DeleteDynamicThingGroup"
    )


def _check_description(description: str | None) -> None:
    if description is not None:
        THING_GROUP_DESCRIPTION.check(description)


def _check_count(attributes: Mapping[str, str]) -> None:
    if len(attributes) > ATTRIBUTES:
        raise InvalidRequest(f"A thing group has at most {ATTRIBUTES} attributes, not {len(attributes)}")


def _check_version(group: ThingGroup, expected: int | None) -> None:
    if expected is not None and expected != group.version:
        raise VersionConflict(f"The version of thing group {group.name} is {group.version}, expected {expected}")
