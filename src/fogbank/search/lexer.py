"""The text of a query as tokens. One pass; each token knows where it begins, so that errors can point there."""

import enum
import re

import msgspec

from fogbank.search.errors import InvalidQuery
from fogbank.search.glob import ANY, ONE
from fogbank.search.words import SPACE


class Kind(enum.Enum):
    """What a token is; the values are how errors call it."""

    WORD = "a term"
    QUOTED = "a phrase"
    AND = "AND"
    OR = "OR"
    NOT = "NOT"
    TO = "TO"
    OPEN = "("
    CLOSE = ")"
    RANGE_OPEN = "[ or {"
    RANGE_CLOSE = "] or }"
    COLON = ":"
    COMPARE = "a comparison"
    END = "the end of the query"


class Token(msgspec.Struct, frozen=True):
    """A token and its place. `text` has its escapes resolved; `wild` are the positions of wildcards in it."""

    kind: Kind
    offset: int
    text: str = ""
    wild: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.kind.value if self.kind is Kind.END else f"'{self.text}'"


_OPERATORS = {"AND": Kind.AND, "OR": Kind.OR, "NOT": Kind.NOT}
_SIGNS = {"(": Kind.OPEN, ")": Kind.CLOSE, ":": Kind.COLON, "-": Kind.NOT}
_SIGNS |= dict.fromkeys("[{", Kind.RANGE_OPEN) | dict.fromkeys("]}", Kind.RANGE_CLOSE)
_COMPARE = re.compile("[<>]=?")
_UNSUPPORTED = frozenset("`@#%/';")
"""Developer guide, query-syntax, "Unsupported features". `,` is one too, outside of geoqueries."""
_HINTS = {
    "~": "fuzzy and proximity searches are not supported",
    "^": "boosting is not supported",
    "/": "regular expressions are not supported",
    "!": "use NOT or -",
    "+": "use AND",
    "&": "use AND",
    "|": "use OR",
}
_NEVER_FIRST = frozenset("!+&|")
_ENDS_WORD = frozenset('()[]{}:<>"')
_GEOQUERY = "geo_distance,"
_VALUE_FOLLOWS = frozenset({Kind.COLON, Kind.COMPARE})


def tokens(text: str) -> list[Token]:
    """All tokens, END last. Raises InvalidQuery for a phrase without end and characters that queries cannot have."""
    found: list[Token] = []
    offset, within_range = _skip_space(text, 0), False
    while offset < len(text):
        value_follows = within_range or (bool(found) and found[-1].kind in _VALUE_FOLLOWS)
        token, offset = _token(text, offset, value_follows=value_follows, within_range=within_range)
        if token.kind in (Kind.RANGE_OPEN, Kind.RANGE_CLOSE):
            within_range = token.kind is Kind.RANGE_OPEN
        found.append(token)
        offset = _skip_space(text, offset)
    return [*found, Token(Kind.END, len(text))]


def _skip_space(text: str, offset: int) -> int:
    space = SPACE.match(text, offset)
    return offset if space is None else space.end()


def _token(text: str, offset: int, *, value_follows: bool, within_range: bool) -> tuple[Token, int]:
    """The token at `offset`, and where it ends. Where a value follows, `-` begins a negative number."""
    first = text[offset]
    if first == '"':
        return _quoted(text, offset)
    if comparison := _COMPARE.match(text, offset):
        return Token(Kind.COMPARE, offset, comparison[0]), comparison.end()
    if first in _SIGNS and not (first == "-" and value_follows):
        return Token(_SIGNS[first], offset, first), offset + 1
    word, end = _word(text, offset)
    if end - offset != len(word.text):  # what was escaped is no operator
        return word, end
    if within_range:
        return (Token(Kind.TO, offset, "TO"), end) if word.text == "TO" else (word, end)
    kind = _OPERATORS.get(word.text, Kind.WORD)
    return (word, end) if kind is Kind.WORD else (Token(kind, offset, word.text), end)


def _quoted(text: str, start: int) -> tuple[Token, int]:
    """In quotes everything stands for itself, but `\\` and `"`."""
    characters, offset = [], start + 1
    while offset < len(text) and text[offset] != '"':
        offset += text[offset] == "\\" and offset + 1 < len(text)
        characters.append(text[offset])
        offset += 1
    if offset == len(text):
        raise InvalidQuery.at(start, 'this phrase has no closing " (a quote that is part of a term is written \\")')
    return Token(Kind.QUOTED, start, "".join(characters)), offset + 1


def _word(text: str, start: int) -> tuple[Token, int]:
    geoquery = text.startswith(_GEOQUERY, start)
    characters: list[str] = []
    wild: list[int] = []
    offset = start
    while offset < len(text) and text[offset] not in _ENDS_WORD and not SPACE.match(text, offset):
        character = text[offset]
        if character == "\\":
            offset += 1
            if offset == len(text):
                raise InvalidQuery.at(offset - 1, "nothing follows this \\, which escapes the character behind it")
            character = text[offset]
        elif character in (ANY, ONE):
            wild.append(len(characters))
        else:
            _check(character, offset, first=offset == start, geoquery=geoquery)
        characters.append(character)
        offset += 1
    return Token(Kind.WORD, start, "".join(characters), tuple(wild)), offset


def _check(character: str, offset: int, *, first: bool, geoquery: bool) -> None:
    refused = character in _UNSUPPORTED or (character == "," and not geoquery)
    if refused or character in "~^" or (first and character in _NEVER_FIRST):
        hint = _HINTS.get(character, f"write \\{character} or put the term in quotes")
        raise InvalidQuery.at(offset, f"'{character}' is not supported: {hint}")
