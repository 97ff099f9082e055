"""Brings the index up to date with things and groups of which it is known only that they may have changed."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from fogbank.ports import StorageError
from fogbank.registry.index.configuration import IndexingConfiguration, IndexName
from fogbank.registry.index.connectivity import Connectivity
from fogbank.registry.index.dynamic_members import DynamicMembers
from fogbank.registry.index.engine import FleetIndex
from fogbank.registry.index.entry import ThingEntry
from fogbank.registry.index.source import Source

log = logging.getLogger(__name__)

BATCH = 2000
"""Entries that are put at once."""
SLICE = 16
"""Reads of things, about a millisecond, after which others get their turn."""


class Indexer:
    """Reads what is, and puts it into the index."""

    def __init__(
        self,
        engine: FleetIndex,
        source: Source,
        connectivity: Connectivity,
        members: DynamicMembers,
        configuration: Callable[[], IndexingConfiguration],
    ) -> None:
        self._engine = engine
        self._source = source
        self._connectivity = connectivity
        self._members = members
        self._configuration = configuration

    async def work(self, things: set[str], reviews: set[str], groups: set[str]) -> None:
        """Index `things` and `groups` as they now are; of `reviews` only see which dynamic groups they are in."""
        if self._configuration().things.on:
            for batch in batches(things):
                await self._things(batch)
            for batch in batches(reviews - things):
                await self._review(batch)
        if self._configuration().groups.on:
            for batch in batches(groups):
                await self._groups(batch)

    async def _things(self, names: Sequence[str]) -> None:
        entries = await self._read(names)
        moved = await self._move(entries.values())
        entries |= await self._read(moved)
        gone = [name for name in names if name not in entries]
        await self._connectivity.keep(entries, gone)
        await self._engine.put(list(entries.values()))
        await self._engine.remove(IndexName.THINGS, gone)

    async def _review(self, names: Sequence[str]) -> None:
        """A thing that joins or leaves a group thereby changes, and comes back to be indexed."""
        await self._move((await self._read(names)).values())

    async def _read(self, names: Iterable[str]) -> dict[str, ThingEntry]:
        """Those that are registered, as they are. One that cannot be read does not keep the others waiting."""
        found: dict[str, ThingEntry] = {}
        for position, name in enumerate(names):
            try:
                entry = await self._source.thing(name)
            except StorageError as error:
                log.error("thing %s is not in the fleet index: %s", name, error)
                continue
            if entry is not None:
                found[name] = entry
            if position % SLICE == 0:
                await asyncio.sleep(0)
        return found

    async def _move(self, entries: Iterable[ThingEntry]) -> list[str]:
        """Let things join and leave dynamic groups; which did. Side by side, so that they share commits."""
        due = [entry for entry in entries if self._members.due(entry)]
        await asyncio.gather(*(self._members.update(entry) for entry in due))
        return [entry.name for entry in due]

    async def _groups(self, names: Sequence[str]) -> None:
        found = {name: await self._source.group(name) for name in names}
        await self._engine.put([entry for entry in found.values() if entry is not None])
        await self._engine.remove(IndexName.THING_GROUPS, [name for name, entry in found.items() if entry is None])


def batches(names: Iterable[str]) -> Iterator[list[str]]:
    """In the order of names, so that what is neighbours there is put together."""
    ordered = iter(sorted(names))
    while batch := list(islice(ordered, BATCH)):
        yield batch
