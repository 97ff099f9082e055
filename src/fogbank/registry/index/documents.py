"""How an entry lies in the search engine: tantivy's schema, and the document that an entry becomes.

The engine has a fixed schema, and entries have any fields. So words bear the name of their field in front of them, and
all words of all fields are tokens of one field of the engine: a term, a wildcard or a phrase of any field is one of its
plain queries. For ranges and aggregations there are columns, one for each field that an entry has, in JSON fields of
the engine. Ranges are asked of texts that sort as the values do, of numbers too: the engine tells whole numbers from
others, and cannot ask for a range from one to the other.

What users have chosen (names of fields, words) never meets a parser as it is: it is percent-encoded or hexadecimal.
"""

import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from fogbank.registry.index.entry import GroupEntry, ThingEntry
from fogbank.search import Fields, Value
from fogbank.search.names import searchable

if TYPE_CHECKING:
    import tantivy

FORMAT = "2"
"""Of all that is written here. An index of another format is built anew."""

SEPARATOR = "\x1f"
"""Between the name of a field and a word; white space, so that it is in neither."""
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
"""The names of the fields that there are."""
NUMBERS = "numbers"
"""The numbers of all fields that can be searched."""
ORDERED = "ordered"
"""Columns: the words and the numbers of each field, and the degrees of its locations, as texts that sort as they do."""
NUMBER_OF = "number"
"""Columns: the numbers of each field that can be aggregated."""
TEXT_OF = "text"
"""Columns: the strings of each field that can be aggregated, as they are."""
TRUTH_OF = "truth"
"""Columns: the booleans of each field that can be aggregated, as 0 and 1."""

TOKENIZER = "fogbank-white-space"

_AGGREGATED = re.compile(
    r"attributes\.[\w.-]+|shadow(\.name\.[^.]+)?\.((desired|reported)\.[\w.-]+|hasDelta)|connectivity\.\w+"
    r"|registry\.version|shadow(\.name\.[^.]+)?\.version|version|thing\w+|description|parentGroupNames",
    re.ASCII,
)
"""Names of managed and of custom fields (developer guide, managing-fleet-index, "Custom fields")."""
_TRUTHS = {"true": True, "false": False}


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
    for name in (ORDERED, NUMBER_OF, TEXT_OF, TRUTH_OF):
        builder.add_json_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def tokenizer() -> "tantivy.TextAnalyzer":
    """What `TOKENIZER` stands for; an index has to be told each time it is opened."""
    import tantivy

    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()


def document(entry: ThingEntry | GroupEntry) -> "tantivy.Document":
    """The engine's document of an entry."""
    import tantivy

    values = entry.values()
    fields = Fields.of(values)
    made = tantivy.Document()
    made.add_text(KEY, ordered(entry.name))
    made.add_bytes(ENTRY, packed(entry))
    made.add_text(STAMP, entry.stamp)
    made.add_text(FIELDS, " ".join(map(token, fields)))
    _add_tokens(made, fields)
    _add_runs(made, fields)
    made.add_json(ORDERED, _ordered_columns(fields))
    _add_columns(made, values, fields)
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


def _add_tokens(made: "tantivy.Document", fields: Fields) -> None:
    tokens: list[str] = []
    words: set[str] = set()
    numbers: set[float] = set()
    for name, field in fields.items():
        found = {word for text in field.texts for word in text}
        prefix = token(name) + SEPARATOR
        tokens += [prefix + word for word in found]
        if searchable(name):
            words |= found
            numbers.update(field.numbers)
    made.add_text(WORDS, " ".join(tokens))
    made.add_text(ANYWHERE, " ".join(words))
    made.add_text(NUMBERS, " ".join(map(ordered_number, numbers)))


def _add_runs(made: "tantivy.Document", fields: Fields) -> None:
    runs: list[str] = []
    for name, field in fields.items():
        for text in field.texts:
            if len(text) > 1:
                for prefix in (token(name), "") if searchable(name) else (token(name),):
                    runs += [*(prefix + SEPARATOR + word for word in text), BOUNDARY]
    if runs:
        made.add_text(RUNS, " ".join(runs))


def _ordered_columns(fields: Fields) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {}
    for name, field in fields.items():
        values = [ordered(word) for text in field.texts for word in text]
        values += [ordered_number(number) for number in field.numbers]
        if values:
            columns[column(name)] = values
        if field.points:
            columns[latitude(name)] = [ordered_number(point.latitude) for point in field.points]
            columns[longitude(name)] = [ordered_number(point.longitude) for point in field.points]
    return columns


def _add_columns(made: "tantivy.Document", values: Mapping[str, list[Value]], fields: Fields) -> None:
    numbers: dict[str, tuple[float, ...]] = {}
    texts: dict[str, list[str]] = {}
    truths: dict[str, list[int]] = {}
    for name, some in values.items():
        if not _aggregated(name):
            continue
        if fields[name].numbers:
            numbers[column(name)] = fields[name].numbers
        if strings := [value for value in some if isinstance(value, str)]:
            texts[column(name)] = strings
        if found := [int(truth) for value in some if (truth := _truth(value)) is not None]:
            truths[column(name)] = found
    made.add_json(NUMBER_OF, numbers)
    made.add_json(TEXT_OF, texts)
    made.add_json(TRUTH_OF, truths)


def _truth(value: Any) -> bool | None:
    """A boolean, or an attribute that spells one."""
    return value if isinstance(value, bool) else _TRUTHS.get(value) if isinstance(value, str) else None


@lru_cache(8192)
def _aggregated(name: str) -> bool:
    return _AGGREGATED.fullmatch(name) is not None


@lru_cache(8192)
def token(name: str) -> str:
    """The name of a field as a token without white space."""
    return quote(name, safe="")


@lru_cache(8192)
def column(name: str) -> str:
    """The name of a field as one of a column: of letters and digits alone, since dots mean levels there."""
    return "c" + name.encode().hex()


def latitude(name: str) -> str:
    """The column of the latitudes of a field."""
    return column(name) + "lat"


def longitude(name: str) -> str:
    """The column of the longitudes of a field."""
    return column(name) + "lon"


def ordered(word: str) -> str:
    """A word in letters and digits alone, in an order that is that of the words."""
    return FIRST_WORD + word.encode().hex()


def unordered(key: str) -> str:
    """The word of which `ordered` made this."""
    return bytes.fromhex(key[1:]).decode()


FIRST_NUMBER, AFTER_NUMBERS = "n", "o"
FIRST_WORD, AFTER_WORDS = "w", "x"
"""What bounds all numbers and all words where they are ordered."""
AFTER_DIGITS = "g"
"""Behind all hexadecimal digits, and so behind all that begins with what it is appended to."""

_SIGN = 1 << 63
_ALL = (1 << 64) - 1


def ordered_number(number: float) -> str:
    """A number in letters and digits alone, in an order that is that of the numbers.

    The bits of doubles sort as the numbers do but for the sign, and but for negative ones, which sort the other way.
    """
    (bits,) = struct.unpack(">Q", struct.pack(">d", number))
    return f"{FIRST_NUMBER}{bits ^ _ALL if bits & _SIGN else bits | _SIGN:016x}"
