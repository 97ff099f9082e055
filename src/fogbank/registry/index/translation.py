"""Queries in the engine's own terms: each node of the language as a query of tantivy.

The meaning of a node is that of `search.matching`; tests hold the two against each other.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from fogbank.registry.index import documents as lay
from fogbank.search import Query
from fogbank.search.geography import Box, box
from fogbank.search.glob import ANY, Glob
from fogbank.search.query import (
    And,
    Everything,
    Exists,
    Near,
    Not,
    NumberRange,
    Or,
    Phrase,
    Wildcard,
    Word,
    WordRange,
)

if TYPE_CHECKING:
    import tantivy

Check = Callable[[Near, "tantivy.Query"], list[str]]
"""The keys of what a query finds and is as near as it is to be: the engine knows rectangles alone."""


class Translation:
    """Translates queries for one state of one index."""

    def __init__(self, index: "tantivy.Index", searcher: "tantivy.Searcher", check: Check) -> None:
        import tantivy

        self._engine = tantivy
        self._index = index
        self._schema = index.schema
        self._searcher = searcher
        self._check = check

    def __call__(self, query: Query) -> "tantivy.Query":
        """The engine's query that finds what `query` means."""
        match query:
            case Everything():
                return self._engine.Query.all_query()
            case And(parts):
                return self._and(parts)
            case Or(parts):
                return self._any(map(self, parts))
            case Not(part):
                return self._not(self(part))
            case Word():
                return self._word(query)
            case Phrase(field, words):
                prefix = _prefix(field)
                return self._engine.Query.phrase_query(self._schema, lay.RUNS, [prefix + word for word in words])
            case Wildcard(field, glob):
                return self._wildcard(field, glob)
            case Exists(field):
                return self._term(lay.FIELDS, lay.column(field))
            case NumberRange():
                return self._number_range(query)
            case WordRange():
                return self._word_range(query)
            case Near():
                return self._near(query)

    def _and(self, parts: Sequence[Query]) -> "tantivy.Query":
        """What is not to be found is taken from what is; by itself it would first be all else that there is."""
        found = [self(part) for part in parts if not isinstance(part, Not)]
        without = [self(part.part) for part in parts if isinstance(part, Not)]
        return self._without(found or [self._engine.Query.all_query()], without)

    def _all(self, parts: "Iterable[tantivy.Query]") -> "tantivy.Query":
        return self._engine.Query.boolean_query([(self._engine.Occur.Must, part) for part in parts])

    def _any(self, parts: "Iterable[tantivy.Query]") -> "tantivy.Query":
        return self._engine.Query.boolean_query([(self._engine.Occur.Should, part) for part in parts])

    def _not(self, part: "tantivy.Query") -> "tantivy.Query":
        return self._without([self._engine.Query.all_query()], [part])

    def _without(self, found: "list[tantivy.Query]", without: "list[tantivy.Query]") -> "tantivy.Query":
        occur = self._engine.Occur
        return self._engine.Query.boolean_query(
            [*((occur.Must, part) for part in found), *((occur.MustNot, part) for part in without)]
        )

    def _term(self, field: str, token: str) -> "tantivy.Query":
        return self._engine.Query.term_query(self._schema, field, token, "basic")

    def _word(self, query: Word) -> "tantivy.Query":
        if query.field is None:
            found = self._term(lay.ANYWHERE, query.word)
        else:
            found = self._term(lay.WORDS, _prefix(query.field) + query.word)
        if query.number is None:
            return found
        if query.field is None:
            return self._any((found, self._term(lay.NUMBERS, lay.spelled_number(query.number))))
        return self._any((found, self._number_range(NumberRange(query.field, query.number, query.number))))

    def _wildcard(self, field: str | None, glob: Glob) -> "tantivy.Query":
        if field is not None and glob.wild == (len(glob.text) - 1,) and glob.text.endswith(ANY):
            return self._beginning(field, glob.prefix)
        tokens, prefix = (lay.ANYWHERE, "") if field is None else (lay.WORDS, _prefix(field))
        pattern = _escaped(prefix) + _regex(glob)
        try:
            return self._engine.Query.regex_query(self._schema, tokens, pattern)
        except ValueError:  # too long for the engine's automata: then its dictionary is read
            words = self._searcher.terms_with_prefix(tokens, prefix + glob.prefix)
            found = [word for word, _ in words if glob.matches(word[len(prefix) :])]
            return self._engine.Query.term_set_query(self._schema, tokens, found)

    def _beginning(self, field: str, prefix: str) -> "tantivy.Query":
        """`ab*` as a range, which takes a fiftieth of the time that an automaton does."""
        first = lay.ordered(prefix)
        return self._range(f"{lay.ORDERED}.{lay.column(field)}", first, first + lay.AFTER_DIGITS, True, False)

    def _number_range(self, query: NumberRange) -> "tantivy.Query":
        return self._numbers(lay.column(query.field), query)

    def _numbers(self, column: str, query: NumberRange) -> "tantivy.Query":
        low, high = query.low, query.high
        return self._range(
            f"{lay.RANKED}.{column}",
            str(lay.FIRST_RANK if low is None else lay.rank(low)),
            str(lay.LAST_RANK if high is None else lay.rank(high)),
            query.low_included,
            query.high_included,
        )

    def _word_range(self, query: WordRange) -> "tantivy.Query":
        low, high = query.low, query.high
        return self._range(
            f"{lay.ORDERED}.{lay.column(query.field)}",
            lay.FIRST_WORD if low is None else lay.ordered(low),
            lay.AFTER_WORDS if high is None else lay.ordered(high),
            query.low_included,
            query.high_included,
        )

    def from_to(self, found: "tantivy.Query", after: str, upto: str) -> "tantivy.Query":
        """What is found and has a key behind `after`, at most `upto`."""
        return self._all((found, self._range(lay.KEY, after, upto, False, True)))

    def between(self, found: "tantivy.Query", field: str, low: float, high: float) -> "tantivy.Query":
        """What is found and has a number from `low` to below `high` in a field."""
        return self._all((found, self._number_range(NumberRange(field, low, high, True, False))))

    def _range(self, column: str, low: str, high: str, low_included: bool, high_included: bool) -> "tantivy.Query":
        """By the engine's parser, the one way to ask for a range of texts. It gets letters, digits and `.` only."""
        opening, closing = "[" if low_included else "{", "]" if high_included else "}"
        return self._index.parse_query(f"{column}:{opening}{low} TO {high}{closing}", [lay.KEY])

    def _near(self, query: Near) -> "tantivy.Query":
        """All within the largest rectangle inside the circle, and of the rest of that around it those near enough."""
        outer, inner = box(query.latitude, query.longitude, query.metres)
        around = self._within(query.field, outer)
        if inner is None:
            return self._keys(self._check(query, around))
        inside = self._within(query.field, inner)
        return self._any((inside, self._keys(self._check(query, self._all((around, self._not(inside)))))))

    def _keys(self, keys: list[str]) -> "tantivy.Query":
        return self._engine.Query.term_set_query(self._schema, lay.KEY, keys)

    def _within(self, field: str, sides: Box) -> "tantivy.Query":
        columns = lay.latitude(field), lay.longitude(field)
        latitudes = self._numbers(columns[0], NumberRange(field, sides.south, sides.north))
        longitudes = [self._numbers(columns[1], NumberRange(field, *span)) for span in sides.longitudes]
        return self._all((latitudes, self._any(longitudes)))


def _prefix(field: str | None) -> str:
    """What stands in front of a word of this field."""
    return lay.SEPARATOR if field is None else lay.column(field) + lay.SEPARATOR


def _regex(glob: Glob) -> str:
    wild = frozenset(glob.wild)
    signs = {"*": ".*", "?": "."}
    return "".join(
        signs[character] if position in wild else _escaped(character) for position, character in enumerate(glob.text)
    )


def _escaped(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else f"\\x{{{ord(c):x}}}" for c in text)
