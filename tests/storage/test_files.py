"""Blobs on disk: what a damaged file, an orphan and a failing disk come to."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fogbank.ports import StorageError
from fogbank.storage.files import FileBlobs

DIGEST = hashlib.sha256(b"code").hexdigest()


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FileBlobs]:
    blobs = FileBlobs(tmp_path)
    yield blobs
    await blobs.close()


def file_of(root: Path, digest: str) -> Path:
    return root / digest[:2] / digest[2:4] / digest


async def test_the_file_bears_the_digest_two_levels_deep(tmp_path: Path, blobs: FileBlobs) -> None:
    assert await blobs.put(b"code") == DIGEST
    assert file_of(tmp_path, DIGEST).read_bytes() == b"code"
    assert list((tmp_path / "unfinished").iterdir()) == []


async def test_putting_again_leaves_the_file_alone(tmp_path: Path, blobs: FileBlobs) -> None:
    await blobs.put(b"code")
    before = file_of(tmp_path, DIGEST).stat()
    await blobs.put(b"code")
    assert file_of(tmp_path, DIGEST).stat().st_ino == before.st_ino


@pytest.mark.parametrize("damage", [b"c0de", b"", b"code and more"])
async def test_a_damaged_file_is_an_error_and_putting_again_heals_it(
    tmp_path: Path, blobs: FileBlobs, damage: bytes
) -> None:
    await blobs.put(b"code")
    file_of(tmp_path, DIGEST).write_bytes(damage)
    with pytest.raises(StorageError, match=f"{DIGEST} does not match its digest"):
        await blobs.get(DIGEST)
    await blobs.put(b"code")
    assert await blobs.get(DIGEST) == b"code"


async def test_what_a_kill_left_unfinished_is_cleared_away(tmp_path: Path, blobs: FileBlobs) -> None:
    await blobs.put(b"code")
    (tmp_path / "unfinished" / "half").write_bytes(b"co")
    again = FileBlobs(tmp_path)
    assert list((tmp_path / "unfinished").iterdir()) == []
    assert await again.get(DIGEST) == b"code"
    await again.close()


async def test_a_put_that_fails_says_so_and_leaves_nothing(
    tmp_path: Path, blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_of(tmp_path, DIGEST).parent.mkdir(parents=True)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fogbank.storage.files.os.fsync", full)
    with pytest.raises(StorageError, match=r"cannot be read or written: No space left on device"):
        await blobs.put(b"code")
    monkeypatch.undo()
    assert await blobs.get(DIGEST) is None
    assert list((tmp_path / "unfinished").iterdir()) == []


async def test_a_file_that_cannot_be_read_is_an_error_and_not_an_absence(tmp_path: Path, blobs: FileBlobs) -> None:
    file_of(tmp_path, DIGEST).mkdir(parents=True)
    with pytest.raises(StorageError, match="Is a directory"):
        await blobs.get(DIGEST)
