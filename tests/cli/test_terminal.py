import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.cli.terminal import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("device/lamp", "device/lamp"),
        ("größe/温度", "größe/温度"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\r\nb", r"a\r\nb"),
        ("right\u202eto left", r"right\u202eto left"),
        ("half a pair \ud800", r"half a pair \ud800"),
    ],
)
def test_what_is_no_visible_character_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_the_result_is_one_line_that_moves_no_cursor(text: str) -> None:
    assert printable(text).isprintable()
