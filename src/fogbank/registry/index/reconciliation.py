"""Compares the index with what there is, name by name, and names to the feed what differs.

At start, since the server may have died between a change and its indexing; after a change of what is indexed; and
where more changed than the feed could keep in mind. Only names that are indexed are read here: what is missing there
is read when it is indexed. Goes on page by page as the feed works them off, so that little waits in memory, and what
changes meanwhile is not kept waiting for long. Nobody waits for it, so that it rests most of the time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fogbank.clock import Clock
from fogbank.registry.index.configuration import IndexName
from fogbank.registry.index.engine import FleetIndex
from fogbank.registry.index.entry import GroupEntry, ThingEntry
from fogbank.registry.index.feed import LEAST, Feed
from fogbank.registry.index.indexer import SLICE
from fogbank.registry.index.source import Source
from fogbank.registry.records import Records
from fogbank.storage.collection import Collection

PAGE = 2000
RESTS = 3
"""After each page it rests so many times as long as it looked at it: a quarter of one core, at most."""
PATIENCE = 60.0
"""Seconds that the feed has for a page before the next one is looked at anyway."""


class Reconciliation:
    """Finds out what the index has missed."""

    def __init__(self, engine: FleetIndex, records: Records, source: Source, feed: Feed, clock: Clock) -> None:
        self._engine = engine
        self._records = records
        self._source = source
        self._feed = feed
        self._clock = clock

    async def things(self) -> None:
        """On return the index of things is what the things are, but for what changes now."""
        await self._walk(IndexName.THINGS, self._records.things, self._source.thing, self._feed.thing)

    async def groups(self) -> None:
        """Likewise the index of thing groups."""
        await self._walk(IndexName.THING_GROUPS, self._records.thing_groups, self._source.group, self._feed.group)

    async def _walk(
        self,
        index: IndexName,
        collection: Collection[Any],
        read: Callable[[str], Awaitable[ThingEntry | GroupEntry | None]],
        differs: Callable[[str], None],
    ) -> None:
        after: str | None = ""
        while after is not None:
            began = self._clock.monotonic()
            names = [one.key for one in await collection.scan(after=after, limit=PAGE)]
            upto = names[-1] if len(names) == PAGE else None
            known = await self._indexed(index, after, upto)
            for name in await self._differing(names, known, read):
                differs(name)
            took = self._clock.monotonic() - began
            await self._feed.settled(PATIENCE, rest=LEAST)
            after = upto
            if after is not None:
                await self._clock.sleep(RESTS * took)

    async def _differing(
        self,
        names: Sequence[str],
        known: dict[str, str],
        read: Callable[[str], Awaitable[ThingEntry | GroupEntry | None]],
    ) -> list[str]:
        """Those of `names` that are not known, or known by another stamp, and what is known beyond `names`."""
        found = [name for name in names if name not in known]
        for position, (name, stamp) in enumerate(known.items()):
            entry = await read(name)
            if entry is None or entry.stamp != stamp:
                found.append(name)
            if position % SLICE == 0:
                await asyncio.sleep(0)
        return found

    async def _indexed(self, index: IndexName, after: str, upto: str | None) -> dict[str, str]:
        """Names and stamps in the index, from behind `after` up to and with `upto`; None: to the end."""
        known: dict[str, str] = {}
        while page := await self._engine.stamps(index, after, PAGE):
            for name, stamp in page:
                if upto is not None and name > upto:
                    return known
                known[name] = stamp
            after = page[-1][0]
        return known
