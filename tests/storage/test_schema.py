"""Files that are opened: new ones, those of earlier versions, and those that are none of ours."""

from pathlib import Path

import apsw
import pytest

from fogbank.ports import Keep, Put, Record, StorageError
from fogbank.storage import schema
from fogbank.storage.sqlite import SqliteBacklogs, SqliteDocuments, SqliteFile, SqliteQueue

VERSION_1 = """
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
    INSERT INTO sequence VALUES (10001);
    INSERT INTO document VALUES ('thing', 'lamp', 3, x'7b7d');
    INSERT INTO document_index VALUES ('thing', 'room', 'hall', 'lamp');
    INSERT INTO item VALUES (7, 'inbox', CAST('item' AS BLOB));
    PRAGMA application_id = 1179600706;
    PRAGMA user_version = 1;
"""
"""A file as the first release left it."""


async def test_a_newer_file_is_refused_with_both_versions(tmp_path: Path) -> None:
    path = tmp_path / "test.sqlite"
    await SqliteFile(path).close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 7)
    connection.close()
    with pytest.raises(StorageError, match=r"newer Fogbank \(schema 7; this one knows 2\); upgrade"):
        SqliteFile(path)


async def test_a_file_of_version_1_is_brought_up_to_date_with_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "test.sqlite"
    path.touch()
    connection = apsw.Connection(str(path))
    connection.execute(VERSION_1)
    connection.close()
    for _ in range(2):  # the second time it is up to date
        file = SqliteFile(path)
        assert await SqliteDocuments(file).get("thing", "lamp") == Record("thing", "lamp", 3, b"{}")
        assert [one.key for one in await SqliteDocuments(file).find("thing", "room", "hall")] == ["lamp"]
        assert await SqliteQueue(file).read("inbox") == [(7, b"item")]
        await SqliteBacklogs(file).commit(Keep("c", 1, b"message"))
        assert await SqliteBacklogs(file).read("c") == [(1, b"message")]
        assert file._writer.pragma("user_version") == 2
        await file.close()


async def test_an_upgrade_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "test.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute(VERSION_1)
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS[:1], schema.BACKLOGS + "CREATE TABLE document (x);"))
    with pytest.raises(StorageError, match="table document already exists"):
        SqliteFile(path)
    assert connection.pragma("user_version") == 1
    assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'backlog'").fetchall() == []
    connection.close()


def test_a_database_of_someone_elses_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "test.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE precious (thing)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="not one of Fogbank's"):
        SqliteFile(path)
    assert path.read_bytes() == before


async def test_an_empty_file_is_a_start_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "test.sqlite").touch()
    file = SqliteFile(tmp_path / "test.sqlite")
    assert await SqliteDocuments(file).commit(Put("thing", "lamp", b"{}")) == [1]
    await file.close()
