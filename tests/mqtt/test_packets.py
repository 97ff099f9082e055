"""The corpus of packets read and written, round trips of random ones, and bytes that are no packet at all."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.mqtt.strategies import packets
from tests.mqtt.vectors import (
    INVALID,
    LONGER_FORMS,
    TYPES,
    VALID,
    Invalid,
    Packet,
    Valid,
    decode_body,
    decode_packet,
    encode_packet,
)

from fogbank.mqtt import NO_PROPERTIES, Properties, ReasonCode, Version
from fogbank.mqtt.codec import MAX_REMAINING_LENGTH, PacketType, encode_frame
from fogbank.mqtt.errors import MalformedPacket, ProtocolViolation, UnsupportedVersion
from fogbank.mqtt.packets import (
    DISCONNECT,
    FAILURE,
    PINGREQ,
    PINGRESP,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Puback,
    Publish,
    ReturnCode,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Will,
    check_empty,
)

V3, V5 = Version.V3_1_1, Version.V5


def _named(vector: Valid | Invalid) -> str:
    return f"{vector.version.name} {vector.name}"


@pytest.mark.parametrize("vector", VALID, ids=_named)
def test_a_packet_is_written_as_the_standard_says(vector: Valid) -> None:
    assert encode_packet(vector.packet, vector.version) == vector.data


@pytest.mark.parametrize("vector", VALID + LONGER_FORMS, ids=_named)
def test_a_packet_is_read_as_the_standard_says(vector: Valid) -> None:
    assert decode_packet(vector.data, vector.version) == vector.packet


@pytest.mark.parametrize("vector", VALID, ids=_named)
def test_a_packet_that_ends_too_early_is_not_taken_for_the_whole(vector: Valid) -> None:
    """Or it is another packet: with a shorter payload, fewer filters, the short form that leaves out a code."""
    packet = vector.packet
    body = vector.data[2:]
    for cut in range(len(body)):
        try:
            shorter = decode_body(PacketType(vector.data[0] >> 4), vector.data[0], body[:cut], vector.version)
        except ProtocolViolation:
            continue
        assert type(shorter) is type(packet)
        assert shorter != packet


def test_every_packet_of_either_version_is_in_the_corpus() -> None:
    of_both = {*TYPES.values(), Connect, Publish}
    assert {type(vector.packet) for vector in VALID if vector.version is V5} == of_both
    assert {type(vector.packet) for vector in VALID if vector.version is V3} == of_both - {Auth}


@pytest.mark.parametrize("vector", INVALID, ids=_named)
def test_a_broken_rule_has_its_reason_code(vector: Invalid) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        decode_packet(vector.data, vector.version)
    assert caught.value.code is vector.code
    assert isinstance(caught.value, MalformedPacket) == (vector.code is ReasonCode.MALFORMED_PACKET)


@pytest.mark.parametrize(
    ("head", "name", "level"),
    [
        ("0006 4d5149736470 03", "MQIsdp", 3),
        ("0006 4d5149736470 04", "MQIsdp", 4),
        ("0004 4d515454 06", "MQTT", 6),
        ("0004 4d515454 03", "MQTT", 3),
        ("0004 4d515454 84", "MQTT", 0x84),
    ],
)
def test_other_versions_are_told_apart_from_garbage(head: str, name: str, level: int) -> None:
    """[MQTT-3.1.2-2]: before anything is read that another version may have changed."""
    with pytest.raises(UnsupportedVersion, match=f"level {level} of {name}") as caught:
        Connect.decode(bytes.fromhex(head) + b"\xff")
    assert (caught.value.name, caught.value.level) == (name, level)
    assert caught.value.code is ReasonCode.UNSUPPORTED_PROTOCOL_VERSION


@pytest.mark.parametrize("version", [V3, V5])
@given(data=st.data())
def test_packets_round_trip(version: Version, data: st.DataObject) -> None:
    packet = data.draw(packets(version))
    assert decode_packet(encode_packet(packet, version), version) == packet


@pytest.mark.parametrize("version", [V3, V5])
@given(data=st.data())
def test_a_byte_that_is_changed_makes_another_packet_or_a_violation_and_nothing_else(
    version: Version, data: st.DataObject
) -> None:
    encoded = bytearray(encode_packet(data.draw(packets(version)), version))
    kind = PacketType(encoded[0] >> 4)
    start = 2 if encoded[1] < 128 else 3
    if start < len(encoded):
        position = data.draw(st.integers(start, len(encoded) - 1))
        encoded[position] = data.draw(st.integers(0, 255))
    _read_and_read_again(kind, encoded[0], bytes(encoded[start:]), version)


@example(PacketType.PUBLISH, 0x30, b"\0\1a\2\x0b\xff", V5)
@example(PacketType.CONNECT, 0x10, b"\0\4MQTT\5\6\0\0\0\0\0", V5)
@given(st.sampled_from(PacketType), st.integers(0, 15), st.binary(max_size=60), st.sampled_from(Version))
def test_arbitrary_bytes_are_a_packet_or_a_violation_and_nothing_else(
    kind: PacketType, flags: int, body: bytes, version: Version
) -> None:
    if kind not in (PacketType.PINGREQ, PacketType.PINGRESP):
        _read_and_read_again(kind, kind << 4 | flags, body, version)


def _read_and_read_again(kind: PacketType, first: int, body: bytes, version: Version) -> None:
    try:
        packet = decode_body(kind, first, body, version)
    except ProtocolViolation:
        return
    assert decode_packet(encode_packet(packet, version), version) == packet


# --- what one version says and the other cannot ---


def test_what_mqtt_3_1_1_cannot_say_is_left_out() -> None:
    some = Properties(user_properties=(("a", "b"),))
    cases: list[tuple[Packet, Packet]] = [
        (Connack(ReasonCode.SUCCESS, True, some), Connack(ReturnCode.ACCEPTED, True)),
        (Publish("a", b"x", 1, packet_id=1, properties=some), Publish("a", b"x", 1, packet_id=1)),
        (Puback(1, ReasonCode.QUOTA_EXCEEDED, some), Puback(1)),
        (Subscribe(1, (Subscription("a", 1, True, True, 2),), some), Subscribe(1, (Subscription("a", 1),))),
        (Suback(1, (0, 1, 2, 0x80, 0x87, 0xA2), some), Suback(1, (0, 1, 2, FAILURE, FAILURE, FAILURE))),
        (Unsuback(1, (0, 0x11), some), Unsuback(1)),
        (Disconnect(ReasonCode.SERVER_BUSY, some), Disconnect()),
        (
            Connect("c", will=Will("w", b"", properties=some), properties=some),
            Connect("c", will=Will("w", b"")),
        ),
    ]
    for packet, plain in cases:
        assert decode_packet(encode_packet(packet, V3), V3) == plain


def test_auth_cannot_be_written_for_mqtt_3_1_1() -> None:
    with pytest.raises(ValueError, match="no AUTH"):
        Auth().encode(V3)


def test_a_property_where_it_has_no_place_is_not_written() -> None:
    with pytest.raises(ValueError, match="topic alias has no place in PUBACK"):
        Puback(1, properties=Properties(topic_alias=1)).encode(V5)


def test_no_session_is_present_where_the_connection_is_refused() -> None:
    """[MQTT-3.2.2-4], 5.0: [MQTT-3.2.2-6]"""
    assert Connack(ReasonCode.NOT_AUTHORIZED, True).encode(V5) == bytes.fromhex("20 03 00 87 00")
    assert Connack(ReturnCode.NOT_AUTHORIZED, True).encode() == bytes.fromhex("20 02 00 05")


def test_properties_that_equal_none_are_written_as_none() -> None:
    empty = Properties(user_properties=())
    assert empty is not NO_PROPERTIES
    assert Puback(1, properties=empty).encode(V5) == bytes.fromhex("40 02 0001")
    assert Disconnect(properties=empty).encode(V5) == DISCONNECT
    assert Auth(properties=empty).encode() == bytes.fromhex("f0 00")
    assert Publish("a", b"", properties=empty).encode(V5) == bytes.fromhex("30 04 0001 61 00")


# --- packets without a body ---


def test_packets_that_are_nothing_but_their_header() -> None:
    assert (PINGREQ, PINGRESP, DISCONNECT) == (b"\xc0\0", b"\xd0\0", b"\xe0\0")
    check_empty(PacketType.PINGREQ, b"")
    with pytest.raises(MalformedPacket, match="PINGREQ with a body of 1 bytes"):
        check_empty(PacketType.PINGREQ, b"\0")


def test_a_long_packet_has_a_long_length() -> None:
    data = Publish("a", bytes(200_000)).encode(V5)
    assert data[:5] == bytes.fromhex("30 c49a0c 00")
    assert decode_packet(data, V5) == Publish("a", bytes(200_000))
    assert len(encode_frame(0x30, b"")) == 2
    assert MAX_REMAINING_LENGTH == 128**4 - 1
