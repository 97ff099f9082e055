"""`GET /_fogbank/trace`: what the platform does and why, as one JSON document per line for as long as one listens.

Listening must not slow down what it listens to. A reader that falls behind loses events, and is told how many.
"""

import asyncio
from collections import deque

import msgspec

from fogbank.gateway.exchange import Receive, Send
from fogbank.tasks import Tasks
from fogbank.trace import Trace, TraceEvent

BACKLOG = 1000
"""Events that wait for a slow reader."""


class Backlog:
    """The bounded queue between the trace hub, which must not wait, and one reader, which may be slow."""

    def __init__(self, size: int = BACKLOG) -> None:
        self._events: deque[TraceEvent] = deque()
        self._size = size
        self._dropped = 0
        self._closed = False
        self._filled = asyncio.Event()

    def put(self, event: TraceEvent) -> None:
        """Keep the event, or count it where there is no room."""
        if len(self._events) < self._size:
            self._events.append(event)
        else:
            self._dropped += 1
        self._filled.set()

    def close(self) -> None:
        """Nothing comes after what is kept."""
        self._closed = True
        self._filled.set()

    async def lines(self) -> bytes:
        """Everything that has come in, as lines of JSON; waits until there is something. Nothing: it is closed."""
        await self._filled.wait()
        if not self._closed:
            self._filled.clear()
        documents: list[object] = [*self._events]
        if self._dropped:
            reason = f"{self._dropped} events dropped: this reader is too slow"
            documents.append({"kind": "trace", "status": "dropped", "reason": reason, "dropped": self._dropped})
        self._events.clear()
        self._dropped = 0
        return msgspec.json.Encoder(enc_hook=str).encode_lines(documents)


class TraceStreams:
    """All who listen over HTTP."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._backlogs: set[Backlog] = set()

    async def serve(self, receive: Receive, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        """Send one reader events until it goes away, or until `close`."""
        backlog, tasks = Backlog(), Tasks("gateway.trace")
        stop = self._trace.listen(backlog.put)
        self._backlogs.add(backlog)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            tasks.start(_send_all(backlog, send), "send")
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._backlogs.discard(backlog)
            stop()
            await tasks.close()

    def close(self) -> None:
        """End all streams once they have sent what waits."""
        for backlog in self._backlogs:
            backlog.close()


async def _send_all(backlog: Backlog, send: Send) -> None:
    while lines := await backlog.lines():
        await send({"type": "http.response.body", "body": lines, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
