"""Whether an entry matches a query: the meaning of the language, as plainly as it can be said.

The index answers the same question for a whole fleet, and is tested against this.
"""

from collections.abc import Iterable

from fogbank.search.fields import Field, Fields
from fogbank.search.geography import distance
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


def matches(query: Query, fields: Fields) -> bool:
    """Whether the entry with these fields is found by the query."""
    match query:
        case Everything():
            return True
        case And(parts):
            return all(matches(part, fields) for part in parts)
        case Or(parts):
            return any(matches(part, fields) for part in parts)
        case Not(part):
            return not matches(part, fields)
        case Exists(name):
            return name in fields or name in fields.objects
        case _:
            return any(_field_matches(query, field) for field in _asked(query.field, fields))


def _asked(name: str | None, fields: Fields) -> Iterable[Field]:
    if name is None:
        return fields.anywhere
    field = fields.get(name)
    return () if field is None else (field,)


def _field_matches(query: Word | Phrase | Wildcard | NumberRange | WordRange | Near, field: Field) -> bool:
    match query:
        case Word(_, word, number):
            return number in field.numbers or any(word in text for text in field.texts)
        case Phrase(_, words):
            return any(words == text[i : i + len(words)] for text in field.texts for i in range(len(text)))
        case Wildcard(_, glob):
            return any(glob.matches(word) for text in field.texts for word in text)
        case NumberRange():
            return any(number in query for number in field.numbers)
        case WordRange():
            return any(word in query for text in field.texts for word in text)
        case Near(_, latitude, longitude, metres):
            return any(distance(latitude, longitude, p.latitude, p.longitude) <= metres for p in field.points)
