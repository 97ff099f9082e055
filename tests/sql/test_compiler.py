"""Whole expressions against a naive model: trees of numbers, comparisons and logic, computed in exact fractions."""

from collections.abc import Callable
from fractions import Fraction
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.evaluation import evaluate

from fogbank.sql import UNDEFINED, Event, SqlError, Value, compile_expression, compile_statement, parse
from fogbank.sql.compiler import MAX_DEPTH

PAYLOAD = {"a": 3, "b": -2.5, "c": {"d": 40}, "n": 0}

Number: TypeAlias = tuple[str, Fraction | None]
"""Text and value; None is Undefined."""
Truth: TypeAlias = tuple[str, bool | None]

LEAVES = st.sampled_from(
    [
        ("a", Fraction(3)),
        ("b", Fraction(-5, 2)),
        ("c.d", Fraction(40)),
        ("n", Fraction(0)),
        ("missing", None),
        ("c.missing", None),
        ("7", Fraction(7)),
        ("0.25", Fraction(1, 4)),
        ("1E2", Fraction(100)),
        ("'12'", Fraction(12)),
        ("get(*, 'a')", Fraction(3)),
    ]
)


def combine(left: Number, sign: str, right: Number) -> Number:
    text = f"({left[0]} {sign} {right[0]})"
    if left[1] is None or right[1] is None:
        return text, None
    return text, {"+": left[1] + right[1], "-": left[1] - right[1], "*": left[1] * right[1]}[sign]


NUMBERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        # `+` with a String joins: the model knows numbers alone, so a quoted one is turned into a number before.
        st.builds(
            combine,
            inner.map(lambda n: (f"-(-{n[0]})", n[1])),
            st.sampled_from("+-*"),
            inner.map(lambda n: (f"{n[0]} * 1", n[1])),
        ),
        inner.map(lambda n: (f"-{n[0]}", None if n[1] is None else -n[1])),
    ),
    max_leaves=6,
)

COMPARE: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def compare(left: Number, sign: str, right: Number) -> Truth:
    known = left[1] is not None and right[1] is not None
    return f"{left[0]} {sign} {right[0]}", COMPARE[sign](left[1], right[1]) if known else None  # type: ignore[arg-type]


def both(left: Truth, right: Truth) -> Truth:
    return f"({left[0]}) AND ({right[0]})", right[1] if left[1] is True else left[1]


def either(left: Truth, right: Truth) -> Truth:
    return f"({left[0]}) OR ({right[0]})", right[1] if left[1] is False else left[1]


TRUTHS = st.recursive(
    st.builds(compare, NUMBERS, st.sampled_from(sorted(COMPARE)), NUMBERS),
    lambda inner: st.one_of(
        st.builds(both, inner, inner),
        st.builds(either, inner, inner),
        inner.map(lambda truth: (f"NOT ({truth[0]})", None if truth[1] is None else not truth[1])),
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(NUMBERS)
def test_numbers(number: Number) -> None:
    text, exact = number
    value = evaluate(f"{text} * 1", **PAYLOAD)
    if exact is None:
        assert value is UNDEFINED
    else:
        assert not isinstance(value, (str, list, dict))
        assert value is not UNDEFINED
        assert value is not None
        assert Fraction(value) == exact
        assert isinstance(value, int) is (exact.denominator == 1)


@settings(deadline=None)
@given(TRUTHS)
def test_logic(truth: Truth) -> None:
    text, wanted = truth
    assert evaluate(text, **PAYLOAD) is (UNDEFINED if wanted is None else wanted)
    query = compile_statement(parse(f"SELECT * FROM 't' WHERE {text}", "2016-03-23"))
    event = Event(topic="t", payload=b'{"a":3,"b":-2.5,"c":{"d":40},"n":0}')
    assert query.evaluate(event).fires is query.explain(event).fires is (wanted is True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 4", 3),
        ("(1 + 2) * 3", 9),
        ("2 * 3 % 4", 2),
        ("-2 * -3", 6),
        ("1 < 2 = true", True),
        ("NOT 1 > 2", True),
        ("NOT true OR true", True),
        ("NOT (true OR true)", False),
        ("false AND false OR true", True),
        ("true OR true AND false", True),
        ("1 + 1 IN [2]", True),
        ("NOT 1 IN [2]", True),
        ("'a' + 1 + 2", "a12"),
        ("1 + 2 + 'a'", "3a"),
    ],
)
def test_precedence(text: str, value: Value) -> None:
    assert evaluate(text) == value


def test_depth() -> None:
    assert evaluate("-" * (MAX_DEPTH - 1) + "a", a=5) == -5
    with pytest.raises(SqlError, match="nests deeper"):
        evaluate("-" * MAX_DEPTH + "a", a=5)


def test_names_of_nested_selects() -> None:
    payload = {"a": "outer", "l": [{"a": 1, "l": [{"a": 2}]}], "e": {"a": "object"}}
    assert evaluate("(SELECT VALUE a FROM l)", **payload) == [1]
    assert evaluate("(SELECT VALUE x.a FROM l AS x)", **payload) == [1]
    assert evaluate("(SELECT VALUE missing FROM l)", **payload) == []
    assert evaluate("(SELECT VALUE (SELECT VALUE [x.a, a, y.a] FROM x.l AS y) FROM l AS x)", **payload) == [[[1, 2, 2]]]
    assert evaluate("(SELECT a FROM e)", **payload) == {"a": "object"}
    assert evaluate("(SELECT a FROM e WHERE a = 'x')", **payload) is UNDEFINED
    assert evaluate("(SELECT a FROM a)", **payload) is UNDEFINED
    assert evaluate("(SELECT * FROM l WHERE a > 1)", **payload) == []


def test_each_version_has_its_numbers() -> None:
    event = Event(topic="t", payload=b'{"x": 10.0}')
    values = [
        [str(compile_expression(text, version).evaluate(event)) for version in ("2015-10-08", "2016-03-23")]
        for text in ("x", "x * 1", "5.0", "-5.0", "-x", "abs(x)", "cast(x AS double)")
    ]
    assert values == [
        ["10.0", "10"],
        ["10.0", "10"],
        ["5.0", "5"],
        ["-5.0", "-5"],
        ["-10.0", "-10"],
        ["10.0", "10"],
        ["10.0", "10"],
    ]
