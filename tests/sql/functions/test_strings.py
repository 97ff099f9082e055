"""Functions on strings (developer guide: "Functions"). Most examples of the guide are in `cases/functions.json`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sql.evaluation import evaluate

from fogbank.sql import UNDEFINED, Value

U = UNDEFINED


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("chr(65)", "A"),
        ("chr('65.9')", "A"),
        ("chr(-1)", U),
        ("chr(128)", U),
        ("chr(1E900)", U),
        ("concat(1)", 1),
        ("concat(1, 2)", U),
        ("concat('a', null)", U),
        ("concat('a', missing)", U),
        ("concat([1], missing)", U),
        ("concat([1], null)", [1, None]),
        ("concat('a', true, {'b': 1})", 'atrue{"b":1}'),
        ("startswith('cat', 'ca')", True),
        ("startswith(123, 12)", True),
        ("endswith('cat', null)", U),
        ("indexof('abcd', 'cd')", 2),
        ("indexof('abcd', '')", 0),
        ("length('€')", 1),
        ("numbytes('€')", 3),
        ("lower(['HELLO'])", '["hello"]'),
        ("lpad('a', 2.9)", "  a"),
        ("rpad('a', -1)", "a"),
        ("length(lpad('a', 5000))", 1001),
        ("lpad('a', 1E900)", " " * 1000 + "a"),
        ("trim(x)", "a\nb"),
        ("ltrim(x)", "a\nb \t"),
        ("rtrim(x)", " \ta\nb"),
        ("replace('a.b.c', '.', '-')", "a-b-c"),
        ("replace('abc', '', '-')", "-a-b-c-"),
        ("replace(121, 1, 3)", "323"),
        ("substring('012345', '2.745')", "2345"),
        ("substring('012345', -5, 2)", "01"),
        ("substring('012345', 4, 1E900)", "45"),
        ("substring('012345', 9)", ""),
        ("substring('012345', 'x')", U),
        ("upper(null)", U),
        ("upper(missing)", U),
    ],
)
def test_values(text: str, value: Value) -> None:
    actual = evaluate(text, x=" \ta\nb \t")
    assert (type(actual), actual) == (type(value), value)


@given(st.text(max_size=8), st.integers(-3, 12), st.integers(-3, 12))
def test_substring_agrees_with_a_naive_one(text: str, start: int, end: int) -> None:
    naive = "".join(character for at, character in enumerate(text) if start <= at < end)
    assert evaluate("substring(s, a, b)", s=text, a=start, b=end) == naive


def test_what_grows_without_bound_is_undefined() -> None:
    long = "x" * 100_000
    assert evaluate("replace(s, 'x', 'yyyyyyyyyyy')", s=long) is UNDEFINED
    assert evaluate("concat(s, s, s, s, s, s, s, s, s, s, s)", s=long) is UNDEFINED
    assert evaluate("length(concat(s, s))", s=long) == 200_000
