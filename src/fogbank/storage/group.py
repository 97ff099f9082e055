"""What a group of batches comes to, worked out in memory before anything is written.

Each batch is checked and applied to the effect of those before it. One that fails a compare-and-set adds nothing, and
so has nothing to undo. What is left is the net effect: one row per document, item and kept message, whatever number of
batches touched it, to be written by a handful of statements.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from fogbank.ports import Delete, Discard, DiscardAll, Expect, Keep, Put, StaleVersion
from fogbank.storage.backlog import BacklogChange

Address: TypeAlias = tuple[str, str]
"""The kind and key of a document."""


class Append(msgspec.Struct, frozen=True):
    """Items for the end of a queue; their numbers are the result."""

    queue: str
    items: Sequence[bytes]


class Remove(msgspec.Struct, frozen=True):
    """Items of a queue that are done with."""

    queue: str
    sequence: Sequence[int]


class Drop(msgspec.Struct, frozen=True):
    """A queue and all it holds."""

    queue: str


DocumentChange: TypeAlias = Put | Delete | Expect

Change: TypeAlias = DocumentChange | Keep | Discard | DiscardAll

BACKLOG_CHANGES = (Keep, Discard, DiscardAll)
"""For `isinstance`, which is asked of many thousand messages a group: quickest for the first."""

Batch: TypeAlias = Sequence[Change] | Append | Remove | Drop
"""What is written whole or not at all."""


def addresses(batches: Sequence[Batch]) -> set[Address]:
    """The documents whose versions a group must know."""
    return {
        (change.kind, change.key)
        for batch in batches
        if not isinstance(batch, Append | Remove | Drop)
        for change in batch
        if not isinstance(change, BACKLOG_CHANGES)
    }


def check_version(change: DocumentChange, actual: int) -> None:
    """Raise StaleVersion where `change` expects another version than the document's `actual` one."""
    expected = change.version if isinstance(change, Expect) else change.expect
    if expected is not None and expected != actual:
        raise StaleVersion(change.kind, change.key, expected, actual)


class Group:
    """The net effect of batches upon a store whose documents stand at `versions` (absent: there is none)."""

    def __init__(self, versions: Mapping[Address, int], next_sequence: int) -> None:
        self.next_sequence = next_sequence
        self.documents: dict[Address, tuple[int, Put | None]] = {}
        """The new version and content; 0 and None for one to be deleted."""
        self.items: dict[int, tuple[str, bytes]] = {}
        """New items by number, with their queue."""
        self.removed: set[tuple[int, str]] = set()
        """Stored items to be removed, if they are of the queue named."""
        self.dropped: set[str] = set()
        """Queues whose stored items are to be removed."""
        self.backlogs: defaultdict[str, BacklogChange] = defaultdict(BacklogChange)
        """What becomes of backlogs, by owner."""
        self._versions = versions

    def apply(self, batch: Batch) -> list[int]:
        """Add a batch; its result: versions, or sequence numbers. Raises StaleVersion, and then adds nothing."""
        match batch:
            case Append():
                return self._append(batch)
            case Remove():
                self._remove(batch)
            case Drop():
                self.dropped.add(batch.queue)
                self.items = {number: item for number, item in self.items.items() if item[0] != batch.queue}
            case _:
                return self._change(batch)
        return []

    def _change(self, changes: Sequence[Change]) -> list[int]:
        staged: dict[Address, tuple[int, Put | None]] = {}
        versions = []
        waiting = []
        for change in changes:
            if isinstance(change, BACKLOG_CHANGES):
                waiting.append(change)
                continue
            address = (change.kind, change.key)
            before = staged.get(address) or self.documents.get(address)
            actual = before[0] if before else self._versions.get(address, 0)
            check_version(change, actual)
            if isinstance(change, Put):
                staged[address] = (actual + 1, change)
                versions.append(actual + 1)
            elif isinstance(change, Delete):
                staged[address] = (0, None)
                versions.append(0)
            else:
                versions.append(actual)
        self.documents.update(staged)
        for one in waiting:  # only now: nothing can fail any more
            self.backlogs[one.owner].apply(one)
        return versions

    def _append(self, batch: Append) -> list[int]:
        numbers = list(range(self.next_sequence, self.next_sequence + len(batch.items)))
        self.next_sequence += len(numbers)
        self.items.update((number, (batch.queue, item)) for number, item in zip(numbers, batch.items, strict=True))
        return numbers

    def _remove(self, batch: Remove) -> None:
        for number in batch.sequence:
            if number not in self.items:
                self.removed.add((number, batch.queue))
            elif self.items[number][0] == batch.queue:
                del self.items[number]
