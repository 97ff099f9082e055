"""Files of an index that are not what they were: cut, emptied, lost, overwritten, or left behind by a kill."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fogbank.registry.index.entry import ThingEntry
from fogbank.registry.index.shelf import Shelf
from fogbank.search import parse

COUNT = 50
SPARE = (".managed.json", ".lock")
"""What an index can do without."""


def thing(i: int) -> ThingEntry:
    return ThingEntry(name=f"t{i:04}", id=str(i), stamp=str(i), attributes={"x": str(i), "y": "z"})


def names(shelf: Shelf[ThingEntry], query: str = "*") -> list[str]:
    return shelf.view(parse(query)).names(10_000, "")


@pytest.fixture
def fine(tmp_path: Path) -> Path:
    shelf = Shelf(tmp_path / "fine", ThingEntry)
    assert shelf.open() is False
    shelf.put([thing(i) for i in range(COUNT)])
    shelf.remove(["t0003"])
    shelf.close()
    return tmp_path / "fine"


def harmed(content: bytes, how: str) -> bytes | None:
    match how:
        case "cut":
            return content[: len(content) // 2]
        case "emptied":
            return b""
        case "overwritten":
            return bytes(255 - one for one in content)
    return None


@pytest.mark.parametrize("how", ["cut", "emptied", "lost", "overwritten"])
def test_damage_to_any_file_is_noticed_and_an_empty_index_made(fine: Path, tmp_path: Path, how: str) -> None:
    victims = [path.name for path in fine.iterdir() if not path.name.endswith(SPARE)]
    assert len(victims) > 5
    for victim in victims:
        shutil.copytree(fine, torn := tmp_path / f"{how}-{victim}")
        content = harmed((torn / victim).read_bytes(), how)
        if content is None:
            (torn / victim).unlink()
        else:
            (torn / victim).write_bytes(content)
        shelf = Shelf(torn, ThingEntry)
        assert shelf.open() is False, victim
        assert names(shelf) == []
        shelf.put([thing(1)])
        assert names(shelf, "attributes.x:1") == ["t0001"]
        shelf.close()


def test_a_file_that_cannot_be_opened_does_not_stay_open(fine: Path) -> None:
    (fine / "meta.json").write_text("{}")
    shelf = Shelf(fine, ThingEntry)
    assert shelf.open() is False
    shelf.close()
    assert Shelf(fine, ThingEntry).open() is True


WRITER = """
import sys
from pathlib import Path
from fogbank.registry.index.shelf import Shelf
from fogbank.registry.index.entry import ThingEntry
shelf = Shelf(Path(sys.argv[1]), ThingEntry)
shelf.open()
for i in range(100_000):
    shelf.put([ThingEntry(name=f"t{i % 500:04}", id=str(i), stamp=str(i), attributes={"x": str(i)})])
    print(i, flush=True)
"""


@pytest.mark.parametrize("puts", [1, 20, 60])
async def test_what_was_put_is_there_after_a_kill(tmp_path: Path, puts: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(tmp_path / "index"), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    last = -1
    while last < puts:
        last = int(await asyncio.wait_for(process.stdout.readline(), 30))
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    shelf = Shelf(tmp_path / "index", ThingEntry)
    assert shelf.open() is True
    assert names(shelf)[: last + 1] == [f"t{i:04}" for i in range(last + 1)]
    shelf.put([thing(9999)])
    assert names(shelf, "thingName:t9999") == ["t9999"]
    shelf.close()
