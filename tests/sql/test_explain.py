"""Explanations: one sentence that names the smallest clauses that were not true."""

import json

import pytest

from fogbank.sql import Chance, Event, compile_statement, parse

PAYLOAD = {"temperature": 49, "color": "red", "tags": ["a"], "on": True, "o": {"x": None}, "s": "hot"}

EXPLANATIONS = [
    ("temperature > 50", "temperature > 50 was not true: temperature is 49"),
    ("color <> 'red'", "color <> 'red' was not true: color is \"red\""),
    (
        "temperature > 50 AND color <> 'red'",
        "temperature > 50 was not true: temperature is 49; color <> 'red' was not true: color is \"red\"",
    ),
    ("temperature > 40 AND color <> 'red'", "color <> 'red' was not true: color is \"red\""),
    ("temperature > 50 OR on", None),
    (
        "temperature > 50 OR color = 'blue'",
        "temperature > 50 was not true: temperature is 49; color = 'blue' was not true: color is \"red\"",
    ),
    ("missing = 1", "missing = 1 was not true: missing is undefined (not in the payload)"),
    ("o.y.z > 1", "o.y.z > 1 was not true: o.y.z is undefined (not in the payload)"),
    ("o.x > 1", "o.x > 1 was not true: o.x is null, null is not a number"),
    ("missing = 1 OR on", "missing = 1 was not true: missing is undefined (not in the payload)"),
    ("s > 5", 's > 5 was not true: s is "hot", "hot" is not a number'),
    (
        "temperature > limit",
        "temperature > limit was not true: temperature is 49, limit is undefined (not in the payload)",
    ),
    ("a + b > 1", "a + b > 1 was not true: a and b are undefined (not in the payload)"),
    ("temperature * 2 > 100", "temperature * 2 > 100 was not true: temperature * 2 is 98"),
    ("NOT on", "NOT on was not true: on is true"),
    (
        "NOT (on AND temperature < 50)",
        "NOT on was not true: on is true; NOT temperature < 50 was not true: temperature is 49",
    ),
    (
        "NOT (on OR missing)",
        "NOT on was not true: on is true; NOT missing was not true: missing is undefined (not in the payload)",
    ),
    ("topic(9) = 'x'", "topic(9) = 'x' was not true: topic(9) is undefined"),
    ("'b' IN tags", "'b' IN tags was not true: tags is [\"a\"]"),
    ("EXISTS (SELECT * FROM tags AS t WHERE t = 'b')", None),
    ("color", 'color was not true: color is "red"'),
    ("1 > 2", "1 > 2 was not true: 1 > 2 is false"),
    ("isNull(missing)", "isNull(missing) was not true: isNull(missing) is false"),
    ("missing + missing > 1", "missing + missing > 1 was not true: missing is undefined (not in the payload)"),
    (
        " OR ".join(f"temperature = {n}" for n in range(7)),
        "; ".join([*(f"temperature = {n} was not true: temperature is 49" for n in range(5)), "and so on"]),
    ),
    (
        " OR ".join(f"temperature = {n}" for n in range(6)),
        "; ".join([*(f"temperature = {n} was not true: temperature is 49" for n in range(5)), "and so on"]),
    ),
    (
        " OR ".join(f"temperature = {n}" for n in range(5)),
        "; ".join(f"temperature = {n} was not true: temperature is 49" for n in range(5)),
    ),
    ("abs(missing) = 1", "abs(missing) = 1 was not true: missing is undefined (not in the payload)"),
]


def explain(where: str, payload: bytes) -> tuple[bool, str]:
    query = compile_statement(parse(f"SELECT * FROM 't/+' WHERE {where}", "2016-03-23"))
    event = Event(topic="t/1", payload=payload)
    explanation = query.explain(event)
    assert explanation.fires is query.evaluate(event).fires
    return explanation.fires, explanation.sentence


@pytest.mark.parametrize(("where", "sentence"), [pair for pair in EXPLANATIONS if pair[1] is not None])
def test_what_was_not_true(where: str, sentence: str) -> None:
    assert explain(where, json.dumps(PAYLOAD).encode()) == (False, sentence)


def test_what_is_selected_and_not_there() -> None:
    names = ", ".join(f"x{n}" for n in range(9))
    query = compile_statement(parse(f"SELECT *, {names}, abs('x') AS y FROM 't' WHERE on", "2016-03-23"))
    told = "; ".join(f"x{n} is undefined (not in the payload)" for n in range(5))
    assert query.explain(Event(topic="t", payload=b'{"on":true}')).sentence == f"on was true; {told}"
    query = compile_statement(parse("SELECT VALUE abs('x') FROM 't'", "2016-03-23"))
    assert query.explain(Event(topic="t", payload=b"")).sentence == "there is no WHERE clause; abs('x') is undefined"


def test_what_was_true() -> None:
    assert explain("temperature > 50 OR on", json.dumps(PAYLOAD).encode()) == (True, "temperature > 50 OR on was true")


def test_what_chance_decided() -> None:
    fractions = iter([0.9, 0.1, 0.1])
    event = Event(topic="t", payload=b"{}", chance=Chance(lambda: "u", lambda: next(fractions)))
    query = compile_statement(parse("SELECT * FROM 't' WHERE rand() < 0.5 AND true"))
    assert query.explain(event).sentence == "rand() < 0.5 AND TRUE was not true"


def test_payload_that_is_not_json() -> None:
    assert explain("a > 1", b"\xff") == (False, "a > 1 was not true: a is undefined (the payload is not JSON)")


def test_long_values_are_cut() -> None:
    _, sentence = explain("a = 1", json.dumps({"a": "x" * 1000}).encode())
    assert len(sentence) < 200
    assert sentence.endswith("xxx...")


def test_topics() -> None:
    query = compile_statement(parse("SELECT * FROM 't/+'"))
    assert query.explain(Event(topic="t/1", payload=b"")).sentence == "there is no WHERE clause"
    refused = query.explain(Event(topic="t", payload=b""))
    assert (refused.fires, refused.sentence) == (False, "the topic t does not match FROM 't/+'")
    assert query.explain(Event(topic="$aws/rules/r/x", payload=b"")).fires
    assert compile_statement(parse("SELECT *")).explain(Event(topic="t", payload=b"")).fires
