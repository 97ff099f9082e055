"""AND, OR and comparisons with constants: as quick as they are, they say what the general operators say."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.sql import UNDEFINED, Event, Value, Version
from fogbank.sql.coercion import truth
from fogbank.sql.logic import against, conjunction, disjunction
from fogbank.sql.operators import TESTS
from fogbank.sql.scope import Evaluate, Scope

SCOPE = Scope(Event(topic="t", payload=b""), Version.V2016_03_23, UNDEFINED)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([UNDEFINED, None, True, False, "true", "FALSE", "1", "a", "", [], [1], {}, {"a": 1}]),
    st.integers(-2, 2),
    st.sampled_from([Decimal("1.0"), Decimal("0.5"), Decimal("-2.00")]),
)


def constant(value: Value) -> Evaluate:
    return lambda _: value


def watched(values: list[Value]) -> tuple[list[Value], list[Evaluate]]:
    """Parts with these values, and the list of those that were looked at."""
    looked_at: list[Value] = []

    def part(value: Value) -> Evaluate:
        def look(_: Scope) -> Value:
            looked_at.append(value)
            return value

        return look

    return looked_at, list(map(part, values))


@given(st.sampled_from([*TESTS]), VALUES, VALUES)
def test_a_comparison_with_a_constant_is_a_comparison(name: str, left: Value, right: Value) -> None:
    test = against(name, constant(left), right)
    if test is not None:
        actual, wanted = test(SCOPE), TESTS[name](left, right)
        assert (type(actual), actual) == (type(wanted), wanted)


@pytest.mark.parametrize(
    ("name", "right", "is_quick"),
    [
        *((name, right, True) for name in ("=", "<>", "<", "<=", ">", ">=") for right in (1, Decimal("1.5"))),
        *((name, "a", name in ("=", "<>")) for name in TESTS),
        *((name, right, False) for name in TESTS for right in (True, None, UNDEFINED)),
        ("IN", 1, False),
    ],
)
def test_which_constants_have_a_quick_comparison(name: str, right: Value, is_quick: bool) -> None:
    assert (against(name, constant(1), right) is not None) is is_quick


@given(st.lists(VALUES, min_size=2, max_size=4))
def test_and_stops_at_the_first_that_is_not_true(values: list[Value]) -> None:
    looked_at, parts = watched(values)
    truths = list(map(truth, values))
    stop = next((at for at, value in enumerate(truths) if value is not True), len(values) - 1)
    assert conjunction(parts)(SCOPE) is truths[stop]
    assert looked_at == values[: stop + 1]


@given(st.lists(VALUES, min_size=2, max_size=4))
def test_or_stops_at_the_first_that_is_not_false(values: list[Value]) -> None:
    looked_at, parts = watched(values)
    truths = list(map(truth, values))
    stop = next((at for at, value in enumerate(truths) if value is not False), len(values) - 1)
    assert disjunction(parts)(SCOPE) is truths[stop]
    assert looked_at == values[: stop + 1]
