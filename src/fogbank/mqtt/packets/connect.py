"""CONNECT. (3.1)"""

from typing import Self

import msgspec

from fogbank.mqtt.codec import PacketType, Reader, encode_binary, encode_frame, encode_string
from fogbank.mqtt.errors import MalformedPacket, UnsupportedVersion
from fogbank.mqtt.properties import NO_PROPERTIES, WILL, Properties, decode_properties, encode_properties
from fogbank.mqtt.version import Version

CLEAN_START = 0x02
WILL_FLAG = 0x04
WILL_QOS = 0x18
WILL_RETAIN = 0x20
PASSWORD = 0x40
USER_NAME = 0x80


class Will(msgspec.Struct, frozen=True):
    """The message that the server publishes where the client is lost. (3.1.2.5)"""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = NO_PROPERTIES


class Connect(msgspec.Struct, frozen=True):
    """A client introduces itself."""

    client_id: str
    clean_start: bool = True
    """What MQTT 3.1.1 calls clean session."""
    keep_alive: int = 0
    """Seconds; 0 turns it off."""
    will: Will | None = None
    username: str | None = None
    password: bytes | None = None
    version: Version = Version.V3_1_1
    properties: Properties = NO_PROPERTIES

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Raises ProtocolViolation, and UnsupportedVersion before anything that depends on the version is read.

        The fields stand in the order that [MQTT-3.1.3-1] demands.
        """
        reader = Reader(body)
        version = _decode_version(reader)
        flags = _check_flags(reader.byte(), version)
        keep_alive = reader.uint16()
        properties = decode_properties(reader, PacketType.CONNECT) if version is Version.V5 else NO_PROPERTIES
        client_id = reader.string()  # [MQTT-3.1.3-3] [MQTT-3.1.3-4]
        will = _decode_will(reader, flags, version) if flags & WILL_FLAG else None
        username = reader.string() if flags & USER_NAME else None
        password = reader.binary() if flags & PASSWORD else None
        reader.finish()
        return cls(client_id, bool(flags & CLEAN_START), keep_alive, will, username, password, version, properties)

    def encode(self) -> bytes:
        flags = CLEAN_START if self.clean_start else 0
        payload = encode_string(self.client_id)
        if self.will is not None:
            flags |= WILL_FLAG | self.will.qos << 3 | (WILL_RETAIN if self.will.retain else 0)
            payload += encode_properties(self.will.properties, WILL) if self.version is Version.V5 else b""
            payload += encode_string(self.will.topic) + encode_binary(self.will.payload)
        if self.username is not None:
            flags |= USER_NAME
            payload += encode_string(self.username)
        if self.password is not None:
            flags |= PASSWORD
            payload += encode_binary(self.password)
        head = encode_string("MQTT") + bytes((self.version, flags)) + self.keep_alive.to_bytes(2, "big")
        if self.version is Version.V5:
            head += encode_properties(self.properties, PacketType.CONNECT)
        return encode_frame(PacketType.CONNECT << 4, head + payload)


def _decode_version(reader: Reader) -> Version:
    """The protocol name and level, with which every CONNECT of every version begins."""
    name, level = reader.binary(), reader.byte()
    if name not in (b"MQTT", b"MQIsdp"):
        raise MalformedPacket(f"the protocol name is {name[:16]!r}, not 'MQTT' [MQTT-3.1.2-1]")
    if name != b"MQTT" or level not in (Version.V3_1_1, Version.V5):
        raise UnsupportedVersion(name.decode(), level)
    return Version(level)


def _check_flags(flags: int, version: Version) -> int:
    """The connect flags, their rules held: those of 3.1.1, then those of 5.0. (3.1.2.3)"""
    if flags & 0x01:
        raise MalformedPacket("the reserved connect flag is set [MQTT-3.1.2-3]")
    if flags & WILL_FLAG:
        if flags & WILL_QOS == WILL_QOS:
            raise MalformedPacket("the will's quality of service is 3 [MQTT-3.1.2-14] [MQTT-3.1.2-12]")
    elif flags & (WILL_QOS | WILL_RETAIN):
        raise MalformedPacket(
            "will flags are set without a will [MQTT-3.1.2-13] [MQTT-3.1.2-15], 5.0: [MQTT-3.1.2-11] [MQTT-3.1.2-13]"
        )
    if version is Version.V3_1_1 and flags & PASSWORD and not flags & USER_NAME:
        raise MalformedPacket("a password without a user name [MQTT-3.1.2-22]")
    return flags


def _decode_will(reader: Reader, flags: int, version: Version) -> Will:
    """The will's fields, all of which must be there. [MQTT-3.1.2-9]"""
    properties = decode_properties(reader, WILL) if version is Version.V5 else NO_PROPERTIES
    return Will(reader.string(), reader.binary(), flags >> 3 & 3, bool(flags & WILL_RETAIN), properties)
