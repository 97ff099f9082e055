"""PEM files of the CA: written whole or not at all, and keys readable by their owner alone."""

import os
import stat
from pathlib import Path

from fogbank.errors import FogbankError

PRIVATE = 0o600
PUBLIC = 0o644


class ExposedKey(FogbankError):
    """A private key file that others may read."""


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
    """The key file's content, None where there is none. Raises ExposedKey where group or others may touch it."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ExposedKey(f"{path} can be read by others: chmod it to 600, and think who may have seen it")
            return file.read()
    except FileNotFoundError:
        return None
