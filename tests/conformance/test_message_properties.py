"""What a PUBLISH of MQTT 5 bears besides its payload: chapter 3.3.2.3."""

from typing import Any

import pytest
from tests.conformance import packets
from tests.conformance.conftest import NewClient, Pause
from tests.conformance.packets import V3, V5, Kind, frame, properties, string
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds

ALL: dict[str, Any] = {
    "payload_format_indicator": 1,
    "content_type": "text/plain; charset=\ufeffütf",
    "response_topic": "answers/ここ",
    "correlation_data": bytes(range(256)),
    "user_property": [("z", "1"), ("a", ""), ("", "2"), ("z", "1"), ("ñ", "\U0001f9a9")],
}


@holds(v5="3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-18 3.3.2-20 1.5.7-1 1.5.4-3")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_properties_are_passed_on_unaltered(new: NewClient, name: str, qos: int) -> None:
    watcher, publisher = new(V5).connect(), new(V5).connect()
    watcher.subscribe(name, qos=2)
    publisher.publish(name, b"text", qos, **ALL)
    assert watcher.message().properties == ALL
    for one in ALL:
        publisher.publish(name, b"text", qos, **{one: ALL[one]})
        assert watcher.message().properties == {one: ALL[one]}
    publisher.publish(name, b"text", qos, payload_format_indicator=0)
    assert watcher.message().properties in ({"payload_format_indicator": 0}, {})  # 0 is the same as none


@holds(v5="3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-20")
def test_properties_are_stored_with_what_waits_and_what_is_retained(new: NewClient, name: str) -> None:
    watcher = new(V5).connect(name, **lasting(V5))
    watcher.subscribe(name, qos=1)
    watcher.disconnect()
    new(V5).connect().publish(name, b"text", 1, retain=True, **ALL)
    assert new(V5).connect(name, **lasting(V5)).message().properties == ALL
    later = new(V5).connect()
    later.subscribe(name)
    assert later.message().properties == ALL


def test_a_client_of_3_1_1_gets_the_message_without_them(new: NewClient, name: str) -> None:
    watcher = new(V3).connect()
    watcher.subscribe(name)
    new(V5).connect().publish(name, b"text", **ALL)
    assert watcher.message().payload == b"text"


@holds(v5="3.3.2-6")
def test_the_time_left_is_passed_on(new: NewClient, name: str) -> None:
    watcher, publisher = new(V5).connect(), new(V5).connect()
    watcher.subscribe(name)
    publisher.publish(name, message_expiry_interval=100)
    assert watcher.message().properties["message_expiry_interval"] in (99, 100)
    publisher.publish(name)
    assert "message_expiry_interval" not in watcher.message().properties


@holds(v5="3.3.2-5 3.3.2-6 4.3.3-7 4.3.3-13")
def test_what_waits_too_long_is_deleted(new: NewClient, name: str, pause: Pause) -> None:
    """But not what was on its way already, whatever its time."""
    watcher = new(V5).connect(name, **lasting(V5))
    watcher.subscribe(name, qos=2)
    publisher = new(V5).connect()
    publisher.publish(name, b"begun", 2, message_expiry_interval=1)
    begun = watcher.expect(Kind.PUBLISH)
    watcher.disconnect()
    publisher.publish(name, b"short", 2, message_expiry_interval=1)
    publisher.publish(name, b"long", 2, message_expiry_interval=100)
    publisher.publish(name, b"end", 2)
    pause(2)
    again = new(V5).connect(name, **lasting(V5))
    repeated = again.message()
    assert (repeated.payload, repeated.packet_id, repeated.dup) == (b"begun", begun.packet_id, True)
    waited = again.messages(b"end")
    assert [message.payload for message in waited] == [b"long"]
    assert 90 <= waited[0].properties["message_expiry_interval"] <= 98


@holds(v5="4.3.3-13")
def test_a_message_that_expires_in_the_middle_is_acknowledged_to_the_end(
    new: NewClient, name: str, pause: Pause
) -> None:
    """Between PUBREC and PUBREL; whether it still is delivered then is the server's choice."""
    publisher = new(V5).connect()
    publisher.send(packets.publish(V5, name, b"1", 2, 3, message_expiry_interval=1))
    assert publisher.expect(Kind.PUBREC).code < 0x80
    pause(2)
    publisher.acknowledge(Kind.PUBREL, 3)
    pubcomp = publisher.expect(Kind.PUBCOMP)
    assert (pubcomp.packet_id, pubcomp.code) == (3, 0)


REFUSED = {
    "response topic with #": properties(V5, {"response_topic": "a/#"}),
    "response topic with +": properties(V5, {"response_topic": "+"}),
    "response topic no UTF-8": properties(V5, {"response_topic": b"\xff"}),
    "content type no UTF-8": properties(V5, {"content_type": b"a\xed\xa0\x80"}),
    "content type with U+0000": properties(V5, {"content_type": "a\0"}),
    "user property name no UTF-8": properties(V5, {"user_property": (b"\xff", "v")}),
    "user property value no UTF-8": properties(V5, {"user_property": ("n", b"\xff")}),
    "payload format 2": properties(V5, {"payload_format_indicator": 2}),
    "payload format twice": b"\x04\x01\x00\x01\x00",
    "correlation data twice": properties(V5, {"correlation_data": b"x"}).replace(b"\x04", b"\x08", 1) + b"\x09\0\1y",
    "subscription identifier": properties(V5, {"subscription_identifier": 1}),
    "of CONNECT": properties(V5, {"receive_maximum": 1}),
    "unknown": b"\x02\x7e\x00",
    "cut short": b"\x03\x02\x00\x00",
    "longer than the packet": b"\x7f",
    "length of five bytes": b"\x80\x80\x80\x80\x01",
    "length overlong": b"\x80\x00",
}


@holds(v5="3.3.2-13 3.3.2-14 3.3.2-19 1.5.7-1 1.5.4-1 1.5.4-2 1.5.5-1 3.3.4-6 4.13.1-1")
@pytest.mark.parametrize("case", REFUSED)
def test_properties_against_the_rules_are_refused(new: NewClient, name: str, case: str) -> None:
    client = new(V5).connect()
    client.send(frame(0x30, string(name) + REFUSED[case]))
    client.refused(0x81, 0x82, 0x90, 0x99)
