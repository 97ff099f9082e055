"""The operators on values (developer guide: "Operators"). Each takes any values and returns one; none ever raises."""

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeAlias

from fogbank.sql.coercion import number, text
from fogbank.sql.values import MAX_TEXT, PRECISION, UNDEFINED, Undefined, Value, settle

Operation: TypeAlias = Callable[[Value, Value], Value]


def equal(left: Value, right: Value) -> bool | Undefined:
    """`=`: numbers by value, all else by type and content; differing types are not equal, Undefined is Undefined."""
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    return _same(left, right)


def different(left: Value, right: Value) -> bool | Undefined:
    """`<>`: the opposite of `=`, so true for differing types."""
    same = equal(left, right)
    return same if same is UNDEFINED else not same


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(_same(member, right[name]) for name, member in left.items())
        )
    return bool(left == right)


def member_of(value: Value, array: Value) -> bool | Undefined:
    """`IN`: whether the Array on the right has an equal item."""
    if value is UNDEFINED or not isinstance(array, list):
        return UNDEFINED
    return any(_same(value, item) for item in array)


def _comparison(compare: Callable[[Any, Any], bool]) -> Operation:
    """`< <= > >=`: both sides as numbers; there is no order of strings."""

    def operation(left: Value, right: Value) -> Value:
        if (type(left) is int or type(left) is Decimal) and (type(right) is int or type(right) is Decimal):
            return compare(left, right)
        first, second = number(left), number(right)
        return UNDEFINED if first is None or second is None else compare(first, second)

    return operation


def add(left: Value, right: Value) -> Value:
    """`+`: numbers are added; with a String on either side both are joined."""
    if isinstance(left, str) or isinstance(right, str):
        first, second = text(left), text(right)
        if first is None or second is None or len(first) + len(second) > MAX_TEXT:
            return UNDEFINED
        return first + second
    return _sum(left, right)


def _arithmetic(
    ints: Callable[[int, int], int | Decimal | None], decimals: Callable[[Decimal | int, Decimal | int], Decimal]
) -> Operation:
    """Int with Int as `ints` does (None: not defined), anything else that converts to numbers as `decimals` does."""

    def operation(left: Value, right: Value) -> Value:
        first, second = number(left), number(right)
        if first is None or second is None:
            return UNDEFINED
        if isinstance(first, int) and isinstance(second, int):
            result = ints(first, second)
            return UNDEFINED if result is None else settle(result)
        return settle(decimals(first, second))

    return operation


def _divide_ints(left: int, right: int) -> int | Decimal | None:
    """Exact where it goes without remainder, else a Decimal; nothing is divided by zero."""
    if right == 0:
        return None
    return left // right if left % right == 0 else PRECISION.divide(left, right)


def _remainder_ints(left: int, right: int) -> int | None:
    """The remainder of truncated division: it has the sign of the dividend."""
    if right == 0:
        return None
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


_sum: Final = _arithmetic(operator.add, PRECISION.add)
subtract: Final = _arithmetic(operator.sub, PRECISION.subtract)
multiply: Final = _arithmetic(operator.mul, PRECISION.multiply)
divide: Final = _arithmetic(_divide_ints, PRECISION.divide)
remainder: Final = _arithmetic(_remainder_ints, PRECISION.remainder)


def negate(value: Value) -> Value:
    """Unary `-`."""
    converted = number(value)
    return UNDEFINED if converted is None else settle(-converted)


ARITHMETIC: Final[dict[str, Operation]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
}

TESTS: Final[dict[str, Operation]] = {
    "=": equal,
    "<>": different,
    "<": _comparison(operator.lt),
    "<=": _comparison(operator.le),
    ">": _comparison(operator.gt),
    ">=": _comparison(operator.ge),
    "IN": member_of,
}
