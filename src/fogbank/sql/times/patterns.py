"""What the two dialects of date patterns share: runs of letters are fields, all else is literal, `'` quotes."""

from typing import Final, TypeAlias

import msgspec

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHORT: Final = 3
"""Letters of a short month or weekday."""


class PatternError(ValueError):
    """A pattern that cannot be used, or a text that does not follow it. The text says what is wrong."""


class Field(msgspec.Struct, frozen=True):
    """A run of one letter: `yyyy` is the letter `y`, 4 times."""

    letter: str
    count: int


Token: TypeAlias = Field | str
"""A field, or literal text."""


def tokenize(pattern: str) -> list[Token]:
    """The fields and literals of `pattern` in order, or `PatternError`."""
    tokens: list[Token] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "'":
            literal, at = _quoted(pattern, at)
            tokens.append(literal)
        elif character.isascii() and character.isalpha():
            end = at
            while end < len(pattern) and pattern[end] == character:
                end += 1
            tokens.append(Field(character, end - at))
            at = end
        else:
            tokens.append(character)
            at += 1
    return tokens


def _quoted(pattern: str, at: int) -> tuple[str, int]:
    """The text of the quotation that opens at `at`, and where the pattern goes on; `''` is a quote itself."""
    text = ""
    position = at + 1
    while (end := pattern.find("'", position)) >= 0:
        text += pattern[position:end]
        if pattern[end + 1 : end + 2] != "'":
            return text or "'", end + 1
        text += "'"
        position = end + 2
    raise PatternError(f"the quotation that begins at character {at + 1} of the pattern {pattern!r} is not closed")
