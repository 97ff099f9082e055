"""PUBLISH and PUBACK. (3.3 and 3.4)

The broker's hot path takes PUBLISH packets apart by slices and never makes these objects; everything else does.
"""

from typing import Self

import msgspec

from fogbank.mqtt.codec import PacketType, Reader, encode_frame, encode_string
from fogbank.mqtt.errors import MalformedPacket


class Publish(msgspec.Struct, frozen=True):
    """An application message. `packet_id` is 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0

    @classmethod
    def decode(cls, first: int, body: bytes) -> Self:
        """Raises MalformedPacket; whether the topic name is one to publish to is not looked at here."""
        qos = first >> 1 & 3
        if qos == 3:
            raise MalformedPacket("PUBLISH with quality of service 3 [MQTT-3.3.1-4]")
        if qos == 0 and first & 8:
            raise MalformedPacket("PUBLISH with DUP at quality of service 0 [MQTT-3.3.1-2]")
        reader = Reader(body)
        topic = reader.string()
        packet_id = reader.packet_id() if qos else 0
        return cls(topic, reader.rest(), qos, bool(first & 1), bool(first & 8), packet_id)

    def encode(self) -> bytes:
        first = PacketType.PUBLISH << 4 | self.dup << 3 | self.qos << 1 | self.retain
        packet_id = self.packet_id.to_bytes(2, "big") if self.qos else b""
        return encode_frame(first, encode_string(self.topic) + packet_id + self.payload)


class Puback(msgspec.Struct, frozen=True):
    """The receiver has taken responsibility for a QoS 1 message."""

    packet_id: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        packet_id = reader.packet_id()
        reader.finish()
        return cls(packet_id)

    def encode(self) -> bytes:
        return b"\x40\x02" + self.packet_id.to_bytes(2, "big")
