"""UNSUBSCRIBE and UNSUBACK. (3.10 and 3.11)"""

from typing import Self

import msgspec

from fogbank.mqtt.codec import FLAGS, PacketType, Reader, encode_frame, encode_string
from fogbank.mqtt.errors import ProtocolViolation
from fogbank.mqtt.properties import NO_PROPERTIES, Properties, decode_properties, encode_properties
from fogbank.mqtt.reasons import ReasonCode
from fogbank.mqtt.version import Version

REASONS = frozenset(
    {
        ReasonCode.SUCCESS,
        ReasonCode.NO_SUBSCRIPTION_EXISTED,
        ReasonCode.UNSPECIFIED_ERROR,
        ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
        ReasonCode.NOT_AUTHORIZED,
        ReasonCode.TOPIC_FILTER_INVALID,
        ReasonCode.PACKET_IDENTIFIER_IN_USE,
    }
)
"""(MQTT 5.0, 3.11.3)"""


class Unsubscribe(msgspec.Struct, frozen=True):
    """Topic filters to give up, at least one."""

    packet_id: int
    filters: tuple[str, ...]
    properties: Properties = NO_PROPERTIES

    @classmethod
    def decode(cls, body: bytes, version: Version = Version.V3_1_1) -> Self:
        reader = Reader(body)
        packet_id = reader.packet_id()
        properties = decode_properties(reader, PacketType.UNSUBSCRIBE) if version is Version.V5 else NO_PROPERTIES
        filters = []
        while reader:
            filters.append(reader.string())  # [MQTT-3.10.3-1]
        if not filters:
            raise ProtocolViolation("UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]")
        return cls(packet_id, tuple(filters), properties)

    def encode(self, version: Version = Version.V3_1_1) -> bytes:
        body = self.packet_id.to_bytes(2, "big")
        if version is Version.V5:
            body += encode_properties(self.properties, PacketType.UNSUBSCRIBE)
        body += b"".join(map(encode_string, self.filters))
        return encode_frame(PacketType.UNSUBSCRIBE << 4 | FLAGS[PacketType.UNSUBSCRIBE], body)


class Unsuback(msgspec.Struct, frozen=True):
    """The filters are given up, whether they were held or not. [MQTT-3.10.4-5]

    `codes` are MQTT 5.0's: one for each filter, in order. [MQTT-3.11.3-1]
    """

    packet_id: int
    codes: tuple[int, ...] = ()
    properties: Properties = NO_PROPERTIES

    @classmethod
    def decode(cls, body: bytes, version: Version = Version.V3_1_1) -> Self:
        reader = Reader(body)
        packet_id = reader.packet_id()
        if version is Version.V3_1_1:
            reader.finish()
            return cls(packet_id)
        properties = decode_properties(reader, PacketType.UNSUBACK)
        codes = []
        while reader:
            codes.append(reader.reason_code(REASONS, "[MQTT-3.11.3-2]"))
        return cls(packet_id, tuple(codes), properties)

    def encode(self, version: Version = Version.V3_1_1) -> bytes:
        body = self.packet_id.to_bytes(2, "big")
        if version is Version.V5:
            body += encode_properties(self.properties, PacketType.UNSUBACK) + bytes(self.codes)
        return encode_frame(PacketType.UNSUBACK << 4, body)
