"""Mathematical functions (developer guide: "Functions"). Most examples of the guide are in `cases/functions.json`."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sql.evaluation import evaluate

from fogbank.sql import UNDEFINED, Value
from fogbank.sql.functions.maths import FUNCTIONS

U = UNDEFINED
NUMERIC = [function for function in FUNCTIONS if function.name != "nanvl"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("bitand(13, 5)", 5),
        ("bitand(13.9, '5.2')", 5),
        ("bitxor(13, 5)", 8),
        ("bitnot(13)", -14),
        ("bitnot(-1)", 0),
        ("floor(-1.2)", -2),
        ("floor('1.8')", 1),
        ("round(2.5)", 3),
        ("round(-2.5)", -3),
        ("round(2.4999)", 2),
        ("round(1E400)", Decimal("1E+400")),
        ("trunc(2.888, 34)", Decimal("2.888")),
        ("trunc(2.888, -5)", 2),
        ("trunc(2.888, 99)", Decimal("2.888")),
        ("trunc(-2.888, 1)", Decimal("-2.8")),
        ("trunc(2.00, 5)", 2),
        ("trunc(123456789012345678901234567890.129, 2)", Decimal("123456789012345678901234567890.12")),
        ("trunc(1E900, 2)", Decimal("1E+900")),
        ("trunc(5, 2)", 5),
        ("mod(-8, 3)", -2),
        ("remainder(8, 0)", U),
        ("sign(0)", 0),
        ("sign('-0.5')", -1),
        ("abs(-1.5)", Decimal("1.5")),
        ("power(2, 0.5)", Decimal(repr(math.sqrt(2)))),
        ("power(-8, 0.5)", U),
        ("power(10, 400)", U),
        ("power(0, -1)", U),
        ("sqrt(-1)", U),
        ("ln(0)", U),
        ("log(1000)", 3),
        ("ln(10)", Decimal("2.302585092994046")),
        ("exp(10000)", U),
        ("acos(0)", Decimal("1.5707963267948966")),
        ("tanh(2.3)", Decimal(repr(math.tanh(2.3)))),
        ("sin(1E900)", U),
        ("nanvl(null, 'x')", "x"),
        ("nanvl(missing, missing)", U),
        ("nanvl([1], 2)", [1]),
    ],
)
def test_values(text: str, value: Value) -> None:
    actual = evaluate(text)
    assert (type(actual), actual) == (type(value), value)


@pytest.mark.parametrize("function", NUMERIC, ids=lambda function: function.name)
@pytest.mark.parametrize("argument", ["'x'", "true", "[1]", "{'a': 1}", "null", "missing", "'.5'"])
def test_what_is_no_number_is_undefined(function: object, argument: str) -> None:
    name, least = function.name, function.least  # type: ignore[attr-defined]
    assert evaluate(f"{name}({', '.join([argument, *['1'] * (least - 1)])})") is UNDEFINED
    if least == 2:
        assert evaluate(f"{name}(1, {argument})") is UNDEFINED


@given(st.decimals(-1000, 1000, places=6))
def test_rounding_agrees_with_pythons(number: Decimal) -> None:
    assert evaluate("floor(x)", x=float(number)) == math.floor(float(number))
    assert evaluate("ceil(x)", x=float(number)) == math.ceil(float(number))
    nearest = evaluate("round(x)", x=float(number))
    assert isinstance(nearest, int)
    assert abs(nearest - number) <= Decimal("0.5")


@given(st.integers(-(2**60), 2**60), st.integers(-(2**60), 2**60))
def test_bits_agree_with_pythons(a: int, b: int) -> None:
    assert evaluate("[bitand(a, b), bitor(a, b), bitxor(a, b), bitnot(a)]", a=a, b=b) == [a & b, a | b, a ^ b, ~a]
