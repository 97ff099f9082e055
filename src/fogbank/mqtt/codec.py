"""The fixed header and the primitive data types of MQTT.

Clauses of sections 1 and 2 are numbered differently in MQTT 3.1.1 and 5.0; both numbers are given where a rule holds
for both: 1.5.3 and 2.3.1 are 3.1.1's, 1.5.4 to 1.5.7 and 2.2.1 are 5.0's.
"""

import enum
from collections.abc import Set

from fogbank.mqtt.errors import MalformedPacket, ProtocolViolation
from fogbank.mqtt.reasons import ReasonCode

MAX_REMAINING_LENGTH = 268_435_455
"""Four bytes of seven bits. (2.2.3)"""


class PacketType(enum.IntEnum):
    """The high four bits of a packet's first byte. (2.2.1)"""

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


FLAGS = {PacketType.PUBREL: 2, PacketType.SUBSCRIBE: 2, PacketType.UNSUBSCRIBE: 2}
"""The reserved flags that are not zero; PUBLISH alone has flags with a meaning. [MQTT-2.2.2-1] [MQTT-2.1.3-1]"""


def encode_length(length: int) -> bytes:
    """The remaining length, or any variable byte integer, in as few bytes as it takes. (2.2.3) [MQTT-1.5.5-1]"""
    if length < 128:
        return bytes((length,))
    encoded = bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def decode_length(data: bytes, position: int) -> tuple[int, int] | None:
    """The remaining length at `position` and where the packet's body begins; None while bytes are missing."""
    length = 0
    for shift in (0, 7, 14, 21):
        if position >= len(data):
            return None
        byte = data[position]
        position += 1
        length |= (byte & 127) << shift
        if byte < 128:
            return length, position
    raise MalformedPacket("the remaining length is longer than four bytes (2.2.3)")


def encode_frame(first: int, body: bytes) -> bytes:
    """A whole packet: first byte, remaining length, body."""
    return bytes((first,)) + encode_length(len(body)) + body


def check_flags(first: int) -> PacketType:
    """The type of the packet that begins with `first`, its reserved flags checked. [MQTT-2.2.2-2]

    In MQTT 5.0 each packet has a clause of its own: [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1]
    [MQTT-3.15.1-1]. AUTH passes, although only 5.0 knows it: the version is not known here.
    """
    kind = first >> 4
    if not kind:
        raise MalformedPacket("packet type 0 is reserved (2.2.1)")
    packet_type = PacketType(kind)
    if packet_type is not PacketType.PUBLISH and first & 15 != FLAGS.get(packet_type, 0):
        raise MalformedPacket(f"{packet_type.name} with reserved flags {first & 15:04b} [MQTT-2.2.2-2]")
    return packet_type


class Reader:
    """Reads the primitive types from the body of one packet; running out of bytes is a malformed packet."""

    __slots__ = ("_body", "_end", "_position")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0
        self._end = len(body)

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self._position < self._end

    def byte(self) -> int:
        return self.take(1)[0]

    def uint16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def variable(self) -> int:
        """A variable byte integer, in as few bytes as it takes. [MQTT-1.5.5-1]"""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                if shift and not byte:
                    raise MalformedPacket(f"{value} takes more bytes than it needs [MQTT-1.5.5-1]")
                return value
        raise MalformedPacket("a variable byte integer is longer than four bytes (MQTT 5.0, 1.5.5)")

    def packet_id(self) -> int:
        """A packet identifier, which is never 0. [MQTT-2.3.1-1] [MQTT-2.2.1-3]"""
        packet_id = self.uint16()
        if not packet_id:
            raise MalformedPacket("the packet identifier is 0 [MQTT-2.3.1-1] [MQTT-2.2.1-3]")
        return packet_id

    def reason_code(self, allowed: Set[int], clause: str) -> ReasonCode:
        """A reason code, one of those that the packet may bear by `clause`."""
        code = self.byte()
        if code not in allowed:
            raise ProtocolViolation(f"the reason code {code:#04x} is none that the packet may bear {clause}")
        return ReasonCode(code)

    def binary(self) -> bytes:
        """Two bytes of length, then as many bytes."""
        return self.take(self.uint16())

    def string(self) -> str:
        """A UTF-8 string; see `decode_string`."""
        return decode_string(self.binary())

    def pair(self) -> tuple[str, str]:
        """A name and a value, both UTF-8 strings. [MQTT-1.5.7-1]"""
        return self.string(), self.string()

    def take(self, count: int) -> bytes:
        start = self._position
        self._position += count
        if self._position > self._end:
            raise MalformedPacket(f"the packet ends {self._position - self._end} bytes too early")
        return self._body[start : self._position]

    def rest(self) -> bytes:
        return self.take(self._end - self._position)

    def finish(self) -> None:
        """Nothing may be left."""
        if self:
            raise MalformedPacket(f"{self._end - self._position} bytes follow the end of the packet")


def decode_string(data: bytes) -> str:
    """UTF-8 without surrogates [MQTT-1.5.3-1] [MQTT-1.5.4-1] and without U+0000 [MQTT-1.5.3-2] [MQTT-1.5.4-2].

    A byte order mark is a character like any other. [MQTT-1.5.3-3] [MQTT-1.5.4-3]
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        problem = f"{error.reason} at byte {error.start}"
        raise MalformedPacket(f"a string is not UTF-8: {problem} [MQTT-1.5.3-1] [MQTT-1.5.4-1]") from None
    if "\0" in text:
        raise MalformedPacket("a string holds the null character U+0000 [MQTT-1.5.3-2] [MQTT-1.5.4-2]")
    return text


def encode_string(text: str) -> bytes:
    """A UTF-8 string with its length before it. (1.5.3)"""
    return encode_binary(text.encode())


def encode_binary(data: bytes) -> bytes:
    """Bytes with their length before them."""
    return len(data).to_bytes(2, "big") + data
