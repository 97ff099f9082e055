"""What an entry is searched by: the values of its fields, taken apart into words, numbers and locations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from fogbank.search import names
from fogbank.search.words import in_range, number, words


class Point(msgspec.Struct, frozen=True):
    """A location, in degrees."""

    latitude: float
    longitude: float


Value: TypeAlias = str | int | float | bool | Point
"""A number is not text as well. A string that spells a number is one too where it is an attribute, which has no other
way to be one."""


class Field(msgspec.Struct, frozen=True):
    """The values of one field."""

    texts: tuple[tuple[str, ...], ...] = ()
    """Of each value that is text its words, folded."""
    numbers: tuple[float, ...] = ()
    points: tuple[Point, ...] = ()

    @classmethod
    def of(cls, values: Sequence[Value], *, spelled: bool = False) -> "Field":
        """Take values apart; `spelled`: strings that spell numbers are numbers as well."""
        texts: list[tuple[str, ...]] = []
        numbers: list[float] = []
        points: list[Point] = []
        for value in values:
            if isinstance(value, Point):
                points.append(value)
                continue
            found = None
            if isinstance(value, str):
                texts.append(words(value))
                found = number(value) if spelled else None
            elif isinstance(value, bool):
                texts.append(("true",) if value else ("false",))
            elif (found := in_range(value)) is None:
                texts.append((str(value),))
            if found is not None:
                numbers.append(found)
        return cls(tuple(texts), tuple(numbers), tuple(points))


class Fields(Mapping[str, Field]):
    """All fields of an entry, by their canonical names."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = fields

    @property
    def searchable(self) -> Iterator[Field]:
        """Those that a term without a field is looked for in."""
        return (field for name, field in self._fields.items() if names.searchable(name))

    @classmethod
    def of(cls, values: Mapping[str, Sequence[Value]]) -> "Fields":
        """Take an entry's values apart."""
        return cls({name: Field.of(some, spelled=name.startswith("attributes.")) for name, some in values.items()})

    def __getitem__(self, name: str) -> Field:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)
