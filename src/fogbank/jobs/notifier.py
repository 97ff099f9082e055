"""Tells things and events what a commit has changed: once it is durable, and until it has been told.

What is to be told is on disk beside the change, and is deleted with a later commit: a server that is killed in
between tells it when it is back, perhaps for the second time. What is told of a thing's list is the list as it is at
that moment, so that it is never older than the change.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

import msgspec

from fogbank.clock import Clock
from fogbank.jobs import answers
from fogbank.jobs.documents import JobDocuments
from fogbank.jobs.records import Execution, Notice, Outgoing, Records
from fogbank.message import Message
from fogbank.ports import EventSink, EventType, Publisher
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

QOS = 1
"""UNVERIFIED: AWS does not say; clients that subscribe with less get less."""
QUEUED = 64
"""Commits whose messages may wait; the ledger waits with the next."""
AT_A_TIME = 100
"""Of what a killed server has left, how much is read together."""


class Notifier:
    """Publishes on `$aws/things/<thing>/jobs/notify`, `.../notify-next` and `$aws/events/...`."""

    def __init__(
        self, records: Records, publisher: Publisher, events: EventSink, documents: JobDocuments, clock: Clock
    ) -> None:
        self._records = records
        self._publisher = publisher
        self._events = events
        self._documents = documents
        self._clock = clock
        self._waiting: deque[tuple[str, Outgoing]] = deque()
        self.told: list[str] = []
        """The keys of what has been told, for whoever deletes them."""
        self._room = asyncio.Event()
        self._room.set()
        self._tasks = Tasks("jobs")
        self._running = False
        self.on_idle: Callable[[], None] = lambda: None
        """Called when everything has been told."""

    async def recover(self) -> None:
        """Tell what a killed server has left untold."""
        after = ""
        while found := await self._records.outgoing.scan(after=after, limit=AT_A_TIME):
            after = found[-1].key
            for stored in found:
                await self.tell(stored.key, stored.value)

    async def tell(self, key: str, outgoing: Outgoing) -> None:
        """Take what is to be told, in order. Returns when there is room for more."""
        self._waiting.append((key, outgoing))
        if not self._running:
            self._running = True
            self._tasks.start(self._run(), "notifier")
        if len(self._waiting) >= QUEUED:
            self._room.clear()
        await self._room.wait()

    async def close(self) -> None:
        """Tell what is left."""
        await self._tasks.drain()

    async def _run(self) -> None:
        try:
            while self._waiting:
                key, outgoing = self._waiting.popleft()
                if len(self._waiting) < QUEUED:
                    self._room.set()
                await asyncio.gather(*(self._notify(notice) for notice in outgoing.notices))
                for event in outgoing.events:
                    await self._events.emit(EventType(event.category), event.topic, event.document)
                self.told.append(key)
        finally:
            self._running = False
        self.on_idle()

    async def _notify(self, notice: Notice) -> None:
        try:
            prefix = f"$aws/things/{notice.thing}/jobs"
            pending = await self._pending(notice.thing)
            now = self._clock.time()
            if notice.listed:
                await self._publish(f"{prefix}/notify", answers.notify(pending, now))
            if notice.next:
                first = await self._described(pending[0]) if pending else None
                await self._publish(f"{prefix}/notify-next", answers.notify_next(first, now))
        except Exception:  # the change is made, and the thing can ask
            log.exception("telling %s of its jobs failed", notice.thing)

    async def _pending(self, thing: str) -> list[Execution]:
        entries = await self._records.pending.scan(prefix=f"{thing}/", limit=answers.LISTED)
        found = [await self._records.executions.get(entry.value.execution) for entry in entries]
        return [stored.value for stored in found if stored is not None]

    async def _described(self, execution: Execution) -> answers.Document:
        job, text = await self._records.jobs.get(execution.job), await self._records.texts.get(execution.job)
        shown = None
        if text is not None:
            ready = await self._documents.for_device(text.value.text, None if job is None else job.value, execution)
            shown = msgspec.Raw(ready.encode())
        return answers.whole(execution, self._clock.time(), shown)

    async def _publish(self, topic: str, payload: bytes) -> None:
        await self._publisher.publish(Message(topic, payload, qos=QOS))
