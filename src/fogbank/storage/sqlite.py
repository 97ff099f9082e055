"""Documents, queues and backlogs in one SQLite file, in WAL mode with synchronous=FULL.

Two connections share the work:

- The **writer** lives on the thread of the `Committer`. Such a thread gives up the interpreter lock around every
  statement, and beside a busy event loop it waits milliseconds to get it back: 200 rows written one by one took 0.8 s
  instead of 2 ms. So a group of batches is not replayed row by row under savepoints: `Group` works out its net effect,
  and a handful of many-row statements write it.
- The **reader** answers at once, on the caller's thread: a read of a warm page takes about 3 us, a small part of what
  a change of threads costs. It never waits for a write or an fsync, and sees a commit only once that is on disk (SQLite
  publishes it in the WAL's index after the sync): every read sees all that was acknowledged before it, and nothing
  that is not.
"""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import apsw

from fogbank.ports import (
    Backlog,
    Delete,
    Discard,
    DiscardAll,
    Expect,
    Keep,
    Put,
    Record,
    StaleVersion,
    StorageError,
)
from fogbank.storage.committer import Committer, Outcome
from fogbank.storage.group import Append, Batch, Drop, Group, Remove, addresses
from fogbank.storage.group_writer import GroupWriter, Row
from fogbank.storage.known import KnownDocuments
from fogbank.storage.schema import connect, integer, make_file

log = logging.getLogger(__name__)

ABOVE_ALL_TEXT = b""
"""In SQLite's order every blob comes after every text: an upper bound that excludes no key."""


class SqliteFile:
    """An open database: reads by `read`, writes by `committer.commit`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            make_file(path)
            self._writer = connect(path)
            self._reader = connect(path)
            self._reader.execute("PRAGMA query_only = ON")
            [[reserved]] = self._reader.execute("SELECT reserved FROM sequence").fetchall()
        except (apsw.Error, OSError) as error:
            raise StorageError(f"cannot open {path}: {error}") from error
        self._reserved = self._next_sequence = integer(reserved)
        self._known = KnownDocuments()
        self._group_writer = GroupWriter(self._writer, self._known.may_be_indexed)
        self._reading = threading.Lock()  # a connection serves one thread at a time; one event loop never contends
        self._open = True
        self.committer = Committer(str(path), self._write)

    def read(self, statement: str, values: Sequence[str | int | bytes]) -> list[Row]:
        """All rows of a query, as of now. Raises StorageError."""
        with self._reading:
            if not self._open:
                raise StorageError(f"{self._path} is closed")
            try:
                return self._reader.execute(statement, values).fetchall()
            except (apsw.Error, UnicodeError) as error:
                raise StorageError(f"cannot read {self._path}: {error}") from error

    async def close(self) -> None:
        """Write what was handed over, then close. Closing twice does nothing."""
        await self.committer.close()
        with self._reading:
            self._open = False
            self._reader.close()
            self._writer.close()

    def _write(self, batches: Sequence[Batch]) -> list[Outcome]:
        """Write a group in one transaction. Where SQLite refuses it, each batch for itself: one may be to blame."""
        try:
            return self._transact(batches)
        except Exception as error:
            self._known.forget()
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            if len(batches) == 1 or isinstance(error, apsw.IOError):  # a broken disk is not asked a thousand times
                log.error("cannot write %s: %s; callers affected: %d", self._path, error, len(batches))
                return [_refusal(self._path, error) for _ in batches]
        return [outcome for batch in batches for outcome in self._write([batch])]

    def _transact(self, batches: Sequence[Batch]) -> list[Outcome]:
        self._writer.execute("BEGIN IMMEDIATE")
        wanted = addresses(batches)
        versions = self._known.versions(wanted)
        versions |= self._group_writer.versions(wanted - versions.keys())
        group = Group(versions, self._next_sequence)
        outcomes: list[Outcome] = []
        for batch in batches:
            try:
                outcomes.append(group.apply(batch))
            except StaleVersion as stale:
                outcomes.append(stale)
        self._next_sequence = group.next_sequence
        reserved = self._group_writer.write(group, self._reserved)
        self._writer.execute("COMMIT")
        self._known.learn(group)
        self._reserved = reserved
        return outcomes


class SqliteDocuments:
    """The Documents port over a `SqliteFile`."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def get(self, kind: str, key: str) -> Record | None:
        rows = self._file.read("SELECT version, body FROM document WHERE kind = ? AND key = ?", (kind, key))
        return Record(kind, key, *rows[0]) if rows else None

    async def scan(self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> list[Record]:
        rows = self._file.read(
            "SELECT key, version, body FROM document WHERE kind = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
            (kind, max(prefix, _next_text(after)), _end_of(prefix), _limit(limit)),
        )
        return [Record(kind, *row) for row in rows]

    async def find(
        self, kind: str, index: str, value: str, *, after: str = "", limit: int | None = None
    ) -> list[Record]:
        rows = self._file.read(
            "SELECT key, version, body FROM document_index CROSS JOIN document USING (kind, key)"
            " WHERE kind = ? AND name = ? AND value = ? AND key > ? ORDER BY key LIMIT ?",
            (kind, index, value, after, _limit(limit)),
        )
        return [Record(kind, *row) for row in rows]

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        return await self._file.committer.commit(changes)


class SqliteQueue:
    """The Queue port over a `SqliteFile`."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def append(self, queue: str, *items: bytes) -> list[int]:
        return await self._file.committer.commit(Append(queue, items))

    async def read(self, queue: str, *, after: int = 0, limit: int | None = None) -> list[tuple[int, bytes]]:
        rows = self._file.read(
            "SELECT sequence, body FROM item WHERE queue = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            (queue, after, _limit(limit)),
        )
        return [(number, body) for number, body in rows]

    async def remove(self, queue: str, *sequence: int) -> None:
        await self._file.committer.commit(Remove(queue, sequence))

    async def drop(self, queue: str) -> None:
        await self._file.committer.commit(Drop(queue))

    async def names(self, prefix: str = "") -> list[str]:
        """Leaps from one name to the next in the index, instead of walking over every item."""
        rows = self._file.read(
            "WITH RECURSIVE name (queue) AS ("
            " SELECT min(queue) FROM item WHERE queue >= ?1 AND queue < ?2 UNION ALL"
            " SELECT (SELECT min(queue) FROM item WHERE queue > name.queue AND queue < ?2)"
            " FROM name WHERE name.queue IS NOT NULL"
            ") SELECT queue FROM name WHERE queue IS NOT NULL",
            (prefix, _end_of(prefix)),
        )
        return [name for (name,) in rows]


class SqliteBacklogs:
    """The Backlogs port over a `SqliteFile`."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def commit(self, *changes: Put | Delete | Expect | Keep | Discard | DiscardAll) -> None:
        await self._file.committer.commit(changes)

    async def read(self, owner: str, *, after: int = 0, limit: int | None = None) -> list[tuple[int, bytes]]:
        rows = self._file.read(
            "SELECT number, body FROM backlog WHERE owner = ? AND number > ? ORDER BY number LIMIT ?",
            (owner, after, _limit(limit)),
        )
        return [(number, body) for number, body in rows]

    async def owners(self) -> dict[str, Backlog]:
        """Walks over everything: for the start. The bodies are not read for their length."""
        rows = self._file.read(
            "SELECT owner, sum(count), sum(length(body)), max(number) FROM backlog GROUP BY owner", ()
        )
        return {owner: Backlog(messages, size, last) for owner, messages, size, last in rows}


def _refusal(path: Path, error: Exception) -> StorageError:
    refusal = StorageError(f"cannot write {path}: {error}")
    refusal.__cause__ = error
    return refusal


def _next_text(text: str) -> str:
    """The first text after `text`."""
    return text + "\0"


def _end_of(prefix: str) -> str | bytes:
    """The first text after all that begin with `prefix`, in the order of code points (which is that of UTF-8 bytes)."""
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return ABOVE_ALL_TEXT
    last = ord(head[-1]) + 1
    return head[:-1] + ("\ue000" if 0xD800 <= last <= 0xDFFF else chr(last))  # no text holds surrogates


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit
