"""The properties of MQTT 5.0: one table says what each is called, how it is written, where it may stand and what holds.

`Properties` has a field for each, of all packets together: so a packet has one `properties`, and which of them it may
bear is data (`TABLE`), not classes. What is wrong on the wire is a ProtocolViolation with the standard's own reason
code; what is wrong in what we send is a ValueError, because it is a fault of ours.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from fogbank.mqtt.codec import PacketType, Reader, encode_binary, encode_length, encode_string
from fogbank.mqtt.errors import MalformedPacket, ProtocolViolation
from fogbank.mqtt.reasons import ReasonCode


class Properties(msgspec.Struct, frozen=True, kw_only=True):
    """What a packet, or a will, says beyond its fixed fields. None: it says nothing of it. Intervals are seconds."""

    payload_format: int | None = None
    message_expiry: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    subscription_identifiers: tuple[int, ...] = ()
    session_expiry: int | None = None
    assigned_client_id: str | None = None
    server_keep_alive: int | None = None
    authentication_method: str | None = None
    authentication_data: bytes | None = None
    request_problem_information: bool | None = None
    will_delay: int | None = None
    request_response_information: bool | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason_string: str | None = None
    receive_maximum: int | None = None
    topic_alias_maximum: int | None = None
    topic_alias: int | None = None
    maximum_qos: int | None = None
    retain_available: bool | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    """In the order in which they were sent; names may repeat. [MQTT-3.1.3-10] [MQTT-3.3.2-18]"""
    maximum_packet_size: int | None = None
    wildcard_available: bool | None = None
    subscription_identifiers_available: bool | None = None
    shared_available: bool | None = None


NO_PROPERTIES: Final = Properties()

WILL: Final = 0
"""The place of the will's properties: within CONNECT and apart from CONNECT's own. No packet has the type 0."""


class DataType(msgspec.Struct, frozen=True):
    """How a value is read and written. (MQTT 5.0, 1.5)"""

    read: Callable[[Reader], Any]
    write: Callable[[Any], bytes]


class Rule(msgspec.Struct, frozen=True):
    """What must hold for a value, in words with its source, and the reason code where it does not."""

    holds: Callable[[Any], bool]
    text: str
    code: ReasonCode = ReasonCode.PROTOCOL_ERROR


class Property(msgspec.Struct, frozen=True):
    """A row of the table. `places` are packet types and WILL; in those of `repeats` it may stand more than once."""

    id: int
    field: str
    type: DataType
    places: tuple[int, ...]
    rule: Rule | None = None
    repeats: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return self.field.replace("_", " ")

    def read(self, reader: Reader) -> Any:
        """The value that follows the identifier, its rule held."""
        value = self.type.read(reader)
        rule = self.rule
        if rule is not None and not rule.holds(value):
            raise ProtocolViolation(f"{self.name} {value!r}, which {rule.text}", code=rule.code)
        return value == 1 if self.type is _BOOLEAN else value


_BYTE = DataType(Reader.byte, lambda value: value.to_bytes(1, "big"))
_BOOLEAN = DataType(Reader.byte, lambda value: value.to_bytes(1, "big"))
_UINT16 = DataType(Reader.uint16, lambda value: value.to_bytes(2, "big"))
_UINT32 = DataType(Reader.uint32, lambda value: value.to_bytes(4, "big"))
_VARIABLE = DataType(Reader.variable, encode_length)
_STRING = DataType(Reader.string, encode_string)
_BINARY = DataType(Reader.binary, encode_binary)
_PAIR = DataType(Reader.pair, lambda pair: encode_string(pair[0]) + encode_string(pair[1]))


def _is_topic_name(topic: str) -> bool:
    return bool(topic) and "+" not in topic and "#" not in topic


def _zero_or_one(section: str) -> Rule:
    return Rule(lambda value: value <= 1, f"is neither 0 nor 1 (MQTT 5.0, {section})")


def _not_zero(source: str, code: ReasonCode = ReasonCode.PROTOCOL_ERROR) -> Rule:
    return Rule(lambda value: value > 0, f"must not be 0 {source}", code)


_TOPIC_NAME = Rule(_is_topic_name, "is no topic name: empty or with a wildcard [MQTT-3.3.2-14] [MQTT-4.7.3-1]")
_IDENTIFIER = _not_zero("(MQTT 5.0, 3.8.2.1.2)")

_CONNECT, _CONNACK, _PUBLISH = PacketType.CONNECT, PacketType.CONNACK, PacketType.PUBLISH
_SUBSCRIBE, _UNSUBSCRIBE = PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE
_DISCONNECT, _AUTH = PacketType.DISCONNECT, PacketType.AUTH
_ANSWERS = (
    PacketType.PUBACK,
    PacketType.PUBREC,
    PacketType.PUBREL,
    PacketType.PUBCOMP,
    PacketType.SUBACK,
    PacketType.UNSUBACK,
)
_EVERYWHERE = (_CONNECT, WILL, _CONNACK, _PUBLISH, *_ANSWERS, _SUBSCRIBE, _UNSUBSCRIBE, _DISCONNECT, _AUTH)

TABLE = (
    Property(0x01, "payload_format", _BYTE, (_PUBLISH, WILL), _zero_or_one("3.3.2.3.2")),
    Property(0x02, "message_expiry", _UINT32, (_PUBLISH, WILL)),
    Property(0x03, "content_type", _STRING, (_PUBLISH, WILL)),
    Property(0x08, "response_topic", _STRING, (_PUBLISH, WILL), _TOPIC_NAME),
    Property(0x09, "correlation_data", _BINARY, (_PUBLISH, WILL)),
    Property(0x0B, "subscription_identifiers", _VARIABLE, (_PUBLISH, _SUBSCRIBE), _IDENTIFIER, repeats=(_PUBLISH,)),
    Property(0x11, "session_expiry", _UINT32, (_CONNECT, _CONNACK, _DISCONNECT)),
    Property(0x12, "assigned_client_id", _STRING, (_CONNACK,)),
    Property(0x13, "server_keep_alive", _UINT16, (_CONNACK,)),
    Property(0x15, "authentication_method", _STRING, (_CONNECT, _CONNACK, _AUTH)),
    Property(0x16, "authentication_data", _BINARY, (_CONNECT, _CONNACK, _AUTH)),
    Property(0x17, "request_problem_information", _BOOLEAN, (_CONNECT,), _zero_or_one("3.1.2.11.7")),
    Property(0x18, "will_delay", _UINT32, (WILL,)),
    Property(0x19, "request_response_information", _BOOLEAN, (_CONNECT,), _zero_or_one("3.1.2.11.6")),
    Property(0x1A, "response_information", _STRING, (_CONNACK,)),
    Property(0x1C, "server_reference", _STRING, (_CONNACK, _DISCONNECT)),
    Property(0x1F, "reason_string", _STRING, (_CONNACK, *_ANSWERS, _DISCONNECT, _AUTH)),
    Property(0x21, "receive_maximum", _UINT16, (_CONNECT, _CONNACK), _not_zero("(MQTT 5.0, 3.1.2.11.3)")),
    Property(0x22, "topic_alias_maximum", _UINT16, (_CONNECT, _CONNACK)),
    Property(0x23, "topic_alias", _UINT16, (_PUBLISH,), _not_zero("[MQTT-3.3.2-8]", ReasonCode.TOPIC_ALIAS_INVALID)),
    Property(0x24, "maximum_qos", _BYTE, (_CONNACK,), _zero_or_one("3.2.2.3.4")),
    Property(0x25, "retain_available", _BOOLEAN, (_CONNACK,), _zero_or_one("3.2.2.3.5")),
    Property(0x26, "user_properties", _PAIR, _EVERYWHERE, repeats=_EVERYWHERE),
    Property(0x27, "maximum_packet_size", _UINT32, (_CONNECT, _CONNACK), _not_zero("(MQTT 5.0, 3.1.2.11.4)")),
    Property(0x28, "wildcard_available", _BOOLEAN, (_CONNACK,), _zero_or_one("3.2.2.3.11")),
    Property(0x29, "subscription_identifiers_available", _BOOLEAN, (_CONNACK,), _zero_or_one("3.2.2.3.12")),
    Property(0x2A, "shared_available", _BOOLEAN, (_CONNACK,), _zero_or_one("3.2.2.3.13")),
)
"""All properties, by identifier. (MQTT 5.0, 2.2.2.2)"""

_ALLOWED = {place: {row.id: row for row in TABLE if place in row.places} for place in _EVERYWHERE}


def decode_properties(reader: Reader, place: int) -> Properties:
    """The length and the properties that follow it. `place` is the packet's type, or WILL.

    Raises MalformedPacket for what cannot be read or does not belong there, ProtocolViolation for what is not allowed.
    """
    length = reader.variable()
    if not length:
        return NO_PROPERTIES
    block = Reader(reader.take(length))
    allowed = _ALLOWED[place]
    values: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {}
    while block:
        identifier = block.variable()
        row = allowed.get(identifier)
        if row is None:
            raise MalformedPacket(_misplaced(identifier, place))
        value = row.read(block)
        if place in row.repeats:
            lists.setdefault(row.field, []).append(value)
        elif row.field in values:
            raise ProtocolViolation(f"{row.name} stands more than once in {_name(place)} (MQTT 5.0, 2.2.2.2)")
        else:
            values[row.field] = (value,) if row.repeats else value
    if "authentication_data" in values and "authentication_method" not in values:
        raise ProtocolViolation("authentication data without authentication method (MQTT 5.0, 3.1.2.11.10)")
    for field, several in lists.items():
        values[field] = tuple(several)
    return Properties(**values)


def encode_properties(properties: Properties, place: int) -> bytes:
    """The properties with their length before them. `place` is the packet's type, or WILL. [MQTT-2.2.2-1]

    Raises ValueError where a property has no place there.
    """
    if properties is NO_PROPERTIES:
        return b"\0"
    block = bytearray()
    for row in TABLE:
        value = getattr(properties, row.field)
        if value is None or value == ():
            continue
        if place not in row.places:
            raise ValueError(_misplaced(row.id, place))
        for each in value if row.repeats else (value,):
            block.append(row.id)
            block += row.type.write(each)
    return encode_length(len(block)) + block


def _misplaced(identifier: int, place: int) -> str:
    names = [row.name for row in TABLE if row.id == identifier]
    if not names:
        return f"no property has the identifier {identifier:#04x} (MQTT 5.0, 2.2.2.2)"
    return f"{names[0]} has no place in {_name(place)} (MQTT 5.0, 2.2.2.2)"


def _name(place: int) -> str:
    return PacketType(place).name if place else "a will"
