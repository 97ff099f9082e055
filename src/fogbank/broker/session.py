"""A session: what the server keeps for a client ID, connected or not. (3.1.2.4)

Its subscriptions, the QoS 1 messages it has not acknowledged, and those that wait for it.
"""

from collections import deque
from typing import TYPE_CHECKING

from fogbank.broker.quotas import Quotas

if TYPE_CHECKING:
    from fogbank.broker.connection import Connection

DUP = 0x08
MAX_PACKET_ID = 65_535


class Session:
    """The state of one client ID.

    A QoS 1 message is handled as a head (first byte, length, topic) and a payload; between them goes the packet
    identifier, the only thing that differs from receiver to receiver.
    """

    __slots__ = (
        "_next_id",
        "_quotas",
        "clean",
        "client_id",
        "connection",
        "disconnected_at",
        "dropped",
        "id",
        "inflight",
        "queue",
        "queued_bytes",
        "subscriptions",
    )

    def __init__(self, client_id: str, *, clean: bool, id_: str, quotas: Quotas) -> None:
        self.client_id = client_id
        self.clean = clean
        self.id = id_
        """The sessionIdentifier of lifecycle events."""
        self.connection: Connection | None = None
        self.disconnected_at = 0.0
        """On the monotonic clock, while there is no connection."""
        self.subscriptions: dict[str, int] = {}
        self.inflight: dict[int, bytes] = {}
        """Unacknowledged PUBLISH packets by packet identifier, in the order in which they were sent."""
        self.queue: deque[tuple[bytes, bytes]] = deque()
        self.queued_bytes = 0
        self.dropped = 0
        """Messages lost to a full queue or a slow connection."""
        self._next_id = 1
        self._quotas = quotas

    def may_receive(self, topic: str) -> bool:
        """Whether policies allow `iot:Receive`; while offline that is left to the moment of delivery."""
        return self.connection is None or self.connection.may_receive(topic)

    def send_at_most_once(self, frames: bytes, count: int = 1) -> None:
        """Send whole PUBLISH packets of QoS 0; they are lost where the client is away or cannot keep up."""
        connection = self.connection
        if connection is None:
            return
        if connection.choked:
            self.dropped += count
            return
        connection.write(frames)

    def send_at_least_once(self, head: bytes, payloads: list[bytes]) -> None:
        """Send messages that share one head with packet identifiers of our own, or let them wait their turn."""
        connection = self.connection
        count = len(payloads)
        if connection is None or self.queue or len(self.inflight) + count > self._quotas.inflight:
            self._enqueue(head, payloads)
            if connection is not None:
                self.pump()
            return
        first = self._next_id
        identifiers = range(first, first + count)
        if identifiers.stop > MAX_PACKET_ID or not self.inflight.keys().isdisjoint(identifiers):
            for payload in payloads:
                connection.write(self._number(head, payload))
            return
        self._next_id = identifiers.stop
        frames = [
            head + number.to_bytes(2, "big") + payload for number, payload in zip(identifiers, payloads, strict=True)
        ]
        self.inflight.update(zip(identifiers, frames, strict=True))
        connection.write(b"".join(frames))

    def acknowledge(self, packet_id: int) -> None:
        """PUBACK; one that matches nothing is ignored, as after a takeover."""
        self.inflight.pop(packet_id, None)

    def pump(self) -> None:
        """Send what waits, as far as the window of unacknowledged messages allows."""
        connection = self.connection
        if connection is None:
            return
        queue = self.queue
        count = min(len(queue), self._quotas.inflight - len(self.inflight))
        if count > 0:
            waiting = [queue.popleft() for _ in range(count)]
            frames = [self._number(head, payload) for head, payload in waiting]
            self.queued_bytes -= sum(map(len, frames)) - 2 * count
            connection.write(b"".join(frames))
        if not queue:
            connection.queue_drained()

    def resume(self) -> None:
        """Send again what was not acknowledged before the connection broke, then what came since. [MQTT-4.4.0-1]"""
        connection = self.connection
        if connection is None:
            return
        for frame in self.inflight.values():
            connection.write(bytes((frame[0] | DUP,)) + frame[1:])
        self.pump()

    def _number(self, head: bytes, payload: bytes) -> bytes:
        packet_id = self._next_id
        while packet_id in self.inflight:
            packet_id = packet_id % MAX_PACKET_ID + 1
        self._next_id = packet_id % MAX_PACKET_ID + 1
        frame = self.inflight[packet_id] = head + packet_id.to_bytes(2, "big") + payload
        return frame

    def _enqueue(self, head: bytes, payloads: list[bytes]) -> None:
        quotas = self._quotas
        for payload in payloads:
            size = len(head) + len(payload)
            if len(self.queue) >= quotas.queued_messages or self.queued_bytes + size > quotas.queued_bytes:
                self.dropped += 1
                continue
            self.queue.append((head, payload))
            self.queued_bytes += size
        if self.connection is not None:
            self.connection.queue_grown(len(self.queue))
