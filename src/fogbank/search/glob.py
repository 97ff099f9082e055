"""Words with wildcards: `*` stands for any characters, `?` for exactly one.

Matched piece by piece between the stars, each as far left as it goes: no backtracking, whatever pattern and word are.
"""

import re
from functools import cached_property

import msgspec

ANY, ONE = "*", "?"


class Glob(msgspec.Struct, frozen=True, dict=True):
    """A pattern as its pieces: literal text, or `ANY` or `ONE` marked by position.

    `text` is folded; `wild` holds the positions in it where `*` and `?` are wildcards and not themselves.
    """

    text: str
    wild: tuple[int, ...]

    @property
    def prefix(self) -> str:
        """The literal text that every match begins with."""
        return self.text[: self.wild[0]]

    @cached_property
    def pieces(self) -> tuple[re.Pattern[str], ...]:
        """What stands between the stars; the first and the last piece may be empty."""
        pieces, wild = [""], frozenset(self.wild)
        for position, character in enumerate(self.text):
            if position not in wild:
                pieces[-1] += re.escape(character)
            elif character == ONE:
                pieces[-1] += "."
            else:
                pieces.append("")
        return tuple(re.compile(piece, re.DOTALL) for piece in pieces)

    @cached_property
    def regex(self) -> str:
        """As a regular expression over the whole word, for engines that run those as automata."""
        return "(.|\n)*".join(piece.pattern for piece in self.pieces)

    def matches(self, word: str) -> bool:
        """Whether the whole word is of this form. `word` is folded."""
        first, *rest = self.pieces
        if not rest:
            return first.fullmatch(word) is not None
        found = first.match(word)
        for piece in rest[:-1]:
            if found is None:
                return False
            found = piece.search(word, found.end())
        return found is not None and _ends_with(rest[-1], word, found.end())


def _ends_with(piece: re.Pattern[str], word: str, start: int) -> bool:
    """Pieces have a fixed length: one character of the word for each of theirs."""
    length = len(re.sub(r"\\(.)", r"\1", piece.pattern, flags=re.DOTALL))
    return len(word) - length >= start and piece.fullmatch(word, len(word) - length) is not None
