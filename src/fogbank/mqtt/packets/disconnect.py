"""DISCONNECT. (3.14)"""

from typing import Self

import msgspec

from fogbank.mqtt.codec import PacketType, Reader, encode_frame
from fogbank.mqtt.packets.plain import DISCONNECT, check_empty
from fogbank.mqtt.properties import NO_PROPERTIES, Properties, decode_properties, encode_properties
from fogbank.mqtt.reasons import ReasonCode
from fogbank.mqtt.version import Version

REASONS = frozenset(
    {
        ReasonCode.SUCCESS,
        ReasonCode.DISCONNECT_WITH_WILL,
        ReasonCode.UNSPECIFIED_ERROR,
        ReasonCode.MALFORMED_PACKET,
        ReasonCode.PROTOCOL_ERROR,
        ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
        ReasonCode.NOT_AUTHORIZED,
        ReasonCode.SERVER_BUSY,
        ReasonCode.SERVER_SHUTTING_DOWN,
        ReasonCode.BAD_AUTHENTICATION_METHOD,
        ReasonCode.KEEP_ALIVE_TIMEOUT,
        ReasonCode.SESSION_TAKEN_OVER,
        ReasonCode.TOPIC_FILTER_INVALID,
        ReasonCode.TOPIC_NAME_INVALID,
        ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
        ReasonCode.TOPIC_ALIAS_INVALID,
        ReasonCode.PACKET_TOO_LARGE,
        ReasonCode.MESSAGE_RATE_TOO_HIGH,
        ReasonCode.QUOTA_EXCEEDED,
        ReasonCode.ADMINISTRATIVE_ACTION,
        ReasonCode.PAYLOAD_FORMAT_INVALID,
        ReasonCode.RETAIN_NOT_SUPPORTED,
        ReasonCode.QOS_NOT_SUPPORTED,
        ReasonCode.USE_ANOTHER_SERVER,
        ReasonCode.SERVER_MOVED,
        ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
        ReasonCode.CONNECTION_RATE_EXCEEDED,
        ReasonCode.MAXIMUM_CONNECT_TIME,
        ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
        ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
    }
)
"""(MQTT 5.0, 3.14.2.1; BAD_AUTHENTICATION_METHOD by 2.4 alone)"""


class Disconnect(msgspec.Struct, frozen=True):
    """The last packet of a connection: in MQTT 3.1.1 only the client's and without a word, in 5.0 either side's."""

    code: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES

    @classmethod
    def decode(cls, body: bytes, version: Version = Version.V3_1_1) -> Self:
        if version is Version.V3_1_1:
            check_empty(PacketType.DISCONNECT, body)
        if not body:
            return cls()
        reader = Reader(body)
        code = reader.reason_code(REASONS, "[MQTT-3.14.2-1]")
        properties = decode_properties(reader, PacketType.DISCONNECT) if reader else NO_PROPERTIES  # (3.14.2.2.1)
        reader.finish()
        return cls(code, properties)

    def encode(self, version: Version = Version.V3_1_1) -> bytes:
        """In MQTT 5.0 in the shortest form: the code is left out where it is SUCCESS and nothing follows."""
        if version is Version.V3_1_1 or not (self.code or self.properties != NO_PROPERTIES):
            return DISCONNECT
        body = self.code.to_bytes(1, "big")
        if self.properties != NO_PROPERTIES:
            body += encode_properties(self.properties, PacketType.DISCONNECT)
        return encode_frame(PacketType.DISCONNECT << 4, body)
