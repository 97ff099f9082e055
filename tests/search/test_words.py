"""Words and numbers of texts, at the edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.search.words import in_range, number, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("  ", ()),
        ("One", ("one",)),
        (" a  B\tc\n", ("a", "b", "c")),
        ("\x1ca\x1fb\x1d", ("a", "b")),
        ("a\u00a0b", ("a\u00a0b",)),  # Java: a non-breaking space is no white space
        ("a\u2007b\u202fc", ("a\u2007b\u202fc",)),
        ("a\u3000b", ("a", "b")),
        ("İ ẞ", ("i̇", "ss")),
    ],
)
def test_words(text: str, expected: tuple[str, ...]) -> None:
    assert words(text) == expected


@given(st.text())
def test_words_of_words_are_themselves(text: str) -> None:
    for word in words(text):
        assert words(word) == (word,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("-0", 0),
        ("75", 75),
        ("-7.5e-1", -0.75),
        ("1E3", 1000),
        ("9007199254740991", 2**53 - 1),
        ("9007199254740992", None),
        ("-9007199254740992", -(2**53)),
        ("9007199254740992.0", 2.0**53),
        ("1e400", None),
        ("9" * 400, None),
        ("1" * 10**6, None),
        ("", None),
        ("01", None),
        ("1.", None),
        (".5", None),
        ("+1", None),
        ("1 ", None),
        ("٣", None),
        ("NaN", None),
        ("-Infinity", None),
        ("0x10", None),
        ("1_000", None),
    ],
)
def test_numbers(text: str, expected: float | None) -> None:
    assert number(text) == expected


def test_zero_has_no_sign() -> None:
    for zero in (in_range(-0.0), number("-0.0"), number("-0")):
        assert str(zero) == "0.0"
