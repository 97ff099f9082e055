"""Which things are in which groups, and how they get into static ones (developer guide, thing-groups).

A membership is written together with its thing as it was read, so that no eleventh and no second one in a hierarchy
slips in; of the group it is merely expected that it is there, so that a fleet can join one group at once.
"""

from collections.abc import Sequence
from functools import partial

from fogbank.clock import Clock
from fogbank.errors import InvalidRequest
from fogbank.ports import Delete, Expect, Put
from fogbank.registry.changes import Change, Changes, held, settle
from fogbank.registry.happenings import MembershipHappening, Operation
from fogbank.registry.holders import certificates_of
from fogbank.registry.records import Membership, Records, Thing, memberships_prefix
from fogbank.registry.removal import relying
from fogbank.registry.thing_groups import ThingGroups
from fogbank.registry.things import Things
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Page, Paging

GROUPS_PER_THING = 10
"""(general reference, IoT Device Management thing group limits)"""


class GroupMembers:
    """Lets things join and leave groups."""

    def __init__(
        self, records: Records, changes: Changes, clock: Clock, *, things: Things, groups: ThingGroups
    ) -> None:
        self._records = records
        self._changes = changes
        self._clock = clock
        self._things = things
        self._groups = groups

    async def update(
        self, thing: str, *, join: Sequence[str] = (), leave: Sequence[str] = (), override: bool = False
    ) -> None:
        """Let `thing` leave groups and join others, all or none. Being there, or not, already is no error.

        `override`: a thing that is in too many groups leaves the youngest dynamic ones for those it joins.

        Raises ResourceNotFound, InvalidRequest.
        """
        if both := sorted({*join} & {*leave}):
            raise InvalidRequest(f"Thing groups cannot be both joined and left: {', '.join(both)}")

        async def attempt() -> None:
            stored = await self._things.stored(thing)
            left = {(await self._groups.static(group)).key for group in leave}
            members = await self._records.memberships.scan(prefix=memberships_prefix(thing))
            leaving = [one for one in members if one.value.group in left]
            staying = [one.value for one in members if one.value.group not in left]
            writes: list[Put | Delete | Expect] = [
                self._records.memberships.deleting(one.key, expect=one.version) for one in leaving
            ]
            happened = [MembershipHappening(Operation.REMOVED, one.value) for one in leaving]
            for group in join:
                if override and (displaced := await self._displaced(group, staying)) is not None:
                    staying.remove(displaced)
                    version = next(one.version for one in members if one.key == displaced.key)
                    writes.append(self._records.memberships.deleting(displaced.key, expect=version))
                    happened.append(MembershipHappening(Operation.REMOVED, displaced))
                joining = await self._joining(stored.value, group, staying)
                if joining is not None:
                    value, relied = joining
                    staying.append(value)
                    happened.append(MembershipHappening(Operation.ADDED, value))
                    writes += [relied, self._records.memberships.putting(value.key, value, expect=0)]
            if writes:
                await self._changes.commit(
                    held(self._records.things, stored),
                    *writes,
                    change=Change(
                        things=frozenset((thing,)),
                        touched=partial(certificates_of, self._records, thing),
                        happened=lambda: happened,
                    ),
                )

        await settle(attempt)

    async def groups_of(self, thing: str, paging: Paging) -> Page[str]:
        """Names of the groups that `thing` was put in itself. Raises ResourceNotFound, InvalidRequest."""
        await self._things.stored(thing)

        async def read(after: str, limit: int) -> list[Stored[Membership]]:
            return await self._records.memberships.scan(prefix=memberships_prefix(thing), after=after, limit=limit)

        page = await paging.page(f"groups of {thing}", read)
        return Page([one.value.group for one in page.items], page.next)

    async def things_in(self, group: str, paging: Paging, *, recursive: bool = False) -> Page[str]:
        """Names of the things in `group`, and where `recursive` in the groups below. Raises ResourceNotFound, ..."""
        await self._groups.stored(group)

        async def read(after: str, limit: int) -> list[Stored[Membership]]:
            return await self._records.memberships.find(
                "within" if recursive else "group", group, after=after, limit=limit
            )

        page = await paging.page(f"things in {group} {recursive}", read)
        return Page([one.value.thing for one in page.items], page.next)

    async def _joining(
        self, thing: Thing, name: str, staying: Sequence[Membership]
    ) -> tuple[Membership, Put | Expect] | None:
        """The membership with what it relies on; None where there is one already. Raises where none is possible."""
        group = await self._groups.static(name)
        if any(one.group == name for one in staying):
            return None
        value = Membership(
            thing=thing.name,
            path=group.value.path,
            created=self._clock.time(),
            thing_id=thing.id,
            group_id=group.value.id,
        )
        for one in staying:
            if one.root == value.root:
                raise InvalidRequest(
                    f"Thing {thing.name} is in thing group {one.group}, which is in the same hierarchy as {name}:"
                    " a thing can be in one group of a hierarchy"
                )
        if len(staying) >= GROUPS_PER_THING:
            raise InvalidRequest(f"Thing {thing.name} is in {GROUPS_PER_THING} thing groups, which is the most")
        return value, relying(self._records.thing_groups, group)

    async def _displaced(self, joining: str, staying: Sequence[Membership]) -> Membership | None:
        """The membership in the youngest dynamic group, where the thing can join no other before it has left one
        (developer guide, dynamic-thing-groups, With overrideDynamicGroups enabled)."""
        if len(staying) < GROUPS_PER_THING or any(one.group == joining for one in staying):
            return None
        dynamic = [one for one in staying if one.dynamic]
        born = {one.group: (await self._groups.stored(one.group)).value.created for one in dynamic}
        return max(dynamic, key=lambda one: born[one.group], default=None)
