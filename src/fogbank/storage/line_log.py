"""A log of lines that are on disk before anybody goes on: what happened, for those who ask later.

Those who wait share an fsync. A file that has grown to its bound is set aside under a number, and the oldest beyond
`keep` is removed, so that a log never fills the disk.
"""

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fogbank.ports import StorageError
from fogbank.storage.directory import make_private_directory, sync_directory
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 2**20
KEEP = 15
"""Files beside the current one."""


class FileLineLog:
    """Appends to `path`; the files before it are `path.1` (the latest) to `path.KEEP`."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> None:
        """Raises StorageError. What a kill left unfinished at the end, and nobody was told of, is cut off."""
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing = False
        self._closed = False
        self._tasks = Tasks("line log")
        try:
            make_private_directory(path.parent)
            self._file = self._open()
            self._size = self._mend()
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fogbank-lines")

    async def append(self, line: bytes) -> None:
        """Add a line, without its end; on return it is on disk. Raises StorageError."""
        if self._closed:
            raise StorageError(f"{self._path} is closed")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((line + b"\n", done))
        if not self._writing:
            self._writing = True
            self._tasks.start(self._write_all(), "write")
        await done

    async def close(self) -> None:
        """Finish what was handed over; later lines are refused. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._tasks.drain()
        self._thread.shutdown()
        os.close(self._file)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                error = await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._write, b"".join(line for line, _ in group)
                )
                for _, done in group:
                    if done.done():  # whoever waited has left
                        continue
                    if error is None:
                        done.set_result(None)
                    else:
                        done.set_exception(StorageError(f"cannot write {self._path}: {error}"))
        finally:
            self._writing = False

    # --- on the thread ----------------------------------------------------------------------------------------------

    def _write(self, lines: bytes) -> str | None:
        """What went wrong, if anything did; then nothing of `lines` stays in the file."""
        try:
            if self._size and self._size + len(lines) > self._max_bytes:
                self._set_aside()
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError as error:
            self._take_back()
            return error.strerror
        self._size += len(lines)
        return None

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._file, self._size)
        except OSError as error:
            log.error("%s may hold part of a line: %s", self._path, error.strerror)

    def _set_aside(self) -> None:
        for number in range(self._keep, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        if self._keep == 0:
            self._path.unlink()
        os.close(self._file)
        self._file, self._size = self._open(), 0

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _open(self) -> int:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        sync_directory(self._path.parent)
        return file

    def _mend(self) -> int:
        """Cut off an unfinished line; the size then."""
        size = os.fstat(self._file).st_size
        end = size
        while end > 0:
            start = max(0, end - 65_536)
            chunk = os.pread(self._file, end - start, start)
            found = chunk.rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        return end
