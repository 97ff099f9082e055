"""An MQTT client on a blocking socket: packets in order, nothing in the background."""

import socket
from typing import Any

from fogbank.mqtt import Version
from fogbank.mqtt.codec import PacketType, decode_length
from fogbank.mqtt.packets import PINGREQ, Connack, Connect, Puback, Publish, Suback, Subscribe, Subscription

PINGRESP = b"\xd0\x00"


class Closed(Exception):
    """The server closed the connection."""


class Client:
    """One connection. All waiting ends by the socket's timeout."""

    def __init__(self, link: socket.socket, version: Version = Version.V3_1_1) -> None:
        self.link = link
        self.version = version
        self._data = b""
        self._packet_id = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.link.close()

    def send(self, *packets: Any) -> None:
        self.link.sendall(b"".join(self._encode(one) for one in packets))

    def _encode(self, packet: Any) -> bytes:
        if isinstance(packet, bytes):
            return packet
        data: bytes = packet.encode() if isinstance(packet, Connect) else packet.encode(self.version)
        return data

    def packet(self) -> tuple[int, bytes]:
        """The next packet: its first byte and its body. Raises Closed."""
        while True:
            if len(self._data) > 1 and (decoded := decode_length(self._data, 1)) is not None:
                length, body = decoded
                if len(self._data) >= body + length:
                    first, content = self._data[0], self._data[body : body + length]
                    self._data = self._data[body + length :]
                    return first, content
            try:
                more = self.link.recv(1 << 20)
            except ConnectionError as error:
                raise Closed from error
            if not more:
                raise Closed
            self._data += more

    def connect(self, client_id: str, *, clean: bool = True, keep_alive: int = 600, **rest: Any) -> "Client":
        """Raises Closed where the server refuses, like it does."""
        try:
            self.send(Connect(client_id, clean, keep_alive, version=self.version, **rest))
            first, body = self.packet()
        except (Closed, ConnectionError) as error:
            self.close()
            raise Closed from error
        assert first == PacketType.CONNACK << 4
        code = Connack.decode(body, self.version).code
        if code:
            self.close()
            raise Closed(code)
        return self

    def ping(self) -> None:
        self.send(PINGREQ)
        while self.packet()[0] != PINGRESP[0]:
            pass

    def subscribe(self, *filters: str, qos: int = 0) -> tuple[int, ...]:
        self.send(Subscribe(self.next_id(), tuple(Subscription(filter_, qos) for filter_ in filters)))
        while True:
            first, body = self.packet()
            if first == PacketType.SUBACK << 4:
                return Suback.decode(body, self.version).codes

    def publish(self, topic: str, payload: bytes, qos: int = 0) -> None:
        """Publish, and at QoS 1 wait for the acknowledgement."""
        self.send(Publish(topic, payload, qos, packet_id=self.next_id() if qos else 0))
        while qos and self.packet()[0] != PacketType.PUBACK << 4:
            pass

    def message(self) -> Publish:
        """The next message, acknowledged."""
        while True:
            first, body = self.packet()
            if first >> 4 == PacketType.PUBLISH:
                publish = Publish.decode(first, body, self.version)
                if publish.qos:
                    self.send(Puback(publish.packet_id))
                return publish

    def is_closed(self) -> bool:
        """Read until the server closes; False where it keeps silent until the socket's timeout."""
        try:
            while True:
                self.packet()
        except Closed:
            return True
        except TimeoutError:
            return False

    def next_id(self) -> int:
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id
