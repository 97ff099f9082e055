"""CONNACK, and how what MQTT 5.0 says in it is said in 3.1.1. (3.2)"""

import enum
from typing import Self

import msgspec

from fogbank.mqtt.codec import PacketType, Reader, encode_frame
from fogbank.mqtt.errors import MalformedPacket, ProtocolViolation
from fogbank.mqtt.properties import NO_PROPERTIES, Properties, decode_properties, encode_properties
from fogbank.mqtt.reasons import ReasonCode
from fogbank.mqtt.version import Version


class ReturnCode(enum.IntEnum):
    """What CONNACK says in MQTT 3.1.1. (3.2.2.3)"""

    ACCEPTED = 0
    UNACCEPTABLE_PROTOCOL_VERSION = 1
    IDENTIFIER_REJECTED = 2
    SERVER_UNAVAILABLE = 3
    BAD_USER_NAME_OR_PASSWORD = 4
    NOT_AUTHORIZED = 5


REASONS = frozenset(
    {
        ReasonCode.SUCCESS,
        ReasonCode.UNSPECIFIED_ERROR,
        ReasonCode.MALFORMED_PACKET,
        ReasonCode.PROTOCOL_ERROR,
        ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
        ReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
        ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
        ReasonCode.BAD_USER_NAME_OR_PASSWORD,
        ReasonCode.NOT_AUTHORIZED,
        ReasonCode.SERVER_UNAVAILABLE,
        ReasonCode.SERVER_BUSY,
        ReasonCode.BANNED,
        ReasonCode.BAD_AUTHENTICATION_METHOD,
        ReasonCode.TOPIC_NAME_INVALID,
        ReasonCode.PACKET_TOO_LARGE,
        ReasonCode.QUOTA_EXCEEDED,
        ReasonCode.PAYLOAD_FORMAT_INVALID,
        ReasonCode.RETAIN_NOT_SUPPORTED,
        ReasonCode.QOS_NOT_SUPPORTED,
        ReasonCode.USE_ANOTHER_SERVER,
        ReasonCode.SERVER_MOVED,
        ReasonCode.CONNECTION_RATE_EXCEEDED,
    }
)
"""(MQTT 5.0, 3.2.2.2)"""

RETURN_CODES = {
    ReasonCode.SUCCESS: ReturnCode.ACCEPTED,
    ReasonCode.UNSUPPORTED_PROTOCOL_VERSION: ReturnCode.UNACCEPTABLE_PROTOCOL_VERSION,
    ReasonCode.CLIENT_IDENTIFIER_NOT_VALID: ReturnCode.IDENTIFIER_REJECTED,
    ReasonCode.SERVER_UNAVAILABLE: ReturnCode.SERVER_UNAVAILABLE,
    ReasonCode.SERVER_BUSY: ReturnCode.SERVER_UNAVAILABLE,
    ReasonCode.SERVER_SHUTTING_DOWN: ReturnCode.SERVER_UNAVAILABLE,
    ReasonCode.QUOTA_EXCEEDED: ReturnCode.SERVER_UNAVAILABLE,
    ReasonCode.CONNECTION_RATE_EXCEEDED: ReturnCode.SERVER_UNAVAILABLE,
    ReasonCode.USE_ANOTHER_SERVER: ReturnCode.SERVER_UNAVAILABLE,
    ReasonCode.SERVER_MOVED: ReturnCode.SERVER_UNAVAILABLE,
    ReasonCode.BAD_USER_NAME_OR_PASSWORD: ReturnCode.BAD_USER_NAME_OR_PASSWORD,
    ReasonCode.BAD_AUTHENTICATION_METHOD: ReturnCode.BAD_USER_NAME_OR_PASSWORD,
    ReasonCode.NOT_AUTHORIZED: ReturnCode.NOT_AUTHORIZED,
    ReasonCode.BANNED: ReturnCode.NOT_AUTHORIZED,
}
"""What MQTT 3.1.1 can say. For a reason that is not here it has no word, and the server is to close the connection
without a CONNACK. (MQTT 3.1.1, [MQTT-3.2.2-6])"""


def return_code(reason: ReasonCode) -> ReturnCode:
    """What a client of MQTT 3.1.1 is told: by `RETURN_CODES`, and SERVER_UNAVAILABLE where nothing there fits."""
    return RETURN_CODES.get(reason, ReturnCode.SERVER_UNAVAILABLE)


class Connack(msgspec.Struct, frozen=True):
    """The server's answer to CONNECT.

    `code` is a ReturnCode where it was read from MQTT 3.1.1; to write that version, a ReasonCode does as well.
    """

    code: ReturnCode | ReasonCode = ReturnCode.ACCEPTED
    session_present: bool = False
    """False wherever the connection is refused. [MQTT-3.2.2-4], 5.0: [MQTT-3.2.2-6]"""
    properties: Properties = NO_PROPERTIES

    @classmethod
    def decode(cls, body: bytes, version: Version = Version.V3_1_1) -> Self:
        reader = Reader(body)
        flags = reader.byte()
        if flags & ~1:
            raise MalformedPacket("reserved acknowledge flags are set (3.2.2.1), 5.0: [MQTT-3.2.2-1]")
        code: ReturnCode | ReasonCode
        if version is Version.V5:
            code = reader.reason_code(REASONS, "[MQTT-3.2.2-8]")
            properties = decode_properties(reader, PacketType.CONNACK)
        else:
            code, properties = _decode_return_code(reader), NO_PROPERTIES
        reader.finish()
        if flags and code:
            raise ProtocolViolation(
                "a session is present where the connection is refused [MQTT-3.2.2-4] [MQTT-3.2.2-6]"
            )
        return cls(code, bool(flags), properties)

    def encode(self, version: Version = Version.V3_1_1) -> bytes:
        """Raises ValueError for a ReturnCode of MQTT 3.1.1 that is to be written as 5.0."""
        present = self.session_present and not self.code
        if version is Version.V5:
            properties = encode_properties(self.properties, PacketType.CONNACK)
            return encode_frame(PacketType.CONNACK << 4, bytes((present, ReasonCode(self.code))) + properties)
        code = return_code(self.code) if isinstance(self.code, ReasonCode) else self.code
        return bytes((PacketType.CONNACK << 4, 2, present, code))


def _decode_return_code(reader: Reader) -> ReturnCode:
    code = reader.byte()
    if code > max(ReturnCode):
        raise ProtocolViolation(f"the return code {code} is reserved (MQTT 3.1.1, 3.2.2.3)")
    return ReturnCode(code)
