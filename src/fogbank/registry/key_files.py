"""Files of the CA and of secrets: written whole or not at all, and what is private readable by its owner alone."""

import os
import stat
from pathlib import Path

from fogbank.errors import FogbankError

PRIVATE = 0o600
PUBLIC = 0o644


class ExposedKey(FogbankError):
    """A private file that others may read, or one that others may have written."""


def write_durably(path: Path, content: bytes, mode: int) -> None:
    """Replace the file at once: whoever opens `path` sees the old content or the new, also after a power cut."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # of a start that was killed
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_private(path: Path) -> bytes | None:
    """A private file's content, None where there is none. Raises ExposedKey where anybody else may touch it."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise ExposedKey(f"{path} can be read by others: chmod it to 600, and think who may have seen it")
            _check_owner(path, status)
            return file.read()
    except FileNotFoundError:
        return None


def check_unwritten(path: Path) -> None:
    """Raises ExposedKey where anybody else may have written the file, which is public otherwise."""
    status = path.stat()
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise ExposedKey(f"{path} can be written by others: chmod it to 644, and look whether it is still yours")
    _check_owner(path, status)


def private_directory(path: Path) -> None:
    """Make the directory where it is missing. Raises ExposedKey where anybody else may touch it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.stat()
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ExposedKey(f"{path} is open to others: chmod it to 700, and think who may have been there")
    _check_owner(path, status)


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise ExposedKey(f"{path} belongs to another user ({status.st_uid}), who may read and replace it: chown it")
