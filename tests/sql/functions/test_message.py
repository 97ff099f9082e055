"""Functions that tell of the message and its sender; those of topics and MQTT 5 are in `cases/`."""

from fogbank.sql import Chance, Event, MqttProperties, compile_expression, compile_statement, parse, render

CONTEXT = "SELECT principal() AS p, accountid() AS a, sourceip() AS s, traceid() AS t, rand() AS r, clientid() AS c"


def chance(fraction: float) -> Chance:
    return Chance(lambda: "00000000-0000-4000-8000-000000000001", lambda: fraction)


def output(text: str, event: Event) -> bytes | None:
    return compile_statement(parse(text)).evaluate(event).output


def test_context() -> None:
    event = Event(
        topic="t",
        payload=b"",
        principal="ab12",
        account_id="123456789012",
        source_ip="::1",
        trace_id="x-1",
        client_id="",
        mqtt=MqttProperties(),
        chance=chance(0.5),
    )
    assert output(CONTEXT, event) == b'{"p":"ab12","a":"123456789012","s":"::1","t":"x-1","r":0.5,"c":""}'


def test_what_is_not_known_is_undefined_but_for_the_client_id() -> None:
    event = Event(topic="t", payload=b"", chance=chance(0.25))
    assert output(CONTEXT, event) == b'{"p":"","a":"","r":0.25,"c":"n/a"}'


def test_uuids_are_of_version_4_and_differ() -> None:
    expression = compile_expression("newuuid()")
    event = Event(topic="t", payload=b"")
    first, second = render(expression.evaluate(event)), render(expression.evaluate(event))
    assert first != second
    assert (len(first), first[14]) == (36, "4")


def test_chance_is_asked_each_time() -> None:
    fractions = iter([0.1, 0.9])
    event = Event(topic="t", payload=b"", chance=Chance(lambda: "u", lambda: next(fractions)))
    assert output("SELECT rand() AS a, rand() AS b", event) == b'{"a":0.1,"b":0.9}'
