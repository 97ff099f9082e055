"""Queries on events: nothing raises, nothing is kept, output is byte for byte what actions get."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.expressions import EXPRESSIONS, PAYLOADS

from fogbank.sql import (
    UNDEFINED,
    CannedAnswers,
    Chance,
    Event,
    Outcome,
    OutsideFailed,
    SqlError,
    Version,
    compile_expression,
    compile_statement,
    parse,
    render,
)
from fogbank.sql.cases import try_out
from fogbank.sql.nodes import Expression
from fogbank.sql.printer import print_expression
from fogbank.sql.query import Query

V2016 = "2016-03-23"
VERBATIM = (
    "SELECT *, newuuid() AS requestId, clientId() AS clientId, timestamp() AS timestamp, topic(2) AS deviceId, "
    "topic(4) AS sensorId FROM 'device/+/sensor/+/v1' WHERE temperature > 50 AND color <> 'red'"
)


def query(text: str, version: str = V2016) -> Query:
    return compile_statement(parse(text, version))


def event(payload: object = b"", topic: str = "t") -> Event:
    return Event(topic=topic, payload=payload if isinstance(payload, bytes) else json.dumps(payload).encode())


def chance(fraction: float = 0.25) -> Chance:
    return Chance(lambda: "00000000-0000-4000-8000-000000000001", lambda: fraction)


@pytest.mark.parametrize("version", ["2015-10-08", "2016-03-23"])
def test_the_statement_of_first_light(version: str) -> None:
    first_light = query(VERBATIM, version)
    assert first_light.topic_filter == "device/+/sensor/+/v1"
    assert first_light.version == version
    outcome = first_light.evaluate(
        Event(
            topic="device/d1/sensor/s1/v1",
            payload=b'{"temperature": 51, "color": "blue"}',
            client_id="d1",
            timestamp_ms=1700000000000,
            chance=chance(),
        )
    )
    assert outcome == Outcome(
        True,
        b'{"temperature":51,"color":"blue","requestId":"00000000-0000-4000-8000-000000000001","clientId":"d1",'
        b'"timestamp":1700000000000,"deviceId":"d1","sensorId":"s1"}',
    )
    assert first_light.evaluate(event({"temperature": 49, "color": "blue"})) == Outcome(False)
    assert first_light.evaluate(event({"temperature": 51, "color": "red"})) == Outcome(False)


@settings(max_examples=300, deadline=None)
@given(expression=EXPRESSIONS, payload=PAYLOADS, version=st.sampled_from(["2015-10-08", V2016]))
def test_nothing_raises_once_it_compiles(expression: Expression, payload: bytes, version: str) -> None:
    text = print_expression(expression)
    try:
        whole = query(f"SELECT *, {text} AS r FROM 't' WHERE {text} OR true", version)
        alone = query(f"SELECT VALUE ({text}) FROM 't'", version)
        template = compile_expression(text, version)
    except SqlError:
        return
    message = event(payload)
    known = CannedAnswers(dict.fromkeys(whole.asks, b'{"a":1}'), Version(version))
    explained, outcome = try_out(whole, message, known)
    assert outcome.fires is explained.fires
    assert explained.sentence
    json.loads(outcome.output or b"{}")
    try:
        assert alone.evaluate(message, known).fires
        assert isinstance(render(template.evaluate(message, known)), str)
    except OutsideFailed:
        assert whole.asks
    assert message.payload == payload


@pytest.mark.parametrize("operator", ["AND", "OR", "+", "=", "<", "*"])
def test_rows_of_operators_may_be_long(operator: str) -> None:
    """They nest as deep as they are long, but nothing follows them down: neither compiler, printer nor explanation."""
    row = f" {operator} ".join(["a"] * 5000)
    long = query(f"SELECT {row} AS r FROM 't' WHERE {row}")
    outcome = long.evaluate(event({"a": True}))
    explained = long.explain(event({"a": True}))
    assert explained.fires is outcome.fires is (operator in ("AND", "OR", "="))
    assert explained.sentence.startswith(f"a {operator} a {operator}")
    assert "a is 5" in long.explain(event({"a": 5})).sentence
    assert "a is undefined (not in the payload)" in long.explain(event({})).sentence
    assert len(explained.sentence) < 500


@pytest.mark.parametrize("version", ["2015-10-08", V2016])
def test_a_row_of_operators_is_what_its_steps_are(version: str) -> None:
    steps = "a + b + s", "(a + b) + s", "((a) + b) + s", "get_or_default(a + b) + s"
    for text in steps if version == V2016 else steps[:-1]:
        output = query(f"SELECT {text} AS r FROM 't'", version).evaluate(event(b'{"a":0.5,"b":0.5,"s":"x"}')).output
        assert output == (b'{"r":"1x"}' if version == V2016 else b'{"r":"1.0x"}')


def test_undefined_alone_has_no_output() -> None:
    assert query("SELECT VALUE missing FROM 't'").evaluate(event({})) == Outcome(True, None)
    assert query("SELECT VALUE n FROM 't'").evaluate(event({"n": None})) == Outcome(True, b"null")


@pytest.mark.parametrize(
    ("where", "fires"),
    [
        ("true", True),
        ("'true'", False),
        ("1", False),
        ("missing", False),
        ("null", False),
        ("flag", True),
        ("flag AND 'TRUE'", True),
        ("NOT missing", False),
    ],
)
def test_only_true_fires(where: str, fires: bool) -> None:
    assert query(f"SELECT * FROM 't' WHERE {where}").evaluate(event({"flag": True})).fires is fires


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"[" * 300 + b"]" * 300,
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b"1e99999999999999999999",
        b"1" * 10_000,
        b"NaN",
        b'"\\ud800"',
    ],
)
def test_what_is_not_json_passes_as_it_is(payload: bytes) -> None:
    message = event(payload)
    assert query("SELECT * FROM 't'").evaluate(message) == Outcome(True, payload)
    assert query("SELECT * FROM 't' WHERE a > 1").evaluate(message) == Outcome(False)
    assert query("SELECT a, 1 AS b FROM 't'").evaluate(message) == Outcome(True, b'{"b":1}')


def test_many_brackets_in_strings_are_not_deep() -> None:
    payload = b'{"a":"' + b'[{\\"' * 500 + b'"}'
    assert query("SELECT length(a) AS n FROM 't'").evaluate(event(payload)) == Outcome(True, b'{"n":1500}')


def test_expressions_see_the_payload_and_the_variables_of_their_statement() -> None:
    statement = parse("SET @v = a * 2 SELECT b AS c FROM 't'", V2016)
    message = event({"a": 4, "b": "x"})
    assert compile_expression("@v + 1", V2016, statement=statement).evaluate(message) == 9
    assert compile_expression("c", V2016, statement=statement).evaluate(message) is UNDEFINED
    with pytest.raises(SqlError, match="@v is not assigned"):
        compile_expression("@v", V2016)
    with pytest.raises(SqlError, match="unexpected '}'; expected an operator"):
        compile_expression("a }", V2016)


def test_variables_larger_than_128_kib_together_are_undefined() -> None:
    doubling = (
        "SET @a = x, @b = @a + @a, @c = @b + @b SELECT length(@a) AS a, length(@b) AS b, length(@c) AS c FROM 't'"
    )
    assert query(doubling).evaluate(event({"x": "x" * 30_000})).output == b'{"a":30000,"b":60000}'


def test_what_piles_up_too_deep_neither_fires_nor_raises() -> None:
    piled = "SET @a = " + "[" * 90 + "1" + "]" * 90
    for name, before in zip("bcdefghij", "abcdefghi", strict=True):
        piled += f", @{name} = " + "[" * 90 + f"@{before}" + "]" * 90
    deep = query(f"{piled} SELECT @j AS r FROM 't' WHERE @j = @j")
    why = "what the statement makes of the message nests too deep"
    assert deep.evaluate(event()) == Outcome(False, failure=why)
    assert deep.explain(event()).sentence == why
    aliases = query(f"SELECT 1 AS {'.'.join(['a'] * 5000)} FROM 't'")
    assert aliases.evaluate(event()) == Outcome(False, failure=why)
    assert isinstance(render(compile_expression("@j", V2016, statement=deep.statement).evaluate(event())), str)
    assert compile_expression("@j = @j", V2016, statement=deep.statement).evaluate(event()) is UNDEFINED


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (UNDEFINED, ""),
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (Decimal("1.50"), "1.50"),
        ("a b", "a b"),
        ([1, "x"], '[1,"x"]'),
        ({"a": None}, '{"a":null}'),
    ],
)
def test_render(value: object, text: str) -> None:
    assert render(value) == text  # type: ignore[arg-type]
