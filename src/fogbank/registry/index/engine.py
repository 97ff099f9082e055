"""The engine of the fleet index: entries on disk, found by queries, aggregated over all that match.

tantivy does the work, on threads of its own: it answers in milliseconds what takes tables of SQLite tens to hundreds of
them, in a quarter of the space. Whatever is asked for or handed over here returns to the event loop at once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, ParamSpec, TypeVar

import msgspec

from fogbank.errors import FogbankError
from fogbank.ports import StorageError
from fogbank.registry.index import aggregation
from fogbank.registry.index.aggregation import Buckets, Statistics
from fogbank.registry.index.configuration import FieldType, IndexName
from fogbank.registry.index.entry import GroupEntry, ThingEntry
from fogbank.registry.index.shelf import Shelf
from fogbank.search import Query
from fogbank.search.query import Everything
from fogbank.storage import heap

__all__ = ["Buckets", "FleetIndex", "IndexName", "Page", "Statistics"]

T = TypeVar("T")
P = ParamSpec("P")

_READERS = 2
"""Threads that search: a slow query does not hold up all others."""
_BATCH = 5000
"""Entries of one commit. Each commit is visible at once, and takes a turn of the writing thread."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Entries, or names, in the order of names."""

    items: tuple[T, ...]
    next: str | None = None
    """The `after` of the page that follows; None: there is none."""


class FleetIndex:
    """Both indexes, in one directory. What was put is found as soon as `put` has returned.

    Anything may raise StorageError: not open, disk full, files damaged. `clear` makes an index anew.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing yet: the directory is opened, and made where there is none, by `open`."""
        self._things = Shelf(path / "things", ThingEntry)
        self._groups = Shelf(path / "thing-groups", GroupEntry)
        self._shelves: Mapping[IndexName, Shelf[ThingEntry] | Shelf[GroupEntry]] = {
            IndexName.THINGS: self._things,
            IndexName.THING_GROUPS: self._groups,
        }
        self._writing: ThreadPoolExecutor | None = None
        self._reading: ThreadPoolExecutor | None = None

    async def open(self) -> bool:
        """Open the files. False: an index was not there, or could not be trusted, and is empty now: fill it."""
        if self._writing is None:
            self._writing = ThreadPoolExecutor(1, "fogbank-index")
            self._reading = ThreadPoolExecutor(_READERS, "fogbank-search")
        return all([await self._write(shelf.open) for shelf in self._shelves.values()])

    async def close(self) -> None:
        """Finish what was handed over, and let go of the files. It may be opened again."""
        if self._writing is None or self._reading is None:
            return
        writing, reading, self._writing, self._reading = self._writing, self._reading, None, None
        await asyncio.to_thread(reading.shutdown)
        for shelf in self._shelves.values():
            writing.submit(shelf.close)
        await asyncio.to_thread(writing.shutdown)

    async def put(self, entries: Sequence[ThingEntry] | Sequence[GroupEntry]) -> None:
        """Make these the entries under their names. Many at once are fast; they become visible some at a time."""
        things = [entry for entry in entries if isinstance(entry, ThingEntry)]
        groups = [entry for entry in entries if isinstance(entry, GroupEntry)]
        for start in range(0, len(things), _BATCH):
            await self._write(self._things.put, things[start : start + _BATCH])
        for start in range(0, len(groups), _BATCH):
            await self._write(self._groups.put, groups[start : start + _BATCH])

    async def remove(self, index: IndexName, names: Sequence[str]) -> None:
        """Forget these; it is no error where one is not there."""
        if names:
            await self._write(self._shelves[index].remove, names)

    async def clear(self, index: IndexName) -> None:
        """Forget all entries of an index, and make its files anew."""
        await self._write(self._shelves[index].clear)

    async def drop(self, index: IndexName) -> None:
        """Forget an index with its files, until it is cleared or all is opened anew: nothing may be asked of it."""
        await self._write(self._shelves[index].drop)

    async def rest(self) -> None:
        """Nothing changes for a while: let go of the memory that changes need."""
        for shelf in self._shelves.values():
            await self._write(shelf.rest)
        await self._write(heap.give_back)

    async def stamps(self, index: IndexName, after: str = "", limit: int = 1000) -> list[tuple[str, str]]:
        """Names and stamps in the order of names, behind `after`: what is indexed, to be compared with what is."""
        return await self._read(lambda: self._shelves[index].view(Everything()).stamps(limit, after))

    async def things(self, query: Query, *, limit: int, after: str = "") -> Page[ThingEntry]:
        """The things that match, by name, those behind `after`, at most `limit`."""
        found = await self._read(lambda: self._things.view(query).entries(limit + 1, after))
        return _page(found, limit, lambda entry: entry.name)

    async def groups(self, query: Query, *, limit: int, after: str = "") -> Page[GroupEntry]:
        """The thing groups that match, likewise."""
        found = await self._read(lambda: self._groups.view(query).entries(limit + 1, after))
        return _page(found, limit, lambda entry: entry.name)

    async def names(self, index: IndexName, query: Query, *, limit: int, after: str = "") -> Page[str]:
        """The names alone of what matches: to see who belongs to a dynamic group."""
        found = await self._read(lambda: self._shelves[index].view(query).names(limit + 1, after))
        return _page(found, limit, str)

    async def statistics(self, index: IndexName, query: Query, field: str, type_: FieldType) -> Statistics:
        """Statistics of a field's values over all that match. Fields by their canonical names, here and below."""
        return await self._read(lambda: aggregation.statistics(self._shelves[index].view(query), field, type_))

    async def cardinality(self, index: IndexName, query: Query, field: str, type_: FieldType) -> int:
        """How many different values of a field there are over all that match."""
        return await self._read(lambda: aggregation.cardinality(self._shelves[index].view(query), field, type_))

    async def percentiles(
        self, index: IndexName, query: Query, field: str, percents: Sequence[float]
    ) -> Mapping[float, float]:
        """By percent, the value below which so many of a field's values are, over all that match; {} without any."""
        return await self._read(lambda: aggregation.percentiles(self._shelves[index].view(query), field, percents))

    async def buckets(self, index: IndexName, query: Query, field: str, type_: FieldType, most: int) -> Buckets:
        """The `most` most frequent values of a field over all that match."""
        return await self._read(lambda: aggregation.buckets(self._shelves[index].view(query), field, type_, most))

    async def _read(self, work: Callable[[], T]) -> T:
        return await _run(self._reading, work)

    async def _write(self, work: Callable[P, T], *values: P.args, **options: P.kwargs) -> T:
        return await _run(self._writing, lambda: work(*values, **options))


async def _run(threads: ThreadPoolExecutor | None, work: Callable[[], T]) -> T:
    if threads is None:
        raise StorageError("the fleet index is not open")
    return await asyncio.get_running_loop().run_in_executor(threads, _guarded, work)


def _guarded(work: Callable[[], T]) -> T:
    """A failure of the engine as one of ours; a panic of it would else be no Exception, and end whoever waits."""
    try:
        return work()
    except FogbankError:
        raise
    except BaseException as error:
        raise StorageError(f"the fleet index failed: {error}") from error


def _page(found: Sequence[T], limit: int, name: Callable[[T], str]) -> Page[T]:
    items = tuple(found[:limit])
    return Page(items, name(items[-1]) if len(found) > limit else None)
