"""The process of a few apps over HTTP: `python -m bench.shadows.callers`, a Task on its standard input.

Each has one connection, which it keeps as long as the server does (some close it after so many requests, and it makes
another), and a thing of its own; the next request goes out when the one before has been answered. Every request is
signed anew by Signature Version 4, over its own body, while the one before is under way.
"""

import asyncio
import sys
import time
from typing import cast

import msgspec
import uvloop

from bench.process import LOOPBACK
from bench.shadows.exchange import Outcome, Task
from bench.shadows.stopwatch import DRAINING, Stopwatch
from bench.shadows.update import Answer, report
from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import format_timestamp, sign, signing_key

SERVICE = "iotdata"
HEAD_END = b"\r\n\r\n"

_ANSWER = msgspec.json.Decoder(Answer)


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, number: int, task: Task, watch: Stopwatch) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._path = f"/things/bench-http-{number}/shadow"
        self._host = f"{LOOPBACK}:{task.port}"
        self._task = task
        self._watch = watch
        self._sent = self._version = 0
        self._sent_at = 0.0
        self._held = b""
        self._idle = True
        """Nothing is under way."""
        self._reconnecting: asyncio.Future[None] | None = None
        day = format_timestamp(time.time())[:8]
        self._key = signing_key(task.secret_access_key, day, task.region, SERVICE)
        self._next = self._signed(1)
        self._transport: asyncio.Transport

    async def connect(self) -> None:
        """Make the connection; everything else follows from it."""
        await asyncio.get_running_loop().create_connection(lambda: self, LOOPBACK, self._task.port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle:
            self._reconnecting = asyncio.ensure_future(self.connect())
        elif not self.done.done():
            self._watch.complaints.append(f"{self._path}: the connection was lost")
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._held += data
        end = self._held.find(HEAD_END)
        if end < 0:
            return
        head = self._held[:end].lower()
        start = end + len(HEAD_END)
        size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._held) >= start + size:
            body, self._held = self._held[start : start + size], self._held[start + size :]
            self._answered(head, body)

    def _answered(self, head: bytes, body: bytes) -> None:
        if not head.startswith(b"http/1.1 200"):
            self._watch.complaints.append(f"{self._path}: {head[:40]!r} {body[:200]!r}")
            self._finish()
            return
        answer = _ANSWER.decode(body)
        if (self._version and answer.version != self._version + 1) or answer.clientToken != str(self._sent):
            self._watch.complaints.append(f"{self._path}: version {answer.version} after {self._version}")
        self._version = answer.version
        self._watch.enter(time.perf_counter() - self._sent_at)
        if not self._watch.running:
            self._finish()
        elif b"connection: close" in head:
            self._idle = True
        else:
            self._send()

    def _send(self) -> None:
        self._idle = False
        self._sent += 1
        self._sent_at = time.perf_counter()
        self._transport.write(self._next)
        self._next = self._signed(self._sent + 1)  # while the server is at work, so that it need not wait for us

    def _signed(self, sequence: int) -> bytes:
        body, task = report(sequence), self._task
        request = Request("POST", self._path, "", {"host": self._host, "content-type": "application/json"}, body)
        headers = sign(
            request,
            task.access_key_id,
            task.secret_access_key,
            region=task.region,
            service=SERVICE,
            now=time.time(),
            key=self._key,
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {self._path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        self._transport.close()


async def drive(task: Task) -> Outcome:
    """All of it."""
    watch = Stopwatch(task)
    callers = [Caller(number, task, watch) for number in range(task.clients)]
    for caller in callers:
        await caller.connect()
    spans = await watch.run()
    await asyncio.wait([caller.done for caller in callers], timeout=DRAINING)
    return watch.outcome(spans)


if __name__ == "__main__":
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drive(task))))
