"""Functions on strings (developer guide: "Functions"). Other types are converted first, by the table of coercions."""

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from fogbank.sql.coercion import integer, number, text
from fogbank.sql.functions.function import Function
from fogbank.sql.values import MAX_TEXT, UNDEFINED, Value
from fogbank.sql.version import Version

_BLANKS: Final = " \t"
_MAX_PAD: Final = 1000


def _of_text(compute: Callable[[str], Value]) -> Callable[[Value], Value]:
    """A function of one String."""

    def call(value: Value) -> Value:
        argument = text(value)
        return UNDEFINED if argument is None else compute(argument)

    return call


def _of_two_texts(compute: Callable[[str, str], Value]) -> Callable[[Value, Value], Value]:
    def call(first: Value, second: Value) -> Value:
        left, right = text(first), text(second)
        return UNDEFINED if left is None or right is None else compute(left, right)

    return call


def _floor(value: Value) -> int | Decimal | None:
    """The number floored; a Decimal where it has more than 34 digits, which is still comparable."""
    argument = number(value)
    floored = None if argument is None else integer(argument, ROUND_FLOOR)
    return floored if isinstance(floored, (int, Decimal)) else None


def _clamp(value: int | Decimal, least: int, most: int) -> int:
    return int(min(max(value, least), most))


def _chr(value: Value) -> Value:
    code = _floor(value)
    return UNDEFINED if code is None or not 0 <= code <= 127 else chr(int(code))


def _concat(*values: Value) -> Value:
    """One argument is itself; with an Array among more they make one Array; else with a String one String."""
    if len(values) == 1:
        return values[0]
    if any(value is UNDEFINED for value in values):
        return UNDEFINED
    if any(isinstance(value, list) for value in values):
        items = [item for value in values for item in (value if isinstance(value, list) else [value])]
        return items if len(items) <= MAX_TEXT else UNDEFINED
    texts = [text(value) for value in values]
    if not any(isinstance(value, str) for value in values) or None in texts:
        return UNDEFINED
    joined = "".join(part for part in texts if part is not None)
    return joined if len(joined) <= MAX_TEXT else UNDEFINED


def _pad(pad: Callable[[str, str], str]) -> Callable[[Value, Value], Value]:
    """Adds that many spaces: it is not a total width. Floored, 0 to 1000."""

    def call(value: Value, count: Value) -> Value:
        argument, wanted = text(value), _floor(count)
        if argument is None or wanted is None:
            return UNDEFINED
        return pad(argument, " " * _clamp(wanted, 0, _MAX_PAD))

    return call


def _replace(value: Value, find: Value, new: Value) -> Value:
    subject, wanted, replacement = text(value), text(find), text(new)
    if subject is None or wanted is None or replacement is None:
        return UNDEFINED
    if len(subject) + subject.count(wanted) * len(replacement) > MAX_TEXT:
        return UNDEFINED
    return subject.replace(wanted, replacement)


def _substring(value: Value, start: Value, *end: Value) -> Value:
    """From `start`, counted from 0, to before `end`; both floored and taken into the string's length."""
    subject, first = text(value), _floor(start)
    last = _floor(end[0]) if end else Decimal("Infinity")
    if subject is None or first is None or last is None:
        return UNDEFINED
    return subject[_clamp(first, 0, len(subject)) : _clamp(last, 0, len(subject))]


FUNCTIONS: Final = (
    Function("chr", _chr, 1, 1),
    Function("concat", _concat, 1, None),
    Function("endswith", _of_two_texts(str.endswith), 2, 2),
    Function("indexof", _of_two_texts(str.find), 2, 2, Version.V2016_03_23),
    Function("length", _of_text(len), 1, 1, Version.V2016_03_23),
    Function("lower", _of_text(str.lower), 1, 1),
    Function("lpad", _pad(lambda value, spaces: spaces + value), 2, 2),
    Function("ltrim", _of_text(lambda value: value.lstrip(_BLANKS)), 1, 1),
    Function("numbytes", _of_text(lambda value: len(value.encode())), 1, 1, Version.V2016_03_23),
    Function("replace", _replace, 3, 3),
    Function("rpad", _pad(lambda value, spaces: value + spaces), 2, 2),
    Function("rtrim", _of_text(lambda value: value.rstrip(_BLANKS)), 1, 1),
    Function("startswith", _of_two_texts(str.startswith), 2, 2),
    Function("substring", _substring, 2, 3),
    Function("trim", _of_text(lambda value: value.strip(_BLANKS)), 1, 1),
    Function("upper", _of_text(str.upper), 1, 1),
)
