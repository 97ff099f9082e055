"""The storage ports in memory: for tests, and as the plainest statement of what an engine must do."""

import hashlib
from collections import defaultdict
from itertools import count

from fogbank.ports import Backlog, Delete, Discard, DiscardAll, Expect, Keep, Put, Record
from fogbank.storage.group import check_version


class MemoryDocuments:
    """Documents that end with the process."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], tuple[Record, Put]] = {}

    async def get(self, kind: str, key: str) -> Record | None:
        found = self._records.get((kind, key))
        return None if found is None else found[0]

    async def scan(self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> list[Record]:
        keys = sorted(key for of, key in self._records if of == kind and key.startswith(prefix) and key > after)
        return [self._records[kind, key][0] for key in keys[:limit]]

    async def find(
        self, kind: str, index: str, value: str, *, after: str = "", limit: int | None = None
    ) -> list[Record]:
        records = await MemoryDocuments.scan(self, kind, after=after)  # at one moment, also where a subclass waits
        return [one for one in records if value in self._records[kind, one.key][1].indexes.get(index, ())][:limit]

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        staged: dict[tuple[str, str], tuple[Record, Put] | None] = {}
        versions = []
        for change in changes:
            at = (change.kind, change.key)
            before = staged[at] if at in staged else self._records.get(at)
            actual = before[0].version if before else 0
            check_version(change, actual)
            if isinstance(change, Put):
                staged[at] = (Record(change.kind, change.key, actual + 1, change.body), change)
                versions.append(actual + 1)
            elif isinstance(change, Delete):
                staged[at] = None
                versions.append(0)
            else:
                versions.append(actual)
        for at, after in staged.items():
            if after is None:
                self._records.pop(at, None)
            else:
                self._records[at] = after
        return versions


class MemoryQueue:
    """Queues that end with the process."""

    def __init__(self) -> None:
        self._next = count(1)
        self._queues: dict[str, dict[int, bytes]] = defaultdict(dict)

    async def append(self, queue: str, *items: bytes) -> list[int]:
        added = {next(self._next): item for item in items}
        self._queues[queue].update(added)
        return list(added)

    async def read(self, queue: str, *, after: int = 0, limit: int | None = None) -> list[tuple[int, bytes]]:
        return [(number, item) for number, item in self._queues.get(queue, {}).items() if number > after][:limit]

    async def remove(self, queue: str, *sequence: int) -> None:
        for number in sequence:
            self._queues.get(queue, {}).pop(number, None)

    async def drop(self, queue: str) -> None:
        self._queues.pop(queue, None)

    async def names(self, prefix: str = "") -> list[str]:
        return sorted(name for name, items in self._queues.items() if items and name.startswith(prefix))


class MemoryBacklogs:
    """Backlogs that end with the process."""

    def __init__(self, documents: MemoryDocuments) -> None:
        self._documents = documents
        self._backlogs: dict[str, dict[int, Keep]] = defaultdict(dict)

    async def commit(self, *changes: Put | Delete | Expect | Keep | Discard | DiscardAll) -> None:
        await self._documents.commit(*(one for one in changes if isinstance(one, Put | Delete | Expect)))
        for change in changes:
            match change:
                case Keep(owner, number):
                    self._backlogs[owner][number] = change
                case Discard(owner, numbers):
                    for number in numbers:
                        self._backlogs[owner].pop(number, None)
                case DiscardAll(owner):
                    self._backlogs[owner].clear()

    async def read(self, owner: str, *, after: int = 0, limit: int | None = None) -> list[tuple[int, bytes]]:
        kept = self._backlogs.get(owner, {})
        return [(number, kept[number].body) for number in sorted(kept) if number > after][:limit]

    async def owners(self) -> dict[str, Backlog]:
        found = {}
        for owner, kept in self._backlogs.items():
            if kept:
                messages = sum(one.count for one in kept.values())
                found[owner] = Backlog(messages, sum(len(one.body) for one in kept.values()), max(kept))
        return found


class MemoryBlobs:
    """Blobs that end with the process."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    async def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self._blobs[digest] = data
        return digest

    async def get(self, digest: str) -> bytes | None:
        return self._blobs.get(digest)

    async def delete(self, digest: str) -> None:
        self._blobs.pop(digest, None)


class MemoryLineLog:
    """Lines in a list."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    async def append(self, line: bytes) -> None:
        self.lines.append(line)
