"""Runs of QoS 1 messages: many PUBLISH packets that differ in payload and packet identifier alone.

A busy device sends the same topic and length again and again, and those packets lie next to one another in what is read
from its socket. Such a run is kept as the bytes it came in. To send it on, only the packet identifiers must be written
anew, and since they stand at a fixed distance from one another, strided slices do that for all of them at once: the
cost of a run hardly depends on how many messages it has. A single message is a run of one, and has the shorter way.
"""

from collections.abc import Iterator
from typing import Self

import msgspec

from fogbank.mqtt.packets import Publish

MAX_ID = 65_535
DUP = 0x08

_ALL = range(MAX_ID + 1)
_HIGH = bytes(number >> 8 for number in _ALL)
_LOW = bytes(number & 0xFF for number in _ALL)
_PUBACK = b"\x40\x02"
_PUBACKS = b"".join(_PUBACK + number.to_bytes(2, "big") for number in _ALL)
"""The PUBACK of every packet identifier, in order: acknowledgements in order are one comparison away."""


class Run(msgspec.Struct, frozen=True, gc=False):
    """`count` whole packets of `size` bytes each, with the packet identifier at `offset` in each."""

    frames: bytes | bytearray
    size: int
    offset: int
    count: int

    @classmethod
    def of(cls, topic: str, payload: bytes) -> Self:
        """A run of one message."""
        frame = Publish(topic, payload, qos=1, packet_id=1).encode()
        return cls(frame, len(frame), len(frame) - len(payload) - 2, 1)

    def first(self, count: int) -> "Run":
        """The first `count` messages."""
        return Run(self.frames[: count * self.size], self.size, self.offset, count)

    def after(self, count: int) -> "Run":
        """All but the first `count` messages."""
        return Run(self.frames[count * self.size :], self.size, self.offset, self.count - count)

    def singles(self) -> Iterator["Run"]:
        """Each message as a run of its own."""
        size, offset = self.size, self.offset
        return (Run(self.frames[at : at + size], size, offset, 1) for at in range(0, len(self.frames), size))

    def numbered(self, first: int) -> "Run":
        """The packets with the identifiers `first`, `first + 1`, ..., which must not pass `MAX_ID`."""
        frames, offset = self.frames, self.offset
        if self.count == 1:
            return Run(frames[:offset] + first.to_bytes(2, "big") + frames[offset + 2 :], self.size, offset, 1)
        frames = bytearray(frames)
        end = first + self.count
        frames[offset :: self.size] = _HIGH[first:end]
        frames[offset + 1 :: self.size] = _LOW[first:end]
        return Run(frames, self.size, offset, self.count)

    def repeated(self) -> bytearray:
        """The packets marked as sent before. [MQTT-3.3.1-1]"""
        frames = bytearray(self.frames)
        frames[:: self.size] = bytes((frames[0] | DUP,)) * self.count
        return frames

    def acknowledgements(self) -> bytes:
        """The PUBACKs for the packets as they are numbered."""
        frames, size, offset = self.frames, self.size, self.offset
        if self.count == 1:
            return _PUBACK + frames[offset : offset + 2]
        answers = bytearray((_PUBACK + bytes(2)) * self.count)
        answers[2::4] = frames[offset::size]
        answers[3::4] = frames[offset + 1 :: size]
        return bytes(answers)

    def has_zero_id(self) -> bool:
        """Whether a packet has the identifier 0, which none may have. [MQTT-2.3.1-1]"""
        frames, size, offset = self.frames, self.size, self.offset
        if self.count == 1:
            return not (frames[offset] or frames[offset + 1])
        if 0 not in frames[offset + 1 :: size]:
            return False
        return any(not (frames[at] or frames[at + 1]) for at in range(offset, len(frames), size))

    def topic(self) -> str:
        """What all messages of the run are published to."""
        body = 2
        while self.frames[body - 1] & 0x80:
            body += 1
        return self.frames[body + 2 : self.offset].decode()

    def payloads(self) -> list[bytes]:
        start = self.offset + 2
        return [bytes(self.frames[at + start : at + self.size]) for at in range(0, len(self.frames), self.size)]


def pubacks(first: int, count: int) -> bytes:
    """The PUBACKs of `count` identifiers from `first` on."""
    return _PUBACKS[first * 4 : (first + count) * 4]
