"""Random queries, and fields and values for them to meet: few names and few words, so that they do."""

from typing import Any

from hypothesis import strategies as st

from fogbank.search.glob import Glob
from fogbank.search.query import (
    And,
    Everything,
    Exists,
    Near,
    Not,
    NumberRange,
    Or,
    Phrase,
    Query,
    Wildcard,
    Word,
    WordRange,
)
from fogbank.search.words import fold, number

WORDS = (
    "a",
    "ab",
    "abc",
    "abd",
    "b.c",
    "-x",
    "75",
    "7.5",
    "1e3",
    "true",
    "straße",
    "Ärger",
    "名前",
    "x:y",
    "x%20",
    "*",
    "\\",
)
NUMBERS = (0, 1, -1, 75, 80, 7.5, -0.0, 1e3, 2**53 - 1, -(2**53), 2**53, 1e300, -1e-300, 1557651600000, 0.1)
FIELDS = (
    "thingName",
    "thingTypeName",
    "thingGroupNames",
    "attributes.a",
    "attributes.b.c",
    "shadow.reported.a",
    "shadow.reported.a.b",
    "shadow.reported.my key",
    "shadow.reported.名",
    "shadow.desired.a",
    "shadow.hasDelta",
    "shadow.name.s1.reported.a",
    "shadow.metadata.reported.a.timestamp",
    "connectivity.connected",
    "connectivity.timestamp",
    "nowhere",
)
FEW_WORDS = ("a", "AB", "75")
"""For phrases, which meet long runs of few words now and then."""
words = st.sampled_from(WORDS).map(fold)
texts = st.lists(st.sampled_from(FEW_WORDS), min_size=2, max_size=5).map(" ".join) | st.lists(
    st.sampled_from(WORDS), max_size=3
).map(" ".join)
numbers = st.sampled_from(NUMBERS) | st.floats(allow_nan=False, allow_infinity=False)
some_fields = st.sampled_from(FIELDS)
fields = some_fields | st.none()


@st.composite
def globs(draw: st.DrawFn) -> Glob:
    text = draw(words) + draw(words)
    wild = draw(st.sets(st.integers(0, len(text) - 1), min_size=1, max_size=3))
    signs = draw(st.lists(st.sampled_from("*?"), min_size=len(text), max_size=len(text)))
    return Glob("".join(signs[i] if i in wild else one for i, one in enumerate(text)), tuple(sorted(wild)))


def _word(field: str | None, word: str) -> Word:
    return Word(field, word, number(word))


bounds = st.booleans()
leaves: st.SearchStrategy[Query] = st.one_of(
    st.just(Everything()),
    st.builds(_word, fields, words),
    st.builds(lambda field, value: Word(field, repr(value), float(value)), fields, numbers),
    st.builds(Phrase, fields, st.lists(st.sampled_from(FEW_WORDS).map(fold), min_size=2, max_size=3).map(tuple)),
    st.builds(Wildcard, fields, globs()),
    st.builds(Exists, some_fields),
    st.builds(NumberRange, some_fields, numbers | st.none(), numbers | st.none(), bounds, bounds),
    st.builds(WordRange, some_fields, words | st.none(), words | st.none(), bounds, bounds),
    st.builds(
        Near,
        st.just("shadow.reported.gps"),
        st.floats(-90, 90),
        st.floats(-180, 180),
        st.floats(0, 2.1e7) | st.floats(0, 1e5),
    ),
)


def _combined(parts: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    several: st.SearchStrategy[Any] = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, parts) | st.builds(And, several) | st.builds(Or, several)


queries: st.SearchStrategy[Query] = st.recursive(leaves, _combined, max_leaves=6)
