"""Group commit: the thread that makes batches durable, as many as wait at a time with one fsync.

An fsync takes as long for one batch as for a thousand. So callers hand over their batch and wait; the thread takes
everything that waits, writes it in one transaction, and only then tells the callers. While it waits for the disk,
the next group gathers: the more there is to do, the cheaper each commit becomes.
"""

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeAlias

from fogbank.ports import StorageError
from fogbank.storage.group import Batch

log = logging.getLogger(__name__)

SWITCH_INTERVAL = 0.00005
"""Seconds for `sys.setswitchinterval`, which whoever owns the process should call before a store works beside a busy
event loop. A thread asks for the interpreter lock only after waiting this long *undisturbed*, and a loop that polls its
sockets every millisecond disturbs it each time: with Python's 5 ms the thread starves. Measured beside a saturated
loop: one commit took up to 13 s with 5 ms, 3 ms with this. It costs nothing while no thread waits.
"""

Outcome: TypeAlias = list[int] | Exception
"""What became of a batch: its result, or the error its caller gets."""

Waiting: TypeAlias = tuple[Batch, asyncio.Future[list[int]]]
Verdicts: TypeAlias = list[tuple[asyncio.Future[list[int]], Outcome]]


class Committer:
    """Owns the thread. `write` durably writes a group and returns an outcome per batch; it runs on the thread.

    `groups` and `batches` count what was written so far: their ratio is what sharing an fsync saves.
    """

    def __init__(self, name: str, write: Callable[[Sequence[Batch]], Sequence[Outcome]]) -> None:
        self.groups = 0
        self.batches = 0
        self._name = name
        self._write = write
        self._waiting: SimpleQueue[Waiting | None] = SimpleQueue()
        self._handing_over = threading.Lock()  # nothing may follow the None that ends the thread
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="fogbank-commits", daemon=True)
        self._thread.start()

    async def commit(self, batch: Batch) -> list[int]:
        """Hand over a batch and wait until it is on disk. To be cancelled while waiting does not undo it."""
        done: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        with self._handing_over:
            if self._closed:
                raise StorageError(f"{self._name} is closed")
            self._waiting.put((batch, done))
        return await done

    async def close(self) -> None:
        """Write what was handed over, then end the thread. Closing twice does nothing."""
        with self._handing_over:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        closing = False
        while not closing:
            taken = self._take()
            group = [waiting for waiting in taken if waiting is not None]
            closing = len(group) < len(taken)
            if group:
                outcomes = self._outcomes([batch for batch, _ in group])
                _tell([(done, outcome) for (_, done), outcome in zip(group, outcomes, strict=True)])

    def _take(self) -> list[Waiting | None]:
        taken = [self._waiting.get()]
        try:
            while True:
                taken.append(self._waiting.get_nowait())
        except Empty:
            return taken

    def _outcomes(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        self.groups += 1
        self.batches += len(batches)
        try:
            return self._write(batches)
        except Exception as error:  # a fault of ours costs this group an error, never the thread its life
            log.exception("writing to %s failed unexpectedly", self._name)
            return [StorageError(f"{self._name} failed: {error!r}") for _ in batches]


def _tell(verdicts: Verdicts) -> None:
    """Wake all who waited, in order, with one call into each event loop: a wake-up is a system call."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, Verdicts] = defaultdict(list)
    for done, outcome in verdicts:
        by_loop[done.get_loop()].append((done, outcome))
    for loop, theirs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, theirs)
        except RuntimeError:  # the loop was closed, and with it everyone who could care
            log.debug("%d callers left before their commit was done", len(theirs))


def _resolve(verdicts: Verdicts) -> None:
    for done, outcome in verdicts:
        if done.done():  # cancelled while waiting
            continue
        if isinstance(outcome, Exception):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)
