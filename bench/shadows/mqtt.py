"""As much of MQTT 3.1.1 as these clients speak."""

import asyncio
from typing import cast

PUBLISH, PUBACK, SUBACK, CONNACK = 0x30, 0x40, 0x90, 0x20


def text(value: str) -> bytes:
    """A string with its length before it."""
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first: int, body: bytes) -> bytes:
    """With its fixed header."""
    length, size = bytearray(), len(body)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes((first,)) + length + body


def connect(client_id: str) -> bytes:
    """A clean session without keep-alive."""
    return packet(0x10, text("MQTT") + b"\x04\x02\0\0" + text(client_id))


def subscribe(filters: list[str]) -> bytes:
    """All of them at QoS 1."""
    return packet(0x82, b"\0\1" + b"".join(text(filter_) + b"\1" for filter_ in filters))


def publish(topic: str, identifier: int, payload: bytes) -> bytes:
    """At QoS 1."""
    return packet(0x32, text(topic) + identifier.to_bytes(2, "big") + payload)


class Client(asyncio.Protocol):
    """Connects, subscribes, and acknowledges what it is sent."""

    def __init__(self, client_id: str, filters: list[str]) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False
        self._client_id = client_id
        self._filters = filters
        self._rest = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(connect(self._client_id))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError(f"{self._client_id} was not let in"))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        position, answers = 0, []
        while (found := _whole(data, position)) is not None:
            body, stop = found
            kind = data[position] & 0xF0
            if kind == PUBLISH:
                topic = body + 2 + (data[body] << 8 | data[body + 1])
                start = topic
                if data[position] & 0x06:
                    answers.append(b"\x40\x02" + data[topic : topic + 2])
                    start += 2
                self.received(data[body + 2 : topic], data[start:stop])
            elif kind == CONNACK:
                self._transport.write(subscribe(self._filters))
            elif kind == SUBACK and not self.ready.done():
                self.ready.set_result(None)
            position = stop
        self._rest = data[position:]
        answers.append(self.to_send())
        if said := b"".join(answers):
            self._transport.write(said)

    def send(self, data: bytes) -> None:
        """At once."""
        self._transport.write(data)

    def close(self) -> None:
        """Without a farewell."""
        self._transport.close()

    def received(self, topic: bytes, payload: bytes) -> None:
        """A message has come."""
        raise NotImplementedError

    def to_send(self) -> bytes:
        """What goes out behind the acknowledgements of a chunk."""
        return b""


def _whole(data: bytes, position: int) -> tuple[int, int] | None:
    """Where the body of the packet at `position` begins and ends, if it is there whole."""
    size = shift = 0
    at = position + 1
    while at < len(data):
        byte = data[at]
        size |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return (at, at + size) if at + size <= len(data) else None
        shift += 7
    return None
