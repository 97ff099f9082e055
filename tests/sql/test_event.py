"""Events: one payload, parsed once for each kind of numbers, however many rules look at it."""

import pytest

from fogbank.sql import UNDEFINED, Event, Version, compile_statement, parse


def output(text: str, event: Event, version: str = "2016-03-23") -> bytes | None:
    return compile_statement(parse(text, version)).evaluate(event).output


def test_the_payload_is_parsed_once_for_many_rules() -> None:
    event = Event(topic="t", payload=b'{"a": {"b": 1}, "l": 10.0}')
    first = event.value(Version.V2016_03_23)
    assert output("SELECT *, 1 AS a.c", event) == b'{"a":{"b":1,"c":1},"l":10}'
    assert output("SELECT a.b AS b, 'x' AS a.b", event) == b'{"b":1,"a":{"b":"x"}}'
    assert event.value(Version.V2016_03_23) is event.value(Version.BETA) is first
    assert first == {"a": {"b": 1}, "l": 10}
    assert output("SELECT *", event, "2015-10-08") == b'{"a":{"b":1},"l":10.0}'
    assert event.value(Version.V2015_10_08) is not first


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b'{"a":"\xff"}', b"NaN", b"'a'"])
def test_what_is_not_json_is_undefined(payload: bytes) -> None:
    assert Event(topic="t", payload=payload).value(Version.V2016_03_23) is UNDEFINED


@pytest.mark.parametrize(
    ("topic", "basic_ingest", "visible"),
    [
        ("a/b", False, "a/b"),
        ("$aws/things/x", False, "$aws/things/x"),
        ("$aws/rules/r/Buildings/B5", True, "Buildings/B5"),
        ("$aws/rules/r", True, ""),
        ("$aws/rules/r/", True, ""),
    ],
)
def test_basic_ingest_hides_its_prefix(topic: str, basic_ingest: bool, visible: str) -> None:
    event = Event(topic=topic, payload=b"")
    assert (event.basic_ingest, event.visible_topic) == (basic_ingest, visible)
