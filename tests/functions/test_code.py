import asyncio
import errno
import hashlib
import io
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.functions.specimens import zip_of, zip_with_mode

from fogbank.errors import InvalidParameterValue
from fogbank.functions import code
from fogbank.functions.code import CodeCache, unpack
from fogbank.functions.errors import RequestTooLarge
from fogbank.ports import StorageError
from fogbank.storage.memory import MemoryBlobs

LINK = stat.S_IFLNK | 0o777


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture
async def cache(blobs: MemoryBlobs, tmp_path: Path) -> AsyncIterator[CodeCache]:
    cache = CodeCache(blobs, tmp_path / "code")
    await cache.start()
    yield cache
    assert not list((tmp_path / "code").glob("unpacking-*"))


async def store(cache: CodeCache, archive: bytes) -> str:
    async with cache.storing(archive) as digest:
        return digest


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"", "Could not unzip"),
        (b"no zip at all", "Could not unzip"),
        (zip_of({"a.py": "x" * 1000})[:-30], "Could not unzip"),
        (zip_of({}), "non-empty"),
        (zip_of({"../a.py": ""}), "outside"),
        (zip_of({"a/../../b.py": ""}), "outside"),
        (zip_of({"/etc/passwd": ""}), "outside"),
        (zip_of({"a\\..\\b.py": ""}), "outside"),
        (zip_of({"a": "", "a/b": ""}), "Could not unzip"),
        (zip_with_mode("a", "/etc/passwd", LINK), "links out"),
        (zip_with_mode("a", "../b", LINK), "links out"),
        (zip_with_mode("a/b/c", "../../../x", LINK), "links out"),
        (zip_with_mode("a", "", LINK), "nowhere"),
        (zip_with_mode("a", "x" * 5000, LINK), "nowhere"),
        (zip_with_mode("a", "", stat.S_IFIFO | 0o644), "neither file"),
        (zip_with_mode("a", "", stat.S_IFCHR | 0o644), "neither file"),
    ],
)
def test_refuses_hostile_zips(archive: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterValue, match=reason):
        unpack(archive, tmp_path / "place")
    assert {path.name for path in tmp_path.iterdir()} <= {"place"}


def test_refuses_links_that_only_leave_together(tmp_path: Path) -> None:
    """Each of them stays inside as a name; only one over the other leads out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, target in (("a/b/up", "../.."), ("a/b/out", "up/..")):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = LINK << 16
            opened.writestr(entry, target)
    with pytest.raises(InvalidParameterValue, match="'a/b/out' links out"):
        unpack(buffer.getvalue(), tmp_path / "place")


def test_writes_nothing_through_a_link(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        entry = zipfile.ZipInfo("out")
        entry.external_attr = LINK << 16
        opened.writestr(entry, str(tmp_path))
        opened.writestr("out/written", "")
    with pytest.raises(InvalidParameterValue):
        unpack(buffer.getvalue(), tmp_path / "place")
    assert not (tmp_path / "written").exists()


def test_refuses_doubled_and_encrypted_entries(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("a", "2")
    with pytest.raises(InvalidParameterValue, match="twice"):
        unpack(buffer.getvalue(), tmp_path / "place")
    encrypted = bytearray(zip_of({"a": "x"}))
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InvalidParameterValue, match="encrypted"):
        unpack(bytes(encrypted), tmp_path / "place")


def test_refuses_what_is_too_large_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MAX_UNPACKED", 1000)
    monkeypatch.setattr(code, "MAX_ENTRIES", 3)
    unpack(zip_of({"a": "x" * 1000}), tmp_path / "fits")
    with pytest.raises(InvalidParameterValue, match="smaller than 1000 bytes"):
        unpack(zip_of({"a": "x" * 999, "b": "xx"}), tmp_path / "bomb")
    with pytest.raises(InvalidParameterValue, match="more than 3 entries"):
        unpack(zip_of({str(n): "" for n in range(4)}), tmp_path / "many")


def test_a_size_that_lies_is_found_while_unpacking(tmp_path: Path) -> None:
    """The directory declares 10 bytes; the deflated stream holds a million."""
    archive = bytearray(zip_of({"a": b"\0" * 1_000_000}))
    central = archive.index(b"PK\x01\x02")
    archive[central + 24 : central + 28] = (10).to_bytes(4, "little")
    with pytest.raises(InvalidParameterValue, match="Could not unzip"):
        unpack(bytes(archive), tmp_path / "place")
    written = tmp_path / "place" / "a"
    assert not written.exists() or written.stat().st_size <= 10


WHOLE = zip_of({"a/b.py": "print(1)\n" * 50, "c.txt": "c", "\N{SNOWMAN}": "d"})


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_zip_is_unpacked_or_refused_and_nothing_else(damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(WHOLE)
    for place, byte in damage:
        damaged[place] = byte
    with tempfile.TemporaryDirectory() as directory:
        try:
            unpack(bytes(damaged), Path(directory) / "place")
        except InvalidParameterValue:
            pass
        assert set(os.listdir(directory)) <= {"place"}


def test_a_full_disk_is_not_the_zips_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(StorageError, match="No space left"):
        unpack(WHOLE, tmp_path / "place")


def test_unpacks_directories_modes_and_inner_links(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, content, mode in (
            ("bin/", "", stat.S_IFDIR | 0o700),
            ("bin/tool", "#!", stat.S_IFREG | 0o4700),
            ("lib.py", "x", stat.S_IFREG | 0o600),
            ("link", "bin/tool", LINK),
        ):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            opened.writestr(entry, content)
    unpack(buffer.getvalue(), tmp_path / "place")
    assert (tmp_path / "place/link").read_text() == "#!"
    assert stat.S_IMODE((tmp_path / "place/bin/tool").stat().st_mode) == 0o744
    assert stat.S_IMODE((tmp_path / "place/lib.py").stat().st_mode) == 0o644


async def test_stores_by_digest_and_unpacks_when_asked(cache: CodeCache, blobs: MemoryBlobs, tmp_path: Path) -> None:
    archive = zip_of({"a.py": "1"})
    digest = await store(cache, archive)
    assert digest == hashlib.sha256(archive).hexdigest()
    assert await cache.archive(digest) == archive
    again = CodeCache(blobs, tmp_path / "code")
    await again.start()
    assert not (tmp_path / "code" / digest).exists()  # what an earlier run unpacked is not trusted
    places = await asyncio.gather(*(again.directory(digest) for _ in range(5)))
    assert {(place / "a.py").read_text() for place in places} == {"1"}


async def test_the_same_code_stored_twice_at_once_is_stored_once(cache: CodeCache, tmp_path: Path) -> None:
    archive = zip_of({"a.py": "1"})
    digests = await asyncio.gather(*(store(cache, archive) for _ in range(5)))
    assert len(set(digests)) == 1
    assert [path.name for path in (tmp_path / "code").iterdir()] == [digests[0]]


async def test_forgets_only_what_nobody_uses_or_stores(cache: CodeCache) -> None:
    archive = zip_of({"a.py": "1"})
    digest = await store(cache, archive)
    await cache.forget(digest, lambda one: one == digest)
    assert await cache.archive(digest) == archive
    async with cache.storing(archive):
        await cache.forget(digest, lambda _: False)
    assert await cache.archive(digest) == archive
    await cache.forget(digest, lambda _: False)
    assert await cache.archive(digest) is None


async def test_bounds_the_upload(cache: CodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MAX_ZIP", 10)
    with pytest.raises(RequestTooLarge, match="smaller than 10 bytes"):
        await store(cache, zip_of({"a.py": "1"}))


async def test_code_that_storage_lost_is_said_so(cache: CodeCache) -> None:
    with pytest.raises(FileNotFoundError, match="abc"):
        await cache.directory("abc")
