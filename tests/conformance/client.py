"""A client that does nothing by itself: a blocking socket, packets one by one, every wait bounded."""

import socket
import struct
from typing import Any

from tests.conformance import packets
from tests.conformance.packets import V5, Kind, Packet

PATIENCE = 8.0
"""Seconds until a packet that must come counts as missing: far more than any test takes."""


class Ended(AssertionError):
    """The server closed the connection where a packet was due."""


class Client:
    """One connection of a client that speaks one version of MQTT."""

    def __init__(self, address: tuple[str, int], version: int) -> None:
        self.version = version
        self.link = socket.create_connection(address, timeout=PATIENCE)
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connack: Packet | None = None
        self._data = b""
        self._kept: list[Packet] = []
        self._packet_id = 0

    # --- packets ---

    def send(self, *data: bytes) -> None:
        """Whatever the bytes are. That the server may close before all are gone is no error."""
        try:
            self.link.sendall(b"".join(data))
        except (BrokenPipeError, ConnectionResetError):
            pass

    def receive(self) -> Packet:
        """The next packet. Raises Ended."""
        if self._kept:
            return self._kept.pop(0)
        while True:
            if (whole := self._split()) is not None:
                return packets.read(*whole)
            try:
                more = self.link.recv(1 << 20)
            except ConnectionError:
                more = b""
            if not more:
                raise Ended("the server closed the connection")
            self._data += more

    def _split(self) -> tuple[int, bytes, int, int] | None:
        for end in range(2, min(6, len(self._data) + 1)):
            if self._data[end - 1] < 128:
                total = end + packets.Reader(self._data[1:end]).length()
                if len(self._data) < total:
                    return None
                first, body, self._data = self._data[0], self._data[end:total], self._data[total:]
                return first, body, self.version, total
        return None

    def expect(self, kind: Kind) -> Packet:
        """The next packet, which must be of this kind."""
        packet = self.receive()
        assert packet.kind is kind, f"{kind.name} expected, not {packet}"
        return packet

    def find(self, kind: Kind, packet_id: int) -> Packet:
        """The next packet of this kind and identifier; what comes before it is kept for later."""
        before: list[Packet] = []
        while (packet := self.receive()).kind is not kind or packet.packet_id != packet_id:
            before.append(packet)
        self._kept = before + self._kept
        return packet

    def next_id(self) -> int:
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id

    # --- whole exchanges ---

    def connect(self, client_id: str = "", *, clean: bool = True, **rest: Any) -> "Client":
        """Connect with success; `connack` is kept. The rest is as of `packets.connect`."""
        self.send(packets.connect(self.version, client_id, clean=clean, **rest))
        self.connack = self.expect(Kind.CONNACK)
        assert self.connack.code == 0, self.connack
        return self

    @property
    def session_present(self) -> bool:
        assert self.connack is not None
        return self.connack.session_present

    def granted(self) -> dict[str, Any]:
        """The properties of the CONNACK."""
        assert self.connack is not None
        return self.connack.properties

    def subscribe(self, *filters: str, qos: int = 0, options: int = 0, **values: Any) -> Packet:
        """Subscribe, all filters alike; the SUBACK, which must come next."""
        packet_id = self.next_id()
        pairs = [(one, options | qos) for one in filters]
        self.send(packets.subscribe(self.version, packet_id, *pairs, **values))
        suback = self.expect(Kind.SUBACK)
        assert suback.packet_id == packet_id, "[MQTT-3.8.4-2]"
        return suback

    def unsubscribe(self, *filters: str) -> Packet:
        packet_id = self.next_id()
        self.send(packets.unsubscribe(self.version, packet_id, *filters))
        unsuback = self.expect(Kind.UNSUBACK)
        assert unsuback.packet_id == packet_id, "[MQTT-3.10.4-5]"
        return unsuback

    def publish(self, topic: str, payload: bytes = b"", qos: int = 0, **rest: Any) -> Packet | None:
        """Publish, with all that the QoS asks for; the PUBACK or PUBREC, for QoS 0 None.

        On return the server has the message: at QoS 0 a ping proves it.
        """
        packet_id = self.next_id() if qos else 0
        self.send(packets.publish(self.version, topic, payload, qos, packet_id, **rest))
        if not qos:
            assert self.ping() == []
            return None
        answer = self.expect(Kind.PUBACK if qos == 1 else Kind.PUBREC)
        assert answer.packet_id == packet_id, "[MQTT-2.2.1-5]"
        if qos == 2 and answer.code < 0x80:
            self.acknowledge(Kind.PUBREL, packet_id)
            assert self.expect(Kind.PUBCOMP).packet_id == packet_id, "[MQTT-4.3.3-11]"
        return answer

    def acknowledge(self, kind: Kind, packet_id: int, code: int = 0, **values: Any) -> None:
        self.send(packets.acknowledgement(self.version, kind, packet_id, code, **values))

    def message(self) -> Packet:
        """The next packet, which must be a message; acknowledged in full."""
        message = self.expect(Kind.PUBLISH)
        self.settle(message)
        return message

    def settle(self, message: Packet) -> None:
        """Acknowledge a message in full."""
        if message.qos == 1:
            self.acknowledge(Kind.PUBACK, message.packet_id)
        elif message.qos == 2:
            self.acknowledge(Kind.PUBREC, message.packet_id)
            self.find(Kind.PUBREL, message.packet_id)
            self.acknowledge(Kind.PUBCOMP, message.packet_id)

    def messages(self, end: bytes) -> list[Packet]:
        """All messages up to the one whose payload is `end`, which is left out."""
        found = []
        while (message := self.message()).payload != end:
            found.append(message)
        return found

    def ping(self) -> list[Packet]:
        """PINGREQ; what came before the PINGRESP, unacknowledged. So silence is shown without waiting."""
        self.send(packets.PINGREQ)
        before = []
        while (packet := self.receive()).kind is not Kind.PINGRESP:
            before.append(packet)
        return before

    def ping_or_end(self) -> list[Packet]:
        """Like `ping`, or what came before the server closed the connection instead."""
        self.send(packets.PINGREQ)
        before = []
        try:
            while (packet := self.receive()).kind is not Kind.PINGRESP:
                before.append(packet)
        except Ended:
            pass
        return before

    # --- ends ---

    def disconnect(self, code: int = 0, **values: Any) -> None:
        """DISCONNECT, and wait until the server has closed: on return it has seen the end."""
        self.send(packets.disconnect(self.version, code, **values))
        assert self.rest() == []

    def drop(self) -> None:
        """End without a word, by a reset. The server may notice late: what is published next may still be sent."""
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.link.close()

    def close(self) -> None:
        self.link.close()

    def rest(self) -> list[Packet]:
        """All that comes until the server closes the connection, which it must."""
        found = []
        while True:
            try:
                found.append(self.receive())
            except Ended:
                return found

    def rejected(self, *codes: int) -> None:
        """The server must close now; it may answer CONNECT before with one of these codes, and with nothing else."""
        rest = self.rest()
        assert [packet.kind for packet in rest] in ([], [Kind.CONNACK]), rest
        assert all(packet.code in codes for packet in rest), rest

    def bytes_until_the_end(self) -> bytes:
        """As they come, unread; the server must close."""
        data, self._data = self._data, b""
        try:
            while more := self.link.recv(1 << 16):
                data += more
        except ConnectionError:
            pass
        return data

    def refused(self, *codes: int) -> None:
        """The server must close now; MQTT 5: with a DISCONNECT of one of these reasons before, if it says why."""
        rest = self.rest()
        assert len(rest) <= 1, rest
        if rest:
            assert self.version == V5, rest
            assert rest[0].kind is Kind.DISCONNECT, rest
            assert rest[0].code in codes, f"{rest[0].code:#04x}"
