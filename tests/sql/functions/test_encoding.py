"""`encode` and `decode` (developer guide: "Functions", "Working with binary payloads")."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sql.evaluation import evaluate

from fogbank.sql import UNDEFINED, Event, Value, compile_expression

U = UNDEFINED


@given(st.binary(max_size=50))
def test_the_payload_passes_through_base64_byte_for_byte(payload: bytes) -> None:
    value = compile_expression("encode(*, 'base64')", "2016-03-23").evaluate(Event(topic="t", payload=payload))
    assert value == base64.b64encode(payload).decode()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_json_comes_back_from_base64(value: object) -> None:
    assert evaluate("decode(x, 'base64')", x=base64.b64encode(json.dumps(value).encode()).decode()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("encode(5, 'base64')", "NQ=="),
        ("encode({'a': 1}, 'base64')", "eyJhIjoxfQ=="),
        ("encode(null, 'base64')", U),
        ("encode('x', missing)", U),
        ("encode('x', s)", U),
        ("decode('aGk=', 'base64')", "hi"),
        ("decode('NS4w', 'base64')", 5),
        ("decode('/wAB', 'base64')", None),
        ("decode('aGk', 'base64')", "hi"),
        ("decode('a', 'base64')", None),
        ("decode('a!b=', 'base64')", None),
        ("decode('ä', 'base64')", None),
        ("decode(missing, 'base64')", U),
        ("decode('aGk=', s)", U),
        ("decode('aGk=', 'base64', 1)", U),
        ("(SELECT VALUE encode(*, 'base64') FROM l)", ["MQ=="]),
    ],
)
def test_values(text: str, value: Value) -> None:
    actual = evaluate(text, s="rot13", l=[1])
    assert (type(actual), actual) == (type(value), value)
