"""How values become words and numbers, the same for queries, for the plain evaluator and for the index.

Developer guide, query-syntax: search is case-insensitive, and words are separated by what Java's
`Character.isWhitespace` takes for space. managing-index, "Numeric values": a number is what JSON would take for one,
an integer of -2^53 to 2^53-1 or a double.
"""

import math
import re

_SPACE = "\t-\r\x1c-\x20\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000"
"""Unlike Python's notion of space without U+0085 and the non-breaking ones."""

SPACE = re.compile(f"[{_SPACE}]+")
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_LONGEST_NUMBER = 330
"""Characters; a double written out needs fewer, and conversion of integers takes quadratic time."""


def fold(text: str) -> str:
    """The form in which texts are compared: without case."""
    return text.casefold()


def words(text: str) -> tuple[str, ...]:
    """The words of a text, folded."""
    folded = fold(text)
    if folded.isalnum():  # most are, and this is quicker to see
        return (folded,)
    if SPACE.search(folded) is None:
        return (folded,) if folded else ()
    return tuple(word for word in SPACE.split(folded) if word)


def number(text: str) -> float | None:
    """The number that a text spells, as JSON would read it; None where it is none."""
    if len(text) > _LONGEST_NUMBER or (match := _JSON_NUMBER.fullmatch(text)) is None:
        return None
    return in_range(float(text) if match[2] or match[3] else int(text))


def in_range(value: int | float) -> float | None:
    """A number as it is indexed; None where it is beyond what can be."""
    if isinstance(value, int):
        return float(value) if -(2**53) <= value < 2**53 else None
    return value + 0.0 if math.isfinite(value) else None  # -0.0 becomes 0.0
