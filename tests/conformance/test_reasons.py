"""Which reason code a client of MQTT 5 is told. The standard asks for one only by SHOULD (4.13.1); Fogbank tells it."""

import pytest
from tests.conformance import packets
from tests.conformance.conftest import NewClient
from tests.conformance.packets import V5, Kind, Will, frame, properties, string
from tests.conformance.statements import holds

MALFORMED, PROTOCOL_ERROR = 0x81, 0x82

DISCONNECTS: dict[str, tuple[int, bytes]] = {
    "second CONNECT": (PROTOCOL_ERROR, packets.connect(V5, "x")),
    "AUTH without method": (PROTOCOL_ERROR, b"\xf0\x00"),
    "packet type 0": (MALFORMED, b"\x00\x00"),
    "reserved flags": (MALFORMED, b"\xc1\x00"),
    "QoS 3": (MALFORMED, b"\x36\x06\x00\x01a\x00\x01\x00"),
    "length of five bytes": (MALFORMED, b"\xc0\x80\x80\x80\x80\x01"),
    "no UTF-8": (MALFORMED, packets.publish(V5, b"\xff")),
    "wildcard in a topic name": (0x90, packets.publish(V5, "a/#")),
    "no topic and no alias": (PROTOCOL_ERROR, packets.publish(V5, "")),
    "unknown alias": (PROTOCOL_ERROR, packets.publish(V5, "", topic_alias=1)),
    "alias 0": (0x94, packets.publish(V5, "a", topic_alias=0)),
    "SUBSCRIBE without a filter": (PROTOCOL_ERROR, b"\x82\x03\x00\x01\x00"),
    "UNSUBSCRIBE without a filter": (PROTOCOL_ERROR, b"\xa2\x03\x00\x01\x00"),
    "reserved subscription options": (MALFORMED, packets.subscribe(V5, 1, ("a", 0x40))),
    "No Local on a shared subscription": (PROTOCOL_ERROR, packets.subscribe(V5, 1, ("$share/g/a", 4))),
    "subscription identifier 0": (PROTOCOL_ERROR, packets.subscribe(V5, 1, ("a", 0), subscription_identifier=0)),
    "subscription identifier in PUBLISH": (PROTOCOL_ERROR, packets.publish(V5, "a", subscription_identifier=1)),
    "payload format twice": (PROTOCOL_ERROR, frame(0x30, string("a") + b"\x04\x01\x00\x01\x00")),
    "unknown property": (MALFORMED, frame(0x30, string("a") + b"\x02\x7e\x00")),
    "PINGRESP": (PROTOCOL_ERROR, b"\xd0\x00"),
}


@holds(v5="3.14.2-1 4.13.1-1 4.13.2-1")
@pytest.mark.parametrize("case", DISCONNECTS)
def test_disconnect_says_what_was_wrong(new: NewClient, name: str, case: str) -> None:
    code, data = DISCONNECTS[case]
    client = new(V5).connect(name)
    client.send(data)
    assert [(packet.kind, hex(packet.code)) for packet in client.rest()] == [(Kind.DISCONNECT, hex(code))]


CONNACKS: dict[str, tuple[int, bytes]] = {
    "level 6": (0x84, packets.connect(6)),
    "reserved flag": (MALFORMED, packets.connect(V5, "x", flags=3)),
    "authentication method": (0x8C, packets.connect(V5, "x", authentication_method="none")),
    "will topic with a wildcard": (0x90, packets.connect(V5, "x", will=Will("a/#"))),
    "receive maximum 0": (PROTOCOL_ERROR, packets.connect(V5, "x", receive_maximum=0)),
    "unknown property": (MALFORMED, frame(0x10, string("MQTT") + b"\x05\x02\0\x3c\x02\x7f\0" + string("x"))),
    "user name no UTF-8": (MALFORMED, packets.connect(V5, "x", username=b"\xff")),
}


@holds(v5="3.2.2-7 3.2.2-8 4.13.2-1 3.14.0-1")
@pytest.mark.parametrize("case", CONNACKS)
def test_connack_says_what_was_wrong(new: NewClient, case: str) -> None:
    code, data = CONNACKS[case]
    client = new(V5)
    client.send(data)
    assert [(packet.kind, hex(packet.code)) for packet in client.rest()] == [(Kind.CONNACK, hex(code))]


@holds(v5="3.9.3-2 3.11.3-2")
def test_bad_filters_are_told_apart(new: NewClient, name: str) -> None:
    client = new(V5).connect(name)
    client.send(packets.subscribe(V5, 1, (name, 1), (f"{name}/#/x", 1), ("$share//x", 1), (f"{name}/y", 0)))
    assert client.expect(Kind.SUBACK).codes == (1, 0x8F, 0x8F, 0)
    client.send(packets.unsubscribe(V5, 2, name, f"{name}/#/x"))
    assert client.expect(Kind.UNSUBACK).codes in ((0, 0x8F), (0, 0x11))


@holds(v5="3.4.2-1 3.5.2-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_nobody_listening_is_told(new: NewClient, name: str, qos: int) -> None:
    """0x10 (3.4.2.1): a server that knows MAY say so."""
    client = new(V5).connect(name)
    answer = client.publish(name, b"", qos)
    assert answer is not None
    assert answer.code in (0, 0x10)
    client.subscribe(f"{name}/#", options=packets.NO_LOCAL)
    new(V5).connect().subscribe(name)
    answer = client.publish(name, b"", qos)
    assert answer is not None
    assert answer.code == 0


def test_reason_strings_are_text_for_people(new: NewClient, name: str) -> None:
    client = new(V5).connect(name)
    client.send(packets.publish(V5, "a/#"))
    (disconnect,) = client.rest()
    assert len(disconnect.properties.get("reason_string", "none given")) > 5


def test_properties_are_empty_where_there_is_nothing_to_say() -> None:
    """The readers of these tests do take a CONNACK without properties."""
    assert packets.read(0x20, b"\0\0" + properties(V5, {}), V5, 5).properties == {}
