"""Named byte vectors for every packet, valid and malformed, and round trips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.mqtt.codec import decode_length
from fogbank.mqtt.errors import MalformedPacket, UnsupportedVersion
from fogbank.mqtt.packets import (
    Connack,
    Connect,
    Puback,
    Publish,
    ReturnCode,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)

Packet = Connect | Connack | Publish | Puback | Subscribe | Suback | Unsubscribe | Unsuback

VECTORS: list[tuple[str, Packet, str]] = [
    ("connect, clean", Connect("ab", True, 60), "10 0e 0004 4d515454 04 02 003c 0002 6162"),
    ("connect, persistent, no client ID bytes", Connect("", False, 0), "10 0c 0004 4d515454 04 00 0000 0000"),
    (
        "connect, everything",
        Connect("c", True, 10, Will("w", b"bye", 1, True), "u", b"p"),
        "10 1b 0004 4d515454 04 ee 000a 0001 63 0001 77 0003 627965 0001 75 0001 70",
    ),
    ("connack, accepted", Connack(), "20 02 00 00"),
    ("connack, session present", Connack(session_present=True), "20 02 01 00"),
    ("connack, not authorized", Connack(ReturnCode.NOT_AUTHORIZED), "20 02 00 05"),
    ("publish, QoS 0", Publish("a/b", b"hi"), "30 07 0003 612f62 6869"),
    ("publish, QoS 1", Publish("a", b"hi", 1, packet_id=10), "32 07 0001 61 000a 6869"),
    ("publish, DUP and RETAIN", Publish("a", b"", 1, True, True, 1), "3b 05 0001 61 0001"),
    ("publish, QoS 2", Publish("a", b"", 2, packet_id=1), "34 05 0001 61 0001"),
    ("publish, empty payload", Publish("a", b""), "30 03 0001 61"),
    ("puback", Puback(258), "40 02 0102"),
    ("subscribe", Subscribe(1, (("a/+", 0), ("b", 1))), "82 0c 0001 0003 612f2b 00 0001 62 01"),
    ("suback", Suback(1, (0, 1, 0x80)), "90 05 0001 00 01 80"),
    ("unsubscribe", Unsubscribe(2, ("a", "b")), "a2 08 0002 0001 61 0001 62"),
    ("unsuback", Unsuback(2), "b0 02 0002"),
]


@pytest.mark.parametrize(("packet", "encoded"), [pytest.param(p, e, id=name) for name, p, e in VECTORS])
def test_vectors(packet: Packet, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert packet.encode() == data
    assert _decode(type(packet), data) == packet


def _decode(type_: type[Packet], data: bytes) -> Packet:
    decoded = decode_length(data, 1)
    assert decoded is not None
    length, body = decoded
    assert body + length == len(data)
    if type_ is Publish:
        return Publish.decode(data[0], data[body:])
    return type_.decode(data[body:])  # type: ignore[call-arg, arg-type]


MALFORMED: list[tuple[str, type[Packet], str]] = [
    ("connect, reserved flag [MQTT-3.1.2-3]", Connect, "0004 4d515454 04 03 0000 0001 61"),
    ("connect, will QoS 3 [MQTT-3.1.2-14]", Connect, "0004 4d515454 04 1e 0000 0001 61 0001 77 0000"),
    ("connect, will QoS without will [MQTT-3.1.2-13]", Connect, "0004 4d515454 04 0a 0000 0001 61"),
    ("connect, will retain without will [MQTT-3.1.2-15]", Connect, "0004 4d515454 04 22 0000 0001 61"),
    ("connect, password without user name [MQTT-3.1.2-22]", Connect, "0004 4d515454 04 42 0000 0001 61 0001 70"),
    ("connect, truncated", Connect, "0004 4d515454 04 02 00"),
    ("connect, bytes left over", Connect, "0004 4d515454 04 02 0000 0001 61 00"),
    ("connect, another protocol", Connect, "0004 48545450 04 02 0000 0001 61"),
    ("connect, will missing", Connect, "0004 4d515454 04 06 0000 0001 61"),
    ("puback, packet ID 0", Puback, "0000"),
    ("puback, too long", Puback, "0001 00"),
    ("subscribe, no filter [MQTT-3.8.3-3]", Subscribe, "0001"),
    ("subscribe, QoS 3 [MQTT-3-8.3-4]", Subscribe, "0001 0001 61 03"),
    ("subscribe, packet ID 0 [MQTT-2.3.1-1]", Subscribe, "0000 0001 61 00"),
    ("subscribe, no QoS", Subscribe, "0001 0001 61"),
    ("unsubscribe, no filter [MQTT-3.10.3-2]", Unsubscribe, "0001"),
    ("unsubscribe, truncated", Unsubscribe, "0001 0005 61"),
    ("connack, reserved flags", Connack, "02 00"),
]


@pytest.mark.parametrize(("type_", "body"), [pytest.param(t, b, id=name) for name, t, b in MALFORMED])
def test_malformed(type_: type[Packet], body: str) -> None:
    with pytest.raises(MalformedPacket):
        type_.decode(bytes.fromhex(body))  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize(
    ("first", "body"),
    [
        pytest.param(0x36, "0001 61 0001", id="QoS 3 [MQTT-3.3.1-4]"),
        pytest.param(0x38, "0001 61", id="DUP at QoS 0 [MQTT-3.3.1-2]"),
        pytest.param(0x32, "0001 61 0000", id="packet ID 0 [MQTT-2.3.1-1]"),
        pytest.param(0x32, "0001 61", id="no packet ID"),
        pytest.param(0x30, "0005 61", id="topic longer than the packet"),
        pytest.param(0x30, "", id="no topic"),
    ],
)
def test_malformed_publish(first: int, body: str) -> None:
    with pytest.raises(MalformedPacket):
        Publish.decode(first, bytes.fromhex(body))


@pytest.mark.parametrize("head", ["0006 4d5149736470 03", "0004 4d515454 05", "0004 4d515454 03"])
def test_other_versions_are_told_apart_from_garbage(head: str) -> None:
    with pytest.raises(UnsupportedVersion):
        Connect.decode(bytes.fromhex(head) + b"\xff")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
wills = st.builds(Will, texts, st.binary(max_size=20), st.integers(0, 2), st.booleans())
connects = st.builds(Connect, texts, st.booleans(), st.integers(0, 65535), st.none() | wills, texts)


@given(connects)
def test_connect_round_trips(connect: Connect) -> None:
    assert _decode(Connect, connect.encode()) == connect


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_a_packet_or_malformed_and_nothing_else(body: bytes) -> None:
    for type_ in (Connect, Puback, Subscribe, Unsubscribe):
        try:
            packet = type_.decode(body)
        except (MalformedPacket, UnsupportedVersion):
            continue
        assert type_.decode(packet.encode()[2:]) == packet
