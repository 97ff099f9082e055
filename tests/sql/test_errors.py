"""Where errors point; the messages themselves are in `test_parser.py`."""

import pytest

from fogbank.sql import SqlError, parse


def test_long_lines_are_shown_around_the_caret() -> None:
    with pytest.raises(SqlError) as caught:
        parse("SELECT " + "a, " * 100 + "~")
    shown, caret = str(caught.value).split("\n")[1:]
    assert len(shown) <= 102
    assert shown[caret.index("^")] == "~"


def test_control_characters_do_not_reach_the_screen() -> None:
    error = SqlError.at("wrong", "a\x1b[31m\tb", 2)
    assert str(error) == "wrong (line 1, column 3)\n  a [31m b\n    ^"


@pytest.mark.parametrize(
    ("offset", "line", "column"), [(0, 1, 1), (2, 1, 3), (3, 2, 1), (4, 2, 2), (5, 3, 1), (6, 4, 1), (9, 4, 4)]
)
def test_lines_and_columns_count_from_1(offset: int, line: int, column: int) -> None:
    error = SqlError.at("wrong", "ab\nc\n\ndef", offset)
    assert (error.line, error.column) == (line, column)
