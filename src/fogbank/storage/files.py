"""Blobs as files, named by their digest.

A blob is written to a temporary file, synced, renamed to its name, and the name synced: at any instant a name stands
for the whole content or does not exist. `get` verifies the digest: reading code is rare and hashing it takes about a
millisecond per megabyte, while running a function from a rotten disk would be found by nobody.
"""

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from fogbank.ports import StorageError
from fogbank.storage.directory import make_private_directory, sync_directory

R = TypeVar("R")

THREADS = 4
"""Blobs are few and large: more threads would only move the disk's head about."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class FileBlobs:
    """Blobs below one directory, two levels of fan-out deep: `ab/cd/abcd...`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._unfinished = root / "unfinished"
        try:
            make_private_directory(self._unfinished)
            for orphan in self._unfinished.iterdir():
                orphan.unlink()  # of a put that was never acknowledged
        except OSError as error:
            raise StorageError(f"cannot use {root} for blobs: {error.strerror}") from error
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="fogbank-blobs")

    async def put(self, data: bytes) -> str:
        """Store durably; the digest. What is there already stays; what is there and rotten is written anew."""
        return await self._run(lambda: self._put(data))

    async def get(self, digest: str) -> bytes | None:
        """The content, verified; raises StorageError where the file no longer matches its digest."""
        path = self._path(digest)
        return None if path is None else await self._run(lambda: self._get(path))

    async def delete(self, digest: str) -> None:
        """Remove the blob, if there. Not to be raced against a put of the same content: who counts the uses decides."""
        path = self._path(digest)
        if path is not None:
            await self._run(lambda: self._delete(path))

    async def close(self) -> None:
        """Finish what was started."""
        await asyncio.to_thread(self._threads.shutdown)

    async def _run(self, work: Callable[[], R]) -> R:
        try:
            done = self._threads.submit(work)
        except RuntimeError:
            raise StorageError(f"the blobs in {self._root} are closed") from None
        try:
            return await asyncio.wrap_future(done)
        except OSError as error:
            raise StorageError(f"the blobs in {self._root} cannot be read or written: {error.strerror}") from error

    def _path(self, digest: str) -> Path | None:
        """Where the blob lives; None for what is no digest, so that no caller can name a file outside."""
        return self._root / digest[:2] / digest[2:4] / digest if _DIGEST.fullmatch(digest) else None

    def _put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = self._root / digest[:2] / digest[2:4] / digest
        make_private_directory(path.parent)
        if not (path.exists() and path.read_bytes() == data):
            temporary = self._unfinished / secrets.token_hex(16)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with open(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise
        # Also where the file was there: whoever renamed it may not have come to sync its name yet.
        for directory in (path.parent, path.parent.parent, self._root):
            sync_directory(directory)
        return digest

    @staticmethod
    def _get(path: Path) -> bytes | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(data).hexdigest() != path.name:
            raise StorageError(f"the blob {path} does not match its digest: the file was damaged; store it anew")
        return data

    @staticmethod
    def _delete(path: Path) -> None:
        try:
            path.unlink()
        except FileNotFoundError:
            return
        sync_directory(path.parent)
