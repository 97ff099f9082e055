"""Numbers stay exact, and JSON that could harm is not taken."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.sql import UNDEFINED, Version
from fogbank.sql.values import MAX_DEPTH, Value, from_double, from_json, settle, to_json, whole

V2015, V2016 = Version.V2015_10_08, Version.V2016_03_23


@given(st.integers(-(10**60), 10**60))
def test_ints_pass_exactly(number: int) -> None:
    assert from_json(str(number), V2016) == number
    assert to_json(number) == str(number).encode()


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_pass_exactly_in_2015(number: Decimal) -> None:
    text = str(number)
    if "." not in text and "E" not in text:
        return
    assert str(from_json(text, V2015)) == text
    assert to_json(number) == text.encode()
    value = from_json(text, V2016)
    assert value == number
    assert isinstance(value, int) is (number == number.to_integral_value() and number.adjusted() < 34)


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (Decimal("10.0"), 10),
        (Decimal("-0.0"), 0),
        (Decimal("1E+33"), 10**33),
        (Decimal("1E+34"), Decimal("1E+34")),
        (Decimal("1E+999999999"), Decimal("1E+999999999")),
        (Decimal("10.5"), Decimal("10.5")),
    ],
)
def test_whole(number: Decimal, wanted: Value) -> None:
    assert (type(whole(number)), whole(number)) == (type(wanted), wanted)


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (10**34 - 1, 10**34 - 1),
        (10**34, Decimal("1E+34")),
        (-(10**40) - 1, Decimal("-1E+40")),
        (Decimal("1") / 3, Decimal("1") / 3),
        (Decimal("1E+1000"), UNDEFINED),
        (Decimal("NaN"), UNDEFINED),
        (Decimal("-Infinity"), UNDEFINED),
        ("0.10", Decimal("0.10")),
    ],
)
def test_settle(number: int | Decimal | str, wanted: Value) -> None:
    assert settle(number) == wanted


def test_doubles() -> None:
    assert [from_double(number) for number in (0.1, 2.0, float("nan"), float("inf"))] == [
        *(Decimal("0.1"), Decimal("2.0"), UNDEFINED, UNDEFINED)
    ]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists), st.sampled_from([V2015, V2016]))
def test_json_round_trip(value: object, version: Version) -> None:
    text = json.dumps(value)
    assert from_json(text, version) == value
    assert from_json(text.encode(), version) == value


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_depth(brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    for text in (opening * MAX_DEPTH + "1" + closing * MAX_DEPTH, '"' + r"\"[" * 1000 + '"'):
        assert from_json(text, V2016) is not UNDEFINED
        assert from_json(text.encode(), V2016) is not UNDEFINED
    for depth in (MAX_DEPTH + 1, 100_000):
        assert from_json(opening * depth + "1" + closing * depth, V2016) is UNDEFINED
        assert from_json(opening.encode() * depth, V2016) is UNDEFINED


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"a":1,"b":0,"a":2}', {"a": 2, "b": 0}),
        ('{"a":NaN}', UNDEFINED),
        ("[Infinity]", UNDEFINED),
        ("-Infinity", UNDEFINED),
        ("[1,]", UNDEFINED),
        ("01", UNDEFINED),
        ("1.", UNDEFINED),
        ('"\\ud800"', UNDEFINED),
        ("1e99999999999999999999", UNDEFINED),
        ("1" * 5000, UNDEFINED),
        ("  5  ", 5),
        ("\ufeff5", UNDEFINED),
        ("5 5", UNDEFINED),
        ("", UNDEFINED),
    ],
)
def test_json_of_doubtful_kinds(text: str, wanted: Value) -> None:
    """Of a name that repeats the last one counts; what JSON has no word for makes all of it no JSON."""
    for version in (V2015, V2016):
        assert from_json(text, version) == wanted
        assert from_json(text.encode(), version) == wanted


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3), st.sampled_from(["", "e5", "E-3", "e+0", "e40"]))
def test_reading_whole_numbers_agrees_with_whole(number: Decimal, exponent: str) -> None:
    text = f"{number:f}{exponent}"
    value = from_json(text, V2016)
    assert (type(value), value) == (type(whole(Decimal(text))), whole(Decimal(text)))


def test_undefined_shows_as_such() -> None:
    assert repr(UNDEFINED) == "UNDEFINED"
