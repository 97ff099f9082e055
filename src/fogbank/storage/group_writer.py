"""How the net effect of a group gets into SQLite: in as few statements as may be.

A thread that writes gives up the interpreter lock around every statement, and beside a busy event loop it waits long to
get it back. So each statement takes as many rows as may be, and returns as few as may be.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, TypeAlias

import apsw

from fogbank.storage.backlog import ranges
from fogbank.storage.group import Address, Group

Row: TypeAlias = tuple[Any, ...]

RESERVE = 10_000
"""How many item numbers are set aside at a time: one more row per so many items, and a gap after each restart."""

CHUNKS = (128, 16, 4, 1)
"""How many rows a statement writes: few sizes, so that as few prepared statements serve every number of rows."""

LONG_RANGE = 64
"""A range of so many numbers is discarded by a statement of its own: that takes half the time per row, or less."""


class GroupWriter:
    """Writes within a transaction of `connection`, which its user begins and commits."""

    def __init__(self, connection: apsw.Connection, may_be_indexed: Callable[[Address], bool]) -> None:
        """`may_be_indexed` says of a document whether it may have index entries now."""
        self._connection = connection
        self._may_be_indexed = may_be_indexed

    def versions(self, wanted: set[Address]) -> dict[Address, int]:
        """The versions of documents, without those that do not exist. One result row per chunk: a row is a step."""
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

    def write(self, group: Group, reserved: int) -> int:
        """Write all of it. Item numbers are reserved up to `reserved`, and up to the result once this is committed."""
        if group.documents:
            self._write_documents(group)
        if group.backlogs:
            self._write_backlogs(group)
        if group.items or group.removed or group.dropped or group.next_sequence > reserved:
            return self._write_items(group, reserved)
        return reserved

    def _write_documents(self, group: Group) -> None:
        puts = [(version, put) for version, put in group.documents.values() if put is not None]
        gone = [address for address, (_, put) in group.documents.items() if put is None]
        self._in_chunks(
            "WITH written (kind, key) AS (VALUES ",
            ") DELETE FROM document_index WHERE (kind, key) IN (SELECT kind, key FROM written)",
            [address for address in group.documents if self._may_be_indexed(address)],
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

    def _write_backlogs(self, group: Group) -> None:
        self._in_chunks(
            "WITH emptied (owner) AS (VALUES ",
            ") DELETE FROM backlog WHERE owner IN (SELECT owner FROM emptied)",
            [(owner,) for owner, change in group.backlogs.items() if change.emptied],
        )
        self._discard([(owner, *span) for owner, change in group.backlogs.items() for span in ranges(change.discarded)])
        self._in_chunks(
            "INSERT INTO backlog (owner, number, count, body) VALUES ",
            " ON CONFLICT DO UPDATE SET count = excluded.count, body = excluded.body",
            [
                (owner, number, kept.count, kept.body)
                for owner, change in group.backlogs.items()
                for number, kept in change.kept.items()
            ],
        )

    def _discard(self, spans: Sequence[tuple[str, int, int]]) -> None:
        """Remove what owners kept from a first to a last number."""
        short = []
        for owner, first, last in spans:
            if last - first < LONG_RANGE:
                short.append((owner, first, last))
            else:
                statement = "DELETE FROM backlog WHERE owner = ? AND number BETWEEN ? AND ?"
                self._connection.execute(statement, (owner, first, last))
        self._in_chunks(
            "WITH span (owner, first, last) AS (VALUES ",
            ") DELETE FROM backlog WHERE (owner, number) IN (SELECT backlog.owner, number FROM span CROSS JOIN backlog"
            " ON backlog.owner = span.owner AND number BETWEEN first AND last)",
            short,
        )

    def _write_items(self, group: Group, reserved: int) -> int:
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
        if group.next_sequence <= reserved:
            return reserved
        reserved = group.next_sequence + RESERVE
        self._connection.execute("UPDATE sequence SET reserved = ?", (reserved,))
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
                results += self._connection.execute(statement, [value for row in chunk for value in row]).fetchall()
        return results
