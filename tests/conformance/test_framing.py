"""Bytes into packets: chapters 1.5 and 2, and what ends a connection (4.8 of 3.1.1, 4.13 of MQTT 5)."""

import pytest
from tests.conformance import packets
from tests.conformance.conftest import NewClient
from tests.conformance.packets import V3, V5, Kind, frame
from tests.conformance.statements import holds


@holds(v311="7.1.1-1 7.0.0-2", v5="4.2.0-1")
def test_packets_may_come_byte_by_byte(new: NewClient, version: int, name: str) -> None:
    client = new(version)
    conversation = (
        packets.connect(version, name)
        + packets.subscribe(version, 1, (name, 0))
        + packets.publish(version, name, b"x" * 200)
        + packets.PINGREQ
    )
    for byte in conversation:
        client.send(bytes([byte]))
    kinds = [client.receive().kind for _ in range(4)]
    assert kinds == [Kind.CONNACK, Kind.SUBACK, Kind.PUBLISH, Kind.PINGRESP]


@holds(v311="7.1.1-1", v5="4.2.0-1")
def test_many_packets_may_come_at_once(new: NewClient, version: int, name: str) -> None:
    client = new(version)
    count = 500
    messages = b"".join(packets.publish(version, name, b"%d" % number) for number in range(count))
    client.send(packets.connect(version, name) + packets.subscribe(version, 1, (name, 0)) + messages)
    assert [client.expect(Kind.CONNACK).code, client.expect(Kind.SUBACK).codes] == [0, (0,)]
    assert [client.message().payload for _ in range(count)] == [b"%d" % number for number in range(count)]


@holds(v311="3.12.4-1", v5="3.12.4-1")
def test_each_pingreq_has_its_pingresp(new: NewClient, version: int) -> None:
    client = new(version).connect()
    client.send(packets.PINGREQ * 10)
    assert [client.receive().kind for _ in range(10)] == [Kind.PINGRESP] * 10


LENGTHS = {
    "five bytes": b"\xc0\x80\x80\x80\x80\x01",
    "four continued": b"\x30\xff\xff\xff\xff",
    "PINGREQ with a body": b"\xc0\x01\x00",
    "PUBACK of one byte": b"\x40\x01\x00",
    "PUBLISH without a topic": b"\x30\x00",
    "PUBLISH topic cut short": b"\x30\x04\x00\x05ab",
    "PUBLISH without identifier": b"\x32\x03\x00\x01a",
    "SUBSCRIBE of one byte": b"\x82\x01\x00",
    "UNSUBSCRIBE of one byte": b"\xa2\x01\x00",
}


@holds(v311="4.8.0-1", v5="4.13.1-1 1.5.5-1")
@pytest.mark.parametrize("case", LENGTHS)
def test_a_wrong_length_ends_the_connection(new: NewClient, version: int, case: str) -> None:
    client = new(version).connect()
    client.send(LENGTHS[case])
    client.refused(0x81, 0x82, 0x95)


@holds(v5="1.5.5-1 4.13.1-1")
@pytest.mark.parametrize("data", [b"\xc0\x80\x00", b"\xc0\x80\x80\x00", b"\xe0\x80\x80\x80\x00"])
def test_a_length_takes_no_more_bytes_than_it_needs(new: NewClient, data: bytes) -> None:
    client = new(V5).connect()
    client.send(data)
    client.refused(0x81, 0x82)


GOOD_FLAGS = {
    Kind.PUBACK: (0, b"\0\1"),
    Kind.PUBREC: (0, b"\0\1"),
    Kind.PUBREL: (2, b"\0\1"),
    Kind.PUBCOMP: (0, b"\0\1"),
    Kind.SUBSCRIBE: (2, b"\0\1\0\1a\0"),
    Kind.UNSUBSCRIBE: (2, b"\0\1\0\1a"),
    Kind.PINGREQ: (0, b""),
    Kind.DISCONNECT: (0, b""),
}


@holds(
    v311="2.2.2-1 2.2.2-2 3.6.1-1 3.8.1-1 3.10.1-1 3.14.1-1 4.8.0-1",
    v5="2.1.3-1 3.6.1-1 3.8.1-1 3.10.1-1 3.14.1-1 4.13.1-1",
)
@pytest.mark.parametrize("kind", GOOD_FLAGS, ids=[kind.name for kind in GOOD_FLAGS])
def test_reserved_flags_end_the_connection(new: NewClient, version: int, kind: Kind) -> None:
    good, body = GOOD_FLAGS[kind]
    if version == V5 and kind in (Kind.SUBSCRIBE, Kind.UNSUBSCRIBE):
        body = body[:2] + b"\0" + body[2:]
    for bit in range(4):
        client = new(version).connect()
        client.send(frame(kind << 4 | good ^ 1 << bit, body))
        client.refused(0x81)
        client.close()


@holds(v311="2.2.2-1 2.2.2-2", v5="2.1.3-1 3.15.1-1")
@pytest.mark.parametrize("first", [0x11, 0x12, 0x14, 0x18, 0x1F])
def test_so_do_those_of_connect(new: NewClient, version: int, name: str, first: int) -> None:
    client = new(version)
    client.send(bytes([first]) + packets.connect(version, name)[1:])
    client.rejected(0x81, 0x82) if version == V5 else client.rejected()


@holds(v5="3.15.1-1 2.1.3-1")
@pytest.mark.parametrize("first", [0xF1, 0xF2, 0xF4, 0xF8])
def test_so_do_those_of_auth(new: NewClient, first: int) -> None:
    client = new(V5).connect()
    client.send(bytes([first, 0]))
    client.refused(0x81, 0x82)


@holds(v311="4.8.0-1", v5="4.13.1-1")
@pytest.mark.parametrize(
    "data",
    [b"\x00\x00", b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x00", b"\xb0\x02\x00\x01", b"\xd0\x00"],
    ids=["reserved type 0", "CONNACK", "SUBACK", "UNSUBACK", "PINGRESP"],
)
def test_what_is_not_for_clients_to_send_ends_the_connection(new: NewClient, version: int, data: bytes) -> None:
    client = new(version).connect()
    client.send(data)
    client.refused(0x81, 0x82)


@holds(v311="4.8.0-1 2.2.2-2")
def test_type_15_is_reserved_in_3_1_1(new: NewClient) -> None:
    client = new(V3).connect()
    client.send(b"\xf0\x00")
    client.refused()


@holds(v311="4.8.0-1", v5="4.13.1-1 3.14.2-1")
@pytest.mark.parametrize("body", [b"\x81\x00\x00", b"\x00\x01", b"\x01", b"\x8b", b"\x00\x06\x11\0\0\0\5\0"])
def test_a_malformed_disconnect_is_no_normal_one(new: NewClient, version: int, body: bytes) -> None:
    """Trailing bytes, a property length without properties, codes that clients may not send."""
    client = new(version).connect()
    client.send(frame(0xE0, body))
    client.refused(0x81, 0x82)


@holds(v311="4.8.0-1", v5="4.13.1-1")
@pytest.mark.parametrize("kind", [Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP])
@pytest.mark.parametrize("tail", [b"\x00\x00\x00", b"\x01\x00", b"\x00\x05", b"\x80\x02\x1f\x00"])
def test_a_malformed_acknowledgement_ends_the_connection(new: NewClient, version: int, kind: Kind, tail: bytes) -> None:
    """MQTT 5: trailing bytes, an unknown code, properties cut short. 3.1.1: anything after the identifier."""
    client = new(version).connect()
    client.send(frame(kind << 4 | (2 if kind is Kind.PUBREL else 0), b"\0\1" + tail))
    client.refused(0x81, 0x82)


@holds(v311="3.14.4-2", v5="3.14.4-1 3.14.4-2")
def test_nothing_counts_after_disconnect(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name)
    client = new(version).connect()
    client.send(packets.disconnect(version) + packets.publish(version, name, b"too late") + packets.PINGREQ)
    assert client.rest() == []
    watcher.send(packets.publish(version, name, b"end"))
    assert watcher.messages(b"end") == []


@holds(v5="3.14.4-1 3.14.4-2 4.13.2-1")
def test_nor_does_the_server_say_more(new: NewClient, name: str) -> None:
    client = new(V5).connect(name)
    client.subscribe(name)
    client.send(packets.connect(V5, name) + packets.publish(V5, name, b"x") + packets.PINGREQ)
    client.refused(0x82)
