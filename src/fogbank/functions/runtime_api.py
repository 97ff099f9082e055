"""The Runtime API, version 2018-06-01: how a runtime fetches events and hands back answers.

Each environment has an endpoint of its own on loopback, which answers that environment's processes alone, so that
none can answer for another. The protocol is one request at a time over kept-alive connections; each answer leaves in
one write (two writes wait for each other's acknowledgement for 40 ms). Nothing here knows what an environment is: it
speaks to a `Runtime`.
"""

import asyncio
import http
import re
from collections.abc import Callable, Mapping
from typing import Protocol, cast

import httptools
import msgspec

VERSION = "/2018-06-01"
MAX_RESPONSE = 6 * 1024 * 1024 + 100
"""Lambda's bound on an answer, in bytes; its own error text gives this figure."""
MAX_HEADERS = 2 * 1024 * 1024
"""The runtime client puts a stack trace of up to 1 MB into a header."""

_NEXT = f"{VERSION}/runtime/invocation/next"
_INIT_ERROR = f"{VERSION}/runtime/init/error"
_ANSWER = re.compile(VERSION + r"/runtime/invocation/([0-9A-Za-z-]+)/(response|error)")


class Answer(msgspec.Struct, frozen=True):
    """An HTTP response of ours: `body` as JSON, or the event as it is."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


ACCEPTED = Answer(202, b'{"status":"OK"}\n')


def refusal(status: int, kind: str, message: str) -> Answer:
    """An error as the Runtime API writes it."""
    return Answer(status, msgspec.json.encode({"errorMessage": message, "errorType": kind}))


Reply = Callable[[Answer], None]
Address = tuple[str, int]


class Runtime(Protocol):
    """What stands behind one endpoint: an environment. No method blocks."""

    def admits(self, peer: Address, own: Address) -> bool:
        """Whether the connection between these addresses comes from the runtime."""
        ...

    def next(self, reply: Reply) -> None:
        """The runtime is ready for an event; `reply` once there is one."""
        ...

    def hung_up(self, reply: Reply) -> None:
        """The connection that waited for an event is gone."""
        ...

    def response(self, request_id: str, attempt: str | None, body: bytes | None) -> Answer:
        """The function answered, with None in place of more than `MAX_RESPONSE` bytes.

        `attempt` is the invocation id, where the runtime echoes it.
        """
        ...

    def error(self, request_id: str, attempt: str | None, body: bytes) -> Answer:
        """The function failed."""
        ...

    def init_error(self, body: bytes) -> Answer:
        """The runtime could not get ready."""
        ...


class RuntimeApi:
    """One environment's endpoint."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen on a free loopback port; `host:port`, the value of AWS_LAMBDA_RUNTIME_API."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._runtime, self._connections), "127.0.0.1", 0, backlog=16
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def close(self) -> None:
        """Stop listening and drop the connections."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.drop()


class _Connection(asyncio.Protocol):
    """One connection of the runtime client: requests in order, one at a time."""

    def __init__(self, runtime: Runtime, connections: "set[_Connection]") -> None:
        self._runtime = runtime
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._waiting: Reply | None = None
        self._admitted = False
        self._parser = httptools.HttpRequestParser(self)
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # asyncio and uvloop have set TCP_NODELAY
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)
        if self._waiting is not None:
            self._runtime.hung_up(self._waiting)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._waiting is not None:  # a second request before the first is answered: no runtime does that
            self.drop()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._answer(refusal(400, "InvalidRequest", "this is not HTTP/1.1"))
            self.drop()

    # --- httptools' callbacks ---

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._header_size = 0
        self._body: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_size += len(name) + len(value)
        if self._header_size > MAX_HEADERS:
            raise httptools.HttpParserError("headers too large")
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= MAX_RESPONSE:
            self._body.append(body)
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        if not self._admitted and not self._admit():
            return
        method, path = self._parser.get_method(), self._url.decode("ascii", "replace").partition("?")[0]
        if method == b"GET" and path == _NEXT:
            self._waiting = self._reply
            self._runtime.next(self._waiting)
        elif method == b"POST" and path == _INIT_ERROR:
            self._answer(self._runtime.init_error(b"".join(self._body)))
        elif method == b"POST" and (match := _ANSWER.fullmatch(path)):
            self._answer(self._take(match[1], match[2]))
        else:
            self._answer(refusal(404, "InvalidPath", f"the Runtime API has no {path}"))

    def _admit(self) -> bool:
        if self._transport is None:
            return False
        peer, own = self._transport.get_extra_info("peername"), self._transport.get_extra_info("sockname")
        self._admitted = self._runtime.admits(peer, own)
        if not self._admitted:
            self._answer(refusal(403, "Forbidden", "this endpoint is another process's"))
            self._transport.close()
        return self._admitted

    def _take(self, request_id: str, kind: str) -> Answer:
        attempt = self._headers.get(b"lambda-runtime-invocation-id")
        echoed = None if attempt is None else attempt.decode("latin-1")
        body = b"".join(self._body)
        if kind == "error":
            return self._runtime.error(request_id, echoed, body)
        return self._runtime.response(request_id, echoed, body if self._size <= MAX_RESPONSE else None)

    def _reply(self, answer: Answer) -> None:
        self._waiting = None
        self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        if self._transport is None:
            return
        head = [
            f"HTTP/1.1 {answer.status} {http.HTTPStatus(answer.status).phrase}",
            "Content-Type: application/json",
            f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        self._transport.write("\r\n".join(head).encode() + b"\r\n\r\n" + answer.body)
