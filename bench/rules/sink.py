"""The least that can be called SQS: it takes SendMessage and SendMessageBatch, verifies what they bring and counts it.

It shows what the rules engine can do where the queue is not the bound, as the reflector does for the generator. A
process of its own: `python -m bench.rules.sink PORT`. `GET /` tells what has arrived as JSON, `DELETE /` forgets it.
"""

import asyncio
import hashlib
import sys
import time
from typing import Any, cast
from uuid import uuid4

import msgspec

from bench.process import LOOPBACK
from bench.rules.arrivals import Ledger

TARGET = b"\r\nx-amz-target: amazonsqs."
LENGTH = b"\r\ncontent-length:"
HEAD_END = b"\r\n\r\n"


class Request(msgspec.Struct, frozen=True):
    """As much of one as there is to know."""

    method: bytes
    operation: bytes
    """In lower case; empty where no header names one."""
    body: bytes


class _Entry(msgspec.Struct, frozen=True):
    Id: str
    MessageBody: str


class _Single(msgspec.Struct, frozen=True):
    MessageBody: str


class _Batch(msgspec.Struct, frozen=True):
    Entries: list[_Entry]


class Sink:
    """What all connections bring."""

    def __init__(self) -> None:
        self._ledger = Ledger()

    def answer(self, request: Request) -> Any:
        """The members of the answer. Raises ValueError for what it does not know."""
        if request.method == b"GET":
            return self._ledger.arrivals()
        if request.method == b"DELETE":
            self._ledger = Ledger()
            return {}
        if request.operation == b"sendmessage":
            return self._take(msgspec.json.decode(request.body, type=_Single).MessageBody)
        if request.operation == b"sendmessagebatch":
            entries = msgspec.json.decode(request.body, type=_Batch).Entries
            return {"Successful": [{"Id": entry.Id, **self._take(entry.MessageBody)} for entry in entries]}
        raise ValueError(f"{request.method.decode()} {request.operation.decode()} is nothing that is done here")

    def _take(self, body: str) -> dict[str, str]:
        raw = body.encode()
        self._ledger.record(raw, time.monotonic())
        digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        return {"MessageId": str(uuid4()), "MD5OfMessageBody": digest}


class Connection(asyncio.Protocol):
    """HTTP/1.1 as clients of AWS speak it: requests with a length, one after another on one connection."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._held = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is none of asyncio's classes

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (taken := split(self._held)) is not None:
            request, size = taken
            self._held = self._held[size:]
            self._transport.write(self._respond(request))

    def _respond(self, request: Request) -> bytes:
        try:
            status, members = b"200 OK", self._sink.answer(request)
        except ValueError as error:
            status, members = b"400 Bad Request", {"__type": "InvalidParameterValue", "message": str(error)}
        body = msgspec.json.encode(members)
        head = b"HTTP/1.1 %b\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: %d\r\n\r\n"
        return head % (status, len(body)) + body


def split(data: bytes) -> tuple[Request, int] | None:
    """The request at the start of `data` and its size; None where it is not all there yet."""
    end = data.find(HEAD_END)
    if end < 0:
        return None
    head = data[:end].lower()
    start = end + len(HEAD_END)
    whole = start + int(_field(head, LENGTH) or b"0")
    if len(data) < whole:
        return None
    return Request(data[: data.index(b" ")], _field(head, TARGET), data[start:whole]), whole


def _field(head: bytes, name: bytes) -> bytes:
    at = head.find(name)
    return b"" if at < 0 else head[at + len(name) :].partition(b"\r\n")[0].strip()


async def serve(port: int) -> None:
    """Until the process is told to end."""
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(sink), LOOPBACK, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
