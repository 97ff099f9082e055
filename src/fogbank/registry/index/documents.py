"""How an entry lies in the search engine: tantivy's schema, and the document that an entry becomes.

The engine has a fixed schema, and entries have any fields. So words bear the mark of their field in front of them, and
all words of all fields are tokens of one field of the engine: a term, a wildcard or a phrase of any field is one of its
plain queries. For ranges and aggregations there are columns, one for each field that an entry has, in JSON fields of
the engine. Ranges of words are asked of texts that sort as they do, and ranges of numbers of integers that sort as they
do: the engine tells whole numbers from others, and cannot ask for a range from one to the other.

What is laid down here is most of what it costs to index a change. So fields have short marks, only those that can be
aggregated have columns for it.

What users have chosen (names of fields, words) never meets a parser as it is: it is a digest or hexadecimal.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.registry.index.configuration import FieldType, managed_type
from fogbank.registry.index.entry import GroupEntry, ThingEntry
from fogbank.search import Value
from fogbank.search.fields import Field
from fogbank.search.names import above, found_anywhere

if TYPE_CHECKING:
    import tantivy

FORMAT = "3"
"""Of all that is written here. An index of another format is built anew."""

SEPARATOR = "\x1f"
"""Between the mark of a field and a word; white space, so that it is in neither."""
BOUNDARY = "\x1e"
"""A token between the values of `RUNS`: no phrase reaches from one into the next."""

KEY = "key"
"""The name, as `ordered` has it: pages are sorted by it, and go on behind it."""
ENTRY = "entry"
STAMP = "stamp"
WORDS = "words"
"""Each word of each field, with its field in front."""
ANYWHERE = "anywhere"
"""The words of all fields that can be searched."""
RUNS = "runs"
"""Values of several words, with their places: for phrases. With the field, and without one but with the separator."""
FIELDS = "fields"
"""The fields that there are."""
NUMBERS = "numbers"
"""The numbers of all fields that can be searched, as words of hexadecimal digits."""
ORDERED = "ordered"
"""Columns: the words of each field, as texts that sort as they do."""
RANKED = "ranked"
"""Columns: the numbers of each field, and the degrees of its locations, as integers that sort as they do."""
NUMBER_OF = "number"
"""Columns: the numbers of each field that is aggregated as a number."""
TEXT_OF = "text"
"""Columns: the strings of each field that is aggregated as a string, as they are."""
TRUTH_OF = "truth"
"""Columns: the booleans of each field that is aggregated as a boolean, as 0 and 1."""

COLUMN_OF: Mapping[FieldType, str] = {
    FieldType.NUMBER: NUMBER_OF,
    FieldType.STRING: TEXT_OF,
    FieldType.BOOLEAN: TRUTH_OF,
}

TOKENIZER = "fogbank-white-space"

_LATITUDE, _LONGITUDE = "lat", "lon"
_TRUTHS = {"true": 1, "false": 0}


def schema() -> "tantivy.Schema":
    """The fields of the engine."""
    import tantivy  # 5 ms and 3 MB: when it is first needed

    builder = tantivy.SchemaBuilder()
    builder.add_text_field(KEY, stored=True, fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_bytes_field(ENTRY, stored=True)
    builder.add_text_field(STAMP, stored=True, tokenizer_name="raw", index_option="basic")
    for name in (WORDS, ANYWHERE, FIELDS, NUMBERS):
        builder.add_text_field(name, tokenizer_name=TOKENIZER, index_option="basic")
    builder.add_text_field(RUNS, tokenizer_name=TOKENIZER, index_option="position")
    for name in (ORDERED, RANKED, NUMBER_OF, TEXT_OF, TRUTH_OF):
        builder.add_json_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def tokenizer() -> "tantivy.TextAnalyzer":
    """What `TOKENIZER` stands for; an index has to be told each time it is opened."""
    import tantivy

    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()


def document(entry: ThingEntry | GroupEntry) -> "tantivy.Document":
    """The engine's document of an entry."""
    import tantivy

    values, custom = entry.values(), entry.custom_fields
    laid = _Layout()
    for name, some in values.items():
        place = _place(name)
        field = Field.of(some, spelled=place.spelled)
        laid.add(place, field)
        if place.managed is not None:
            laid.aggregate(place, place.managed, some, field)
        elif name in custom:
            laid.aggregate(place, custom[name], some, field)
    made = tantivy.Document()
    made.add_text(KEY, ordered(entry.name))
    made.add_bytes(ENTRY, packed(entry))
    made.add_text(STAMP, entry.stamp)
    laid.pour(made)
    return made


_LARGEST_EXPONENT = 1024
"""Of a float: longer integers are kept as text."""


def packed(entry: ThingEntry | GroupEntry) -> bytes:
    """What the entry is read from again. Integers beyond 64 bits, as shadows may have, come back as floats."""
    try:
        return msgspec.msgpack.encode(entry)
    except OverflowError:
        return msgspec.msgpack.encode(_within_64_bits(msgspec.to_builtins(entry)))


def _within_64_bits(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _within_64_bits(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_within_64_bits(one) for one in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if value.bit_length() < _LARGEST_EXPONENT else str(value)
    return value


class _Place(msgspec.Struct, frozen=True, gc=False):
    """What follows from the name of a field."""

    column: str
    lineage: tuple[str, ...]
    """The marks of the field and of the objects that it is in."""
    anywhere: bool
    """Whether a term without a field is looked for in it."""
    spelled: bool
    """Whether strings that spell numbers are numbers as well."""
    managed: FieldType | None


@lru_cache(8192)
def _place(name: str) -> _Place:
    lineage = (column(name), *map(column, above(name)))
    return _Place(column(name), lineage, found_anywhere(name), name.startswith("attributes."), managed_type(name))


class _Layout:
    """The fields of one entry, as they gather."""

    def __init__(self) -> None:
        self._fields: set[str] = set()
        self._words: list[str] = []
        self._anywhere: set[str] = set()
        self._numbers: set[float] = set()
        self._runs: list[str] = []
        self._ordered: dict[str, list[str]] = {}
        self._ranked: dict[str, list[int]] = {}
        self._aggregated: dict[str, dict[str, Sequence[Any]]] = {NUMBER_OF: {}, TEXT_OF: {}, TRUTH_OF: {}}

    def add(self, place: _Place, field: Field) -> None:
        """Lay a field down to be searched."""
        mark = place.column
        self._fields.update(place.lineage)
        if field.texts:
            self._add_texts(mark, field.texts, anywhere=place.anywhere)
        if field.numbers:
            self._ranked[mark] = [rank(number) for number in field.numbers]
            if place.anywhere:
                self._numbers.update(field.numbers)
        if field.points:
            self._ranked[mark + _LATITUDE] = [rank(point.latitude) for point in field.points]
            self._ranked[mark + _LONGITUDE] = [rank(point.longitude) for point in field.points]

    def _add_texts(self, mark: str, texts: Sequence[Sequence[str]], *, anywhere: bool) -> None:
        words = texts[0] if len(texts) == 1 else tuple(dict.fromkeys(word for text in texts for word in text))
        prefix = mark + SEPARATOR
        for word in words:
            self._words.append(prefix + word)
        if words:
            self._ordered[mark] = [ordered(word) for word in words]
        if anywhere:
            self._anywhere.update(words)
        if len(words) > 1 or len(texts) > 1:
            self._add_runs(mark, texts, anywhere=anywhere)

    def _add_runs(self, mark: str, texts: Sequence[Sequence[str]], *, anywhere: bool) -> None:
        for text in texts:
            if len(text) > 1:
                for prefix in (mark, "") if anywhere else (mark,):
                    self._runs += [*(prefix + SEPARATOR + word for word in text), BOUNDARY]

    def aggregate(self, place: _Place, type_: FieldType, values: Sequence[Value], field: Field) -> None:
        """Lay down those values of a field that are of a type, to be aggregated."""
        if type_ is FieldType.NUMBER:
            found: Sequence[Any] = field.numbers
        elif type_ is FieldType.STRING:
            found = [value for value in values if isinstance(value, str)]
        else:
            found = [truth for value in values if (truth := _truth(value)) is not None]
        if found:
            self._aggregated[COLUMN_OF[type_]][place.column] = found

    def pour(self, made: "tantivy.Document") -> None:
        """Into a document of the engine; columns as JSON, where it reads doubles only nearly as they are."""
        for name, tokens in (
            (FIELDS, self._fields),
            (WORDS, self._words),
            (ANYWHERE, self._anywhere),
            (NUMBERS, map(spelled_number, self._numbers)),
            (RUNS, self._runs),
        ):
            if text := " ".join(tokens):
                made.add_text(name, text)
        for name, columns in (
            (ORDERED, self._ordered),
            (RANKED, self._ranked),
            (TEXT_OF, self._aggregated[TEXT_OF]),
            (TRUTH_OF, self._aggregated[TRUTH_OF]),
        ):
            if columns:
                made.add_json(name, msgspec.json.encode(columns).decode())
        made.add_json(NUMBER_OF, self._aggregated[NUMBER_OF])


def _truth(value: Value) -> int | None:
    """A boolean, or a string that spells one."""
    return int(value) if isinstance(value, bool) else _TRUTHS.get(value) if isinstance(value, str) else None


@lru_cache(8192)
def column(name: str) -> str:
    """The mark of a field: its name as letters and digits alone, and never many of them."""
    return "c" + hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def latitude(name: str) -> str:
    """The column of the latitudes of a field."""
    return column(name) + _LATITUDE


def longitude(name: str) -> str:
    """The column of the longitudes of a field."""
    return column(name) + _LONGITUDE


def ordered(word: str) -> str:
    """A word in letters and digits alone, in an order that is that of the words."""
    return FIRST_WORD + word.encode().hex()


def unordered(key: str) -> str:
    """The word of which `ordered` made this."""
    return bytes.fromhex(key[1:]).decode()


FIRST_WORD, AFTER_WORDS = "w", "x"
"""What bounds all words where they are ordered."""
AFTER_DIGITS = "g"
"""Behind all hexadecimal digits, and so behind all that begins with what it is appended to."""

FIRST_RANK, LAST_RANK = -(1 << 63), (1 << 63) - 1
"""What bounds the ranks of all numbers."""

_MAGNITUDE = (1 << 63) - 1
_pack, _unpack = struct.Struct(">d").pack, struct.Struct(">q").unpack


@lru_cache(4096)
def rank(number: float) -> int:
    """A number as an integer of 64 bits, in an order that is that of the numbers.

    The bits of doubles sort as the numbers do, but that negative ones sort the other way.
    """
    bits: int = _unpack(_pack(number + 0.0))[0]  # there is one zero
    return bits if bits >= 0 else bits ^ _MAGNITUDE


def spelled_number(number: float) -> str:
    """A number as a word, which is the same for the same numbers."""
    return f"{rank(number):x}"
