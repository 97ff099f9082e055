"""A session: what the server keeps for a client ID, connected or not. (3.1.2.4)

Its subscriptions, the QoS 1 messages it has not acknowledged, and those that wait for it.
"""

from collections import deque
from collections.abc import Callable

from fogbank.broker.flow import HIGH_QUEUE, HIGH_WATER
from fogbank.broker.inflight import Inflight
from fogbank.broker.line import Line
from fogbank.broker.quotas import Quotas
from fogbank.broker.runs import Run

Wanted = Callable[[str], bool]
"""Decides on a topic."""


class Session:
    """The state of one client ID."""

    __slots__ = (
        "_quotas",
        "clean",
        "client_id",
        "disconnected_at",
        "dropped",
        "id",
        "inflight",
        "line",
        "queue",
        "queued",
        "queued_bytes",
        "subscriptions",
        "wanted",
    )

    def __init__(self, client_id: str, *, clean: bool, id_: str, quotas: Quotas) -> None:
        self.client_id = client_id
        self.clean = clean
        self.id = id_
        """The sessionIdentifier of lifecycle events."""
        self.line: Line | None = None
        """The way to the client, while it is connected."""
        self.wanted: Wanted | None = None
        """Whether policies allow a topic's messages to reach the client, while it is connected."""
        self.disconnected_at = 0.0
        """On the monotonic clock, while it is not."""
        self.subscriptions: dict[str, int] = {}
        self.inflight = Inflight()
        self.queue: deque[Run] = deque()
        """What waits: for the client to come back, or for acknowledgements to make room."""
        self.queued = 0
        self.queued_bytes = 0
        self.dropped = 0
        """Messages lost to a full queue or a slow connection."""
        self._quotas = quotas

    def may_receive(self, topic: str) -> bool:
        """Whether policies allow `iot:Receive`; while offline that is left to the moment of delivery."""
        return self.wanted is None or self.wanted(topic)

    def send_at_most_once(self, frames: bytes, count: int = 1) -> None:
        """Send whole PUBLISH packets of QoS 0; they are lost where the client is away or cannot keep up."""
        line = self.line
        if line is None:
            return
        if line.choked:
            self.dropped += count
            return
        line.write(frames)

    def send_at_least_once(self, run: Run) -> None:
        """Send messages of QoS 1, or let them wait their turn."""
        line = self.line
        if line is None:
            self._enqueue(run)
            return
        room = self._quotas.inflight - self.inflight.count
        if run.count <= room and not self.queue and not line.full:
            line.write(self.inflight.send(run))
            return
        self._enqueue(run)
        if room > 0:
            self.pump()
        if self.queued > HIGH_QUEUE:
            line.queue_grown()

    def acknowledge(self, data: bytes, position: int) -> int:
        """Take the PUBACKs in `data` from `position` on, send what they make room for; where they end."""
        position = self.inflight.acknowledge(data, position)
        if self.queue:
            self.pump()
        return position

    def pump(self) -> None:
        """Send what waits, as far as the window of unacknowledged messages and the line allow.

        What is sent at a time is bounded: its acknowledgements come back here.
        """
        line = self.line
        if line is None or line.full:
            return
        queue = self.queue
        room = self._quotas.inflight - self.inflight.count
        frames = []
        sent = 0
        while queue and room > 0 and sent < HIGH_WATER:
            run = queue.popleft()
            if run.count > room:
                queue.appendleft(run.after(room))
                run = run.first(room)
            room -= run.count
            self.queued -= run.count
            self.queued_bytes -= len(run.frames)
            sent += len(run.frames)
            frames.append(self.inflight.send(run))
        if frames:
            line.write(b"".join(frames))
        if not queue:
            line.queue_drained()

    def resume(self) -> None:
        """Send again what was not acknowledged before the connection broke, then what came since. [MQTT-4.4.0-1]"""
        line = self.line
        if line is None:
            return
        for run in self.inflight:
            line.write(run.repeated())
        self.pump()

    def keep(self, wanted: Wanted) -> None:
        """Of what waits, keep only the messages on `wanted` topics."""
        waiting = list(self.queue)
        self.queue.clear()
        self.queued = self.queued_bytes = 0
        for run in waiting:
            if wanted(run.topic()):
                self._enqueue(run)

    def _enqueue(self, run: Run) -> None:
        quotas = self._quotas
        room = min(quotas.queued_messages - self.queued, (quotas.queued_bytes - self.queued_bytes) // run.size)
        if run.count > room:
            self.dropped += run.count - room
            if not room:
                return
            run = run.first(room)
        self.queue.append(run)
        self.queued += run.count
        self.queued_bytes += len(run.frames)
