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


def weight(value: Value) -> int:
    """How much there is to look at, in units of `scope.MAX_WORK`."""
    if isinstance(value, str):
        return 1 + len(value) // 8
    if isinstance(value, list):
        return 1 + sum(map(weight, value))
    if isinstance(value, dict):
        return 1 + sum(map(weight, value.values()))
    return 1


# --- JSON -------------------------------------------------------------------------------------------------------

MAX_DEPTH: Final = 100
"""Deeper nested JSON is taken as not JSON: it could only come to overflow a stack."""


def _read_whole(text: str) -> int | Decimal:
    """The number as 2016-03-23 has it. A last digit other than 0 is a fraction's, unless there is an exponent."""
    if text[-1] != "0" and "e" not in text and "E" not in text:
        return Decimal(text)
    return whole(Decimal(text))


_READ_EXACT: Final = msgspec.json.Decoder(float_hook=Decimal).decode
_READ_WHOLE: Final = msgspec.json.Decoder(float_hook=_read_whole).decode
_WRITER: Final = msgspec.json.Encoder(decimal_format="number")


def from_json(text: bytes | str, version: Version) -> Value:
    """The value that the JSON `text` stands for; Undefined where it isn't JSON. Numbers are exact."""
    if len(text) > 2 * MAX_DEPTH and _brackets(text) > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        return UNDEFINED
    try:
        value: Value = _READ_EXACT(text) if version is Version.V2015_10_08 else _READ_WHOLE(text)
    except (msgspec.DecodeError, UnicodeError, ArithmeticError):
        # The last: an exponent of more than 18 digits, which no Decimal can hold.
        return UNDEFINED
    return value


def to_json(value: Value) -> bytes:
    """The JSON text of anything but Undefined, without spaces."""
    return _WRITER.encode(value)


def _brackets(text: bytes | str) -> int:
    """How many open: JSON nests at most as deep. Two quick looks spare most texts the slow one."""
    return text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")


def _depth(text: bytes | str) -> int:
    """How deep brackets nest outside of strings; of text that isn't JSON, some number."""
    depth = deepest = 0
    in_string = escaped = False
    for byte in text if isinstance(text, bytes) else text.encode():
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
