"""Conversions between types, as tables (developer guide: "Data types", "Conversions"; `cast`: "Functions").

Each table maps the Python type of a value to what makes the wanted type of it. There is none into Array, Object, Null
or Undefined: nothing is converted to these.
"""

import re
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from types import NoneType
from typing import Any, Final, TypeAlias

from fogbank.sql.values import DIGITS, UNDEFINED, Row, Undefined, Value, settle, to_json
from fogbank.sql.version import Version

Conversion: TypeAlias = dict[type, Callable[[Any], Value]]

_NUMERIC = re.compile(r"-?\d+(?:\.\d+)?(?:[eE]-?\d+)?", re.ASCII)
"""The developer guide's own expression: no leading `+`, no `.5`, no `5.`, no `E+3`."""


def _same(value: Value) -> Value:
    return value


def _undefined(_: object) -> Value:
    return UNDEFINED


def _null(_: object) -> Value:
    return None


_MAX_DIGITS: Final = 4096
"""Characters of a String that is taken for a number; reading one takes time, and 34 digits are kept."""


def _parse(text: str) -> Value:
    return settle(text) if len(text) <= _MAX_DIGITS and _NUMERIC.fullmatch(text) else UNDEFINED


def integer(number: int | Decimal, rounding: str) -> Value:
    """The Int next to `number` in the direction of `rounding`; with more than 34 digits it stays a Decimal."""
    settled = settle(number)
    if not isinstance(settled, Decimal) or settled.adjusted() >= DIGITS:
        return settled
    return settle(int(settled.to_integral_value(rounding)))


def _round(number: Decimal) -> Value:
    return integer(number, ROUND_HALF_UP)


def _floor(number: Decimal) -> Value:
    return integer(number, ROUND_FLOOR)


def _truncate(text: str) -> Value:
    number = _parse(text)
    return integer(number, ROUND_DOWN) if isinstance(number, Decimal) else UNDEFINED


def _floor_text(text: str) -> Value:
    number = _parse(text)
    return _floor(number) if isinstance(number, Decimal) else UNDEFINED


def _json(value: Value) -> Value:
    try:
        return to_json(value).decode()
    except RecursionError:
        # Nested SELECTs can pile up arrays that no payload could hold.
        return UNDEFINED


_TRUTH: Final = {"true": True, "false": False}


def _truth(text: str) -> Value:
    return _TRUTH.get(text.lower(), UNDEFINED) if len(text) <= len("false") else UNDEFINED


def _spell(value: bool) -> Value:
    return "true" if value else "false"


TO_DECIMAL: Final[Conversion] = {
    int: _same,
    Decimal: _same,
    bool: _undefined,
    str: _parse,
    list: _undefined,
    dict: _undefined,
    Row: _undefined,
    NoneType: _null,
    Undefined: _undefined,
}
"""To a number. An Int stays an Int, "same, no point"."""

TO_INT: Final[Conversion] = {**TO_DECIMAL, Decimal: _round, str: _truncate}

TO_BOOLEAN: Final[Conversion] = {**dict.fromkeys(TO_DECIMAL, _undefined), bool: _same, str: _truth}

TO_STRING: Final[Conversion] = {
    int: str,
    Decimal: str,
    bool: _spell,
    str: _same,
    list: _json,
    dict: _json,
    Row: _json,
    NoneType: _undefined,
    Undefined: _undefined,
}

_CAST_TO_STRING: Final[Conversion] = TO_STRING
_CAST_TO_INT: Final[Conversion] = {**TO_INT, Decimal: _floor, str: _floor_text, bool: int, NoneType: _undefined}
_CAST_TO_DECIMAL: Final[Conversion] = {
    **TO_DECIMAL,
    int: Decimal,
    bool: lambda value: Decimal("1.0") if value else Decimal("0.0"),
    NoneType: _undefined,
}
_CAST_TO_BOOLEAN: Final[Conversion] = {**TO_BOOLEAN, int: bool, Decimal: bool}

CASTS: Final[dict[str, tuple[Version, Conversion]]] = {
    **dict.fromkeys(("string", "nvarchar", "text", "ntext", "varchar"), (Version.V2015_10_08, _CAST_TO_STRING)),
    **dict.fromkeys(("int", "integer"), (Version.V2015_10_08, _CAST_TO_INT)),
    "double": (Version.V2015_10_08, _CAST_TO_DECIMAL),
    "decimal": (Version.V2016_03_23, _CAST_TO_DECIMAL),
    **dict.fromkeys(("bool", "boolean"), (Version.V2016_03_23, _CAST_TO_BOOLEAN)),
}
"""The explicit conversions: type names of `cast(x AS type)` in lower case, since when they exist, and their tables."""


def number(value: Value) -> int | Decimal | None:
    """`value` converted to a number, None where that is Null or Undefined."""
    converted = TO_DECIMAL[type(value)](value)
    return converted if isinstance(converted, (int, Decimal)) else None


def whole_number(value: Value) -> int | None:
    """`value` converted to an Int, None where that is Null or Undefined."""
    converted = TO_INT[type(value)](value)
    return converted if isinstance(converted, int) else None


def text(value: Value) -> str | None:
    """`value` converted to a String, None where that is Undefined."""
    converted = TO_STRING[type(value)](value)
    return converted if isinstance(converted, str) else None


def truth(value: Value) -> bool | Undefined:
    """`value` converted to a Boolean."""
    converted = TO_BOOLEAN[type(value)](value)
    return converted if isinstance(converted, bool) else UNDEFINED


def render(value: Value) -> str:
    """`value` as a substitution template writes it: Undefined is empty, Null is `null`, the rest is its String."""
    if value is UNDEFINED:
        return ""
    return "null" if value is None else text(value) or ""
