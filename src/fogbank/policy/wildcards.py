"""Wildcards of policies, matched in linear time per run of text.

A pattern is literal text with `*` (any sequence, empty and `/` included) and `?` (exactly one character); it must
match the whole text, case-sensitively (AWS IoT developer guide, iot-action-resources). MQTT's `+` and `#` are literal.

The text between two `*` is a run. Taking the leftmost place for each run is always right, because whatever lies
behind may as well belong to the next `*`; so nothing is ever tried twice, where a regular expression would backtrack
exponentially on `*a*a*a*b`. The policy's author is not always the one who pays for matching it.
"""

import enum
from collections.abc import Callable, Sequence
from itertools import takewhile

import msgspec


class Wildcard(enum.Enum):
    """The two characters of a pattern that do not stand for themselves."""

    ANY = "*"
    ONE = "?"


Token = str | Wildcard
"""Literal text, or a wildcard. Text that came from a variable's value is literal, whatever it holds."""

Matcher = Callable[[str], bool]


def tokens_of(text: str) -> tuple[Token, ...]:
    """`text` as tokens, every `*` and `?` in it a wildcard."""
    tokens: list[Token] = []
    start = 0
    for position, char in enumerate(text):
        if char in "*?":
            if start < position:
                tokens.append(text[start:position])
            tokens.append(Wildcard(char))
            start = position + 1
    if start < len(text):
        tokens.append(text[start:])
    return tuple(tokens)


def literal(tokens: Sequence[Token]) -> str:
    """The tokens as text, wildcards as the characters they are written with."""
    return "".join(token if isinstance(token, str) else token.value for token in tokens)


def matcher(tokens: Sequence[Token]) -> Matcher:
    """Compile a pattern to a predicate over whole texts."""
    runs = _runs(tokens)
    if len(runs) == 1:
        [only] = runs
        return lambda text: len(text) == only.length and only.at(text, 0)
    first, *middle, last = runs
    between = [run for run in middle if run.length]
    if first.length == 0 and not between and last.length == 0:
        return lambda text: True

    def matches(text: str) -> bool:
        end = len(text) - last.length
        position = first.length
        if end < position or not first.at(text, 0) or not last.at(text, end):
            return False
        for run in between:
            position = run.find(text, position, end)
            if position < 0:
                return False
            position += run.length
        return True

    return matches


def agreement(tokens: Sequence[Token], text: str) -> int:
    """How many characters of a pattern, wildcards aside, find their place in `text` before one does not.

    A measure of how near a pattern that does not match came to it; the pattern may be only the beginning of one.
    """
    first, *others = _runs(tokens)
    agreed = position = first.begins(text, 0)
    if agreed < first.length:
        return agreed
    for run in others:
        found = run.find(text, position, len(text))
        if found < 0:
            return agreed + max((run.begins(text, start) for start in range(position, len(text))), default=0)
        agreed += run.length
        position = found + run.length
    return agreed


class _Run(msgspec.Struct, frozen=True):
    """A stretch of pattern without `*`: pieces of text at their offsets, single wild characters between them."""

    pieces: tuple[tuple[int, str], ...]
    length: int

    def at(self, text: str, position: int) -> bool:
        """Whether it matches at `position`; the caller knows that the text is long enough."""
        return all(text.startswith(piece, position + offset) for offset, piece in self.pieces)

    def begins(self, text: str, position: int) -> int:
        """How much of its beginning matches at `position`."""
        for offset, piece in self.pieces:
            there = text[position + offset : position + offset + len(piece)]
            if there != piece:
                return offset + sum(
                    1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(piece, there, strict=False))
                )
        return min(self.length, len(text) - position)

    def find(self, text: str, start: int, end: int) -> int:
        """The leftmost position at which it matches within `text[start:end]`, -1 where there is none."""
        if len(self.pieces) == 1 and len(self.pieces[0][1]) == self.length:
            return text.find(self.pieces[0][1], start, end)
        for position in range(start, end - self.length + 1):
            if self.at(text, position):
                return position
        return -1


def _runs(tokens: Sequence[Token]) -> list[_Run]:
    runs: list[_Run] = []
    pieces: list[tuple[int, str]] = []
    length = 0
    for token in tokens:
        if token is Wildcard.ANY:
            runs.append(_Run(tuple(pieces), length))
            pieces, length = [], 0
        elif token is Wildcard.ONE:
            length += 1
        elif isinstance(token, str):
            pieces.append((length, token))
            length += len(token)
    runs.append(_Run(tuple(pieces), length))
    return runs
