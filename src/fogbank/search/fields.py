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
        if len(values) == 1:
            return cls._of_one(values[0], spelled)
        fields = [cls._of_one(value, spelled) for value in values]
        return cls(
            tuple(text for field in fields for text in field.texts),
            tuple(number for field in fields for number in field.numbers),
            tuple(point for field in fields for point in field.points),
        )

    @classmethod
    def _of_one(cls, value: Value, spelled: bool) -> "Field":
        if isinstance(value, str):
            texts = (words(value),)
            if not spelled or (found := number(value)) is None:
                return cls(texts)
            return cls(texts, (found,))
        if isinstance(value, bool):
            return _TRUE if value else _FALSE
        if isinstance(value, Point):
            return cls(points=(value,))
        found = in_range(value)
        return cls(((str(value),),)) if found is None else cls((), (found,))


_TRUE, _FALSE = Field((("true",),)), Field((("false",),))


class Fields(Mapping[str, Field]):
    """All fields of an entry, by their canonical names."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = fields

    @property
    def anywhere(self) -> Iterator[Field]:
        """Those that a term without a field is looked for in."""
        return (field for name, field in self._fields.items() if names.found_anywhere(name))

    @property
    def objects(self) -> frozenset[str]:
        """The names of what the fields are in."""
        return frozenset(above for name in self._fields for above in names.above(name))

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
