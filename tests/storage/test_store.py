"""The store as a whole: who may open it, what it leaves on disk, how it closes, and what a kill leaves behind."""

import asyncio
import os
import random
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fogbank.ports import Backlog, Keep, Put, StorageError
from fogbank.storage import Store, open_store

WRITER = Path(__file__).with_name("writer_process.py")

KEPT = 20
"""How many messages the process leaves in each backlog."""


async def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.documents.commit(Put("thing", "lamp", b"{}", None, {"room": ["hall"]}))
    [number] = await store.queue.append("inbox", b"item")
    await store.backlogs.commit(Keep("c", 5, b"message", 2))
    digest = await store.blobs.put(b"code")
    await store.close()
    store = open_store(tmp_path)
    assert await store.backlogs.read("c") == [(5, b"message")]
    assert await store.backlogs.owners() == {"c": Backlog(2, 7, 5)}
    assert [record.key for record in await store.documents.find("thing", "room", "hall")] == ["lamp"]
    assert await store.queue.read("inbox") == [(number, b"item")]
    assert await store.blobs.get(digest) == b"code"
    await store.close()


async def test_item_numbers_are_not_used_again_after_a_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    numbers = await store.queue.append("inbox", *[b""] * 10_050)
    await store.queue.drop("inbox")
    await store.close()
    store = open_store(tmp_path)
    [later] = await store.queue.append("inbox", b"")
    assert later > max(numbers)
    await store.close()


async def test_a_second_server_is_refused_and_told_who_holds_the_directory(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(StorageError, match=f"{tmp_path} is in use by another Fogbank .process {os.getpid()}."):
        open_store(tmp_path)
    await store.documents.commit(Put("thing", "lamp", b"{}"))
    await store.close()
    await open_store(tmp_path).close()


async def test_everything_on_disk_is_the_owners_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path / "new" / "data")
    await store.documents.commit(Put("thing", "lamp", b"{}"))
    await store.blobs.put(b"code")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").rglob("*")}
    assert {path.name for path in modes} >= {"fogbank.sqlite", "fogbank.sqlite-wal", "fogbank.sqlite-shm", "lock"}
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path
    await store.close()


async def test_closing_finishes_what_was_handed_over_and_closes_twice(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    commits = [store.documents.commit(Put("thing", str(n), b"{}")) for n in range(100)]
    tasks = [asyncio.create_task(commit) for commit in commits]
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    assert await asyncio.gather(*tasks) == [[1]] * 100
    store = open_store(tmp_path)
    assert len(await store.documents.scan("thing")) == 100
    await store.close()


async def test_calls_after_close_say_so(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.close()
    for call in (
        store.documents.get("thing", "lamp"),
        store.documents.scan("thing"),
        store.documents.commit(Put("thing", "lamp", b"{}")),
        store.queue.append("inbox", b"1"),
        store.queue.names(),
        store.backlogs.commit(Keep("c", 1, b"")),
        store.backlogs.read("c"),
        store.backlogs.owners(),
        store.blobs.put(b"code"),
        store.blobs.get("0" * 64),
    ):
        with pytest.raises(StorageError, match="closed"):
            await call


async def test_a_failed_open_lets_go_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "fogbank.sqlite").write_bytes(b"this is no database at all, " * 100)
    with pytest.raises(StorageError, match=r"cannot open .*fogbank.sqlite: .*not a database"):
        open_store(tmp_path)
    (tmp_path / "fogbank.sqlite").unlink()
    await open_store(tmp_path).close()


@pytest.mark.parametrize("kind", ["a file", "below a file"])
def test_what_cannot_be_a_directory_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" if kind == "a file" else tmp_path / "file" / "data"
    with pytest.raises(StorageError, match=f"cannot use {path} as data directory: "):
        open_store(path)


class TestKilled:
    """A process that commits is killed at random instants, over and over on the same directory."""

    async def test_nothing_acknowledged_is_lost_and_nothing_is_half_there(self, tmp_path: Path) -> None:
        dice = random.Random(20_061)
        acknowledged: set[str] = set()
        for life in range(5):
            acknowledged |= set(self.live_and_die(tmp_path, life, after=dice.randrange(1, 1500)))
            store = open_store(tmp_path)  # at once: the kernel has let go of the lock
            await self.check(store, acknowledged)
            await store.close()
            assert list((tmp_path / "blobs" / "unfinished").iterdir()) == []

    @staticmethod
    def live_and_die(path: Path, life: int, *, after: int) -> Iterator[str]:
        """What the process acknowledged before SIGKILL came, which is sent once `after` lines were seen."""
        with subprocess.Popen([sys.executable, WRITER, path, str(life)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for seen, line in enumerate(process.stdout, start=1):
                if seen == after:
                    process.kill()
                if line.endswith("\n"):  # the pipe may end in half a line
                    yield line.strip()
        assert process.returncode == -9

    @staticmethod
    async def check(store: Store, acknowledged: set[str]) -> None:
        parts = [{record.key for record in await store.documents.scan(f"part-{part}")} for part in range(3)]
        indexed = {record.key for record in await store.documents.find("part-1", "index", "all")}
        assert parts[0] == parts[1] == parts[2] == indexed, "half a batch was applied"
        assert {name for name in acknowledged if name.startswith("batch")} <= parts[0]

        items = [item.decode() for _, item in await store.queue.read("inbox")]
        first_of_three, *others = (items[start::3] for start in range(3))
        assert all(other == first_of_three for other in others), "half an append was applied"
        assert {name for name in acknowledged if name.startswith("append")} <= set(first_of_three)

        steps = {record.key: int(record.body) for record in await store.documents.scan("step")}
        for owner, step in steps.items():
            kept = [(n, f"{owner} {n}".encode()) for n in range(max(1, step - KEPT + 1), step + 1)]
            assert await store.backlogs.read(owner) == kept, "a step of a backlog was half applied"
        assert await store.backlogs.owners() == {
            owner: Backlog(min(step, KEPT), sum(len(body) for _, body in await store.backlogs.read(owner)), step)
            for owner, step in steps.items()
        }
        for name in acknowledged:
            if name.startswith("step "):
                _, owner, number = name.split(" ")
                assert int(number) <= steps[owner], "an acknowledged step is missing"

        for name in acknowledged:
            if name.startswith("blob "):
                assert await store.blobs.get(name.removeprefix("blob ")) is not None
