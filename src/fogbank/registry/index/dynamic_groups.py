"""Dynamic thing groups: groups whose members are what a search of the fleet index finds (developer guide,
dynamic-thing-groups).

They are kept beside the static ones, and listed and described with them. A group that is made, or given another query,
finds its members by a search; from then on the feed looks at each thing that changes. How far it is, is kept with the
group: what a crash interrupts is taken up again at the next start.
"""

import logging
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec

from fogbank.errors import InvalidRequest, LimitExceeded
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.errors import IndexNotReady
from fogbank.registry.index.configuration import IndexingConfiguration, IndexName
from fogbank.registry.index.dynamic_members import DynamicMembers, Rule
from fogbank.registry.index.engine import FleetIndex
from fogbank.registry.index.feed import Feed
from fogbank.registry.records import DynamicQuery, DynamicStatus, Records, ThingGroup
from fogbank.registry.thing_groups import ThingGroups
from fogbank.registry.things import AttributeUpdate
from fogbank.search import InvalidQuery, Query, parse
from fogbank.search.query import Everything
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

MOST = 100
"""Per account (general reference, IoT Device Management thing group limits)."""
MOST_TERMS = 5
"""Of a query (general reference, IoT Device Management fleet indexing limits)."""
QUERY_VERSION = "2017-09-30"
PAGE = 500
PATIENCE = 60.0
"""Seconds that the feed has for a page of members before the next one is looked for."""
GROUP_NAMES = "thingGroupNames"


class DynamicGroups:
    """The dynamic thing groups of the account."""

    def __init__(
        self,
        records: Records,
        changes: Changes,
        groups: ThingGroups,
        members: DynamicMembers,
        engine: FleetIndex,
        feed: Feed,
        *,
        ready: Callable[[str], Awaitable[IndexName]],
        complete: Callable[[], Awaitable[None]],
    ) -> None:
        """`ready` raises where the index of that name cannot be asked, `complete` waits until all things are in it."""
        self._records = records
        self._changes = changes
        self._groups = groups
        self._members = members
        self._engine = engine
        self._feed = feed
        self._ready = ready
        self._complete = complete
        self._rules: dict[str, Rule] = {}
        self._making: Counter[str] = Counter()
        """Names of groups that are being made at this moment."""
        self._tasks = Tasks("dynamic-groups")

    async def create(
        self,
        name: str,
        query: str,
        *,
        index: str | None = None,
        version: str | None = None,
        description: str | None = None,
        attributes: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ThingGroup:
        """Make a group; the same name with the same configuration succeeds and changes nothing, tags neither.

        Raises InvalidRequest, InvalidQuery, LimitExceeded, ResourceAlreadyExists, IndexNotReady, ResourceNotFound (the
        index).
        """
        wanted = DynamicQuery(
            text=query,
            index=await self._index(index),
            version=_version(version),
            mapping=str(uuid.uuid4()),
            status=DynamicStatus.BUILDING,
        )
        _parse(wanted.text)
        if len({*self._rules, *self._making, name}) > MOST:
            raise LimitExceeded(f"There are {MOST} dynamic thing groups, which is the most")
        self._making[name] += 1
        try:
            group = await self._groups.create(
                name, description=description, attributes=attributes, dynamic=wanted, tags=tags
            )
        finally:
            self._making -= Counter((name,))
        if group.dynamic == wanted:
            self._adopt(group)
        return group

    async def update(
        self,
        name: str,
        *,
        query: str | None = None,
        index: str | None = None,
        version: str | None = None,
        description: str | None = None,
        attributes: AttributeUpdate | None = None,
        expected_version: int | None = None,
    ) -> ThingGroup:
        """Change what is given and raise the version by one.

        Raises InvalidRequest, InvalidQuery, ResourceNotFound, VersionConflict.
        """
        asked = None if index is None else await self._index(index)
        if version is not None:
            _version(version)
        if query is not None:
            _parse(query)
        requeried = str(uuid.uuid4())

        def requery(before: DynamicQuery) -> DynamicQuery:
            if query is None or (query, asked or before.index) == (before.text, before.index):
                return before
            return msgspec.structs.replace(
                before, text=query, index=asked or before.index, mapping=requeried, status=DynamicStatus.REBUILDING
            )

        group = await self._groups.update(
            name,
            description=description,
            attributes=attributes,
            expected_version=expected_version,
            requery=requery,
        )
        if group.dynamic is not None and group.dynamic.mapping == requeried:
            self._adopt(group)
        return group

    async def delete(self, name: str, *, expected_version: int | None = None) -> None:
        """Remove a group; one that does not exist is no error. Raises InvalidRequest, VersionConflict."""
        await self._groups.delete(name, expected_version=expected_version, dynamic=True)
        if self._rules.pop(name, None) is not None:
            self._members.follow(self._rules)

    async def object_to(self, configuration: IndexingConfiguration) -> None:
        """Raises InvalidRequest where the groups would have no index (developer guide, The fleet indexing service must
        be enabled)."""
        if self._rules and not configuration.things.on:
            raise InvalidRequest("Indexing of things cannot be switched off while there are dynamic thing groups")

    async def start(self) -> None:
        """Follow the groups that there are, and go on finding the members of those that were not through with it.

        Call it before anything is indexed: what is looked at is looked at for all groups.
        """
        for stored in await self._records.thing_groups.find("dynamic", "yes"):
            group = stored.value
            assert group.dynamic is not None
            try:
                self._rules[group.name] = _rule(group, group.dynamic)
            except InvalidQuery as error:
                log.error("dynamic thing group %s keeps the members it has: %s", group.name, error)
                continue
            if group.dynamic.status is not DynamicStatus.ACTIVE:
                self._tasks.start(self._fill(group.name, group.dynamic), group.name)
        self._members.follow(self._rules)

    async def filled(self) -> None:
        """Wait until all groups are ACTIVE."""
        await self._tasks.drain()

    async def close(self) -> None:
        await self._tasks.close()

    def _adopt(self, group: ThingGroup) -> None:
        """Evaluate a query that is on disk from now on, and find those that match it already."""
        assert group.dynamic is not None
        self._rules[group.name] = _rule(group, group.dynamic)
        self._members.follow(self._rules)
        self._tasks.start(self._fill(group.name, group.dynamic), group.name)

    async def _fill(self, name: str, query: DynamicQuery) -> None:
        """Have the feed look at all who may have to join or leave, then say so. Gives way to a later query."""
        await self._complete()
        await self._feed.settled(PATIENCE)
        await self._review(partial(self._found, _candidates(query)))
        await self._review(partial(self._inside, name))
        await settle(partial(self._activate, name, query))

    async def _review(self, page: Callable[[str], Awaitable[tuple[set[str], str | None]]]) -> None:
        after: str | None = ""
        while after is not None:
            names, after = await page(after)
            self._feed.review(names)
            await self._feed.settled(PATIENCE)

    async def _found(self, query: Query, after: str) -> tuple[set[str], str | None]:
        page = await self._engine.names(IndexName.THINGS, query, limit=PAGE, after=after)
        return set(page.items), page.next

    async def _inside(self, name: str, after: str) -> tuple[set[str], str | None]:
        members = await self._records.memberships.find("group", name, after=after, limit=PAGE)
        return {one.value.thing for one in members}, members[-1].key if len(members) == PAGE else None

    async def _activate(self, name: str, query: DynamicQuery) -> None:
        stored = await self._records.thing_groups.get(name)
        if stored is None or stored.value.dynamic != query:
            return
        active = msgspec.structs.replace(query, status=DynamicStatus.ACTIVE)
        group = msgspec.structs.replace(stored.value, dynamic=active)
        await self._changes.commit(
            self._records.thing_groups.putting(name, group, expect=stored.version), change=Change()
        )

    async def _index(self, name: str | None) -> str:
        """Raises InvalidRequest for another index, and while it is built, ResourceNotFound where it is off: without it
        there are no members (developer guide, The fleet indexing service must be enabled)."""
        asked = name or IndexName.THINGS.value
        if asked != IndexName.THINGS.value:
            raise InvalidRequest(f"Dynamic thing groups are in the index {IndexName.THINGS.value}, not in {asked}")
        try:
            await self._ready(asked)
        except IndexNotReady as error:  # which the API does not know here
            raise InvalidRequest(error.message) from None
        return asked


def _rule(group: ThingGroup, dynamic: DynamicQuery) -> Rule:
    return Rule(group.name, group.created, _parse(dynamic.text))


def _parse(query: str) -> Query:
    return parse(query, most_terms=MOST_TERMS)


def _candidates(query: DynamicQuery) -> Query:
    """What finds all that the query may match. The index sees the names of dynamic groups, members' queries do not:
    where names of groups matter, everything has to be looked at."""
    return Everything() if GROUP_NAMES in query.text else _parse(query.text)


def _version(given: str | None) -> str:
    if given not in (None, QUERY_VERSION):
        raise InvalidRequest(f"queryVersion {given} is not supported; there is {QUERY_VERSION}")
    return QUERY_VERSION
