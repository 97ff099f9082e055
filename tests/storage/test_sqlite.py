"""What is SQLite's own: its settings, its plans, its failures, and how few groups many callers need."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from fogbank.ports import Delete, Discard, DiscardAll, Keep, Put, StorageError
from fogbank.storage.group import Append, Remove
from fogbank.storage.sqlite import SqliteBacklogs, SqliteDocuments, SqliteFile, SqliteQueue

WHOLE_TABLES = ("SCAN document", "SCAN item", "SCAN backlog", "USE TEMP B-TREE")
"""How the steps of a plan begin that take longer the more is stored."""


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    file = SqliteFile(tmp_path / "test.sqlite")
    yield file
    await file.close()


@pytest.fixture
def documents(file: SqliteFile) -> SqliteDocuments:
    return SqliteDocuments(file)


@pytest.fixture
def backlogs(file: SqliteFile) -> SqliteBacklogs:
    return SqliteBacklogs(file)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Every write past `size` bytes fails, as on a broken disk (EFBIG, which SQLite reports as an I/O error)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_every_commit_is_synced(file: SqliteFile) -> None:
    assert file._writer.pragma("journal_mode") == "wal"
    assert file._writer.pragma("synchronous") == 2, "FULL: the WAL is synced by every commit (sqlite.org/pragma.html)"


async def test_concurrent_callers_share_their_fsyncs(file: SqliteFile, documents: SqliteDocuments) -> None:
    async def caller(name: int) -> None:
        for number in range(10):
            await documents.commit(Put("thing", f"{name}/{number}", b"{}"))

    await asyncio.gather(*(caller(name) for name in range(100)))
    assert file.committer.batches == 1000
    assert file.committer.groups < 200
    assert len(await documents.scan("thing")) == 1000


async def test_a_reader_sees_what_was_acknowledged_while_others_write(documents: SqliteDocuments) -> None:
    async def caller(name: str) -> None:
        for number in range(1, 20):
            [version] = await documents.commit(Put("thing", name, str(number).encode()))
            record = await documents.get("thing", name)
            assert record is not None
            assert (record.version, record.body) == (version, str(number).encode())

    await asyncio.gather(*(caller(str(name)) for name in range(20)))


async def test_what_sqlite_refuses_fails_alone(file: SqliteFile, documents: SqliteDocuments) -> None:
    outcomes = await asyncio.gather(
        documents.commit(Put("thing", "good", b"{}")),
        documents.commit(Put("thing", "half", b"{}"), Put("thing", "lone surrogate \ud800", b"{}")),
        documents.commit(Put("thing", "good", b"{}", 1)),
        documents.commit(Put("thing", "no bytes", "text")),  # type: ignore[arg-type]
        return_exceptions=True,
    )
    assert [outcomes[0], outcomes[2]] == [[1], [2]]
    assert all(isinstance(outcome, StorageError) for outcome in (outcomes[1], outcomes[3]))
    assert [record.key for record in await documents.scan("thing")] == ["good"]
    with pytest.raises(StorageError, match="cannot read"):
        await documents.get("thing", "\ud800")


async def test_what_was_kept_and_discarded_in_one_group_never_touches_the_disk(
    tmp_path: Path, file: SqliteFile, backlogs: SqliteBacklogs
) -> None:
    await backlogs.commit(Keep("c", 1, b"stored"))
    before = (tmp_path / "test.sqlite-wal").stat()
    await backlogs.commit(
        *(Keep("c", number, b"x" * 1000) for number in range(2, 500)),
        Discard("c", range(2, 400)),
        *(Discard("c", [number]) for number in range(400, 500)),
    )
    await backlogs.commit(Keep("d", 1, b"x"), DiscardAll("d"))
    after = (tmp_path / "test.sqlite-wal").stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert await backlogs.read("c") == [(1, b"stored")]


async def test_what_sqlite_refuses_to_keep_fails_alone(backlogs: SqliteBacklogs) -> None:
    outcomes = await asyncio.gather(
        backlogs.commit(Keep("c", 1, b"good")),
        backlogs.commit(Keep("c", 2, b"half"), Keep("c", 2**63, b"too high a number")),
        backlogs.commit(Keep("c", 3, "no bytes")),  # type: ignore[arg-type]
        backlogs.commit(Discard("\ud800", [1])),
        return_exceptions=True,
    )
    assert outcomes[0] is None
    assert all(isinstance(outcome, StorageError) for outcome in outcomes[1:])
    assert await backlogs.read("c") == [(1, b"good")]


async def test_a_full_disk_is_an_error_until_there_is_room(file: SqliteFile, documents: SqliteDocuments) -> None:
    await documents.commit(Put("thing", "old", b"x" * 50_000))
    pages = file._writer.pragma("page_count")
    file._writer.pragma("max_page_count", pages)
    small = asyncio.create_task(documents.commit(Delete("thing", "never was")))
    with pytest.raises(StorageError, match=r"cannot write .*test\.sqlite: .*full"):
        await documents.commit(Delete("thing", "old"), *(Put("thing", key, b"x" * 50_000) for key in "ab"))
    assert await small == [0]
    assert [record.key for record in await documents.scan("thing")] == ["old"]
    await documents.commit(Delete("thing", "old"))
    assert await documents.commit(Put("thing", "large", b"x" * 50_000)) == [1]


async def test_a_failing_disk_acknowledges_nothing_and_the_thread_lives_on(
    file: SqliteFile, documents: SqliteDocuments, caplog: pytest.LogCaptureFixture
) -> None:
    await documents.commit(Put("thing", "before", b"{}"))
    with files_no_larger_than(200_000):
        outcomes = await asyncio.gather(
            *(documents.commit(Put("thing", f"during-{n}", b"x" * 50_000)) for n in range(10)), return_exceptions=True
        )
        present = {record.key for record in await documents.scan("thing")}
    assert any(isinstance(outcome, StorageError) for outcome in outcomes)
    for number, outcome in enumerate(outcomes):
        assert (outcome == [1]) == (f"during-{number}" in present)
    assert "cannot write" in caplog.text
    assert await documents.commit(Put("thing", "after", b"x" * 500_000)) == [1]


async def test_numbers_of_a_failed_append_are_not_lost_from_the_order(file: SqliteFile) -> None:
    queue = SqliteQueue(file)
    [first] = await queue.append("inbox", b"1")
    with pytest.raises(StorageError):
        await queue.append("inbox", "no bytes")  # type: ignore[arg-type]
    [second] = await queue.append("inbox", b"2")
    assert first < second
    assert await queue.read("inbox") == [(first, b"1"), (second, b"2")]


async def test_an_operators_own_tool_is_waited_for(tmp_path: Path, documents: SqliteDocuments) -> None:
    tool = apsw.Connection(str(tmp_path / "test.sqlite"))
    tool.execute("BEGIN IMMEDIATE")
    commit = asyncio.create_task(documents.commit(Put("thing", "lamp", b"{}")))
    await asyncio.sleep(0)
    assert await documents.get("thing", "lamp") is None, "reads wait for nobody"
    tool.execute("ROLLBACK")
    assert await commit == [1]
    tool.close()


async def test_no_statement_walks_a_whole_table(file: SqliteFile, documents: SqliteDocuments) -> None:
    """What SQLite runs for the operations of the ports, each statement asked for its plan."""
    statements: set[str] = set()
    for connection in (file._writer, file._reader):
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: statements.add(event["sql"]))
    queue = SqliteQueue(file)
    await documents.commit(Put("thing", "lamp", b"{}", None, {"room": ["hall"]}))
    await documents.commit(Delete("thing", "lamp"))
    await documents.get("thing", "lamp")
    await documents.scan("thing", prefix="la", after="lamp")
    await documents.find("thing", "room", "hall", after="a")
    [number] = await queue.append("inbox", b"1")
    await queue.read("inbox", after=number)
    await queue.remove("inbox", number)
    await queue.drop("inbox")
    await queue.names("in")
    backlogs = SqliteBacklogs(file)
    await backlogs.commit(Keep("c", 1, b"1"), Keep("c", 9, b"9"))
    await backlogs.read("c", after=1)
    await backlogs.commit(Discard("c", [1, *range(8, 100)]), Keep("c", 2, b""))
    await backlogs.commit(DiscardAll("c"))
    for connection in (file._writer, file._reader):
        connection.trace_v2(0)
    asked = [one for one in statements if one.startswith(("SELECT", "WITH", "INSERT", "DELETE"))]
    assert len(asked) == 18, "six reads and twelve writes"
    for statement in asked:
        places = 2 if "?1" in statement else statement.count("?")
        for _, _, _, step in file._reader.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * places):
            assert not step.startswith(("SCAN document", "SCAN item", "SCAN backlog", "USE TEMP B-TREE")), (
                statement,
                step,
            )


async def test_numbers_of_items_that_never_reach_the_file_are_reserved_all_the_same(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "x.sqlite")
    start, items = file._next_sequence, [b"x"] * 3
    outcomes = file._write([Append("inbox", items), Remove("inbox", [start, start + 1, start + 2])])
    assert outcomes == [[start, start + 1, start + 2], []]
    await file.close()
    again = SqliteFile(tmp_path / "x.sqlite")
    assert again._next_sequence > start + 2
    await again.close()
