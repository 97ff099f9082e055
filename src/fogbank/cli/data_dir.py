"""Where an instance lives and how the other commands find one that runs."""

import os
from pathlib import Path

import click
import msgspec

from fogbank.ready import Ready

READY_FILE = "ready.json"
"""In the data directory, while the instance runs."""


def default_data_dir() -> Path:
    """$FOGBANK_DATA, else `fogbank` in the user's data directory. (XDG base directory specification)"""
    if given := os.environ.get("FOGBANK_DATA"):
        return Path(given)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "fogbank"


def find_running(data: Path | None) -> Ready:
    """The instance that runs on a data directory. Raises ClickException where none does."""
    data_dir = data or default_data_dir()
    path = data_dir / READY_FILE
    try:
        running = msgspec.json.decode(path.read_bytes(), type=Ready)
        os.kill(running.pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        raise click.ClickException(
            f"no Fogbank runs on {data_dir}; start one with `fogbank up --data {data_dir}`, "
            "or say with --data where it runs"
        ) from None
    except PermissionError:
        raise click.ClickException(f"{path} belongs to another user") from None
    except msgspec.DecodeError as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from None
    return running
