"""The values of AWS IoT SQL as Python has them (developer guide: "Data types").

| SQL       | Python                                                           |
|-----------|------------------------------------------------------------------|
| Int       | `int`                                                            |
| Decimal   | `decimal.Decimal`, never a float: what a payload says stays exact |
| Boolean   | `bool`                                                           |
| String    | `str`                                                            |
| Array     | `list`                                                           |
| Object    | `dict`                                                           |
| Null      | `None`                                                           |
| Undefined | `UNDEFINED`                                                      |
"""

import enum
from decimal import Context, Decimal
from typing import Any, Final, TypeAlias

import msgspec

from fogbank.sql.version import Version


class Undefined(enum.Enum):
    """The type of `UNDEFINED`: what is not there, or cannot be computed. It never reaches the outside."""

    UNDEFINED = "undefined"

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined.UNDEFINED

Value: TypeAlias = "bool | int | Decimal | str | list[Value] | dict[str, Value] | Undefined | None"


class Row(dict[str, Any]):
    """The one row of a nested SELECT over an object: an Object that `get(row, 0)` also takes for an array of one."""


MAX_TEXT: Final = 1024 * 1024
"""Characters of a String, and items of an Array, that expressions may make: well above what a message may carry.

Beyond it a result is Undefined. Without it, ten SETs that each double a String would fill the memory.
"""

DIGITS: Final = 34
"""Precision of Int and Decimal (developer guide: "Data types")."""

_INT_LIMIT: Final = 10**DIGITS

PRECISION: Final = Context(prec=DIGITS, Emin=-999, Emax=999, traps=[])
"""What Decimals are computed in. Nothing is trapped: overflow and division by zero show as not finite."""


def settle(number: int | Decimal | str) -> Value:
    """A number computed or spelled out as SQL holds it: within 34 digits and the range of Decimal, or Undefined."""
    if type(number) is int and -_INT_LIMIT < number < _INT_LIMIT:
        return number
    decimal = PRECISION.create_decimal(number)
    return decimal if decimal.is_finite() else UNDEFINED


def from_double(number: float) -> Value:
    """The result of a function that computes in double precision; infinite and NaN are Undefined."""
    return settle(Decimal(repr(number)))


def whole(number: Decimal) -> int | Decimal:
    """The number as 2016-03-23 has it: `10.0` is the Int `10`."""
    if number.adjusted() < DIGITS and number == number.to_integral_value():
        return int(number)
    return number


# --- JSON -------------------------------------------------------------------------------------------------------

MAX_DEPTH: Final = 100
"""Deeper nested JSON is taken as not JSON: it could only come to overflow a stack."""

_READ_EXACT: Final = msgspec.json.Decoder(float_hook=Decimal)
_READ_WHOLE: Final = msgspec.json.Decoder(float_hook=lambda text: whole(Decimal(text)))
_WRITER: Final = msgspec.json.Encoder(decimal_format="number")


def from_json(text: bytes | str, version: Version) -> Value:
    """The value that the JSON `text` stands for; Undefined where it isn't JSON. Numbers are exact."""
    reader = _READ_WHOLE if version.whole_numbers_are_int else _READ_EXACT
    if _may_be_deep(text) and _depth(text if isinstance(text, bytes) else text.encode()) > MAX_DEPTH:
        return UNDEFINED
    try:
        value: Value = reader.decode(text)
    except (msgspec.DecodeError, UnicodeError, ArithmeticError):
        # The last: an exponent of more than 18 digits, which no Decimal can hold.
        return UNDEFINED
    return value


def to_json(value: Value) -> bytes:
    """The JSON text of anything but Undefined, without spaces."""
    return _WRITER.encode(value)


def _may_be_deep(text: bytes | str) -> bool:
    if len(text) < 2 * MAX_DEPTH:
        return False
    if isinstance(text, bytes):
        return text.count(b"[") + text.count(b"{") > MAX_DEPTH
    return text.count("[") + text.count("{") > MAX_DEPTH


def _depth(text: bytes) -> int:
    """How deep brackets nest outside of strings; of text that isn't JSON, some number."""
    depth = deepest = 0
    in_string = escaped = False
    for byte in text:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
