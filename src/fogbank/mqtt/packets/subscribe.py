"""SUBSCRIBE and SUBACK. (3.8 and 3.9)"""

from typing import Self

import msgspec

from fogbank.mqtt.codec import FLAGS, PacketType, Reader, encode_frame, encode_string
from fogbank.mqtt.errors import MalformedPacket, ProtocolViolation
from fogbank.mqtt.properties import NO_PROPERTIES, Properties, decode_properties, encode_properties
from fogbank.mqtt.reasons import ReasonCode
from fogbank.mqtt.version import Version

FAILURE = 0x80
"""The one SUBACK return code that MQTT 3.1.1 has for a refused subscription. (3.9.3)"""

RETURN_CODES = frozenset({0, 1, 2, FAILURE})
"""(MQTT 3.1.1, 3.9.3)"""

REASONS = frozenset(
    {
        ReasonCode.SUCCESS,
        ReasonCode.GRANTED_QOS_1,
        ReasonCode.GRANTED_QOS_2,
        ReasonCode.UNSPECIFIED_ERROR,
        ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
        ReasonCode.NOT_AUTHORIZED,
        ReasonCode.TOPIC_FILTER_INVALID,
        ReasonCode.PACKET_IDENTIFIER_IN_USE,
        ReasonCode.QUOTA_EXCEEDED,
        ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
        ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
        ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
    }
)
"""(MQTT 5.0, 3.9.3)"""

NO_LOCAL = 0x04
RETAIN_AS_PUBLISHED = 0x08
RESERVED = 0xC0


class Subscription(msgspec.Struct, frozen=True):
    """A topic filter and how its messages are to be sent. All but `qos` are MQTT 5.0's. (3.8.3.1)"""

    topic_filter: str
    qos: int = 0
    """The highest quality of service at which the client takes messages."""
    no_local: bool = False
    """Whether the client's own messages are left out."""
    retain_as_published: bool = False
    """Whether RETAIN is passed on as the publisher set it."""
    retain_handling: int = 0
    """Retained messages are sent always (0), if the subscription is new (1), or never (2)."""

    @classmethod
    def read(cls, reader: Reader, version: Version) -> Self:
        """The next filter with its options."""
        topic_filter, options = reader.string(), reader.byte()  # [MQTT-3.8.3-1]
        qos = options & 3
        if version is Version.V3_1_1:
            if options > 2:
                raise MalformedPacket(f"a subscription asks for quality of service {options} [MQTT-3-8.3-4]")
            return cls(topic_filter, qos)
        retain_handling = options >> 4 & 3
        if options & RESERVED:
            raise MalformedPacket(f"reserved subscription options are set: {options:08b} [MQTT-3.8.3-5]")
        if qos == 3 or retain_handling == 3:
            raise ProtocolViolation(f"quality of service or retain handling is 3: {options:08b} (MQTT 5.0, 3.8.3.1)")
        no_local = bool(options & NO_LOCAL)
        if no_local and topic_filter.startswith("$share/"):
            raise ProtocolViolation(f"no-local on the shared subscription {topic_filter!r} [MQTT-3.8.3-4]")
        return cls(topic_filter, qos, no_local, bool(options & RETAIN_AS_PUBLISHED), retain_handling)

    def encode(self, version: Version) -> bytes:
        options = self.qos
        if version is Version.V5:
            options |= NO_LOCAL if self.no_local else 0
            options |= RETAIN_AS_PUBLISHED if self.retain_as_published else 0
            options |= self.retain_handling << 4
        return encode_string(self.topic_filter) + bytes((options,))


class Subscribe(msgspec.Struct, frozen=True):
    """At least one subscription."""

    packet_id: int
    filters: tuple[Subscription, ...]
    properties: Properties = NO_PROPERTIES

    @classmethod
    def decode(cls, body: bytes, version: Version = Version.V3_1_1) -> Self:
        """Raises ProtocolViolation; whether the filters are valid is not looked at here."""
        reader = Reader(body)
        packet_id = reader.packet_id()
        properties = decode_properties(reader, PacketType.SUBSCRIBE) if version is Version.V5 else NO_PROPERTIES
        filters = []
        while reader:
            filters.append(Subscription.read(reader, version))
        if not filters:
            raise ProtocolViolation("SUBSCRIBE without a topic filter [MQTT-3.8.3-3], 5.0: [MQTT-3.8.3-2]")
        return cls(packet_id, tuple(filters), properties)

    def encode(self, version: Version = Version.V3_1_1) -> bytes:
        body = self.packet_id.to_bytes(2, "big")
        if version is Version.V5:
            body += encode_properties(self.properties, PacketType.SUBSCRIBE)
        body += b"".join(subscription.encode(version) for subscription in self.filters)
        return encode_frame(PacketType.SUBSCRIBE << 4 | FLAGS[PacketType.SUBSCRIBE], body)


class Suback(msgspec.Struct, frozen=True):
    """For each filter, in order, the quality of service granted or why not. [MQTT-3.9.3-1]"""

    packet_id: int
    codes: tuple[int, ...]
    properties: Properties = NO_PROPERTIES

    @classmethod
    def decode(cls, body: bytes, version: Version = Version.V3_1_1) -> Self:
        reader = Reader(body)
        packet_id = reader.packet_id()
        properties = decode_properties(reader, PacketType.SUBACK) if version is Version.V5 else NO_PROPERTIES
        codes = []
        while reader:
            codes.append(reader.reason_code(REASONS if version is Version.V5 else RETURN_CODES, "[MQTT-3.9.3-2]"))
        return cls(packet_id, tuple(codes), properties)

    def encode(self, version: Version = Version.V3_1_1) -> bytes:
        """In MQTT 3.1.1 every refusal is FAILURE. [MQTT-3.9.3-2]"""
        body = self.packet_id.to_bytes(2, "big")
        if version is Version.V5:
            body += encode_properties(self.properties, PacketType.SUBACK) + bytes(self.codes)
        else:
            body += bytes(min(code, FAILURE) for code in self.codes)
        return encode_frame(PacketType.SUBACK << 4, body)
