"""Uploaded code: what a zip may hold, and where it lies unpacked.

A zip is hostile until looked through: names that leave the directory, links that do, sizes that only show while
unpacking. It is unpacked beside its place and renamed into it, so that a directory which is there is whole. The
directories are a cache of the blob store that lives as long as the process: a start begins with none, for after a
crash of the machine nobody could tell a whole one from a torn one.
"""

import asyncio
import errno
import hashlib
import io
import lzma
import os
import shutil
import stat
import struct
import uuid
import zipfile
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

from fogbank.errors import InvalidParameterValue
from fogbank.functions.errors import RequestTooLarge
from fogbank.ports import Blobs, StorageError

MAX_ZIP = 50 * 1024 * 1024
MAX_UNPACKED = 250 * 1024 * 1024
"""Developer guide, "Lambda quotas"."""
MAX_ENTRIES = 50_000
MAX_LINK = 4096

_MALFORMED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,  # a compression method or version that zipfile does not know
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises for what it cannot read."""
_OUR_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EMFILE, errno.ENFILE, errno.EIO)
_CHUNK = 1 << 20
_NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


class CodeCache:
    """The unpacked code of the functions in use, one read-only directory per digest, below `root`."""

    def __init__(self, blobs: Blobs, root: Path) -> None:
        self._blobs = blobs
        self._root = root
        self._unpacking: dict[str, asyncio.Task[Path]] = {}
        self._held: Counter[str] = Counter()

    async def start(self) -> None:
        """Make the root, without whatever an earlier run left in it."""
        await asyncio.to_thread(_make_empty, self._root)

    @asynccontextmanager
    async def storing(self, archive: bytes) -> AsyncIterator[str]:
        """Check, unpack and store an uploaded zip; its digest, which nobody removes before the block ends.

        Raises InvalidParameterValue, RequestTooLarge.
        """
        if len(archive) > MAX_ZIP:
            raise RequestTooLarge(f"Request must be smaller than {MAX_ZIP} bytes for a zip file")
        place, digest = await asyncio.to_thread(self._unpack, archive)
        self._held[digest] += 1
        try:
            await asyncio.to_thread(_settle, place, self._root / digest)
            await self._blobs.put(archive)
            yield digest
        finally:
            self._held[digest] -= 1

    async def directory(self, digest: str) -> Path:
        """Where the code with that digest lies, unpacking it where it does not yet."""
        place = self._root / digest
        if place.is_dir():
            return place
        task = self._unpacking.get(digest)
        if task is None:
            task = self._unpacking[digest] = asyncio.ensure_future(self._fetch(digest))
            task.add_done_callback(lambda _: self._unpacking.pop(digest, None))
        return await asyncio.shield(task)

    async def archive(self, digest: str) -> bytes | None:
        """The zip as it was uploaded."""
        return await self._blobs.get(digest)

    async def forget(self, digest: str, in_use: Callable[[str], bool]) -> None:
        """Remove the code, unpacked and stored, unless it is in use or being stored anew."""
        if in_use(digest) or self._held[digest]:
            return
        await asyncio.to_thread(_remove, self._root / digest)
        # Asked again, for time has passed; an upload that begins after this stores it after this.
        if not in_use(digest) and not self._held[digest]:
            await self._blobs.delete(digest)

    async def _fetch(self, digest: str) -> Path:
        archive = await self._blobs.get(digest)
        if archive is None:
            raise FileNotFoundError(f"the code with digest {digest} is not in the blob store")
        place, digest = await asyncio.to_thread(self._unpack, archive)
        await asyncio.to_thread(_settle, place, self._root / digest)
        return self._root / digest

    def _unpack(self, archive: bytes) -> tuple[Path, str]:
        place = self._root / f"unpacking-{uuid.uuid4().hex}"
        try:
            unpack(archive, place)
        except BaseException:
            _remove(place)
            raise
        return place, hashlib.sha256(archive).hexdigest()


def unpack(archive: bytes, place: Path) -> None:
    """Unpack a zip into the new directory `place`. Raises InvalidParameterValue for whatever is wrong with it."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = opened.infolist()
            _check(entries)
            place.mkdir(mode=0o755)
            links = [entry for entry in entries if stat.S_ISLNK(_mode(entry))]
            for entry in entries:
                if entry.is_dir():
                    (place / entry.filename).mkdir(parents=True, exist_ok=True)
                elif not stat.S_ISLNK(_mode(entry)):
                    _write(opened, entry, place / entry.filename)
            for entry in links:  # after the files, so that no file is ever written through a link
                _link(opened.read(entry), entry, place)
            _check_links(links, place)
    except _MALFORMED as error:
        raise InvalidParameterValue(_NOT_A_ZIP) from error
    except OSError as error:
        if error.errno in _OUR_FAULTS:
            raise StorageError(f"cannot unpack the code of a function: {error}") from error
        raise InvalidParameterValue(_NOT_A_ZIP) from error


def _check(entries: list[zipfile.ZipInfo]) -> None:
    if not entries:
        raise InvalidParameterValue("Uploaded file must be a non-empty zip")
    if len(entries) > MAX_ENTRIES:
        raise InvalidParameterValue(f"The zip file holds more than {MAX_ENTRIES} entries")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise InvalidParameterValue(f"Unzipped size must be smaller than {MAX_UNPACKED} bytes")
    seen: set[PurePosixPath] = set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or not path.parts:
            raise InvalidParameterValue(f"The zip entry {entry.filename!r} would lie outside of the function's code")
        kind = stat.S_IFMT(_mode(entry))
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            raise InvalidParameterValue(f"The zip entry {entry.filename!r} is neither file, directory nor link")
        if entry.flag_bits & 0x1:
            raise InvalidParameterValue(f"The zip entry {entry.filename!r} is encrypted")
        if path in seen and not entry.is_dir():
            raise InvalidParameterValue(f"The zip entry {entry.filename!r} is there twice")
        seen.add(path)


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(entry) as source, path.open("xb") as target:
        shutil.copyfileobj(source, target, _CHUNK)  # zipfile reads no more than the entry declared
    path.chmod((_mode(entry) & 0o755 | 0o444) if _mode(entry) else 0o644)


def _link(target: bytes, entry: zipfile.ZipInfo, place: Path) -> None:
    if not target or len(target) > MAX_LINK or b"\0" in target:
        raise InvalidParameterValue(f"The zip entry {entry.filename!r} is a link to nowhere")
    path = place / entry.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.fsdecode(target))


def _check_links(links: list[zipfile.ZipInfo], place: Path) -> None:
    """A link may lead over other links, so only the file system can say where it ends."""
    root = os.path.realpath(place)
    for entry in links:
        path = place / entry.filename
        end = os.path.realpath(path)
        if os.path.isabs(os.readlink(path)) or os.path.commonpath([root, end]) != root:
            raise InvalidParameterValue(f"The zip entry {entry.filename!r} links out of the function's code")


def _mode(entry: zipfile.ZipInfo) -> int:
    return entry.external_attr >> 16


def _settle(unpacked: Path, place: Path) -> None:
    try:
        unpacked.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        _remove(unpacked)  # someone else was quicker with the same code


def _remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)


def _make_empty(root: Path) -> None:
    _remove(root)
    root.mkdir(parents=True)
