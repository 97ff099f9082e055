"""What must be on disk before it may be acknowledged: gathered, and committed together.

Whatever happens in one turn of the event loop, and while an earlier commit is under way, becomes one commit. Whoever
owes an acknowledgement notes the `ticket` of the commit being gathered and is called when that is durable. What is kept
and discarded again before it is handed over never touches the disk.
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

Told: TypeAlias = Callable[[bool], object]
"""Called when a commit is durable, or with False where it has failed."""


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
        self._kept: dict[tuple[str, int], tuple[Run | bytes, int, bool]] = {}
        """What to keep, how many messages it is, and whether it may be on disk already, in another state."""
        self._discarded: dict[str, list[int]] = {}
        self._ended: list[str] = []
        self._changes: dict[tuple[str, str], Put | Delete] = {}
        self._told: deque[tuple[int, Told]] = deque()
        self._committing = False
        self._scheduled = False
        self._lazily = False

    # --- entries ---

    def keep(self, owner: str, number: int, run: Run) -> None:
        """Keep a run's messages under `number` and those that follow it."""
        self._kept[owner, number] = (run, run.count, False)
        self._enter()

    def replace(self, owner: str, number: int, body: bytes) -> None:
        """Keep something in the place of what may be there."""
        self._kept[owner, number] = (body, 1, True)
        self._enter()

    def discard(self, owner: str, number: int, *, lazily: bool = True) -> None:
        """What was kept under this number is not needed any more. Nobody waits for that, unless not `lazily`."""
        kept = self._kept.pop((owner, number), None)
        if kept is None or kept[2]:
            self._discarded.setdefault(owner, []).append(number)
            if lazily:
                self._soon_or_later()
            else:
                self._enter()

    def discard_all(self, owner: str) -> None:
        """Nothing of an owner is needed any more, and nothing will be kept for it again."""
        for entry in [entry for entry in self._kept if entry[0] == owner]:
            del self._kept[entry]
        self._discarded.pop(owner, None)
        self._ended.append(owner)
        self._soon_or_later()

    def change(self, change: Put | Delete, *, lazily: bool = False) -> None:
        """Write a document. A later change of the same document takes the place of an earlier one."""
        self._changes[change.kind, change.key] = change
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

    def _enter(self) -> None:
        self.entries += 1
        self._schedule()

    # --- commits ---

    def _schedule(self) -> None:
        if not (self._scheduled or self._committing):
            self._scheduled = True
            self._scheduler.call_soon(self._flush)

    def _soon_or_later(self) -> None:
        if not (self._lazily or self._scheduled or self._committing):
            self._lazily = True
            self._scheduler.call_later(LAZY, self._flush_lazily)

    def _flush_lazily(self) -> None:
        self._lazily = False
        self._schedule()

    def _flush(self) -> None:
        """Hand over what has gathered."""
        self._scheduled = False
        if self._committing:
            return
        ticket, self.ticket = self.ticket, self.ticket + 1
        changes: list[Put | Delete | Keep | Discard | DiscardAll] = [*self._changes.values()]
        changes += [DiscardAll(owner) for owner in self._ended]
        changes += [Discard(owner, numbers) for owner, numbers in self._discarded.items()]
        changes += [
            Keep(owner, number, what.encode() if isinstance(what, Run) else what, count)
            for (owner, number), (what, count, _) in self._kept.items()
        ]
        self._changes, self._ended, self._discarded, self._kept = {}, [], {}, {}
        if not changes:
            self._tell(ticket, True)
            return
        self._committing = True
        self._tasks.start(self._commit(changes, ticket), "commit")

    async def _commit(self, changes: list[Put | Delete | Keep | Discard | DiscardAll], ticket: int) -> None:
        durable = False
        try:
            await self._backlogs.commit(*changes)
            durable = True
        except StorageError as error:
            log.error("messages and subscriptions cannot be written, and are not acknowledged: %s", error)
        finally:
            self._committing = False
            self._tell(ticket, durable)
            if self._told or self._kept or self._changes:
                self._schedule()
            elif self._discarded or self._ended:
                self._soon_or_later()

    def _tell(self, ticket: int, durable: bool) -> None:
        told = self._told
        while told and told[0][0] <= ticket:
            told.popleft()[1](durable)
