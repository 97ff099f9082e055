"""Wildcards against regular expressions, and in linear time."""

import re
import time

import pytest
from hypothesis import given
from tests.search.strategies import globs, words

from fogbank.search.glob import Glob


@given(globs(), words, words)
def test_as_a_regular_expression_has_it(glob: Glob, one: str, other: str) -> None:
    wild = {"*": ".*", "?": "."}
    pattern = "".join(
        wild[character] if position in glob.wild else re.escape(character)
        for position, character in enumerate(glob.text)
    )
    for word in (one, one + other, glob.text, glob.text.replace("*", "").replace("?", "x")):
        assert glob.matches(word) == (re.fullmatch(pattern, word, re.DOTALL) is not None)


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("ab*b*c", "abc", False),
        ("ab*b*c", "abbc", True),
        ("a*bc*c", "abc", False),
        ("a*b*", "ab", True),
        ("a*a", "a", False),
        ("*a*", "a", True),
        ("**", "", True),
        ("*?*", "", False),
    ],
)
def test_pieces_do_not_overlap(text: str, word: str, expected: bool) -> None:
    wild = tuple(position for position, character in enumerate(text) if character in "*?")
    assert Glob(text, wild).matches(word) is expected


def test_what_makes_backtracking_slow_does_not_matter() -> None:
    began = time.perf_counter()
    assert not Glob("a*a*b", (1, 3)).matches("a" * 100_000)
    assert time.perf_counter() - began < 0.5
