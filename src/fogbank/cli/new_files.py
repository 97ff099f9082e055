"""Files that commands make: keys and certificates, which must never take the place of others."""

import os
from pathlib import Path

import click


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not be there yet, durably; on an error none is left behind. Raises ClickException."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise click.ClickException(f"{path} exists and is not overwritten; remove it or choose another place") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink()
        raise
