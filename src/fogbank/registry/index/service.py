"""The fleet index as a whole: what it is configured to hold, whether it can be asked, and that it keeps up.

The index is derived from the registry, the shadows and the connections: it may be lost at any time and is built again,
in the background. Meanwhile it is searched as it is, where there is anything in it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fogbank.clock import Clock
from fogbank.errors import FogbankError, ResourceNotFound
from fogbank.patience import wait_for
from fogbank.ports import Documents, ShadowReader, StorageError, Subscriptions
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.errors import IndexNotReady
from fogbank.registry.index.configuration import GroupIndexing, IndexingConfiguration, IndexName, ThingIndexing
from fogbank.registry.index.connectivity import Connectivity, Look
from fogbank.registry.index.dynamic_groups import DynamicGroups
from fogbank.registry.index.dynamic_members import DynamicMembers
from fogbank.registry.index.engine import FleetIndex
from fogbank.registry.index.feed import Feed
from fogbank.registry.index.indexer import Indexer
from fogbank.registry.index.reconciliation import Reconciliation
from fogbank.registry.index.source import Source
from fogbank.registry.index.status import Building, IndexStatus
from fogbank.registry.records import Records
from fogbank.registry.thing_groups import ThingGroups
from fogbank.storage.collection import Collection, Stored
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

KIND, KEY = "indexing-configuration", "account"
PATIENCE = 2.0
"""Seconds that a search waits for an index that is being built for the first time, and whoever configures one: a small
fleet's is ready by then."""
SETTLING = 5.0
"""Seconds that a search waits for what changed before it: ten times what that takes on a machine with much to do."""
RETRY = 5.0
"""Seconds after a comparison that failed."""
ATTEMPTS = 3
"""Rounds in a row in which the engine fails, after which its files are thought to be damaged."""

Objection = Callable[[IndexingConfiguration], Awaitable[None]]


class IndexService:
    """The door to the index for all who search it: `ready`, then `settled`, then `engine`."""

    def __init__(
        self,
        engine: FleetIndex,
        documents: Documents,
        records: Records,
        changes: Changes,
        groups: ThingGroups,
        clock: Clock,
        *,
        shadows: ShadowReader,
        subscriptions: Subscriptions,
        look: Look,
    ) -> None:
        """`look` says what the broker knows of a client."""
        self.engine = engine
        self._clock = clock
        self._changes = changes
        self._shadows = shadows
        self._subscriptions = subscriptions
        self._configurations = Collection(documents, KIND, IndexingConfiguration)
        self._stored: Stored[IndexingConfiguration] = Stored(KEY, 0, IndexingConfiguration())
        self._objections: list[Objection] = []
        self._tasks = Tasks("fleet-index")
        self._failures = 0
        """Rounds in a row that the engine failed in."""
        self._building = {name: Building() for name in IndexName}
        members = DynamicMembers(records, changes, clock)
        self._feed = Feed(self._work, clock, self._overflowed, self._rest)
        self.connectivity = Connectivity(documents, clock, self._feed.thing, look)
        self._source = source = Source(records, shadows, self.connectivity, lambda: self.configuration)
        self._indexer = Indexer(engine, source, self.connectivity, members, lambda: self.configuration)
        self._reconciliation = Reconciliation(engine, records, source, self._feed, clock)
        self.dynamic_groups = DynamicGroups(
            records,
            changes,
            groups,
            members,
            engine,
            self._feed,
            ready=self.ready,
            complete=self._building[IndexName.THINGS].complete,
        )
        self.object_to(self.dynamic_groups.object_to)

    # --- for those who search ---

    @property
    def configuration(self) -> IndexingConfiguration:
        """What is indexed now, with custom and managed fields and their types."""
        return self._stored.value

    async def ready(self, index_name: str) -> IndexName:
        """Return where the index of this name can be asked.

        Raises ResourceNotFound where there is none of the name or it is off, IndexNotReady while it is built for the
        first time.
        """
        name = self._existing(index_name)
        building = self._building[name]
        if building.status is IndexStatus.BUILDING:
            await self._patience(building)
        if building.status is IndexStatus.BUILDING:
            raise IndexNotReady(f"The index {index_name} is being built; try again in a moment")
        return name

    async def settled(self, within: float = SETTLING) -> None:
        """Return when what changed before this call is in the index, or after `within` seconds. Never raises."""
        await self._feed.settled(within)

    async def caught_up(self) -> None:
        """Return when the indices are what is configured, or after a moment: a small fleet's are by then."""
        for name in self.names():
            await self._patience(self._building[IndexName(name)])

    def names(self) -> list[str]:
        """The indices that are on."""
        return [name.value for name in IndexName if self.configuration.of(name).on]

    def status(self, index_name: str) -> IndexStatus:
        """How far the index of this name is. Raises ResourceNotFound."""
        return self._building[self._existing(index_name)].status

    def schema(self, index_name: str) -> str:
        """What the index of this name holds, in DescribeIndex's word for it. Raises ResourceNotFound."""
        return self.configuration.of(self._existing(index_name)).schema

    async def complete(self, index_name: str) -> None:
        """Wait until the index of this name is ACTIVE. Raises ResourceNotFound."""
        await self._building[self._existing(index_name)].complete()

    # --- for those who configure ---

    def object_to(self, objection: Objection) -> None:
        """Await `objection` with every configuration before it comes into force; it raises where that cannot be."""
        self._objections.append(objection)

    async def configure(self, *, things: ThingIndexing | None = None, groups: GroupIndexing | None = None) -> None:
        """Index this from now on; what is None stays. What is indexed is brought into line in the background.

        Raises InvalidRequest.
        """
        for given in (things, groups):
            if given is not None:
                given.check()

        async def attempt() -> None:
            before = self._stored
            after = IndexingConfiguration(things=things or before.value.things, groups=groups or before.value.groups)
            if after == before.value:
                return
            for objection in self._objections:
                await objection(after)
            version = await self._configurations.put(KEY, after, expect=before.version)
            self._stored = Stored(KEY, version, after)
            await self._follow(before.value)

        await settle(attempt)

    # --- life ---

    async def start(self) -> None:
        """Take up work: what was missed is found in the background."""
        self._stored = await self._configurations.get(KEY) or self._stored
        self._changes.invalidate(self._changed)
        self._shadows.watch(self._shadow_changed)
        await self.dynamic_groups.start()
        if self._on:
            await self.engine.open()
        if self.configuration.things.connectivity:
            self.connectivity.listen(self._subscriptions)
        for name in IndexName:
            await self._rebuild(name)
        self._feed.start()

    async def close(self) -> None:
        """Stop. What is not indexed by now is found at the next start."""
        await self.dynamic_groups.close()
        await self._tasks.close()
        await self._feed.close()
        await self.engine.close()

    @property
    def _on(self) -> bool:
        return self.configuration.things.on or self.configuration.groups.on

    async def _follow(self, before: IndexingConfiguration) -> None:
        """Bring what runs into line with the configuration, which was `before`."""
        now = self.configuration
        if self._on:
            await self.engine.open()
        if now.things.connectivity and not before.things.connectivity:
            self.connectivity.listen(self._subscriptions)
        elif before.things.connectivity and not now.things.connectivity:
            self.connectivity.leave(self._subscriptions)
        for name in IndexName:
            if before.of(name).on and not now.of(name).on:
                self._building[name].stop()
                await self._feed.settled(SETTLING)  # what is under way still has an index
                await self.engine.drop(name)
            elif now.of(name).on and not before.of(name).on:
                await self.engine.clear(name)
            if now.of(name) != before.of(name):
                await self._rebuild(name)

    async def _patience(self, building: Building) -> None:
        done = self._tasks.start(building.complete(), "complete")
        await wait_for(done, PATIENCE, self._clock, self._tasks)

    async def _rebuild(self, name: IndexName) -> None:
        """Compare the index with what there is, in the background."""
        building = self._building[name]
        if not self.configuration.of(name).on:
            building.stop()
            return
        building.begin(empty=not await self.engine.stamps(name, limit=1))
        self._tasks.start(self._reconcile(name, building.round), name.value)

    async def _reconcile(self, name: IndexName, round_: int) -> None:
        """Gives way to a later round of the same index."""
        walk = self._reconciliation.things if name is IndexName.THINGS else self._reconciliation.groups
        building = self._building[name]
        while building.round == round_:
            try:
                await walk()
                building.end(round_)
                return
            except Exception:
                if building.round != round_:
                    return
                log.exception("the index %s could not be compared with the registry; next try in %.0f s", name, RETRY)
            await self._clock.sleep(RETRY)

    # --- what is heard ---

    def _changed(self, change: Change) -> None:
        for name in change.things:
            self._source.forget(name)
            if self.configuration.things.on:
                self._feed.thing(name)
        if self.configuration.groups.on:
            for name in change.groups:
                self._feed.group(name)

    def _shadow_changed(self, thing: str, name: str | None) -> None:
        if self._stored.value.things.holds_shadow(name):
            self._feed.thing(thing)

    async def _work(self, things: set[str], reviews: set[str], groups: set[str]) -> None:
        """What the engine itself cannot do again and again, it may do on new files."""
        try:
            await self._indexer.work(things, reviews, groups)
        except (asyncio.CancelledError, StorageError):
            raise
        except BaseException as error:  # a panic of the engine is no Exception
            self._failures += 1
            if self._failures == ATTEMPTS:
                self._failures = 0
                self._tasks.start(self._begin_anew(), "begin anew")
            raise FogbankError(f"{type(error).__name__}: {error}") from error
        self._failures = 0

    async def _rest(self) -> None:
        """Nothing changes for now."""
        self._source.rest()
        if self._on:
            await self.engine.rest()

    async def _begin_anew(self) -> None:
        log.error("the fleet index cannot be written and is built again")
        for name in IndexName:
            if self.configuration.of(name).on:
                await self.engine.clear(name)
                await self._rebuild(name)

    def _overflowed(self) -> None:
        self._tasks.start(self._rebuild(IndexName.THINGS), "overflow")

    def _existing(self, index_name: str) -> IndexName:
        try:
            name = IndexName(index_name)
        except ValueError:
            name = None
        if name is None or not self.configuration.of(name).on:
            raise ResourceNotFound(f"Index {index_name[:128]} does not exist, or indexing is switched off for it")
        return name
