"""The log of lines: durable, whole lines, bounded."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fogbank.ports import StorageError
from fogbank.storage.line_log import FileLineLog


async def test_lines_are_there_in_order_and_private(tmp_path: Path) -> None:
    path = tmp_path / "audit" / "lines"
    log = FileLineLog(path)
    await log.append(b"one")
    assert path.read_bytes() == b"one\n"
    await asyncio.gather(*(log.append(b"%d" % number) for number in range(100)))
    assert path.read_bytes() == b"one\n" + b"".join(b"%d\n" % number for number in range(100))
    assert path.stat().st_mode & 0o777 == 0o600
    await log.close()
    again = FileLineLog(path)
    await again.append(b"more")
    await again.close()
    assert path.read_bytes().endswith(b"99\nmore\n")


async def test_many_who_wait_share_an_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = FileLineLog(tmp_path / "lines")
    synced: list[int] = []
    real = os.fsync

    def sync(file: int) -> None:
        synced.append(file)
        real(file)

    monkeypatch.setattr(os, "fsync", sync)
    await asyncio.gather(*(log.append(b"x") for _ in range(500)))
    assert 1 <= len(synced) <= 3
    await log.close()


@pytest.mark.parametrize("torn", [b"", b"a", b"a\nb\nc", b"a\n", b"x" * 200_000, b"a\n" + b"x" * 200_000])
async def test_what_a_kill_left_unfinished_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "lines"
    path.write_bytes(torn)
    log = FileLineLog(path)
    await log.append(b"next")
    await log.close()
    assert path.read_bytes() == torn[: torn.rfind(b"\n") + 1] + b"next\n"


async def test_files_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    log = FileLineLog(path, max_bytes=10, keep=2)
    for number in range(9):
        await log.append(b"%04d" % number)
    await log.close()
    assert contents(tmp_path) == {"lines": b"0008\n", "lines.1": b"0006\n0007\n", "lines.2": b"0004\n0005\n"}


async def test_a_line_longer_than_the_bound_is_kept_whole(tmp_path: Path) -> None:
    log = FileLineLog(tmp_path / "lines", max_bytes=10, keep=0)
    await log.append(b"x" * 50)
    assert (tmp_path / "lines").stat().st_size == 51
    await log.append(b"y")
    await log.close()
    assert contents(tmp_path) == {"lines": b"y\n"}


def contents(directory: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in directory.iterdir()}


def failing(times: int, real: Callable[..., int]) -> Callable[..., int]:
    left = [times]

    def write(file: int, data: bytes) -> int:
        if left[0]:
            left[0] -= 1
            real(file, bytes(data)[:2])
            raise OSError(28, "No space left on device")
        return real(file, data)

    return write


async def test_a_full_disk_is_told_and_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines"
    log = FileLineLog(path)
    await log.append(b"first")
    monkeypatch.setattr(os, "write", failing(1, os.write))
    with pytest.raises(StorageError, match="No space left on device"):
        await log.append(b"lost")
    await log.append(b"second")
    await log.close()
    assert path.read_bytes() == b"first\nsecond\n"


async def test_who_leaves_does_not_disturb_the_others(tmp_path: Path) -> None:
    log = FileLineLog(tmp_path / "lines")
    leaving = asyncio.ensure_future(log.append(b"a"))
    staying = asyncio.ensure_future(log.append(b"b"))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    await log.close()
    assert (tmp_path / "lines").read_bytes() == b"a\nb\n"


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        FileLineLog(tmp_path / "file" / "lines")
