"""The data directory: made for its owner alone, and claimed by one server at a time.

The claim is a `flock`: it belongs to the open file, so the kernel drops it at the very moment the process is gone,
kill -9 included, and no stale lock ever needs clearing. The process id inside the file only serves the error message.
"""

import fcntl
import os
from pathlib import Path
from typing import Self

from fogbank.ports import StorageError


class DataDirectory:
    """A claimed data directory."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    @classmethod
    def claim(cls, path: Path) -> Self:
        """Make `path` where it does not exist, and lock it. Raises StorageError where another server holds it."""
        path = path.absolute()
        try:
            make_private_directory(path)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"cannot use {path} as data directory: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise StorageError(
                f"the data directory {path} is in use by another Fogbank (process {holder}); "
                "stop that one or choose another directory"
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        return cls(path, lock)

    def release(self) -> None:
        """Let others claim the directory. Releasing twice does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def make_private_directory(path: Path) -> None:
    """Make `path`, for its owner alone, with the parents it lacks, durably. What exists is left as it is."""
    if path.is_dir():
        return
    make_private_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in `path` durable: a file that was synced is only found after a power cut if its name was too."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
