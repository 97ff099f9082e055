"""One broker of Kafka, as far as a producer asks one: ApiVersions, Metadata, Produce (the Kafka protocol guide)."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiokafka.record.memory_records import MemoryRecords

PRODUCE, METADATA, API_VERSIONS = 0, 3, 18
SERVED = {PRODUCE: (3, 3), METADATA: (1, 1), API_VERSIONS: (0, 0)}
PARTITIONS = 3
UNKNOWN_TOPIC = 3


class Stored(msgspec.Struct, frozen=True):
    """A record as it was produced."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


class Reader:
    """Reads what the protocol guide calls primitive types."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def int16(self) -> int:
        return int(struct.unpack(">h", self.take(2))[0])

    def int32(self) -> int:
        return int(struct.unpack(">i", self.take(4))[0])

    def string(self) -> str | None:
        size = self.int16()
        return None if size < 0 else self.take(size).decode()


class Broker:
    """Takes records for any topic but those in `errors`, which are answered with their error code."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self.errors: dict[str, int] = {}
        self.acks: list[int] = []
        self.address = ""
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                request = Reader(await reader.readexactly(size))
                api, _, correlation = request.int16(), request.int16(), request.int32()
                request.string()
                answer = {PRODUCE: self._produce, METADATA: self._metadata, API_VERSIONS: self._versions}[api](request)
                if answer is not None:
                    writer.write(struct.pack(">ii", len(answer) + 4, correlation) + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def hang_up(self) -> None:
        for writer in self._open:
            writer.close()

    def _versions(self, _: Reader) -> bytes:
        keys = b"".join(struct.pack(">hhh", key, *versions) for key, versions in SERVED.items())
        return struct.pack(">hi", 0, len(SERVED)) + keys

    def _metadata(self, request: Reader) -> bytes:
        topics = [request.string() or "" for _ in range(max(request.int32(), 0))]
        broker = struct.pack(">i", 0) + _string("127.0.0.1") + struct.pack(">ih", self._port, -1)
        answer = struct.pack(">i", 1) + broker + struct.pack(">ii", 0, len(topics))
        for topic in topics:
            partitions = b"".join(
                struct.pack(">hii", 0, number, 0) + struct.pack(">iiii", 1, 0, 1, 0) for number in range(PARTITIONS)
            )
            error = self.errors.get(topic, 0)
            error = error if error == UNKNOWN_TOPIC else 0
            answer += struct.pack(">h", error) + _string(topic) + struct.pack(">bi", 0, PARTITIONS) + partitions
        return answer

    def _produce(self, request: Reader) -> bytes | None:
        request.string()
        acks, _ = request.int16(), request.int32()
        self.acks.append(acks)
        answer = b""
        count = request.int32()
        for _ in range(count):
            topic = request.string() or ""
            partitions = request.int32()
            answer += _string(topic) + struct.pack(">i", partitions)
            for _ in range(partitions):
                partition = request.int32()
                records = MemoryRecords(request.take(request.int32()))
                error = self.errors.get(topic, 0)
                if not error:
                    self._store(topic, partition, records)
                answer += struct.pack(">ihqq", partition, error, 0, -1)
        return struct.pack(">i", count) + answer + struct.pack(">i", 0) if acks else None

    def _store(self, topic: str, partition: int, records: MemoryRecords) -> None:
        while (batch := records.next_batch()) is not None:
            self.stored += [
                Stored(topic, partition, record.key, record.value, list(record.headers)) for record in batch
            ]


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()


@asynccontextmanager
async def kafka() -> AsyncIterator[Broker]:
    """A broker, up while the block runs."""
    broker = Broker()
    listener = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker._port = listener.sockets[0].getsockname()[1]
    broker.address = f"127.0.0.1:{broker._port}"
    try:
        yield broker
    finally:
        broker.hang_up()
        listener.close()
        await listener.wait_closed()
