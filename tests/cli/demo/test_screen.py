import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fogbank.cli.demo.inbox import NotSeen
from fogbank.cli.demo.screen import Screen, wrapped
from fogbank.cli.demo.trace import Traced


class Paper:
    """A screen of a width, and what stands on it."""

    def __init__(self, width: int = 80, encoding: str = "utf-8") -> None:
        self._file = io.TextIOWrapper(io.BytesIO(), encoding)
        self.screen = Screen(Console(file=self._file, width=width, highlight=False, soft_wrap=True))

    @property
    def text(self) -> str:
        self._file.seek(0)
        return self._file.read()


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "✓"), ("ascii", "+")])
def test_what_was_checked_bears_a_mark_that_the_terminal_can_show(encoding: str, mark: str) -> None:
    paper = Paper(encoding=encoding)
    paper.screen.does("app", "acts")
    paper.screen.saw("platform", "came true")
    assert paper.text.splitlines() == ["  app          acts", f"  platform   {mark} came true"]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_text_is_wrapped_under_itself_and_never_wider_than_one_reads(width: int) -> None:
    paper = Paper(width)
    paper.screen.saw("lamp", "word " * 60)
    lines = paper.text.splitlines()
    assert max(map(len, lines)) <= min(width, 100)
    assert all(line.startswith(" " * 15) for line in lines[1:])


def test_a_document_is_a_member_per_line_and_marks_what_is_new() -> None:
    paper = Paper()
    paper.screen.document({"temperature": 51, "requestId": "x"}, new={"requestId"})
    assert [line.strip() for line in paper.text.splitlines()] == ['"temperature": 51', '+ "requestId":   "x"']


def test_a_failure_says_what_was_expected_and_what_was_seen() -> None:
    paper = Paper()
    paper.screen.failed(NotSeen("the sun", "rain"), ["it rains"])
    paper.screen.failed(ValueError("no sun"), [])
    assert [line[15:] for line in paper.text.splitlines()] == [
        "expected: the sun",
        "seen:     rain",
        "platform's log: it rains",
        "expected: the step to succeed",
        "seen:     ValueError: no sun",
    ]


def test_a_traced_function_shows_what_it_printed() -> None:
    paper = Paper()
    log = "START RequestId: 1 Version: $LATEST\nhello\nEND RequestId: 1\nREPORT RequestId: 1\tDuration: 1 ms\n"
    paper.screen.traced(Traced("function", "success", name="f", detail={"log": log}))
    assert [line.strip() for line in paper.text.splitlines()] == ["function   ✓ success f", "hello"]


@given(st.text(st.sampled_from("ab /"), max_size=200), st.integers(10, 100))
def test_wrapping_loses_nothing_but_blanks_and_breaks_only_where_it_may(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for before, after in itertools.pairwise(lines):
        assert not after.startswith(" ")
        broken_word = not before.endswith("/") and before + after in text
        assert not broken_word
