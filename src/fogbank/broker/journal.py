"""What must be on disk before it may be acknowledged: gathered, and committed together.

Whatever happens in one turn of the event loop, and while an earlier commit is under way, becomes one commit. Whoever
owes an acknowledgement notes the `ticket` of the commit being gathered and is called when that is durable. What is kept
and discarded again before it is handed over never touches the disk.

Where a commit fails, those who wait are told so, and the messages that it was to keep are not kept: whoever sent them
sends them again. All else has already happened as far as clients can see, as when a session ended or a message arrived,
so it is tried again until the disk is in line.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from fogbank.broker.flow import Scheduler
from fogbank.broker.runs import Run
from fogbank.ports import Backlogs, Delete, Discard, DiscardAll, Keep, Put, StorageError
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

LAZY = 0.05
"""Seconds that what nobody waits for may stay uncommitted: messages that have arrived, above all."""
RETRY = 1.0
"""Seconds until what a failed commit leaves is tried again, where nothing else is to be written before."""
MOST_AGAIN = 100_000
"""Discards that are tried again; with more, messages that have arrived may come again after the next start."""

Told: TypeAlias = Callable[[bool], object]
"""Called when a commit is durable, or with False where it has failed."""


Encode: TypeAlias = Callable[[], bytes]
"""Makes a body, which is worth the while only if it has to be written."""


class Gathering:
    """What is to go into one commit."""

    __slots__ = ("changes", "discarded", "ended", "kept")

    def __init__(self) -> None:
        self.kept: dict[str, dict[int, tuple[Run | bytes | Encode, int, bool]]] = {}
        """What to keep by owner and number, how many messages it is, and whether it may take the place of another."""
        self.discarded: dict[str, list[int]] = {}
        self.ended: list[str] = []
        self.changes: dict[tuple[str, str], Put | Delete] = {}

    def __bool__(self) -> bool:
        return bool(self.changes or self.ended or self.discarded or self.kept)

    def encoded(self) -> list[Put | Delete | Keep | Discard | DiscardAll]:
        """In an order in which they mean what was meant."""
        changes: list[Put | Delete | Keep | Discard | DiscardAll] = [*self.changes.values()]
        changes += [DiscardAll(owner) for owner in self.ended]
        changes += [Discard(owner, numbers) for owner, numbers in self.discarded.items()]
        changes += [
            Keep(owner, number, _encoded(what), count)
            for owner, kept in self.kept.items()
            for number, (what, count, _) in kept.items()
        ]
        return changes

    def take_again(self, failed: "Gathering") -> None:
        """Put what is in `failed`, but for new messages, before what is here."""
        self.changes = failed.changes | self.changes
        gone = set(self.ended)
        self.ended = failed.ended + self.ended
        for owner, kept in failed.kept.items():
            if owner not in gone:
                since = set(self.discarded.get(owner, ()))
                again = {number: entry for number, entry in kept.items() if entry[2] and number not in since}
                if again:
                    self.kept[owner] = again | self.kept.get(owner, {})
        room = MOST_AGAIN - sum(map(len, self.discarded.values()))
        for owner, numbers in failed.discarded.items():
            if owner not in gone and len(numbers) <= room:
                room -= len(numbers)
                self.discarded[owner] = numbers + self.discarded.get(owner, [])


def _encoded(what: Run | bytes | Encode) -> bytes:
    if isinstance(what, Run):
        return what.encode()
    return what if isinstance(what, bytes) else what()


class Journal:
    """The one writer of the broker's state."""

    def __init__(self, backlogs: Backlogs, scheduler: Scheduler, tasks: Tasks) -> None:
        self._backlogs = backlogs
        self._scheduler = scheduler
        self._tasks = tasks
        self.entries = 0
        """Grows with every entry that an acknowledgement has to wait for: the hot path compares it."""
        self.ticket = 1
        """The number of the commit that is being gathered."""
        self._next = Gathering()
        self._told: deque[tuple[int, Told]] = deque()
        self.commits = 0
        """How many have reached the disk."""
        self.failures = 0
        """How many have not."""
        self._committing = False
        self._scheduled = False
        self._lazily = False

    # --- entries ---

    def keep(self, owner: str, number: int, run: Run) -> None:
        """Keep a run's messages under `number` and those that follow it."""
        self._next.kept.setdefault(owner, {})[number] = (run, run.count, False)
        self._enter()

    def keep_body(self, owner: str, number: int, body: Encode) -> None:
        """Keep what is not for clients."""
        self._next.kept.setdefault(owner, {})[number] = (body, 1, False)
        self._enter()

    def replace(self, owner: str, number: int, body: bytes) -> None:
        """Keep something in the place of what may be there."""
        self._next.kept.setdefault(owner, {})[number] = (body, 1, True)
        self._enter()

    def discard(self, owner: str, number: int, *, lazily: bool = True) -> None:
        """What was kept under this number is not needed any more. Nobody waits for that, unless not `lazily`."""
        of_owner = self._next.kept.get(owner)
        kept = None if of_owner is None else of_owner.pop(number, None)
        if kept is None or kept[2]:
            self._next.discarded.setdefault(owner, []).append(number)
            if lazily:
                self._soon_or_later()
            else:
                self._enter()

    def discard_all(self, owner: str) -> None:
        """Nothing of what was kept for an owner is needed any more."""
        self._next.kept.pop(owner, None)
        self._next.discarded.pop(owner, None)
        self._next.ended.append(owner)
        self._soon_or_later()

    def change(self, change: Put | Delete, *, lazily: bool = False) -> None:
        """Write a document. A later change of the same document takes the place of an earlier one."""
        self._next.changes[change.kind, change.key] = change
        if lazily:
            self._soon_or_later()
        else:
            self._enter()

    def when_durable(self, told: Told) -> None:
        """Call `told` when everything entered so far is on disk."""
        self._told.append((self.ticket, told))
        self._schedule()

    async def settled(self) -> None:
        """Return when everything entered so far is on disk, or has failed to get there."""
        done = asyncio.Event()
        self.when_durable(lambda _: done.set())
        await done.wait()

    async def durable(self) -> None:
        """Return when everything entered so far is on disk. Raises StorageError where it failed to get there."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def told(durable: bool) -> None:
            if not done.done():
                done.set_result(durable)

        self.when_durable(told)
        if not await done:
            raise StorageError("what was to be kept could not be written; the log says why")

    def _enter(self) -> None:
        self.entries += 1
        self._schedule()

    # --- commits ---

    def _schedule(self) -> None:
        if not (self._scheduled or self._committing):
            self._scheduled = True
            self._scheduler.call_soon(self._flush)

    def _soon_or_later(self, seconds: float = LAZY) -> None:
        if not (self._lazily or self._scheduled or self._committing):
            self._lazily = True
            self._scheduler.call_later(seconds, self._flush_lazily)

    def _flush_lazily(self) -> None:
        self._lazily = False
        self._schedule()

    def _flush(self) -> None:
        """Hand over what has gathered."""
        self._scheduled = False
        if self._committing:
            return
        ticket, self.ticket = self.ticket, self.ticket + 1
        gathered = self._next
        changes = gathered.encoded()
        if not changes:
            gathered.kept.clear()
            self._tell(ticket, True)
            return
        self._next = Gathering()
        self._committing = True
        self._tasks.start(self._commit(gathered, changes, ticket), "commit")

    async def _commit(
        self, gathered: Gathering, changes: list[Put | Delete | Keep | Discard | DiscardAll], ticket: int
    ) -> None:
        durable = False
        try:
            await self._backlogs.commit(*changes)
            durable = True
            self.commits += 1
        except StorageError as error:
            self.failures += 1
            log.error("messages and subscriptions cannot be written, and are not acknowledged: %s", error)
        finally:
            self._committing = False
            is_urgent = bool(self._next.kept or self._next.changes)
            if not durable:
                self._next.take_again(gathered)
            self._tell(ticket, durable)
            if self._told or is_urgent:
                self._schedule()
            elif self._next:
                self._soon_or_later(LAZY if durable else RETRY)

    def _tell(self, ticket: int, durable: bool) -> None:
        told = self._told
        while told and told[0][0] <= ticket:
            call = told.popleft()[1]
            try:
                call(durable)
            except Exception:  # is no reason for the others not to be told
                log.exception("whoever waited for a commit failed")
