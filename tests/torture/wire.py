"""The few packets that the torture needs, in both versions of MQTT.

On purpose not Fogbank's own codec: what writes and reads by the same mistake would agree with itself. Properties are
written where persistence or flow control needs them and skipped where they are read.
"""

import enum

import msgspec

SESSION_EXPIRY, RECEIVE_MAXIMUM = 0x11, 0x21
"""The properties that are written, integers of four and two bytes. (MQTT 5, 3.1.2.11)"""
FOREVER = 3600
"""Seconds that a session outlives its connection: the most that AWS grants by default, and longer than any test."""
KEEP_ALIVE = 600


class Kind(enum.IntEnum):
    """The first byte of a packet, PUBLISH's flags taken off."""

    CONNECT = 0x10
    CONNACK = 0x20
    PUBLISH = 0x30
    PUBACK = 0x40
    PUBREC = 0x50
    PUBREL = 0x62
    PUBCOMP = 0x70
    SUBSCRIBE = 0x82
    SUBACK = 0x90
    UNSUBSCRIBE = 0xA2
    UNSUBACK = 0xB0
    PINGREQ = 0xC0
    PINGRESP = 0xD0
    DISCONNECT = 0xE0


class Version(enum.IntEnum):
    """Protocol levels."""

    V3_1_1 = 4
    V5 = 5


class Delivery(msgspec.Struct, frozen=True):
    """A PUBLISH that came in."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    packet_id: int


class Will(msgspec.Struct, frozen=True):
    """What is to be published where a client is lost."""

    topic: str
    payload: bytes
    qos: int


def connect(
    client_id: str,
    version: Version,
    *,
    clean: bool,
    persistent: bool,
    receive_maximum: int | None = None,
    will: Will | None = None,
) -> bytes:
    """CONNECT. At level 4 `clean` alone says both whether a session is resumed and whether it lasts."""
    properties = b""
    if version is Version.V5:
        if persistent:
            properties += bytes((SESSION_EXPIRY,)) + FOREVER.to_bytes(4, "big")
        if receive_maximum is not None:
            properties += bytes((RECEIVE_MAXIMUM,)) + receive_maximum.to_bytes(2, "big")
        properties = _length(len(properties)) + properties
    flags, payload = clean << 1, _text(client_id)
    if will is not None:
        flags |= 0x04 | will.qos << 3
        payload += b"\0" if version is Version.V5 else b""
        payload += _text(will.topic) + len(will.payload).to_bytes(2, "big") + will.payload
    head = _text("MQTT") + bytes((version, flags)) + KEEP_ALIVE.to_bytes(2, "big")
    return _frame(Kind.CONNECT, head + properties + payload)


def publish(
    topic: str, payload: bytes, qos: int, packet_id: int, version: Version, *, retain: bool = False, dup: bool = False
) -> bytes:
    """PUBLISH at a quality of service of 1 or 2."""
    properties = b"\0" if version is Version.V5 else b""
    first = Kind.PUBLISH | dup << 3 | qos << 1 | retain
    return _frame(first, _text(topic) + packet_id.to_bytes(2, "big") + properties + payload)


def acknowledge(kind: Kind, packet_id: int) -> bytes:
    """PUBACK, PUBREC, PUBREL or PUBCOMP; without a reason it is the same in both versions."""
    return bytes((kind, 2)) + packet_id.to_bytes(2, "big")


def subscribe(packet_id: int, filter_: str, qos: int, version: Version) -> bytes:
    """SUBSCRIBE to one filter."""
    properties = b"\0" if version is Version.V5 else b""
    return _frame(Kind.SUBSCRIBE, packet_id.to_bytes(2, "big") + properties + _text(filter_) + bytes((qos,)))


def unsubscribe(packet_id: int, filter_: str, version: Version) -> bytes:
    """UNSUBSCRIBE from one filter."""
    properties = b"\0" if version is Version.V5 else b""
    return _frame(Kind.UNSUBSCRIBE, packet_id.to_bytes(2, "big") + properties + _text(filter_))


PING = bytes((Kind.PINGREQ, 0))
GOODBYE = bytes((Kind.DISCONNECT, 0))


def read_delivery(first: int, body: bytes, version: Version) -> Delivery:
    """PUBLISH, taken apart."""
    qos = first >> 1 & 3
    end = 2 + int.from_bytes(body[:2], "big")
    topic = body[2:end].decode()
    packet_id = 0
    if qos:
        packet_id = int.from_bytes(body[end : end + 2], "big")
        end += 2
    if version is Version.V5:
        end = _after_properties(body, end)
    return Delivery(topic, body[end:], qos, bool(first & 1), packet_id)


def packet_id_of(body: bytes) -> int:
    """Of anything that acknowledges."""
    return int.from_bytes(body[:2], "big")


def reasons(body: bytes, version: Version) -> bytes:
    """The codes of SUBACK, one a filter, and at level 5 of UNSUBACK."""
    return body[_after_properties(body, 2) :] if version is Version.V5 else body[2:]


def reason(body: bytes) -> int:
    """Of PUBACK, PUBREC, PUBREL or PUBCOMP; 0 where it bears none."""
    return body[2] if len(body) > 2 else 0


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """All whole packets in the data, each its first byte and its body; and what is left."""
    packets = []
    position = 0
    while (read := _read_length(data, position + 1)) is not None:
        length, start = read
        if len(data) < start + length:
            break
        packets.append((data[position], data[start : start + length]))
        position = start + length
    return packets, data[position:]


def _frame(first: int, body: bytes) -> bytes:
    return bytes((first,)) + _length(len(body)) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def _length(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_length(data: bytes, position: int) -> tuple[int, int] | None:
    """A variable byte integer and where it ends; None while bytes are missing."""
    number = shift = 0
    while position < len(data):
        byte = data[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
        shift += 7
    return None


def _after_properties(body: bytes, position: int) -> int:
    read = _read_length(body, position)
    assert read is not None, f"no properties at byte {position} of {body!r}"
    length, start = read
    return start + length
