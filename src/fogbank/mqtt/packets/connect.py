"""CONNECT and CONNACK. (3.1 and 3.2)"""

import enum
from typing import Self

import msgspec

from fogbank.mqtt.codec import PacketType, Reader, encode_binary, encode_frame, encode_string
from fogbank.mqtt.errors import MalformedPacket, UnsupportedVersion

LEVEL_3_1_1 = 4


class Will(msgspec.Struct, frozen=True):
    """The message that the server publishes where the client is lost. (3.1.2.5)"""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


class ReturnCode(enum.IntEnum):
    """What CONNACK says. (3.2.2.3)"""

    ACCEPTED = 0
    UNACCEPTABLE_PROTOCOL_VERSION = 1
    IDENTIFIER_REJECTED = 2
    SERVER_UNAVAILABLE = 3
    BAD_USER_NAME_OR_PASSWORD = 4
    NOT_AUTHORIZED = 5


class Connect(msgspec.Struct, frozen=True):
    """A client introduces itself."""

    client_id: str
    clean_session: bool = True
    keep_alive: int = 0
    """Seconds; 0 turns it off."""
    will: Will | None = None
    username: str | None = None
    password: bytes | None = None

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Raises MalformedPacket, and UnsupportedVersion before anything that depends on the version is read."""
        reader = Reader(body)
        name, level = reader.binary(), reader.byte()
        if name not in (b"MQTT", b"MQIsdp"):
            raise MalformedPacket(f"the protocol name is {name[:16]!r}, not 'MQTT' [MQTT-3.1.2-1]")
        if name != b"MQTT" or level != LEVEL_3_1_1:
            raise UnsupportedVersion(f"protocol level {level} of {name.decode()} is not served, only MQTT 3.1.1 (4)")
        flags = _check_flags(reader.byte())
        keep_alive = reader.uint16()
        client_id = reader.string()
        will = None
        if flags & 0x04:
            will = Will(reader.string(), reader.binary(), flags >> 3 & 3, bool(flags & 0x20))
        username = reader.string() if flags & 0x80 else None
        password = reader.binary() if flags & 0x40 else None
        reader.finish()
        return cls(client_id, bool(flags & 0x02), keep_alive, will, username, password)

    def encode(self) -> bytes:
        flags = self.clean_session << 1
        payload = encode_string(self.client_id)
        if self.will is not None:
            flags |= 0x04 | self.will.qos << 3 | self.will.retain << 5
            payload += encode_string(self.will.topic) + encode_binary(self.will.payload)
        if self.username is not None:
            flags |= 0x80
            payload += encode_string(self.username)
        if self.password is not None:
            flags |= 0x40
            payload += encode_binary(self.password)
        head = encode_string("MQTT") + bytes((LEVEL_3_1_1, flags)) + self.keep_alive.to_bytes(2, "big")
        return encode_frame(PacketType.CONNECT << 4, head + payload)


def _check_flags(flags: int) -> int:
    """The connect flags, their rules held. (3.1.2.3)"""
    if flags & 0x01:
        raise MalformedPacket("the reserved connect flag is set [MQTT-3.1.2-3]")
    if flags & 0x04:
        if flags & 0x18 == 0x18:
            raise MalformedPacket("the will's quality of service is 3 [MQTT-3.1.2-14]")
    elif flags & 0x38:
        raise MalformedPacket("will flags are set without a will [MQTT-3.1.2-13] [MQTT-3.1.2-15]")
    if flags & 0x40 and not flags & 0x80:
        raise MalformedPacket("a password without a user name [MQTT-3.1.2-22]")
    return flags


class Connack(msgspec.Struct, frozen=True):
    """The server's answer."""

    code: ReturnCode = ReturnCode.ACCEPTED
    session_present: bool = False

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        flags, code = reader.byte(), reader.byte()
        reader.finish()
        if flags & ~1:
            raise MalformedPacket("reserved acknowledge flags are set (3.2.2.1)")
        return cls(ReturnCode(code), bool(flags))

    def encode(self) -> bytes:
        return bytes((PacketType.CONNACK << 4, 2, self.session_present, self.code))
