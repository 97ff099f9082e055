"""JSON as attribute values: what boto3 makes of the same values is the oracle."""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from fogbank.rules.actions.attributes import MAX_DEPTH, NotJson, TooDeep, attribute, read_json

NUMBERS = st.integers(-(10**37), 10**37) | st.decimals(-(10**20), 10**20, places=10)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_they_are_what_boto3_makes_of_them(value: Any) -> None:
    assert attribute(value) == TypeSerializer().serialize(value)
    assert TypeDeserializer().deserialize(attribute(value)) == value


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (b"1.10", Decimal("1.10")),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"1e2", Decimal("1E+2")),
        (b'{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_numbers_are_read_without_loss(document: bytes, value: object) -> None:
    assert read_json(document) == value
    assert str(read_json(document)) == str(value)


@pytest.mark.parametrize(
    "document", [b"", b"{", b"\xff", b"NaN", b'"\\ud800"', b"1" * 5000, b"[" * 5000 + b"]" * 5000, b"{}x"]
)
def test_what_cannot_be_read(document: bytes) -> None:
    with pytest.raises(NotJson):
        read_json(document)


def test_what_nests_too_deep() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    attribute(value)
    with pytest.raises(TooDeep):
        attribute([value])
