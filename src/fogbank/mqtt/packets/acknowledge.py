"""PUBACK, PUBREC, PUBREL and PUBCOMP: one form, four meanings. (3.4 to 3.7)

QoS 1 takes PUBLISH and PUBACK; QoS 2 takes PUBLISH, PUBREC, PUBREL and PUBCOMP.
"""

from typing import ClassVar, Self

import msgspec

from fogbank.mqtt.codec import FLAGS, PacketType, Reader, encode_frame
from fogbank.mqtt.properties import NO_PROPERTIES, Properties, decode_properties, encode_properties
from fogbank.mqtt.reasons import ReasonCode
from fogbank.mqtt.version import Version

_OF_A_MESSAGE = frozenset(
    {
        ReasonCode.SUCCESS,
        ReasonCode.NO_MATCHING_SUBSCRIBERS,
        ReasonCode.UNSPECIFIED_ERROR,
        ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
        ReasonCode.NOT_AUTHORIZED,
        ReasonCode.TOPIC_NAME_INVALID,
        ReasonCode.PACKET_IDENTIFIER_IN_USE,
        ReasonCode.QUOTA_EXCEEDED,
        ReasonCode.PAYLOAD_FORMAT_INVALID,
    }
)
"""What is said of a message: in PUBACK and PUBREC. (MQTT 5.0, 3.4.2.1 and 3.5.2.1)"""

_OF_AN_EXCHANGE = frozenset({ReasonCode.SUCCESS, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND})
"""What is said of a QoS 2 exchange: in PUBREL and PUBCOMP. (MQTT 5.0, 3.6.2.1 and 3.7.2.1)"""


class _Acknowledgement(msgspec.Struct, frozen=True):
    """A packet identifier, and in MQTT 5.0 how it went."""

    packet_id: int
    code: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES

    TYPE: ClassVar[PacketType]
    REASONS: ClassVar[frozenset[ReasonCode]]
    CLAUSE: ClassVar[str]

    @classmethod
    def decode(cls, body: bytes, version: Version = Version.V3_1_1) -> Self:
        reader = Reader(body)
        packet_id = reader.packet_id()
        code, properties = ReasonCode.SUCCESS, NO_PROPERTIES
        if version is Version.V5 and reader:
            code = reader.reason_code(cls.REASONS, cls.CLAUSE)
            if reader:  # the property length may be left out (3.4.2.2.1)
                properties = decode_properties(reader, cls.TYPE)
        reader.finish()
        return cls(packet_id, code, properties)

    def encode(self, version: Version = Version.V3_1_1) -> bytes:
        """In MQTT 5.0 in the shortest form: the code is left out where it is SUCCESS and nothing follows."""
        body = self.packet_id.to_bytes(2, "big")
        if version is Version.V5 and (self.code or self.properties != NO_PROPERTIES):
            body += self.code.to_bytes(1, "big")
            if self.properties != NO_PROPERTIES:
                body += encode_properties(self.properties, self.TYPE)
        return encode_frame(self.TYPE << 4 | FLAGS.get(self.TYPE, 0), body)


class Puback(_Acknowledgement, frozen=True):
    """The receiver has taken responsibility for a QoS 1 message, or refuses it."""

    TYPE = PacketType.PUBACK
    REASONS = _OF_A_MESSAGE
    CLAUSE = "[MQTT-3.4.2-1]"


class Pubrec(_Acknowledgement, frozen=True):
    """The receiver has taken responsibility for a QoS 2 message, or refuses it, which ends the exchange."""

    TYPE = PacketType.PUBREC
    REASONS = _OF_A_MESSAGE
    CLAUSE = "[MQTT-3.5.2-1]"


class Pubrel(_Acknowledgement, frozen=True):
    """The sender of a QoS 2 message knows that it was received and will not send it again."""

    TYPE = PacketType.PUBREL
    REASONS = _OF_AN_EXCHANGE
    CLAUSE = "[MQTT-3.6.2-1]"


class Pubcomp(_Acknowledgement, frozen=True):
    """The exchange of a QoS 2 message is over; its packet identifier is free again."""

    TYPE = PacketType.PUBCOMP
    REASONS = _OF_AN_EXCHANGE
    CLAUSE = "[MQTT-3.7.2-1]"
