"""Queries as trees of frozen nodes. Words are folded (`words.fold`) when they are parsed; fields are as written, with
the aliases of the guide resolved (`names.canonical`). A field of None asks all fields that can be searched.
"""

from typing import TypeAlias

import msgspec

from fogbank.search.glob import Glob


class Everything(msgspec.Struct, frozen=True):
    """`*`: all things."""


class Word(msgspec.Struct, frozen=True):
    """`field:word`: a value has this word, or is the number that it spells."""

    field: str | None
    word: str
    number: float | None = None


class Phrase(msgspec.Struct, frozen=True):
    """`field:"some words"`: a value has these words, one after the other."""

    field: str | None
    words: tuple[str, ...]


class Wildcard(msgspec.Struct, frozen=True):
    """`field:ab*`, `field:a?c`: a value has a word of this form."""

    field: str | None
    glob: Glob


class Exists(msgspec.Struct, frozen=True):
    """`field:*`: the field has a value, or is an object that has one in it."""

    field: str


class NumberRange(msgspec.Struct, frozen=True):
    """`field:[70 TO 100}`, `field>=70`: a value is a number between these; None: no bound on that side."""

    field: str
    low: float | None
    high: float | None
    low_included: bool = True
    high_included: bool = True

    def __contains__(self, number: float) -> bool:
        if self.low is not None and (number < self.low or (number == self.low and not self.low_included)):
            return False
        return self.high is None or number < self.high or (number == self.high and self.high_included)


class WordRange(msgspec.Struct, frozen=True):
    """`field:["abcd" TO "abcf"]`: a value has a word between these, in the order of code points."""

    field: str
    low: str | None
    high: str | None
    low_included: bool = True
    high_included: bool = True

    def __contains__(self, word: str) -> bool:
        if self.low is not None and (word < self.low or (word == self.low and not self.low_included)):
            return False
        return self.high is None or word < self.high or (word == self.high and self.high_included)


class Near(msgspec.Struct, frozen=True):
    """`field:geo_distance,47.6,-122.3,10km`: a location is at most this far from there. Degrees, and metres."""

    field: str
    latitude: float
    longitude: float
    metres: float


class Not(msgspec.Struct, frozen=True):
    """`NOT query`, `-query`."""

    part: "Query"


class And(msgspec.Struct, frozen=True):
    """`query query`, `query AND query`."""

    parts: "tuple[Query, ...]"


class Or(msgspec.Struct, frozen=True):
    """`query OR query`."""

    parts: "tuple[Query, ...]"


Query: TypeAlias = Everything | Word | Phrase | Wildcard | Exists | NumberRange | WordRange | Near | Not | And | Or
