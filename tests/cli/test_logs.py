"""What goes to the operator's terminal."""

import logging
import sys
from pathlib import Path

import pytest

from fogbank.cli.logs import LOG_FILE, OneLine, set_up_logging


def line(message: str, error: Exception | None = None) -> str:
    try:
        if error is not None:
            raise error
        info = None
    except Exception:
        info = sys.exc_info()
    record = logging.LogRecord("fogbank.x", logging.WARNING, __file__, 1, message, None, info)
    return OneLine(Path("some.log")).format(record)[9:]


@pytest.mark.parametrize(
    ("message", "written"),
    [
        ("plain \u00e4\U0001f980", "WARNING plain \u00e4\U0001f980"),
        ("two\nlines", "WARNING two lines"),
        ("back\rover", r"WARNING back\rover"),
        ("\x1b[2J\x9b\x00", r"WARNING \x1b[2J\x9b\x00"),
        ("a\tb\u2028c", "WARNING a\tb\\u2028c"),
    ],
)
def test_nobody_writes_to_the_terminal_but_text(message: str, written: str) -> None:
    assert line(message) == written


def test_an_exception_is_one_line() -> None:
    assert line("it failed", ValueError("first\nsecond\x1b")) == (
        r"WARNING it failed: ValueError: first second\x1b (traceback in some.log)"
    )


def test_the_log_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.Logger("root")
    monkeypatch.setattr(logging, "root", root)
    monkeypatch.setattr(logging.getLogger("fogbank"), "setLevel", lambda _: None)  # which would outlive the test
    set_up_logging(tmp_path, verbose=False)
    root.warning("\ud800 \u00e4")
    for handler in root.handlers:
        handler.close()
    assert (tmp_path / LOG_FILE).stat().st_mode & 0o777 == 0o600
