"""The operators against a naive model of exact fractions, and the table of the developer guide."""

import operator
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.sql import UNDEFINED
from fogbank.sql.operators import ARITHMETIC, TESTS, negate
from fogbank.sql.values import DIGITS, Value

INTS = st.integers(-(10**15), 10**15)
DECIMALS = st.decimals(-(10**9), 10**9, places=4, allow_nan=False)
NUMBERS = INTS | DECIMALS
SCALARS = st.none() | st.booleans() | INTS | DECIMALS | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
)
VALUES = JSON | st.just(UNDEFINED)


def close(value: Value, exact: Fraction) -> bool:
    """Whether `value` is `exact` rounded to 34 digits."""
    assert isinstance(value, (int, Decimal))
    return abs(Fraction(value) - exact) <= abs(exact) * Fraction(1, 10 ** (DIGITS - 1))


@given(NUMBERS, NUMBERS, st.sampled_from(["+", "-", "*", "/", "%"]))
def test_arithmetic_is_exact_to_34_digits(left: int | Decimal, right: int | Decimal, sign: str) -> None:
    a, b = Fraction(left), Fraction(right)
    value = ARITHMETIC[sign](left, right)
    if b == 0 and sign in "/%":
        assert value is UNDEFINED
        return
    model: dict[str, Callable[[], Fraction]] = {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "/": lambda: a / b,
        "%": lambda: a - b * (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1),
    }
    exact = model[sign]()
    assert close(value, exact)
    if isinstance(left, int) and isinstance(right, int) and (sign != "/" or exact.denominator == 1):
        assert type(value) is int


@given(NUMBERS, NUMBERS)
def test_comparison_is_of_numbers(left: int | Decimal, right: int | Decimal) -> None:
    model = {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "=": operator.eq,
        "<>": operator.ne,
    }
    for sign, compare in model.items():
        assert TESTS[sign](left, right) is compare(Fraction(left), Fraction(right))
        if sign not in ("=", "<>"):
            assert TESTS[sign](str(left), right) is compare(Fraction(left), Fraction(right))


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    return "number" if isinstance(value, (int, Decimal)) else type(value).__name__


def model_equal(left: Any, right: Any) -> bool:
    if kind(left) != kind(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(model_equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        return sorted(left) == sorted(right) and all(model_equal(left[name], right[name]) for name in left)
    return bool(left == right)


@given(VALUES, VALUES)
def test_equality_is_of_type_and_value(left: Value, right: Value) -> None:
    if left is UNDEFINED or right is UNDEFINED:
        assert TESTS["="](left, right) is UNDEFINED
        assert TESTS["<>"](left, right) is UNDEFINED
    else:
        assert TESTS["="](left, right) is model_equal(left, right)
        assert TESTS["<>"](left, right) is not model_equal(left, right)


@given(JSON, st.lists(JSON, max_size=3))
def test_in_is_equality_with_any(value: Value, array: list[Any]) -> None:
    assert TESTS["IN"](value, array) is any(model_equal(value, item) for item in array)
    assert TESTS["IN"](value, [*array, value]) is True


@given(VALUES, VALUES, st.sampled_from([*ARITHMETIC, *TESTS]))
def test_undefined_stays_undefined(left: Value, right: Value, sign: str) -> None:
    operation = (ARITHMETIC | TESTS)[sign]
    assert operation(UNDEFINED, right) is UNDEFINED
    assert operation(left, UNDEFINED) is UNDEFINED


@given(NUMBERS)
def test_negation(number: int | Decimal) -> None:
    assert negate(number) == -number
    assert negate(str(number)) == -number


# The developer guide's page "Operators", row by row: left, operator, right, result.
TABLE: list[tuple[Value, str, Value, Value]] = [
    (3, "+", 4, 7),
    (3, "+", Decimal("2.5"), Decimal("5.5")),
    ("a", "+", 1, "a1"),
    (Decimal("1.50"), "+", "a", "1.50a"),
    ("10", "+", 1, "101"),
    (True, "+", "a", "truea"),
    ([1], "+", "a", "[1]a"),
    ({"a": 1}, "+", "a", '{"a":1}a'),
    (True, "+", 1, UNDEFINED),
    ([1], "+", [2], UNDEFINED),
    (None, "+", 1, UNDEFINED),
    (None, "+", "a", UNDEFINED),
    ("10", "-", 4, Decimal(6)),
    ("1E1", "*", "2", Decimal(20)),
    ("abc", "*", 2, UNDEFINED),
    (None, "*", 2, UNDEFINED),
    (True, "-", 1, UNDEFINED),
    (7, "/", 2, Decimal("3.5")),
    (8, "/", 2, 4),
    (-7, "/", 2, Decimal("-3.5")),
    (-7, "%", 3, -1),
    (7, "%", -3, 1),
    (Decimal("-8.5"), "%", 3, Decimal("-2.5")),
    (1, "/", 0, UNDEFINED),
    (Decimal(1), "/", 0, UNDEFINED),
    (1, "%", 0, UNDEFINED),
    (Decimal("9E999"), "*", 10, UNDEFINED),
    (10**33, "*", 10, Decimal("1E+34")),
    ("10", ">", 9, True),
    ("10", ">", "9", True),
    ("b", ">", "a", UNDEFINED),
    (True, ">", False, UNDEFINED),
    (None, "<=", None, UNDEFINED),
    ([1], "<", [2], UNDEFINED),
    (1, "=", Decimal("1.0"), True),
    (1, "=", True, False),
    (0, "=", False, False),
    (5, "=", "5", False),
    (5, "<>", "5", True),
    (None, "=", None, True),
    (None, "<>", None, False),
    (None, "<>", 3, True),
    ([1, 2], "=", [1, Decimal("2.0")], True),
    ([1], "=", [True], False),
    ({"a": 1, "b": 2}, "=", {"b": 2, "a": 1}, True),
    (1, "IN", [1], True),
    (1, "IN", "1", UNDEFINED),
    (1, "IN", {"1": 1}, UNDEFINED),
]


@pytest.mark.parametrize(("left", "sign", "right", "result"), TABLE)
def test_table(left: Value, sign: str, right: Value, result: Value) -> None:
    value = (ARITHMETIC | TESTS)[sign](left, right)
    assert (type(value), value) == (type(result), result)


def test_joined_strings_are_bounded() -> None:
    longest = "x" * (1024 * 1024)
    assert ARITHMETIC["+"](longest, "") == longest
    assert ARITHMETIC["+"](longest, "x") is UNDEFINED
