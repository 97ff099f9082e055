"""Runs of messages: many PUBLISH packets that differ in payload and packet identifier alone.

A busy device sends the same topic and length again and again, and those packets lie next to one another in what is read
from its socket. Such a run is kept as the bytes it came in. To send it on, only the packet identifiers must be written
anew, and since they stand at a fixed distance from one another, strided slices do that for all of them at once: the
cost of a run hardly depends on how many messages it has. A single message is a run of one, and has the shorter way.

Receivers of the other version of MQTT, or of another quality of service, get packets that differ in their heads: a run
is turned into that form once, for all of them.
"""

from collections.abc import Iterator
from typing import Final, Self

import msgspec

from fogbank.message import NO_PROPERTIES, Message
from fogbank.mqtt import Properties, Version
from fogbank.mqtt.codec import PacketType, decode_length, encode_length, encode_string
from fogbank.mqtt.properties import encode_properties

MAX_ID: Final = 65_535
DUP = 0x08
RETAIN = 0x01

_ALL = range(MAX_ID + 1)
_HIGH = bytes([number >> 8 for number in _ALL])
_LOW = bytes([number & 0xFF for number in _ALL])
_PUBACK = b"\x40\x02"
_PUBACKS = b"".join([_PUBACK + number.to_bytes(2, "big") for number in _ALL])
"""The PUBACK of every packet identifier, in order: acknowledgements in order are one comparison away."""
_IDENTIFIER = b"\x0b"
"""The subscription identifier among properties. (MQTT 5.0, 3.3.2.3.8)"""
_V3, _V5 = Version.V3_1_1, Version.V5


class Row(msgspec.Struct, gc=False):
    """A run on disk. See `store`."""

    number: int
    count: int
    """Messages it has."""
    remaining: int
    """Messages that have not arrived yet."""


class Run:
    """`count` whole PUBLISH packets of `size` bytes each. Never changed once made, but for what it remembers."""

    __slots__ = ("count", "expires_at", "frames", "offset", "other", "properties", "row", "size", "start", "version")

    def __init__(
        self,
        frames: bytes | bytearray,
        size: int,
        offset: int,
        start: int,
        count: int,
        version: int = _V3,
        row: Row | None = None,
        properties: bytes = b"",
        expires_at: float | None = None,
    ) -> None:
        self.frames = frames
        self.size = size
        self.offset = offset
        """Where in each packet the topic ends: there the packet identifier is, at QoS 1 and 2."""
        self.start = start
        """Where in each packet the payload begins."""
        self.count = count
        self.version = version
        self.row = row
        """Where the messages are kept on disk; None where they are not."""
        self.properties = properties
        """What MQTT 5 receivers are passed on, encoded, without length."""
        self.expires_at = expires_at
        """Seconds since the epoch after which nobody gets it any more."""
        self.other: Run | None = None
        """The same for the other version of MQTT, once it has been asked for."""

    @classmethod
    def of(cls, message: Message, *, qos: int | None = None, retain: bool = False) -> Self:
        """A run of one message, at its own quality of service or at another."""
        qos = message.qos if qos is None else qos
        properties = _encoded(message)
        version = _V5 if properties else _V3
        return cls._built(
            0x30 | qos << 1 | retain, encode_string(message.topic), version, properties, [message.payload], message
        )

    @classmethod
    def _built(
        cls,
        first: int,
        topic: bytes,
        version: int,
        properties: bytes,
        payloads: list[bytes],
        like: "Run | Message",
        extra: bytes = b"",
    ) -> Self:
        """Packets with one head and these payloads, which are all of one size. Identifiers are left 0."""
        head = topic + b"\0\0" if first & 0x06 else topic
        if version == _V5:
            section = len(extra) + len(properties)
            head += encode_length(section) + extra + properties if section else b"\0"
        opening = bytes((first,)) + encode_length(len(head) + len(payloads[0]))
        offset = len(opening) + len(topic)
        head = opening + head
        frames = head + head.join(payloads) if len(payloads) > 1 else head + payloads[0]
        size = len(head) + len(payloads[0])
        row = like.row if isinstance(like, Run) else None
        return cls(frames, size, offset, len(head), len(payloads), version, row, properties, like.expires_at)

    # --- what it is ---

    @property
    def qos(self) -> int:
        return self.frames[0] >> 1 & 3

    @property
    def topic(self) -> bytes:
        """What all messages are published to, with its length before it."""
        body = 2
        while self.frames[body - 1] & 0x80:
            body += 1
        return bytes(self.frames[body : self.offset])

    def payloads(self) -> list[bytes]:
        """The payload of each message."""
        frames, size, start = self.frames, self.size, self.start
        return [bytes(frames[at + start : at + size]) for at in range(0, len(frames), size)]

    def has_zero_id(self) -> bool:
        """Whether a packet has the identifier 0, which none may have. [MQTT-2.3.1-1] [MQTT-2.2.1-3]"""
        frames, size, offset = self.frames, self.size, self.offset
        if 0 not in frames[offset + 1 :: size]:
            return False
        return any(not (frames[at] or frames[at + 1]) for at in range(offset, len(frames), size))

    # --- parts ---

    def first(self, count: int) -> "Run":
        """The first `count` messages."""
        return self._part(0, count)

    def after(self, count: int) -> "Run":
        """All but the first `count` messages."""
        return self._part(count, self.count)

    def singles(self) -> Iterator["Run"]:
        """Each message as a run of its own."""
        for place in range(self.count):
            yield self._part(place, place + 1)

    def _part(self, begin: int, end: int) -> "Run":
        return self._with(self.frames[begin * self.size : end * self.size], end - begin, self.row)

    def _with(self, frames: bytes | bytearray, count: int, row: Row | None) -> "Run":
        """Other packets of the same shape."""
        return Run(
            frames, self.size, self.offset, self.start, count, self.version, row, self.properties, self.expires_at
        )

    # --- forms ---

    def in_form(self, version: int) -> "Run":
        """The same messages for receivers of `version`; without packet identifiers where they had to be made anew."""
        if version == self.version:
            return self
        other = self.other
        if other is None:
            other = self._built(self.frames[0], self.topic, version, self.properties, self.payloads(), self)
            self.other = other
        return other

    def at(self, qos: int, *, retain: bool = False, identifiers: tuple[int, ...] = ()) -> "Run":
        """The same messages at another quality of service, with these flags, and subscription identifiers of 5.0."""
        first = 0x30 | qos << 1 | retain
        if identifiers:
            extra = b"".join([_IDENTIFIER + encode_length(identifier) for identifier in identifiers])
            return self._built(first, self.topic, _V5, extra + self.properties, self.payloads(), self)
        if first == self.frames[0]:
            return self
        if qos and self.qos and self.count == 1:
            return self._with(bytes((first,)) + self.frames[1:], 1, self.row)
        return self._built(first, self.topic, self.version, self.properties, self.payloads(), self)

    def without_identifiers(self) -> "Run":
        """The same messages without the subscription identifiers that `at` gave them."""
        properties = self.properties
        while properties[:1] == _IDENTIFIER:
            decoded = decode_length(properties, 1)
            assert decoded is not None
            properties = properties[decoded[1] :]
        if properties == self.properties:
            return self
        return self._built(self.frames[0], self.topic, self.version, properties, self.payloads(), self)

    def dressed(self, extra: bytes, topic: bytes) -> "Run":
        """For the wire of one MQTT 5 client: the same packets with properties before the others, and `topic`."""
        run = self._built(self.frames[0], topic, _V5, self.properties, self.payloads(), self, extra)
        if not self.qos:
            return run
        frames = bytearray(run.frames)
        frames[run.offset :: run.size] = self.frames[self.offset :: self.size]
        frames[run.offset + 1 :: run.size] = self.frames[self.offset + 1 :: self.size]
        run.frames = frames
        return run

    def kept_in(self, row: Row | None) -> "Run":
        """The same messages, kept on disk."""
        return self._with(self.frames, self.count, row)

    def numbered(self, first: int) -> "Run":
        """The packets with the identifiers `first`, `first + 1`, ..., which must not pass `MAX_ID`."""
        frames, offset = self.frames, self.offset
        if self.count == 1:
            frames = frames[:offset] + first.to_bytes(2, "big") + frames[offset + 2 :]
        else:
            frames = bytearray(frames)
            end = first + self.count
            frames[offset :: self.size] = _HIGH[first:end]
            frames[offset + 1 :: self.size] = _LOW[first:end]
        return self._with(frames, self.count, self.row)

    def repeated(self) -> "Run":
        """The packets marked as sent before. [MQTT-3.3.1-1]"""
        frames = bytearray(self.frames)
        frames[:: self.size] = bytes((frames[0] | DUP,)) * self.count
        return self._with(frames, self.count, self.row)

    def acknowledgements(self) -> bytes:
        """The PUBACKs for the packets as they are numbered."""
        frames, size, offset = self.frames, self.size, self.offset
        answers = bytearray((_PUBACK + bytes(2)) * self.count)
        answers[2::4] = frames[offset::size]
        answers[3::4] = frames[offset + 1 :: size]
        return bytes(answers)

    # --- on disk ---

    def encode(self, step: int = 0) -> bytes:
        """For `decode`, with how far its delivery has come; packet identifiers are as they are."""
        frames, version = bytes(self.frames), int(self.version)
        return msgspec.msgpack.encode(
            (step, frames, self.size, self.offset, self.start, self.count, version, self.properties, self.expires_at)
        )

    @classmethod
    def decode(cls, number: int, data: bytes) -> tuple[int, Self]:
        """What `encode` was given, kept in row `number`."""
        step, frames, size, offset, start, count, version, properties, expires_at = _DECODER.decode(data)
        row = Row(number, count, count)
        return step, cls(frames, size, offset, start, count, version, row, properties, expires_at)


_DECODER = msgspec.msgpack.Decoder(tuple[int, bytes, int, int, int, int, int, bytes, float | None])


def pubacks(first: int, count: int) -> bytes:
    """The PUBACKs of `count` identifiers from `first` on."""
    return _PUBACKS[first * 4 : (first + count) * 4]


def _encoded(message: Message) -> bytes:
    properties = message.properties
    if properties is NO_PROPERTIES:
        return b""
    block = encode_properties(
        Properties(
            payload_format=properties.payload_format,
            content_type=properties.content_type,
            response_topic=properties.response_topic,
            correlation_data=properties.correlation_data,
            user_properties=properties.user_properties,
        ),
        PacketType.PUBLISH,
    )
    decoded = decode_length(block, 0)
    assert decoded is not None
    return block[decoded[1] :]
