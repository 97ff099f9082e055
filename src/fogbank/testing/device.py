"""A client in memory: packets instead of sockets, so that a test of the broker needs no port and no waiting."""

import asyncio
from typing import Any

from fogbank.broker.broker import Broker
from fogbank.broker.connection import Connection
from fogbank.mqtt import NO_PROPERTIES, Properties, Version
from fogbank.mqtt.codec import PacketType, decode_length
from fogbank.mqtt.packets import (
    PINGRESP,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from fogbank.ports import Peer

Packet = (
    Connect
    | Connack
    | Publish
    | Puback
    | Pubrec
    | Pubrel
    | Pubcomp
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Disconnect
    | Auth
)


class MemoryLink:
    """The broker's side of a connection in memory. Set `room` to make the peer slow: bytes beyond it stay buffered."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = False
        self.reading = True
        self.room: int | None = None
        self.limits = (1 << 62, 0)
        self.connection: Connection | None = None
        self._paused = False

    def write(self, data: bytes | bytearray) -> None:
        if not self.closed:
            self.written += data
            self._tell()

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0 if self.room is None else max(0, len(self.written) - self.room)

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        self.limits = (high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.255", 8883) if name == "sockname" else default

    def drain(self, room: int | None = None) -> None:
        """The peer takes what is buffered; `room` is what it takes from now on."""
        self.room = room
        self._tell()

    def _tell(self) -> None:
        assert self.connection is not None
        high, low = self.limits
        size = self.get_write_buffer_size()
        if not self._paused and size > high:
            self._paused = True
            self.connection.line.pause_writing()
        elif self._paused and size <= low:
            self._paused = False
            self.connection.line.resume_writing()


class Device:
    """An MQTT client of a broker in the same process, of either version.

    `send` hands packets (or raw bytes) over at once; `take` gives what has come back since the last call.
    """

    def __init__(self, broker: Broker, peer: Peer, version: Version = Version.V3_1_1) -> None:
        self.version = version
        self.link = MemoryLink()
        self.connection = broker.connect(self.link, peer)
        self.link.connection = self.connection
        self._position = 0

    @property
    def closed(self) -> bool:
        """Whether the broker has closed the connection."""
        return self.link.closed

    async def connect(
        self,
        client_id: str = "device",
        *,
        clean_start: bool = True,
        keep_alive: int = 60,
        will: Will | None = None,
        username: str | None = None,
        password: bytes | None = None,
        properties: Properties = NO_PROPERTIES,
    ) -> Connack:
        """CONNECT, and the answer to it."""
        self.send(Connect(client_id, clean_start, keep_alive, will, username, password, self.version, properties))
        connacks = [packet for packet in await self.take() if isinstance(packet, Connack)]
        assert connacks, "the broker did not answer CONNECT"
        return connacks[0]

    async def accepted(
        self,
        client_id: str = "device",
        *,
        clean_start: bool = True,
        will: Will | None = None,
        properties: Properties = NO_PROPERTIES,
    ) -> "Device":
        """Connect, or fail the test."""
        connack = await self.connect(client_id, clean_start=clean_start, will=will, properties=properties)
        assert connack.code == 0, connack
        return self

    async def subscribe(
        self, *filters: tuple[str, int] | Subscription, properties: Properties = NO_PROPERTIES
    ) -> tuple[int, ...]:
        """SUBSCRIBE, and the return codes of SUBACK."""
        asked = tuple(one if isinstance(one, Subscription) else Subscription(*one) for one in filters)
        self.send(Subscribe(1, asked, properties))
        [suback] = [packet for packet in await self.take() if isinstance(packet, Suback)]
        return suback.codes

    def send(self, *packets: Packet | bytes) -> None:
        """Hand packets over, each as a chunk of its own."""
        for packet in packets:
            self.connection.receive(self._encode(packet))

    def _encode(self, packet: Packet | bytes) -> bytes:
        if isinstance(packet, bytes):
            return packet
        return packet.encode() if isinstance(packet, Connect | Auth) else packet.encode(self.version)

    def lose(self) -> None:
        """Break the connection without a word."""
        self.connection.lost()

    async def take(self) -> list[Packet | bytes]:
        """All packets that have come since the last call; PINGRESP as bytes."""
        for _ in range(10):  # admission awaits a few times, and writing happens at the end of a tick
            await asyncio.sleep(0)
        data = bytes(self.link.written[self._position :])
        packets, used = decode_all(data, self.version)
        self._position += used
        return packets

    async def messages(self) -> list[Publish]:
        """The PUBLISH packets among what has come."""
        return [packet for packet in await self.take() if isinstance(packet, Publish)]


def decode_all(data: bytes, version: Version = Version.V3_1_1) -> tuple[list[Packet | bytes], int]:
    """The whole packets at the beginning of `data`, and how many bytes they take."""
    packets: list[Packet | bytes] = []
    position = 0
    while position < len(data):
        decoded = decode_length(data, position + 1)
        if decoded is None or decoded[1] + decoded[0] > len(data):
            break
        length, body = decoded
        packets.append(decode(data[position], data[body : body + length], version))
        position = body + length
    return packets, position


def decode(first: int, body: bytes, version: Version = Version.V3_1_1) -> Packet | bytes:
    """A packet that a server sends."""
    packet_type = PacketType(first >> 4)
    if packet_type is PacketType.PUBLISH:
        return Publish.decode(first, body, version)
    if packet_type is PacketType.PINGRESP:
        return PINGRESP
    kind = SENT_BY_SERVERS.get(packet_type)
    if kind is None:
        raise AssertionError(f"a server does not send {packet_type.name}")
    return kind.decode(body, version)


SENT_BY_SERVERS: dict[
    PacketType, type[Connack | Puback | Pubrec | Pubrel | Pubcomp | Suback | Unsuback | Disconnect]
] = {
    PacketType.CONNACK: Connack,
    PacketType.PUBACK: Puback,
    PacketType.PUBREC: Pubrec,
    PacketType.PUBREL: Pubrel,
    PacketType.PUBCOMP: Pubcomp,
    PacketType.SUBACK: Suback,
    PacketType.UNSUBACK: Unsuback,
    PacketType.DISCONNECT: Disconnect,
}
