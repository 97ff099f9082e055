"""Mathematical functions (developer guide: "Functions", and "Mathematical functions" there).

Those that keep precision work on Int and Decimal; the transcendental ones compute in double precision, as documented.
"""

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Final

from fogbank.sql.coercion import integer, number
from fogbank.sql.functions.function import Function
from fogbank.sql.operators import remainder
from fogbank.sql.values import DIGITS, PRECISION, UNDEFINED, Value, from_double, settle


def _double(compute: Callable[[float], float]) -> Callable[[Value], Value]:
    """A function of one number in double precision; where it has no real, finite result it is Undefined."""

    def call(value: Value) -> Value:
        argument = number(value)
        if argument is None:
            return UNDEFINED
        try:
            return from_double(compute(float(argument)))
        except (ValueError, ArithmeticError):
            return UNDEFINED

    return call


def _double_of_two(compute: Callable[[float, float], float]) -> Callable[[Value, Value], Value]:
    def call(first: Value, second: Value) -> Value:
        left, right = number(first), number(second)
        if left is None or right is None:
            return UNDEFINED
        try:
            return from_double(compute(float(left), float(right)))
        except (ValueError, ArithmeticError):
            return UNDEFINED

    return call


def _rounding(rounding: str) -> Callable[[Value], Value]:
    """A function to the next Int in one direction."""

    def call(value: Value) -> Value:
        argument = number(value)
        return UNDEFINED if argument is None else integer(argument, rounding)

    return call


def _bits(compute: Callable[[int, int], int]) -> Callable[[Value, Value], Value]:
    """A function of the bits of two Ints; Decimals are floored first."""

    def call(first: Value, second: Value) -> Value:
        left, right = _floored(first), _floored(second)
        return UNDEFINED if left is None or right is None else settle(compute(left, right))

    return call


def _floored(value: Value) -> int | None:
    argument = number(value)
    floored = None if argument is None else integer(argument, ROUND_FLOOR)
    return floored if isinstance(floored, int) else None


def _bitnot(value: Value) -> Value:
    """Two's complement, as everywhere else; the guide's own `bitnot(13) = 2` would be a complement of four bits."""
    argument = _floored(value)
    return UNDEFINED if argument is None else settle(~argument)


def _abs(value: Value) -> Value:
    argument = number(value)
    return UNDEFINED if argument is None else settle(-argument if argument < 0 else argument)


def _sign(value: Value) -> Value:
    argument = number(value)
    return UNDEFINED if argument is None else (argument > 0) - (argument < 0)


def _trunc(value: Value, places: Value) -> Value:
    """Cut after `places` (0 to 34) decimal places, trailing zeros dropped."""
    argument, wanted = number(value), _floored(places)
    if argument is None or wanted is None:
        return UNDEFINED
    if isinstance(argument, int):
        return argument
    unit = Decimal(1).scaleb(-min(max(wanted, 0), DIGITS))
    settled = settle(argument)
    if not isinstance(settled, Decimal) or settled.adjusted() >= DIGITS:
        return settled
    cut = settled.quantize(unit, ROUND_DOWN, _WIDE)
    return int(cut) if cut == cut.to_integral_value() else cut.normalize(PRECISION)


_WIDE: Final = PRECISION.copy()
_WIDE.prec = 2 * DIGITS + 2
"""Room for 34 digits before and after the point."""


def _nanvl(value: Value, default: Value) -> Value:
    """There is no NaN among our values: it comes out as Undefined."""
    return default if value is UNDEFINED or value is None else value


def _power(base: float, exponent: float) -> float:
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError("the result is imaginary")
    return float(result)


FUNCTIONS: Final = (
    Function("abs", _abs, 1, 1),
    Function("acos", _double(math.acos), 1, 1),
    Function("asin", _double(math.asin), 1, 1),
    Function("atan", _double(math.atan), 1, 1),
    Function("atan2", _double_of_two(math.atan2), 2, 2),
    Function("bitand", _bits(int.__and__), 2, 2),
    Function("bitor", _bits(int.__or__), 2, 2),
    Function("bitxor", _bits(int.__xor__), 2, 2),
    Function("bitnot", _bitnot, 1, 1),
    Function("ceil", _rounding(ROUND_CEILING), 1, 1),
    Function("cos", _double(math.cos), 1, 1),
    Function("cosh", _double(math.cosh), 1, 1),
    Function("exp", _double(math.exp), 1, 1),
    Function("floor", _rounding(ROUND_FLOOR), 1, 1),
    Function("ln", _double(math.log), 1, 1),
    Function("log", _double(math.log10), 1, 1),
    Function("mod", remainder, 2, 2),
    Function("nanvl", _nanvl, 2, 2, effort=0),
    Function("power", _double_of_two(_power), 2, 2),
    Function("remainder", remainder, 2, 2),
    Function("round", _rounding(ROUND_HALF_UP), 1, 1),
    Function("sign", _sign, 1, 1),
    Function("sin", _double(math.sin), 1, 1),
    Function("sinh", _double(math.sinh), 1, 1),
    Function("sqrt", _double(math.sqrt), 1, 1),
    Function("tan", _double(math.tan), 1, 1),
    Function("tanh", _double(math.tanh), 1, 1),
    Function("trunc", _trunc, 2, 2),
)
