"""A broker that lies as it is told to, to see whether the generator notices.

Just enough MQTT 3.1.1 for the generator. Each PUBLISH goes through `meddle`, whose answer is what subscribers get.
"""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Iterator

import msgspec

Meddle = Callable[["Publish"], list["Publish"]]


class Publish(msgspec.Struct, frozen=True):
    """A PUBLISH on its way through the broker; `number` counts all of them from 0."""

    number: int
    topic: bytes
    payload: bytes
    qos: int

    def encode(self) -> bytes:
        """As one packet; packet ids are any, for the generator only hands them back."""
        body = struct.pack(">H", len(self.topic)) + self.topic
        body += struct.pack(">H", self.number % 65535 + 1) if self.qos else b""
        return bytes([0x30 | self.qos << 1]) + _length(len(body) + len(self.payload)) + body + self.payload


def _length(remaining: int) -> bytes:
    """The remaining length of a packet of less than 16 KiB."""
    return bytes([remaining]) if remaining < 128 else bytes([remaining % 128 | 128, remaining // 128])


class FakeBroker:
    """Counts what it forwarded; the switches make it misbehave."""

    def __init__(self) -> None:
        self.meddle: Meddle = lambda publish: [publish]
        self.return_code = 0
        self.suback = 0
        """Added to the QoS that SUBACK grants."""
        self.acknowledge: Callable[[Publish, int], bytes] = lambda _, packet_id: struct.pack(">BBH", 0x40, 2, packet_id)
        self.chunk: int | None = None
        """Bytes per write to subscribers, to cut packets apart; None: whole packets."""
        self.delay = 0.0
        """Seconds that everything takes on its way through."""
        self.forgets = 0
        """How many of the messages that wait for an absent client are gone when it returns."""
        self.published = 0
        self.acknowledgements = 0
        self.connects = 0
        self.port = 0
        self._subscribers: list[tuple[bytes, asyncio.StreamWriter]] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._filters: dict[bytes, bytes] = {}
        """By client ID what persistent sessions subscribe to."""
        self._waiting: dict[bytes, bytes] = {}
        """By client ID what came for them; they wait once their client is away."""

    async def closed(self) -> None:
        """Wait until every connection was read to its end."""
        await asyncio.gather(*self._connections)

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, and remember that it is being served."""
        self._connections.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = b""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                held += data
                await asyncio.sleep(self.delay)
                for first, body in packets(held):
                    self._take(first, body, writer)
                    held = held[1 + len(_length(len(body))) + len(body) :]
                await writer.drain()
        self._subscribers = [entry for entry in self._subscribers if entry[1] is not writer]
        writer.close()

    def _connect(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        client, clean = body[12:], body[7] & 2
        present = not clean and client in self._filters
        writer.write(bytes([0x20, 2, int(present), self.return_code]))
        if present:
            size = len(Publish(0, b"bench/0", bytes(64), 1).encode())
            self._forward(writer, self._waiting.pop(client)[self.forgets * size :])
        elif not clean:
            self._filters[client], self._waiting[client] = b"", b""

    def _take(self, first: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        match first >> 4:
            case 1:
                self._connect(body, writer)
            case 8:
                self._subscribers.append((body[4:-1], writer))
                for client in self._filters:
                    self._filters[client] = body[4:-1]
                writer.write(bytes([0x90, 3]) + body[:2] + bytes([body[-1] + self.suback]))
            case 3:
                self._publish(first >> 1 & 3, body, writer)
            case 4:
                self.acknowledgements += 1

    def _publish(self, qos: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        end = 2 + int.from_bytes(body[:2])
        publish = Publish(self.published, body[2:end], body[end + 2 * qos :], qos)
        self.published += 1
        answer = self.meddle(publish)
        for filter_, subscriber in self._subscribers:
            wanted = [each for each in answer if filter_ in (publish.topic, each.topic, b"bench/+")]
            self._forward(subscriber, b"".join(each.encode() for each in wanted))
        forwarded = b"".join(each.encode() for each in answer)
        for client in self._waiting:
            self._waiting[client] += forwarded
        if qos:
            writer.write(self.acknowledge(publish, int.from_bytes(body[end : end + 2])))

    def _forward(self, subscriber: asyncio.StreamWriter, data: bytes) -> None:
        step = self.chunk or len(data) or 1
        for at in range(0, len(data), step):
            subscriber.write(data[at : at + step])


def packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """First byte and body of every complete packet; the generator's are all shorter than 16 KiB."""
    at = 0
    while len(data) - at >= 3 or (len(data) - at == 2 and data[at + 1] == 0):
        length, start = data[at + 1], at + 2
        if length >= 128:
            length, start = length % 128 + data[at + 2] * 128, at + 3
        if len(data) < start + length:
            return
        yield data[at], data[start : start + length]
        at = start + length


@contextlib.asynccontextmanager
async def serving(broker: FakeBroker, tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeBroker]:
    """The broker on a free loopback port; on leaving, all that its clients have sent has been counted."""
    server = await asyncio.start_server(broker.connected, "127.0.0.1", 0, ssl=tls)
    broker.port = server.sockets[0].getsockname()[1]
    async with server:
        yield broker
        await broker.closed()
