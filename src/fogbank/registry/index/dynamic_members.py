"""Which dynamic groups a thing is in: worked out whenever the index looks at the thing, before it is indexed.

Before, since a crash in between then leaves an entry that is found to be old, and everything is done once more; the
other way round a membership could be wrong for good.

A query sees only those names of groups that things were put into. Seeing the dynamic ones, `NOT thingGroupNames:g` as
the query of g would take a thing in and out for ever.
"""

import logging
from collections.abc import Mapping, Sequence

import msgspec

from fogbank.clock import Clock
from fogbank.ports import Delete, Expect, Put
from fogbank.registry.changes import Change, Changes, held, settle
from fogbank.registry.group_members import GROUPS_PER_THING
from fogbank.registry.happenings import MembershipHappening, Operation
from fogbank.registry.index.entry import ThingEntry
from fogbank.registry.records import Membership, Records, memberships_prefix
from fogbank.registry.removal import relying
from fogbank.search import Query, matches
from fogbank.storage.collection import Stored

log = logging.getLogger(__name__)


MOST_LEFT_OUT = 10_000


class Rule(msgspec.Struct, frozen=True):
    """A dynamic group as it is evaluated."""

    group: str
    created: float
    query: Query


class DynamicMembers:
    """Lets things join and leave dynamic groups."""

    def __init__(self, records: Records, changes: Changes, clock: Clock) -> None:
        self._records = records
        self._changes = changes
        self._clock = clock
        self._rules: tuple[Rule, ...] = ()
        self._names: frozenset[str] = frozenset()
        self._left_out: set[tuple[str, str]] = set()
        """Things with the groups that they are not in although they should be, lest each is told again and again."""
        self.failures = 0
        """AddThingToDynamicThingGroupsFailed: how often a thing was in too many groups for one that it belongs to."""

    def follow(self, rules: Mapping[str, Rule]) -> None:
        """Evaluate these from now on."""
        self._rules = tuple(sorted(rules.values(), key=lambda rule: (rule.created, rule.group)))
        self._names = frozenset(rules)

    def due(self, entry: ThingEntry) -> bool:
        """Whether the thing is in other dynamic groups than those that it should be in."""
        if not self._rules:
            return False
        there = self._names.intersection(entry.group_names)
        static = [group for group in entry.group_names if group not in there]
        return set(self._wanted(entry, static)) != there

    async def update(self, entry: ThingEntry) -> None:
        """Let the thing be in the groups whose queries its entry matches."""
        name = entry.name

        async def attempt() -> None:
            stored = await self._records.things.get(name)
            if stored is None:
                return
            members = await self._records.memberships.scan(prefix=memberships_prefix(name))
            static = [one.value.group for one in members if not one.value.dynamic]
            wanted = self._wanted(entry, static)
            there = {one.value.group: one for one in members if one.value.dynamic}
            leaving = [one for group, one in there.items() if group not in wanted]
            joining = [await self._joining(name, stored.value.id, group) for group in wanted if group not in there]
            if leaving or any(joining):
                holding = held(self._records.things, stored)
                await self._commit(holding, leaving, [one for one in joining if one is not None])

        await settle(attempt)

    def _wanted(self, entry: ThingEntry, static: Sequence[str]) -> list[str]:
        """The dynamic groups that the thing is to be in: of too many, the oldest ones (developer guide,
        dynamic-thing-groups, Older dynamic thing groups take priority over newer ones)."""
        seen = msgspec.structs.replace(entry, group_names=tuple(static)).fields()
        found = [rule.group for rule in self._rules if matches(rule.query, seen)]
        room = max(0, GROUPS_PER_THING - len(static))
        self._tell(entry.name, found[:room], found[room:])
        return found[:room]

    def _tell(self, thing: str, let_in: Sequence[str], left_out: Sequence[str]) -> None:
        self._left_out.difference_update((thing, group) for group in let_in)
        for group in left_out:
            if (thing, group) not in self._left_out:
                self.failures += 1
                log.warning(
                    "thing %s is in %d groups: it cannot be in dynamic group %s", thing, GROUPS_PER_THING, group
                )
                if len(self._left_out) < MOST_LEFT_OUT:
                    self._left_out.add((thing, group))

    async def _joining(self, thing: str, id_: str, name: str) -> tuple[Membership, Put | Expect] | None:
        """The membership with what it relies on; None where the group is gone."""
        group = await self._records.thing_groups.get(name)
        if group is None or group.value.dynamic is None:
            return None
        value = Membership(
            thing=thing,
            path=group.value.path,
            created=self._clock.time(),
            thing_id=id_,
            group_id=group.value.id,
            dynamic=True,
        )
        return value, relying(self._records.thing_groups, group)

    async def _commit(
        self, holding: Put, leaving: Sequence[Stored[Membership]], joining: Sequence[tuple[Membership, Put | Expect]]
    ) -> None:
        writes: list[Put | Delete | Expect] = [
            self._records.memberships.deleting(one.key, expect=one.version) for one in leaving
        ]
        for value, relied in joining:
            writes += [relied, self._records.memberships.putting(value.key, value, expect=0)]
        await self._changes.commit(
            holding,
            *writes,
            change=Change(
                things=frozenset((holding.key,)),
                happened=lambda: [
                    *(MembershipHappening(Operation.REMOVED, one.value) for one in leaving),
                    *(MembershipHappening(Operation.ADDED, value) for value, _ in joining),
                ],
            ),
        )
