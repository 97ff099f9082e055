from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.policy.conditions import Condition, parse_operator
from fogbank.policy.variables import Values, Variables, parse_template


def holds(operator: str, expected: str | list[str], values: Values, key: str = "k") -> bool:
    listed = [expected] if isinstance(expected, str) else expected
    templates = tuple(parse_template(value, variables=True) for value in listed)
    return Condition(parse_operator(operator), key, templates).holds(Variables(values))


@pytest.mark.parametrize(
    ("operator", "expected", "requested", "result"),
    [
        ("StringEquals", "a*", "a*", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a", "A", False),
        ("StringEqualsIgnoreCase", "aB", "Ab", True),
        ("StringEqualsIgnoreCase", "a", "b", False),
        ("StringLike", "a*/?", "abc/d", True),
        ("StringLike", "a*", "Ab", False),
        ("StringLike", "a${*}", "ab", False),
        ("NumericEquals", "10", "1e1", True),
        ("NumericEquals", "9007199254740993", "9007199254740992", False),
        ("NumericEquals", "1", "x", False),
        ("NumericEquals", "1", "٣", False),
        ("NumericLessThan", "3", "2.5", True),
        ("NumericLessThan", "3", "3", False),
        ("NumericLessThanEquals", "3", "3", True),
        ("NumericGreaterThan", "3", "10", True),
        ("NumericGreaterThan", "3", "-10", False),
        ("NumericGreaterThanEquals", "3", "3.0", True),
        ("DateEquals", "2020-01-01T00:00:00Z", "1577836800", True),
        ("DateEquals", "2020-01-01", "2020-01-01T01:00:00+01:00", True),
        ("DateLessThan", "2020-01-01", "2019-12-31T23:59:59Z", True),
        ("DateLessThan", "2020-01-01", "2020-01-01", False),
        ("DateLessThanEquals", "2020-01-01", "2020-01-01", True),
        ("DateGreaterThan", "2020-01-01", "2020-01-02", True),
        ("DateGreaterThan", "2020-01-01", "yesterday", False),
        ("DateGreaterThanEquals", "2020-01-01", "2020-01-01", True),
        ("Bool", "true", "True", True),
        ("Bool", "false", "true", False),
        ("Bool", "false", "0", False),
        ("BinaryEquals", "QUJD", "QUJD", True),
        ("BinaryEquals", "QUJD", "QUJE", False),
        ("IpAddress", "203.0.113.0/24", "203.0.113.7", True),
        ("IpAddress", "203.0.113.0/24", "203.0.114.7", False),
        ("IpAddress", "203.0.113.7", "203.0.113.7", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "2001:db8::/32", "203.0.113.7", False),
        ("IpAddress", "0.0.0.0/0", "::1", False),
        ("IpAddress", "0.0.0.0/0", "nowhere", False),
        ("ArnEquals", "arn:aws:iot:*:1:topic/my/*", "arn:aws:iot:r:1:topic/my/will", True),
        ("ArnLike", "arn:aws:iot:r:1:topic/a:?", "arn:aws:iot:r:1:topic/a:b", True),
        ("ArnLike", "arn:aws:*:topic/my", "arn:aws:iot:r:1:topic/my", False),
        ("ArnLike", "*", "arn:aws:iot:r:1:topic/my", False),
        ("ArnLike", "arn:aws:iot:r:1:*", "nonsense", False),
    ],
)
def test_comparisons(operator: str, expected: str, requested: str, result: bool) -> None:
    """IAM user guide, reference_policies_elements_condition_operators."""
    assert holds(operator, expected, {"k": requested}) is result


NEGATIONS = [
    ("StringEquals", "StringNotEquals"),
    ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    ("StringLike", "StringNotLike"),
    ("NumericEquals", "NumericNotEquals"),
    ("DateEquals", "DateNotEquals"),
    ("IpAddress", "NotIpAddress"),
    ("ArnEquals", "ArnNotEquals"),
    ("ArnLike", "ArnNotLike"),
]
ANY_VALUE = st.sampled_from(["1", "2", "10.0.0.1", "10.0.0.2", "arn:aws:iot:r:1:topic/a", "arn:aws:iot:r:1:topic/b"])
EXPECTED = {"N": ["1", "2"], "D": ["1", "2"], "I": ["10.0.0.0/31"], "A": ["arn:aws:iot:*:1:topic/a"], "S": ["1", "a*"]}


@given(st.sampled_from(NEGATIONS), ANY_VALUE)
def test_a_negated_operator_is_the_opposite_of_its_plain_one(names: tuple[str, str], requested: str) -> None:
    plain, negated = names
    expected = EXPECTED[plain[0]]
    assert holds(negated, expected, {"k": requested}) is not holds(plain, expected, {"k": requested})


@pytest.mark.parametrize(
    ("operator", "result"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("NotIpAddress", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("NumericLessThan", False),
        ("NumericLessThanIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
    ],
)
def test_a_missing_key(operator: str, result: bool) -> None:
    assert holds(operator, "1" if "Ip" not in operator else "10.0.0.1", {}) is result


def test_if_exists_is_plain_where_it_does() -> None:
    assert holds("StringEqualsIfExists", "1", {"k": "1"})
    assert not holds("StringEqualsIfExists", "1", {"k": "2"})
    assert not holds("StringNotEqualsIfExists", "1", {"k": "1"})


def test_null_asks_whether_the_key_is_missing() -> None:
    assert holds("Null", "true", {})
    assert not holds("Null", "true", {"k": "v"})
    assert holds("Null", "false", {"k": "v"})
    assert not holds("Null", "false", {})


def test_one_of_several_expected_values_is_enough() -> None:
    assert holds("StringEquals", ["a", "b"], {"k": "b"})
    assert not holds("StringNotEquals", ["a", "b"], {"k": "b"})
    assert holds("StringNotEquals", ["a", "b"], {"k": "c"})
    assert not holds("StringEquals", [], {"k": "b"})


def test_variables_in_expected_values() -> None:
    values: dict[str, Any] = {"k": "lamp", "iot:ClientId": "lamp", "star": "*"}
    assert holds("StringEquals", "${iot:ClientId}", values)
    assert not holds("StringLike", "${star}", values)
    assert not holds("StringEquals", "${missing}", values)
    assert not holds("StringNotEquals", "${missing}", values), "what cannot be told apart is not different"
    assert not holds("StringNotEquals", ["x", "${missing}"], values)
    assert holds("StringEquals", ["lamp", "${missing}"], values)
    assert not holds("NumericEquals", "${iot:ClientId}", values | {"k": "1"})
    assert not holds("NumericNotEquals", "${iot:ClientId}", values | {"k": "1"})


def test_keys_are_not_case_sensitive() -> None:
    assert holds("StringEquals", "a", {"iot:Domainname": "a"}, key="IOT:DomainName")


PC, LW = "PersistentConnect", "LastWill"
SETS = [list(one) for one in chain.from_iterable(combinations((PC, LW), size) for size in range(3))]


@pytest.mark.parametrize(
    ("operator", "expected", "allowed"),
    [
        ("ForAllValues:StringEquals", [PC], [[], [PC]]),
        ("ForAllValues:StringEquals", [PC, LW], SETS),
        ("ForAllValues:StringEquals", [LW], [[], [LW]]),
        ("ForAllValues:StringEquals", [], [[]]),
        ("ForAllValues:StringNotEquals", [PC], [[], [LW]]),
        ("ForAnyValue:StringEquals", [PC], [[PC], [PC, LW]]),
    ],
)
def test_connect_attributes(operator: str, expected: list[str], allowed: list[list[str]]) -> None:
    """Developer guide, connect-policy: persistent sessions and Last Will."""
    found = [one for one in SETS if holds(operator, expected, {"k": one})]
    assert found == allowed
