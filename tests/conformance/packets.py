"""MQTT's packets, written and read by these tests' own hand.

The server's codec is not used on purpose: what both ends misread alike no test would notice. Writing is by plain
functions that let a test say whatever it likes, well-formed or not; reading is strict, so that every packet of the
server is checked against chapters 2 and 3 of the standard wherever any test receives it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

V3 = 4
"""The protocol level of MQTT 3.1.1."""
V5 = 5

Properties = Mapping[str, Any]


class Kind(IntEnum):
    """A packet's type: the first byte's upper half."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class Malformed(AssertionError):
    """The server sent what the standard forbids."""


# --- data types (MQTT 5, 1.5) ---


def length(value: int) -> bytes:
    """A Variable Byte Integer."""
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | 128 if value else digit)
        if not value:
            return bytes(out)


def string(value: str | bytes) -> bytes:
    """With its length before it; bytes are sent as they are, to write what is no UTF-8."""
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


class Reader:
    """Takes a packet's body apart from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        if len(self.data) < count:
            raise Malformed(f"{count} bytes wanted of {self.data!r}")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def length(self) -> int:
        value = 0
        for place in range(4):
            digit = self.number(1)
            value |= (digit & 127) << 7 * place
            if digit < 128:
                if place and not digit:
                    raise Malformed("[MQTT-1.5.5-1] a length in more bytes than it needs")
                return value
        raise Malformed("a length of more than four bytes")

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def string(self) -> str:
        text = self.binary().decode()  # strict: surrogates are refused [MQTT-1.5.4-1]
        if "\0" in text:
            raise Malformed("[MQTT-1.5.4-2] a string with U+0000")
        return text

    def pair(self) -> tuple[str, str]:
        return self.string(), self.string()


class PropertyType(NamedTuple):
    """How one property's value is written and read."""

    name: str
    write: Callable[[Any], bytes]
    read: Callable[[Reader], Any]
    repeatable: bool = False


def _integer(name: str, count: int) -> PropertyType:
    return PropertyType(name, lambda value: value.to_bytes(count, "big"), lambda reader: reader.number(count))


def _string(name: str) -> PropertyType:
    return PropertyType(name, string, Reader.string)


PROPERTIES: dict[int, PropertyType] = {
    0x01: _integer("payload_format_indicator", 1),
    0x02: _integer("message_expiry_interval", 4),
    0x03: _string("content_type"),
    0x08: _string("response_topic"),
    0x09: PropertyType("correlation_data", string, Reader.binary),
    0x0B: PropertyType("subscription_identifier", length, Reader.length, repeatable=True),
    0x11: _integer("session_expiry_interval", 4),
    0x12: _string("assigned_client_identifier"),
    0x13: _integer("server_keep_alive", 2),
    0x15: _string("authentication_method"),
    0x16: PropertyType("authentication_data", string, Reader.binary),
    0x17: _integer("request_problem_information", 1),
    0x18: _integer("will_delay_interval", 4),
    0x19: _integer("request_response_information", 1),
    0x1A: _string("response_information"),
    0x1C: _string("server_reference"),
    0x1F: _string("reason_string"),
    0x21: _integer("receive_maximum", 2),
    0x22: _integer("topic_alias_maximum", 2),
    0x23: _integer("topic_alias", 2),
    0x24: _integer("maximum_qos", 1),
    0x25: _integer("retain_available", 1),
    0x26: PropertyType("user_property", lambda pair: string(pair[0]) + string(pair[1]), Reader.pair, repeatable=True),
    0x27: _integer("maximum_packet_size", 4),
    0x28: _integer("wildcard_subscription_available", 1),
    0x29: _integer("subscription_identifier_available", 1),
    0x2A: _integer("shared_subscription_available", 1),
}
"""MQTT 5, table 2-4."""

_PROBLEM = {"reason_string", "user_property"}
FROM_SERVER: dict[Kind, set[str]] = {
    Kind.CONNACK: _PROBLEM
    | {"session_expiry_interval", "receive_maximum", "maximum_qos", "retain_available", "maximum_packet_size"}
    | {"assigned_client_identifier", "topic_alias_maximum", "wildcard_subscription_available"}
    | {"subscription_identifier_available", "shared_subscription_available", "server_keep_alive"}
    | {"response_information", "server_reference", "authentication_method", "authentication_data"},
    Kind.PUBLISH: {"payload_format_indicator", "message_expiry_interval", "topic_alias", "response_topic"}
    | {"correlation_data", "user_property", "subscription_identifier", "content_type"},
    **dict.fromkeys((Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP, Kind.SUBACK, Kind.UNSUBACK), _PROBLEM),
    Kind.DISCONNECT: _PROBLEM | {"server_reference"},  # no Session Expiry Interval [MQTT-3.14.2-2]
    Kind.AUTH: _PROBLEM | {"authentication_method", "authentication_data"},
}
"""The properties that each of the server's packets may bear."""

_CODES: dict[str, int] = {one.name: code for code, one in PROPERTIES.items()}


def properties(version: int, values: Properties) -> bytes:
    """A property section with its length; nothing in MQTT 3.1.1. A repeatable property may be given a list."""
    if version != V5:
        assert not values, "MQTT 3.1.1 has no properties"
        return b""
    out = b""
    for name, value in values.items():
        code = _CODES[name]
        for one in value if isinstance(value, list) else [value]:
            out += bytes([code]) + PROPERTIES[code].write(one)
    return length(len(out)) + out


def _read_properties(reader: Reader, kind: Kind, version: int) -> dict[str, Any]:
    if version != V5:
        return {}
    section = Reader(reader.take(reader.length()))
    found: dict[str, Any] = {}
    while section.data:
        one = PROPERTIES.get(section.length())
        if one is None or one.name not in FROM_SERVER[kind]:
            raise Malformed(f"{kind.name} with the property {one and one.name}")
        value = one.read(section)
        if one.repeatable:
            found.setdefault(one.name, []).append(value)
        elif one.name in found:
            raise Malformed(f"{one.name} twice")
        else:
            found[one.name] = value
    return found


# --- what the server sends ---


@dataclass(frozen=True)
class Packet:
    """A packet of the server; what its kind does not have is at its default."""

    kind: Kind
    size: int
    """Of the whole packet, in bytes."""
    code: int = 0
    codes: tuple[int, ...] = ()
    packet_id: int = 0
    session_present: bool = False
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    dup: bool = False
    properties: dict[str, Any] = field(default_factory=dict)


_ACKNOWLEDGEMENTS = {Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP}
_SUCCESS = {
    Kind.CONNACK: {0},
    Kind.PUBACK: {0, 0x10},
    Kind.PUBREC: {0, 0x10},
    Kind.PUBREL: {0},
    Kind.PUBCOMP: {0},
    Kind.SUBACK: {0, 1, 2},
    Kind.UNSUBACK: {0, 0x11},
    Kind.DISCONNECT: {0},
}
_FAILURES = {
    Kind.CONNACK: {*range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F},
    Kind.PUBACK: {0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
    Kind.PUBREC: {0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
    Kind.PUBREL: {0x92},
    Kind.PUBCOMP: {0x92},
    Kind.SUBACK: {0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
    Kind.UNSUBACK: {0x80, 0x83, 0x87, 0x8F, 0x91},
    Kind.DISCONNECT: {0x80, 0x81, 0x82, 0x83, 0x87, 0x89, *range(0x8B, 0xA3)} - {0x8C, 0x91, 0x92},
}
"""The reason codes of each packet of the server: MQTT 5, 3.2.2.2 and so on; 3.1.1 has codes of its own."""


def read(first: int, body: bytes, version: int, size: int) -> Packet:
    """The packet of these bytes. Raises Malformed where the server had no right to send it."""
    try:
        kind = Kind(first >> 4)
        return _READERS[kind](first, body, version, size)
    except (KeyError, ValueError) as error:
        raise Malformed(f"{first:#04x} {body!r}: {error!r}") from error


def _checked(kind: Kind, code: int, version: int) -> int:
    if version == V5:
        allowed = _SUCCESS[kind] | _FAILURES[kind]
    else:  # the return codes of 3.1.1: tables 3.1 and 3.9.3
        allowed = {Kind.CONNACK: set(range(6)), Kind.SUBACK: {0, 1, 2, 0x80}}.get(kind, {0})
    if code not in allowed:
        raise Malformed(f"{kind.name} with the code {code:#04x}")
    return code


def _no_flags(first: int) -> None:
    if first & 15:
        raise Malformed(f"[MQTT-2.1.3-1] reserved flags in {first:#04x}")


def _read_connack(first: int, body: bytes, version: int, size: int) -> Packet:
    _no_flags(first)
    reader = Reader(body)
    flags, code = reader.number(1), reader.number(1)
    if flags > 1 or (flags and code):
        raise Malformed(f"[MQTT-3.2.2-1] [MQTT-3.2.2-6] CONNACK with flags {flags} and code {code}")
    # A server that refuses the protocol version may answer in the form of 3.1.1, which has no properties.
    found = _read_properties(reader, Kind.CONNACK, version) if reader.data or not code else {}
    _end(reader)
    return Packet(
        Kind.CONNACK, size, _checked(Kind.CONNACK, code, version), session_present=bool(flags), properties=found
    )


def _read_publish(first: int, body: bytes, version: int, size: int) -> Packet:
    reader = Reader(body)
    qos = first >> 1 & 3
    if qos == 3 or (first & 8 and not qos):
        raise Malformed(f"[MQTT-3.3.1-2] [MQTT-3.3.1-4] PUBLISH with the flags of {first:#04x}")
    topic = reader.string()
    packet_id = reader.number(2) if qos else 0
    found = _read_properties(reader, Kind.PUBLISH, version)
    if qos and not packet_id:
        raise Malformed("[MQTT-2.2.1-4] PUBLISH with packet identifier 0")
    if set(topic) & set("+#") or (not topic and "topic_alias" not in found) or found.get("topic_alias") == 0:
        raise Malformed(f"[MQTT-3.3.2-2] [MQTT-3.3.2-8] [MQTT-4.7.3-1] PUBLISH to {topic!r}, {found}")
    return Packet(
        Kind.PUBLISH,
        size,
        packet_id=packet_id,
        topic=topic,
        payload=reader.data,
        qos=qos,
        retain=bool(first & 1),
        dup=bool(first & 8),
        properties=found,
    )


def _read_acknowledgement(first: int, body: bytes, version: int, size: int) -> Packet:
    kind = Kind(first >> 4)
    if first & 15 != (2 if kind is Kind.PUBREL else 0):
        raise Malformed(f"[MQTT-3.6.1-1] reserved flags in {first:#04x}")
    reader = Reader(body)
    packet_id = reader.number(2)
    code, found = 0, {}
    if version == V5 and reader.data:
        code = reader.number(1)
        found = _read_properties(reader, kind, version) if reader.data else {}
    _end(reader)
    return Packet(kind, size, _checked(kind, code, version), packet_id=packet_id, properties=found)


def _read_answer(first: int, body: bytes, version: int, size: int) -> Packet:
    """SUBACK and UNSUBACK."""
    _no_flags(first)
    kind = Kind(first >> 4)
    reader = Reader(body)
    packet_id = reader.number(2)
    found = _read_properties(reader, kind, version)
    if kind is Kind.UNSUBACK and version != V5:
        _end(reader)
    codes = tuple(_checked(kind, code, version) for code in reader.data)
    return Packet(kind, size, codes=codes, packet_id=packet_id, properties=found)


def _read_pingresp(first: int, body: bytes, version: int, size: int) -> Packet:
    _no_flags(first)
    _end(Reader(body))
    return Packet(Kind.PINGRESP, size)


def _read_disconnect(first: int, body: bytes, version: int, size: int) -> Packet:
    _no_flags(first)
    if version != V5:
        raise Malformed("DISCONNECT from a server of MQTT 3.1.1")
    reader = Reader(body)
    code = reader.number(1) if reader.data else 0
    found = _read_properties(reader, Kind.DISCONNECT, version) if reader.data else {}
    _end(reader)
    return Packet(Kind.DISCONNECT, size, _checked(Kind.DISCONNECT, code, version), properties=found)


def _end(reader: Reader) -> None:
    if reader.data:
        raise Malformed(f"{reader.data!r} after the end of the packet")


_READERS: dict[Kind, Callable[[int, bytes, int, int], Packet]] = {
    Kind.CONNACK: _read_connack,
    Kind.PUBLISH: _read_publish,
    **dict.fromkeys(_ACKNOWLEDGEMENTS, _read_acknowledgement),
    Kind.SUBACK: _read_answer,
    Kind.UNSUBACK: _read_answer,
    Kind.PINGRESP: _read_pingresp,
    Kind.DISCONNECT: _read_disconnect,
}


# --- what the client sends ---


@dataclass(frozen=True)
class Will:
    """A will as the CONNECT bears it."""

    topic: str | bytes
    payload: bytes = b"will"
    qos: int = 0
    retain: bool = False
    properties: Properties = field(default_factory=dict)


def frame(first: int, body: bytes) -> bytes:
    """A packet by its first byte and what follows the remaining length."""
    return bytes([first]) + length(len(body)) + body


def connect(
    version: int,
    client_id: str | bytes = "",
    *,
    clean: bool = True,
    keep_alive: int = 60,
    will: Will | None = None,
    username: str | bytes | None = None,
    password: bytes | None = None,
    flags: int | None = None,
    protocol: str | bytes = "MQTT",
    **values: Any,
) -> bytes:
    """CONNECT; `flags` in place of those that follow from the rest."""
    made = clean << 1 | (username is not None) << 7 | (password is not None) << 6
    payload = string(client_id)
    if will is not None:
        made |= 4 | will.qos << 3 | will.retain << 5
        payload += properties(version, will.properties) + string(will.topic) + string(will.payload)
    payload += b"".join(string(one) for one in (username, password) if one is not None)
    head = string(protocol) + bytes([version, made if flags is None else flags]) + keep_alive.to_bytes(2, "big")
    return frame(Kind.CONNECT << 4, head + properties(version, values) + payload)


def publish(
    version: int,
    topic: str | bytes,
    payload: bytes = b"",
    qos: int = 0,
    packet_id: int = 0,
    *,
    retain: bool = False,
    dup: bool = False,
    **values: Any,
) -> bytes:
    """PUBLISH."""
    head = string(topic) + (packet_id.to_bytes(2, "big") if qos else b"")
    return frame(Kind.PUBLISH << 4 | dup << 3 | qos << 1 | retain, head + properties(version, values) + payload)


def acknowledgement(version: int, kind: Kind, packet_id: int, code: int = 0, **values: Any) -> bytes:
    """PUBACK, PUBREC, PUBREL or PUBCOMP, in the shortest form."""
    body = packet_id.to_bytes(2, "big")
    if version == V5 and (code or values):
        body += bytes([code]) + (properties(version, values) if values else b"")
    return frame(kind << 4 | (2 if kind is Kind.PUBREL else 0), body)


def subscribe(version: int, packet_id: int, *filters: tuple[str | bytes, int], **values: Any) -> bytes:
    """SUBSCRIBE; each filter with its options' byte, whose lowest bits are the QoS."""
    head = packet_id.to_bytes(2, "big") + properties(version, values)
    return frame(Kind.SUBSCRIBE << 4 | 2, head + b"".join(string(one) + bytes([options]) for one, options in filters))


def unsubscribe(version: int, packet_id: int, *filters: str | bytes, **values: Any) -> bytes:
    """UNSUBSCRIBE."""
    head = packet_id.to_bytes(2, "big") + properties(version, values)
    return frame(Kind.UNSUBSCRIBE << 4 | 2, head + b"".join(string(one) for one in filters))


def disconnect(version: int, code: int = 0, **values: Any) -> bytes:
    """DISCONNECT, in the shortest form."""
    if version != V5 or not (code or values):
        return b"\xe0\x00"
    return frame(Kind.DISCONNECT << 4, bytes([code]) + (properties(version, values) if values else b""))


PINGREQ = b"\xc0\x00"
NO_LOCAL, RETAIN_AS_PUBLISHED = 0x04, 0x08
RETAIN_IF_NEW, RETAIN_NEVER = 0x10, 0x20
"""Bits of the subscription options (MQTT 5, 3.8.3.1)."""
