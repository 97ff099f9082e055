"""Asynchronous invocation (developer guide, "Asynchronous invocation"): queued durably, then worked off, at least once.

An event is on disk before its caller hears 202. It leaves the queue after success, or after its last attempt. A
failed attempt puts it back at the end of the queue with the time of the next one: what is still to do is always what
is stored, and a restart picks it up there.
"""

import asyncio
import heapq
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable

import msgspec

from fogbank.clock import Clock
from fogbank.errors import ResourceNotFound, ServiceError
from fogbank.functions import failures
from fogbank.functions.errors import TooManyRequests
from fogbank.functions.invocation import Invocation, Outcome
from fogbank.ports import Queue
from fogbank.tasks import Tasks

RETRY_AFTER = (60.0, 120.0)
"""Seconds to wait after the first and the second failure of the function."""
MAX_AGE = 6 * 3600.0
"""Seconds after which an event is dropped however few attempts it had."""
BACKLOG = 100_000
"""Events that may wait for one function; further ones are throttled."""
CONCURRENCY = 32
"""Events at work at once, for all functions together: synchronous callers find room beside them."""
FUNCTION_CONCURRENCY = 8
"""Events at work at once for one function: a slow one does not hold up all others."""

_QUEUE = "functions.events/"
_BATCH = 16
_MAX_BACKOFF = 300.0

log = logging.getLogger(__name__)


class QueuedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event as it is stored. Times in seconds since the epoch."""

    invocation: Invocation
    accepted: float
    due: float
    failures: int = 0
    """Attempts in which the function failed."""
    throttles: int = 0
    """Attempts in which there was no room to run it."""


Run = Callable[[str, Invocation], Awaitable[Outcome]]


class EventQueues:
    """A durable queue per function. `run` invokes a function by name."""

    def __init__(self, queue: Queue, clock: Clock, run: Run, *, concurrency: int = CONCURRENCY) -> None:
        self._queue = queue
        self._clock = clock
        self._run = run
        self._room = asyncio.Semaphore(concurrency)
        self._reading = Tasks("functions.events")
        self._working = Tasks("functions.event")
        self._lanes: dict[str, _Lane] = {}
        self._waiting: Counter[str] = Counter()

    async def start(self, exists: Callable[[str], bool]) -> None:
        """Go on with what an earlier run left; queues of functions that no longer exist are dropped."""
        for queue in await self._queue.names(_QUEUE):
            name = queue.removeprefix(_QUEUE)
            if exists(name):
                self._waiting[name] = await self._count(queue)
                self._lane(name)
            else:
                await self._queue.drop(queue)

    def pause(self) -> None:
        """Begin with no further event."""
        for lane in self._lanes.values():
            lane.close()

    async def drain(self) -> None:
        """Wait until the events at work are done."""
        await self._working.drain()

    async def close(self) -> None:
        """Stop; what is at work is done again after the next start."""
        await self._reading.close()
        await self._working.close()

    async def append(self, name: str, invocation: Invocation) -> None:
        """Queue an event; on return it is durable. Raises TooManyRequests where `BACKLOG` events wait already."""
        if self._waiting[name] >= BACKLOG:
            raise TooManyRequests(f"{BACKLOG} events wait for {name} already", Reason="CallerRateLimitExceeded")
        self._waiting[name] += 1
        now = self._clock.time()
        try:
            await self._store(name, QueuedEvent(invocation=invocation, accepted=now, due=now))
        except BaseException:
            self._waiting[name] -= 1
            raise
        self._lane(name).wake()

    async def drop(self, name: str) -> None:
        """Forget a function's events."""
        lane = self._lanes.pop(name, None)
        if lane is not None:
            lane.close()
        self._waiting.pop(name, None)
        await self._queue.drop(_QUEUE + name)

    def _lane(self, name: str) -> "_Lane":
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(self._queue, _QUEUE + name, self._clock, self._reading)
            lane.start(lambda number, event: self._dispatch(name, number, event))
        return lane

    async def _dispatch(self, name: str, number: int, event: QueuedEvent) -> None:
        room = self._lane(name).room
        await room.acquire()
        try:
            await self._room.acquire()
        except asyncio.CancelledError:
            room.release()
            raise
        self._working.start(self._work(name, number, event, room), name)

    async def _work(self, name: str, number: int, event: QueuedEvent, room: asyncio.Semaphore) -> None:
        try:
            again = await self._attempt(name, event)
            if name not in self._lanes:  # the function was deleted, and its queue with it
                return
            if again is None:
                self._waiting[name] -= 1
            else:  # first the new entry, then the old one goes: killed in between, the event is there twice, not never
                await self._store(name, again)
            await self._queue.remove(_QUEUE + name, number)
        finally:
            self._room.release()
            room.release()
        if again is not None:
            self._lane(name).wake()

    async def _attempt(self, name: str, event: QueuedEvent) -> QueuedEvent | None:
        """Run the event once; what is to be queued for it next, if anything."""
        request_id = event.invocation.request_id
        try:
            outcome = await self._run(name, event.invocation)
        except ResourceNotFound:
            return None
        except (ServiceError, OSError) as error:
            return self._later(name, event, error)
        if outcome.failure is None:
            return None
        reason = failures.reason(outcome.failure)
        attempts = event.failures + 1
        if attempts > len(RETRY_AFTER):
            log.warning("%s: event %s dropped after %d attempts: %s", name, request_id, attempts, reason)
            return None
        due = self._clock.time() + RETRY_AFTER[event.failures]
        if due - event.accepted > MAX_AGE:
            log.warning("%s: event %s dropped for its age after %d attempts: %s", name, request_id, attempts, reason)
            return None
        return msgspec.structs.replace(event, due=due, failures=attempts, throttles=0)

    def _later(self, name: str, event: QueuedEvent, error: Exception) -> QueuedEvent | None:
        """Throttled, or an error of the platform's: back off from 1 s to 5 min, for up to six hours."""
        due = self._clock.time() + min(2.0 ** min(event.throttles, 10), _MAX_BACKOFF)
        if due - event.accepted > MAX_AGE:
            log.warning("%s: event %s dropped for its age: %s", name, event.invocation.request_id, error)
            return None
        return msgspec.structs.replace(event, due=due, throttles=event.throttles + 1)

    async def _store(self, name: str, event: QueuedEvent) -> None:
        await self._queue.append(_QUEUE + name, msgspec.json.encode(event))

    async def _count(self, queue: str) -> int:
        found, after = 0, 0
        while entries := await self._queue.read(queue, after=after, limit=_BATCH):
            found, after = found + len(entries), entries[-1][0]
        return found


class _Lane:
    """Reads one function's queue in order and hands out each event when it is due."""

    def __init__(self, queue: Queue, name: str, clock: Clock, tasks: Tasks) -> None:
        self.room = asyncio.Semaphore(FUNCTION_CONCURRENCY)
        self._queue = queue
        self._name = name
        self._clock = clock
        self._tasks = tasks
        self._read: deque[tuple[int, QueuedEvent]] = deque()
        self._after = 0
        self._delayed: list[tuple[float, int]] = []
        """When the event with which number is due; the event itself stays in storage until then."""
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, dispatch: Callable[[int, QueuedEvent], Awaitable[None]]) -> None:
        self._task = self._tasks.start(self._work(dispatch), self._name)

    def wake(self) -> None:
        """There is something new."""
        self._woken.set()

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _work(self, dispatch: Callable[[int, QueuedEvent], Awaitable[None]]) -> None:
        while True:
            self._woken.clear()  # before looking, so that what comes while looking is not missed
            found = await self._due() or await self._fresh()
            if found is None:
                await self._pause()
            else:
                await dispatch(*found)

    async def _due(self) -> tuple[int, QueuedEvent] | None:
        """The first delayed event whose time has come."""
        while self._delayed and self._delayed[0][0] <= self._clock.time():
            _, number = heapq.heappop(self._delayed)
            entries = await self._queue.read(self._name, after=number - 1, limit=1)
            if entries and entries[0][0] == number and (event := await self._decode(*entries[0])):
                return number, event
        return None

    async def _fresh(self) -> tuple[int, QueuedEvent] | None:
        """The first event not read yet, those put aside that are not due."""
        while True:
            if not self._read:
                entries = await self._queue.read(self._name, after=self._after, limit=_BATCH)
                if not entries:
                    return None
                self._after = entries[-1][0]
                self._read += [
                    (number, event) for number, entry in entries if (event := await self._decode(number, entry))
                ]
                continue
            number, event = self._read.popleft()
            if event.due <= self._clock.time():
                return number, event
            heapq.heappush(self._delayed, (event.due, number))

    async def _decode(self, number: int, entry: bytes) -> QueuedEvent | None:
        """The event; None, and gone from the queue, where it is none: one bad entry must not stop those behind it."""
        try:
            return msgspec.json.decode(entry, type=QueuedEvent)
        except msgspec.MsgspecError as error:
            log.error("%s: entry %d is no event and was removed: %s", self._name, number, error)
            await self._queue.remove(self._name, number)
            return None

    async def _pause(self) -> None:
        if not self._delayed:
            await self._woken.wait()
            return
        alarm = self._tasks.start(self._alarm(self._delayed[0][0]), f"{self._name} alarm")
        try:
            await self._woken.wait()
        finally:
            alarm.cancel()

    async def _alarm(self, due: float) -> None:
        await self._clock.sleep(due - self._clock.time())
        self._woken.set()
