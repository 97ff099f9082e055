"""SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK. (3.8 to 3.11)"""

from typing import Self

import msgspec

from fogbank.mqtt.codec import FLAGS, PacketType, Reader, encode_frame, encode_string
from fogbank.mqtt.errors import MalformedPacket

FAILURE = 0x80
"""The SUBACK return code of a refused subscription. (3.9.3)"""


class Subscribe(msgspec.Struct, frozen=True):
    """Topic filters, each with the highest quality of service at which the client takes messages."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        packet_id = reader.packet_id()
        filters = []
        while reader:
            filter_, qos = reader.string(), reader.byte()
            if qos > 2:
                raise MalformedPacket(f"a subscription asks for quality of service {qos} [MQTT-3.8.3-4]")
            filters.append((filter_, qos))
        if not filters:
            raise MalformedPacket("SUBSCRIBE without a topic filter [MQTT-3.8.3-3]")
        return cls(packet_id, tuple(filters))

    def encode(self) -> bytes:
        body = b"".join(encode_string(filter_) + bytes((qos,)) for filter_, qos in self.filters)
        return _frame(PacketType.SUBSCRIBE, self.packet_id, body)


class Suback(msgspec.Struct, frozen=True):
    """For each filter, in order, the quality of service granted or FAILURE."""

    packet_id: int
    codes: tuple[int, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        return cls(reader.packet_id(), tuple(reader.rest()))

    def encode(self) -> bytes:
        return _frame(PacketType.SUBACK, self.packet_id, bytes(self.codes))


class Unsubscribe(msgspec.Struct, frozen=True):
    """Topic filters to give up."""

    packet_id: int
    filters: tuple[str, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        packet_id = reader.packet_id()
        filters = []
        while reader:
            filters.append(reader.string())
        if not filters:
            raise MalformedPacket("UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]")
        return cls(packet_id, tuple(filters))

    def encode(self) -> bytes:
        return _frame(PacketType.UNSUBSCRIBE, self.packet_id, b"".join(map(encode_string, self.filters)))


class Unsuback(msgspec.Struct, frozen=True):
    """The filters are given up, whether they were held or not. [MQTT-3.10.4-5]"""

    packet_id: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        packet_id = reader.packet_id()
        reader.finish()
        return cls(packet_id)

    def encode(self) -> bytes:
        return _frame(PacketType.UNSUBACK, self.packet_id, b"")


def _frame(packet_type: PacketType, packet_id: int, body: bytes) -> bytes:
    return encode_frame(packet_type << 4 | FLAGS.get(packet_type, 0), packet_id.to_bytes(2, "big") + body)
