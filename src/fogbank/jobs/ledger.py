"""The one writer of everything about jobs: one change after the other, worked out on what those before it have left.

What is to be done is handed over as a piece of work. The ledger takes those that wait, lets each work on a `Unit` over
what is stored and what the pieces before it wrote, commits what they come to in one batch, and then answers them: so
there is nothing to lock, no count to lose and no update computed on a state that another one replaces, and many
writers share an fsync. A piece that raises leaves nothing behind and costs the others nothing.

Nothing is kept in memory between batches. Reads cost a few microseconds, and after a commit that failed, which may
have reached the disk after all, the next batch reads what is there.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec

from fogbank.clock import Clock
from fogbank.errors import InternalFailure, ServiceError, ServiceUnavailable
from fogbank.jobs.records import JobEvent, Notice, Outgoing, Records
from fogbank.ports import Delete, Documents, Put, StorageError
from fogbank.storage.collection import Collection
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

BATCH = 128
"""Pieces of work that share a commit."""
BATCH_SECONDS = 0.005
"""After so long a batch is closed: the event loop is not held up for longer by jobs."""


class _Writes:
    """What has been written on top of something, by collection and key; None for what was deleted."""

    def __init__(self) -> None:
        self.of: defaultdict[Any, dict[str, Any]] = defaultdict(dict)

    def merge(self, others: "_Writes") -> None:
        for collection, written in others.of.items():
            self.of[collection].update(written)

    def changes(self) -> list[Put | Delete]:
        return [
            collection.deleting(key) if value is None else collection.putting(key, value)
            for collection, written in self.of.items()
            for key, value in written.items()
        ]


class Unit:
    """What one piece of work reads and writes; all of it counts, or nothing."""

    def __init__(self, now: float, before: _Writes) -> None:
        self.now = now
        self.notices: dict[str, Notice] = {}
        self.events: list[JobEvent] = []
        self.written = _Writes()
        self.beside: list[Put | Delete] = []
        """Writes of others' that belong to this one: tags."""
        self._layers = (self.written, before)

    async def get(self, collection: Collection[S], key: str) -> S | None:
        """The value, as this piece and those before it have left it."""
        for layer in self._layers:
            written = layer.of.get(collection)
            if written is not None and key in written:
                value: S | None = written[key]
                return value
        stored = await collection.get(key)
        return None if stored is None else stored.value

    async def scan(self, collection: Collection[S], prefix: str, limit: int) -> list[tuple[str, S]]:
        """Keys and values from the first with `prefix`, in order."""
        changed: dict[str, S | None] = {}
        for layer in reversed(self._layers):
            written = layer.of.get(collection, {})
            changed |= {key: value for key, value in written.items() if key.startswith(prefix)}
        stored = await collection.scan(prefix=prefix, limit=limit + len(changed))
        found = {one.key: one.value for one in stored if one.key not in changed}
        found |= {key: value for key, value in changed.items() if value is not None}
        return sorted(found.items())[:limit]

    def put(self, collection: Collection[S], key: str, value: S) -> None:
        self.written.of[collection][key] = value

    def delete(self, collection: Collection[S], key: str) -> None:
        self.written.of[collection][key] = None

    def notify(self, thing: str, *, listed: bool, next_: bool) -> None:
        """Tell a thing, once this is durable."""
        if listed or next_:
            told = self.notices.get(thing, Notice(thing, False, False))
            self.notices[thing] = Notice(thing, told.listed or listed, told.next or next_)


class _Batch:
    """What several pieces of work come to."""

    def __init__(self) -> None:
        self.written = _Writes()
        self.beside: list[Put | Delete] = []
        self._notices: dict[str, Notice] = {}
        self._events: list[JobEvent] = []

    def take(self, unit: Unit) -> None:
        """Add a piece that is done."""
        self.written.merge(unit.written)
        self.beside += unit.beside
        self._events += unit.events
        for thing, notice in unit.notices.items():
            before = self._notices.get(thing, notice)
            self._notices[thing] = Notice(thing, notice.listed or before.listed, notice.next or before.next)

    @property
    def tells(self) -> bool:
        """Whether anybody is to be told of anything."""
        return bool(self._notices or self._events)

    @property
    def outgoing(self) -> Outgoing:
        """What is to be told."""
        return Outgoing(tuple(self._notices.values()), tuple(self._events))


Work = Callable[[Unit], Awaitable[T]]


class _Waiting(msgspec.Struct, Generic[T], frozen=True):
    work: Work[T]
    done: asyncio.Future[T]


class Ledger:
    """Carries out pieces of work in the order in which they were handed over."""

    def __init__(
        self,
        documents: Documents,
        records: Records,
        clock: Clock,
        tell: Callable[[str, Outgoing], Awaitable[None]],
        told: list[str],
    ) -> None:
        """`tell` is handed what a commit is to tell, with its key, and returns when there is room for more; `told` has
        the keys of what has been told, in their order: they are deleted with the next commit, and taken out of it."""
        self._documents = documents
        self._records = records
        self._clock = clock
        self._tell = tell
        self._told = told
        self._waiting: deque[_Waiting[Any]] = deque()
        self._watchers: list[tuple[Any, Callable[[], None]]] = []
        self._tasks = Tasks("jobs")
        self._open = True
        self._serving = False
        self._last = 0

    def watch(self, collection: Collection[S], listener: Callable[[], None]) -> None:
        """Call `listener` after each commit that has written to a collection."""
        self._watchers.append((collection, listener))

    async def run(self, work: Work[T]) -> T:
        """What `work` returns, durably. Raises what it raises."""
        return await self.submit(work)

    def submit(self, work: Work[T]) -> asyncio.Future[T]:
        """Hand over a piece of work. Raises ServiceUnavailable on shutdown."""
        if not self._open:
            raise ServiceUnavailable("The jobs service is shutting down")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(work, done))
        if not self._serving:
            self._serving = True
            self._tasks.start(self._serve(), "ledger")
        return done

    def tidy(self) -> None:
        """Delete what has been told soon, though nothing else is to be written."""
        if self._open:
            self.submit(_nothing).add_done_callback(_ignore)

    async def close(self) -> None:
        """Take no more, and finish what was taken."""
        self._open = False
        await self._tasks.drain()

    async def forget_told(self) -> None:
        """Delete what has been told since the last commit; for the time after `close`."""
        await self._commit("", _Batch())

    async def _serve(self) -> None:
        try:
            while self._waiting:
                await self._batch()
        finally:
            self._serving = False

    async def _batch(self) -> None:
        """Work out and commit one batch. Whoever waits is answered, whatever happens."""
        batch = _Batch()
        results = await self._work_out(batch)
        key = self._next_key()
        try:
            await self._commit(key, batch)
        except Exception as error:
            if not isinstance(error, StorageError):
                log.exception("changes of jobs cannot be written; callers affected: %d", len(results))
            for waiting, _ in results:
                _fail(waiting, error)
            return
        for waiting, result in results:
            if not waiting.done.done():
                waiting.done.set_result(result)
        for collection, listener in self._watchers:
            if collection in batch.written.of:
                listener()
        if batch.tells:
            await self._tell(key, batch.outgoing)

    async def _work_out(self, batch: _Batch) -> list[tuple[_Waiting[Any], Any]]:
        """Those who wait, each with what its work has returned; those whose work raised are told at once."""
        begun = self._clock.monotonic()
        results: list[tuple[_Waiting[Any], Any]] = []
        while self._waiting and len(results) < BATCH and self._clock.monotonic() - begun <= BATCH_SECONDS:
            waiting = self._waiting.popleft()
            unit = Unit(self._clock.time(), batch.written)
            try:
                result = await waiting.work(unit)
            except Exception as error:
                _fail(waiting, error)
            else:
                batch.take(unit)
                results.append((waiting, result))
        return results

    async def _commit(self, key: str, batch: _Batch) -> None:
        outgoing, told = self._records.outgoing, self._told.copy()
        changes = batch.written.changes() + batch.beside + [outgoing.deleting(one) for one in told]
        if batch.tells:
            changes.append(outgoing.putting(key, batch.outgoing))
        if changes:
            await self._documents.commit(*changes)
            del self._told[: len(told)]

    def _next_key(self) -> str:
        """Greater than all before it, also those before a restart while the clock does not run back."""
        self._last = max(self._last + 1, int(self._clock.time() * 1_000_000))
        return f"{self._last:020d}"


async def _nothing(unit: Unit) -> None:
    """A piece of work that is there for the commit alone."""


def _ignore(done: asyncio.Future[None]) -> None:
    """Of a commit that nobody waits for: the next one does what it has not done."""
    if not done.cancelled():
        done.exception()


def _fail(waiting: _Waiting[Any], error: Exception) -> None:
    if waiting.done.done():  # whoever asked has left
        return
    if not isinstance(error, ServiceError | StorageError):
        log.error("a change of jobs failed unexpectedly", exc_info=error)
        error = InternalFailure("An internal error occurred.")
    waiting.done.set_exception(error)
