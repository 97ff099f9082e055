"""AUTH, which only MQTT 5.0 knows. (MQTT 5.0, 3.15)"""

from typing import Self

import msgspec

from fogbank.mqtt.codec import PacketType, Reader, encode_frame
from fogbank.mqtt.errors import ProtocolViolation
from fogbank.mqtt.properties import NO_PROPERTIES, Properties, decode_properties, encode_properties
from fogbank.mqtt.reasons import ReasonCode
from fogbank.mqtt.version import Version

REASONS = frozenset({ReasonCode.SUCCESS, ReasonCode.CONTINUE_AUTHENTICATION, ReasonCode.REAUTHENTICATE})
"""(MQTT 5.0, 3.15.2.1)"""


class Auth(msgspec.Struct, frozen=True):
    """A step of an enhanced authentication; `properties` name its method, save in the empty form of SUCCESS."""

    code: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES

    @classmethod
    def decode(cls, body: bytes, version: Version = Version.V5) -> Self:
        if version is Version.V3_1_1:
            raise ProtocolViolation("packet type 15 is reserved (MQTT 3.1.1, 2.2.1)")
        if not body:
            return cls()
        reader = Reader(body)
        code = reader.reason_code(REASONS, "[MQTT-3.15.2-1]")
        properties = decode_properties(reader, PacketType.AUTH)
        reader.finish()
        if properties.authentication_method is None:
            raise ProtocolViolation("AUTH without an authentication method (MQTT 5.0, 3.15.2.2.2)")
        return cls(code, properties)

    def encode(self, version: Version = Version.V5) -> bytes:
        """Raises ValueError for MQTT 3.1.1, which has no such packet."""
        if version is Version.V3_1_1:
            raise ValueError("MQTT 3.1.1 has no AUTH")
        if not self.code and self.properties == NO_PROPERTIES:
            return encode_frame(PacketType.AUTH << 4, b"")
        body = self.code.to_bytes(1, "big") + encode_properties(self.properties, PacketType.AUTH)
        return encode_frame(PacketType.AUTH << 4, body)
