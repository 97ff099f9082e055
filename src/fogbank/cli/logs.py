"""Logging of the server: a line per event on stderr, tracebacks in a file of the data directory."""

import logging
import logging.handlers
import os
import re
import sys
from io import TextIOWrapper
from pathlib import Path

LOG_FILE = "fogbank.log"

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
"""What devices and functions must not get to send to the operator's terminal. A tab may stay."""


class OneLine(logging.Formatter):
    """A record as one line; of an exception its last line, for the traceback is in the file."""

    def __init__(self, log_file: Path) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._log_file = log_file

    def format(self, record: logging.LogRecord) -> str:
        plain = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None, "stack_info": None})
        line = super().format(plain)
        if record.exc_info and record.exc_info[0] is not None:
            line += f": {record.exc_info[0].__name__}: {record.exc_info[1]} (traceback in {self._log_file})"
        return _CONTROL.sub(lambda found: " " if found[0] == "\n" else ascii(found[0])[1:-1], line)


class _OwnersFile(logging.handlers.RotatingFileHandler):
    """A log that its owner alone may read: functions print into it what devices have sent."""

    _failing = False

    def emit(self, record: logging.LogRecord) -> None:
        self._failed = False
        super().emit(record)
        self._failing = self._failed

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        """Say once that a disk is full, instead of a traceback for each line; the terminal has the lines as well."""
        self._failed = True
        if not self._failing:
            print(f"cannot write {self.baseFilename}: {sys.exc_info()[1]}", file=sys.stderr)

    def _open(self) -> TextIOWrapper:
        file = open(self.baseFilename, self.mode, encoding="utf-8", errors="backslashreplace", opener=_open_private)  # noqa: SIM115
        assert isinstance(file, TextIOWrapper)
        return file


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def set_up_logging(data_dir: Path, *, verbose: bool) -> None:
    """Warnings (or everything of ours, where `verbose`) to stderr, and the same with tracebacks to a rotated file."""
    path = data_dir / LOG_FILE
    to_file = _OwnersFile(path, maxBytes=10_000_000, backupCount=3, delay=True)
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(OneLine(path))
    logging.basicConfig(level=logging.WARNING, handlers=[to_stderr, to_file])
    logging.getLogger("fogbank").setLevel(logging.DEBUG if verbose else logging.INFO)
