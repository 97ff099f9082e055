"""Where values differ: the path, and what stands there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.sql import Version
from fogbank.sql.difference import difference
from fogbank.sql.values import from_json

V2015 = Version.V2015_10_08
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ("1", "2", "1 was expected, 2 is there"),
        ("1", '"1"', '1 was expected, "1" is there'),
        ("1", "true", "1 was expected, true is there"),
        ("1.5", "true", "1.5 was expected, true is there"),
        ("null", '""', 'null was expected, "" is there'),
        ("1.5", "1.5000000001", "1.5 was expected, 1.5000000001 is there"),
        ('{"a":{"b":1}}', '{"a":{"b":2}}', "a.b: 1 was expected, 2 is there"),
        ('{"a":{"b":1}}', '{"a":{}}', "a.b: 1 was expected, nothing is there"),
        ('{"a":{}}', '{"a":{"b":1,"c":2}}', "a: nobody expected b, c"),
        ("{}", '{"b":1}', "nobody expected b"),
        ("[1,[2]]", "[1,[3]]", "[1][0]: 2 was expected, 3 is there"),
        ('{"a":[1]}', '{"a":[1,2]}', "a: 1 items were expected, 2 are there"),
        ("{}", "[]", "{} was expected, [] is there"),
        ("10", "10.0", None),
        ("10.0", "10", None),
        ("0.1", "0.1000000000000000055", None),
        ('{"a":1,"b":2}', '{"b":2,"a":1}', None),
    ],
)
def test_differences(expected: str, actual: str, found: str | None) -> None:
    assert difference(from_json(expected, V2015), from_json(actual, V2015)) == found


@pytest.mark.parametrize(
    ("expected", "actual", "agrees"),
    [("23.89", "23.888888", True), ("23.89", "23.895", True), ("23.89", "23.8951", False), ("1E+900", "1E+900", True)],
)
def test_approximately(expected: str, actual: str, agrees: bool) -> None:
    found = difference(from_json(expected, V2015), from_json(actual, V2015), approximate=True)
    assert (found is None) is agrees


@given(JSON, JSON)
def test_equal_values_do_not_differ_and_others_do(one: object, other: object) -> None:
    assert difference(one, one) is None
    assert (difference(one, other) is None) is (difference(other, one) is None)
