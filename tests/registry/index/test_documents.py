"""The forms that words and numbers have in the engine: in order, reversible, and of characters that mean nothing."""

import math
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fogbank.registry.index import documents as lay
from fogbank.registry.index.entry import ThingEntry

numbers = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)


@given(numbers, numbers)
def test_numbers_sort_as_they_are(one: float, other: float) -> None:
    first, second = lay.rank(one), lay.rank(other)
    assert (first < second, first == second) == (one < other, one == other)
    assert -(2**63) <= first < 2**63
    assert (lay.spelled_number(one) == lay.spelled_number(other)) == (one == other)


def test_numbers_at_the_edges() -> None:
    values = [-1.7e308, -1.0, -5e-324, 0.0, 5e-324, 1.0, math.nextafter(1, 2), 1.7e308]
    assert sorted(values, key=lay.rank) == values
    assert lay.rank(-0.0) == lay.rank(0.0)


@given(st.text(min_size=1), st.text(min_size=1))
def test_words_sort_as_they_are_and_come_back(one: str, other: str) -> None:
    first, second = lay.ordered(one), lay.ordered(other)
    assert (first < second) == (one.encode() < other.encode())
    assert lay.unordered(first) == one
    assert lay.FIRST_WORD < first < lay.AFTER_WORDS
    assert first.isalnum()


@given(st.text(), st.text())
def test_names_of_fields_stay_apart_and_mean_nothing(one: str, other: str) -> None:
    assert (lay.column(one) == lay.column(other)) == (one == other)
    assert lay.column(one).isalnum()
    assert len({lay.column(one), lay.latitude(one), lay.longitude(one)}) == 3


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(2**64, 2**80) | st.just(10**400) | numbers | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), ANYTHING, max_size=4))
def test_whatever_a_shadow_may_hold_can_be_indexed(state: dict[str, Any]) -> None:
    """One that could not would keep all others waiting."""
    shadow = {"state": {"reported": state}, "metadata": {}, "version": 1}
    entry = ThingEntry(name="t", id="1", stamp="s", version=1, shadows={None: shadow, "named": shadow})
    lay.document(entry)
    assert msgspec.msgpack.decode(lay.packed(entry), type=ThingEntry).shadows.keys() == {None, "named"}
