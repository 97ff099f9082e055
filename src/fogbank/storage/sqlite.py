"""Documents and queues in one SQLite file, in WAL mode with synchronous=FULL.

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
import os
import threading
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import apsw

from fogbank.ports import Delete, Put, Record, StaleVersion, StorageError
from fogbank.storage.committer import Committer, Outcome
from fogbank.storage.directory import sync_directory
from fogbank.storage.group import Address, Append, Batch, Drop, Group, Remove, addresses

log = logging.getLogger(__name__)

Row: TypeAlias = tuple[Any, ...]

APPLICATION_ID = 0x464F4742  # "FOGB": tells our files from any other SQLite file
SCHEMA_VERSION = 1

# Rows of documents and items are kilobytes, which is too much for WITHOUT ROWID (its B-tree keeps whole rows in inner
# nodes: sqlite.org/withoutrowid.html); rows of document_index are all key, which is what WITHOUT ROWID is for.
# `sequence.reserved` is the number below which item numbers may have been given out already.
SCHEMA = """
    CREATE TABLE document (
        kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (kind, key)
    ) STRICT;
    CREATE TABLE document_index (
        kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, key TEXT NOT NULL,
        PRIMARY KEY (kind, name, value, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX document_index_by_key ON document_index (kind, key);
    CREATE TABLE item (sequence INTEGER PRIMARY KEY, queue TEXT NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE INDEX item_by_queue ON item (queue, sequence);
    CREATE TABLE sequence (reserved INTEGER NOT NULL) STRICT;
    INSERT INTO sequence VALUES (1);
"""

RESERVE = 10_000
"""How many item numbers are set aside at a time: one more row per so many items, and a gap after each restart."""

BUSY_TIMEOUT_MS = 5000
"""How long to wait while an operator's own tool (`sqlite3`, a backup) holds the file; Fogbank never blocks itself."""

CHUNKS = (128, 16, 1)
"""How many rows a statement writes: three sizes, so that three prepared statements serve every number of rows."""

ABOVE_ALL_TEXT = b""
"""In SQLite's order every blob comes after every text: an upper bound that excludes no key."""


class SqliteFile:
    """An open database: reads by `read`, writes by `committer.commit`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            _make_file(path)
            self._writer = _connect(path)
            self._reader = _connect(path)
            self._reader.execute("PRAGMA query_only = ON")
            [[reserved]] = self._reader.execute("SELECT reserved FROM sequence").fetchall()
        except (apsw.Error, OSError) as error:
            raise StorageError(f"cannot open {path}: {error}") from error
        self._reserved = self._next_sequence = _number(reserved)
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
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            if len(batches) == 1 or isinstance(error, apsw.IOError):  # a broken disk is not asked a thousand times
                log.error("cannot write %s: %s; callers affected: %d", self._path, error, len(batches))
                return [_refusal(self._path, error) for _ in batches]
        return [outcome for batch in batches for outcome in self._write([batch])]

    def _transact(self, batches: Sequence[Batch]) -> list[Outcome]:
        self._writer.execute("BEGIN IMMEDIATE")
        group = Group(self._versions(addresses(batches)), self._next_sequence)
        outcomes: list[Outcome] = []
        for batch in batches:
            try:
                outcomes.append(group.apply(batch))
            except StaleVersion as stale:
                outcomes.append(stale)
        self._next_sequence = group.next_sequence
        self._write_documents(group)
        reserved = self._write_items(group)
        self._writer.execute("COMMIT")
        self._reserved = reserved
        return outcomes

    def _versions(self, wanted: set[Address]) -> dict[Address, int]:
        """One result row per chunk: rows are steps, and each step may have to wait for the interpreter lock."""
        order = list(wanted)
        versions: dict[Address, int] = {}
        found = self._in_chunks(
            "WITH wanted (place, kind, key) AS (VALUES ",
            ") SELECT group_concat(place || ':' || version) FROM wanted CROSS JOIN document USING (kind, key)",
            [(place, *address) for place, address in enumerate(order)],
        )
        for (text,) in found:
            for pair in text.split(",") if text else ():
                place, _, version = pair.partition(":")
                versions[order[int(place)]] = int(version)
        return versions

    def _write_documents(self, group: Group) -> None:
        puts = [(version, put) for version, put in group.documents.values() if put is not None]
        gone = [address for address, (_, put) in group.documents.items() if put is None]
        self._in_chunks(
            "WITH written (kind, key) AS (VALUES ",
            ") DELETE FROM document_index WHERE (kind, key) IN (SELECT kind, key FROM written)",
            list(group.documents),
        )
        self._in_chunks(
            "WITH gone (kind, key) AS (VALUES ",
            ") DELETE FROM document WHERE (kind, key) IN (SELECT kind, key FROM gone)",
            gone,
        )
        self._in_chunks(
            "INSERT INTO document (kind, key, version, body) VALUES ",
            " ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body",
            [(put.kind, put.key, version, put.body) for version, put in puts],
        )
        self._in_chunks(
            "INSERT INTO document_index (kind, name, value, key) VALUES ",
            " ON CONFLICT DO NOTHING",
            [(p.kind, name, value, p.key) for _, p in puts for name, values in p.indexes.items() for value in values],
        )

    def _write_items(self, group: Group) -> int:
        """Returns the item number up to which all are reserved once this is committed."""
        self._in_chunks(
            "WITH dropped (queue) AS (VALUES ",
            ") DELETE FROM item WHERE queue IN (SELECT queue FROM dropped)",
            [(queue,) for queue in group.dropped],
        )
        self._in_chunks(
            "WITH removed (sequence, queue) AS (VALUES ",
            ") DELETE FROM item WHERE sequence IN"
            " (SELECT sequence FROM removed CROSS JOIN item USING (sequence, queue))",
            list(group.removed),
        )
        self._in_chunks(
            "INSERT INTO item (sequence, queue, body) VALUES ",
            "",
            [(number, queue, body) for number, (queue, body) in group.items.items()],
        )
        if group.next_sequence <= self._reserved:
            return self._reserved
        reserved = group.next_sequence + RESERVE
        self._writer.execute("UPDATE sequence SET reserved = ?", (reserved,))
        return reserved

    def _in_chunks(self, before: str, after: str, rows: Sequence[Row]) -> list[Row]:
        """Run a statement over lists of VALUES as long as may be."""
        results: list[Row] = []
        remaining = iter(rows)
        left = len(rows)
        for size in CHUNKS:
            while left >= size:
                chunk = list(islice(remaining, size))
                left -= size
                values = "(" + ",".join("?" * len(chunk[0])) + ")"
                statement = before + ",".join([values] * size) + after
                results += self._writer.execute(statement, [value for row in chunk for value in row]).fetchall()
        return results


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

    async def commit(self, *changes: Put | Delete) -> list[int]:
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


def _make_file(path: Path) -> None:
    """An empty file is an empty database. SQLite gives the files it puts beside this one the same mode."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_directory(path.parent)


def _connect(path: Path) -> apsw.Connection:
    """Connect, having looked whether the file is one that we may touch."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        application, version = connection.pragma("application_id"), _number(connection.pragma("user_version"))
        empty = not connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
        if application != APPLICATION_ID and not empty:
            raise StorageError(f"{path} is a database, but not one of Fogbank's; choose another data directory")
        if version > SCHEMA_VERSION:
            raise StorageError(
                f"{path} was written by a newer Fogbank (schema {version}; this one knows {SCHEMA_VERSION}); "
                "upgrade, or choose another data directory"
            )
        if connection.pragma("journal_mode", "wal") != "wal":
            raise StorageError(f"{path} is on a file system without shared memory, which SQLite's WAL mode needs")
        connection.pragma("synchronous", "full")
        if empty:
            _make_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: apsw.Connection) -> None:
    """All in one transaction: a kill leaves an empty file, or a complete one."""
    with connection:
        connection.execute(SCHEMA)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", SCHEMA_VERSION)


def _refusal(path: Path, error: Exception) -> StorageError:
    refusal = StorageError(f"cannot write {path}: {error}")
    refusal.__cause__ = error
    return refusal


def _number(value: object) -> int:
    assert isinstance(value, int)  # apsw types the values of SQLite as all that they might be
    return value


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
