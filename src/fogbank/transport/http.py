"""HTTP/1.1 on connections that our own listener has accepted: uvicorn's httptools protocol, without its server.

The listener, which tells MQTT from HTTP on one port, asks `HttpServer.protocol()` for a protocol and hands it a
transport: a plain one of asyncio, or a TLS look-alike. What that transport knows of its client travels from
`get_extra_info("fogbank.arrival")` into the ASGI scope's `state`. uvicorn brings the parser, flow control and
keep-alive; added here are bounds on the head of a request, deadlines for a peer that does not go on, and the way out
of HTTP: a request for MQTT over WebSocket is handed to whoever takes those, connection and all.
"""

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from fogbank.ports import Arrival, HttpHead
from fogbank.transport.corked import Corked
from fogbank.transport.cycle import Cycle
from fogbank.transport.lingering import Lingering
from fogbank.transport.tls_link import ARRIVAL

log = logging.getLogger(__name__)

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

IDENTITY = "fogbank.identity"
"""The key of the scope's state that holds the Identity of a client certificate."""
KEPT = "fogbank.kept"
"""The key of the scope's state that holds a dict of the connection's own, the same for all of its requests."""
WEBSOCKET_PATH = b"/mqtt"
"""Where MQTT over WebSocket is asked for."""

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept between two requests; AWS's SDKs let go of theirs after 60."""
HEAD_DEADLINE = 20.0
"""Seconds until a request's head must be whole, counted from its first byte or from the connection's start."""
BODY_DEADLINE = 20.0
"""Seconds that may pass between two pieces of a body."""
MAX_HEAD = 65_536
"""Bytes of request line and headers."""
MAX_PIPELINED = 64
"""Requests of one connection that may wait for the answer to the one before, until no more is read from it."""
PIECE = 4096
"""Bytes given to the parser at a time: a chunk of small requests must not become thousands of them at once."""
MAX_DISCARDED = 128 * 1024 * 1024
"""Bytes of a body that are still read, and thrown away, after its request was answered with an error."""


class Door(Protocol):
    """What an HTTP connection needs of the listener it came through."""

    @property
    def lingering(self) -> Lingering:
        """Closes connections whose peers are to read what was written last."""
        ...

    def half_open(self, transport: asyncio.Transport) -> None:
        """Nothing whole has been said on it yet."""
        ...

    def greeted(self, transport: asyncio.Transport) -> None:
        """The first request's head is whole, or the connection is gone."""
        ...

    def upgrade(self, transport: asyncio.Transport, request: HttpHead, rest: bytes) -> None:
        """Take over a connection on which MQTT over WebSocket was asked for. `rest` came after the request."""
        ...


class HttpServer:
    """Makes the protocols of one ASGI application's connections, and ends them."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._config = Config(
            self._answer,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
        )
        self._config.load()
        self._state = ServerState()
        self._state.default_headers = [(b"server", b"fogbank")]

    def protocol(self, door: Door | None = None) -> asyncio.Protocol:
        """A protocol for one connection; to be called within the running loop. Without a door it stays HTTP."""
        return HttpConnection(self._config, self._state, door)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._state.connections)

    async def shutdown(self, grace: float = 5.0) -> None:
        """Close idle connections at once, and the others when they have been answered or after `grace` seconds."""
        for connection in list(self._state.connections):
            connection.shutdown()
        if answering := set(self._state.tasks):
            await asyncio.wait(answering, timeout=grace)
        for connection in list(self._state.connections):
            connection.transport.abort()
        if late := set(self._state.tasks):
            await asyncio.sleep(0)  # the connections learn that they are lost
            for task in late:
                task.cancel()
            await asyncio.wait(late)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        """The application, but for a cancellation by `shutdown`, which uvicorn would log as the application's fault."""
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            pass


class _Part(enum.Enum):
    """What of a request is being read."""

    NOTHING = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()


class _Stop(Exception):
    """Ends the parsing of a request from within a callback of the parser."""


Refusal = tuple[int, str]
INVALID: Refusal = (400, "Invalid HTTP request received.")
TOO_LONG: Refusal = (431, f"The request line and headers must not be longer than {MAX_HEAD} bytes together.")
UPGRADE_WITH_BODY: Refusal = (
    400,
    "A request with a body cannot upgrade the connection: send it without the header Upgrade.",
)
"""The parser takes all that follows the head of such a request for the other protocol, and would lose the body."""


class HttpConnection(HttpToolsProtocol):
    """uvicorn's protocol with bounds."""

    def __init__(self, config: Config, server_state: ServerState, door: Door | None) -> None:
        super().__init__(config, server_state, {})
        self.access_log = False
        self._door = door
        self._raw: asyncio.Transport
        self._greeted = False
        """Whether the head of a request has been whole."""
        self._upgrading = False
        """Whether the request at hand asks for MQTT over WebSocket."""
        self._refusal = INVALID
        """What is wrong with the request at hand, should the parser stop."""
        self._part = _Part.NOTHING
        self._waiting = bytearray()
        """What has come and is not parsed yet."""
        self._begun = False
        """Whether a request began in the piece at hand."""
        self._idle_since: float | None = None
        """When the last answer was done, as the loop counts; None: another request has begun since."""
        self._head = 0
        self._unfinished = 0
        self._discarded = 0
        self._deadline: asyncio.TimerHandle | None = None

    # --- the connection -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._raw = transport
        super().connection_made(Corked(transport, self.loop, None if self._door is None else self._door.lingering))
        arrival: Arrival | None = transport.get_extra_info(ARRIVAL)
        self.app_state = {ARRIVAL: arrival, IDENTITY: None if arrival is None else arrival.identity, KEPT: {}}
        if self._door is not None:
            self._door.half_open(transport)
        self._restart_deadline(HEAD_DEADLINE)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        self._unset_keepalive_if_required()
        if not self._greeted and self._door is not None:
            self._door.greeted(self._raw)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._waiting or len(data) > PIECE or len(self.pipeline) >= MAX_PIPELINED:
            self._waiting += data
        elif not self.transport.is_closing():
            self._parse_piece(bytes(data))
        self._parse()

    def on_response_complete(self) -> None:
        """The next request is answered, or waited for."""
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._stay_idle(self.timeout_keep_alive)
        self._parse()

    def _stay_idle(self, seconds: float) -> None:
        """One timer serves many requests: it is cheaper to find it too early than to set it anew after each."""
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if self._part is not _Part.NOTHING:  # the body of a request that was answered early; it has a deadline
            self._stay_idle(self.timeout_keep_alive)
        elif left > 0:
            self._stay_idle(left)
        else:
            self.transport.close()

    def _parse(self) -> None:
        """Parse what has come, as far as there is room for further requests."""
        while self._waiting and not self.transport.is_closing():
            if len(self.pipeline) >= MAX_PIPELINED:
                self.flow.pause_reading()
                return
            piece = bytes(self._waiting[:PIECE])
            del self._waiting[:PIECE]
            self._parse_piece(piece)

    def _parse_piece(self, data: bytes) -> None:
        self._begun = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._refuse(error)
            return
        except httptools.HttpParserUpgrade as upgrade:
            self._waiting[:0] = data[upgrade.args[0] :]
            if self._upgrading:
                self._leave()
                return
            self._unsupported_upgrade_warning()
        if self._part is _Part.NOTHING or self.transport.is_closing():
            self._stop_deadline()
        elif self._part is _Part.BODY:
            self._restart_deadline(BODY_DEADLINE)
        else:
            if self._deadline is None:
                self._restart_deadline(HEAD_DEADLINE)
            # where the head began in this piece, what precedes it was requests that are whole
            before = data.rfind(b"\r\n\r\n") + 4 if self._begun else 0
            self._bound_unfinished_head(len(data) - before)

    # --- the parser's callbacks ---------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._part = _Part.HEAD
        self._begun = True
        self._idle_since = None
        self._head = self._unfinished = self._discarded = 0
        self._upgrading = False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._bound_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._bound_head(len(name) + len(value))
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._part = _Part.BODY
        if not self._greeted:
            self._greeted = True
            if self._door is not None:
                self._door.greeted(self._raw)
        if self.parser.should_upgrade():
            if self._announces_body():
                self._refusal = UPGRADE_WITH_BODY
                raise _Stop
            self._upgrading = self._wants_websocket()
            if self._upgrading:
                return
        self._complete_scope()
        before = self.cycle
        self.cycle = self._new_cycle()
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _complete_scope(self) -> None:
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope["http_version"] = self.parser.get_http_version()
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = url.path
        self.scope["query_string"] = url.query or b""

    def _new_cycle(self) -> Cycle:
        return Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=self.scope["http_version"] != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > MAX_DISCARDED:
                self.transport.close()

    def on_message_complete(self) -> None:
        self._part = _Part.NOTHING
        self._stop_deadline()
        super().on_message_complete()

    # --- leaving HTTP -------------------------------------------------------------------------------------------

    def _wants_websocket(self) -> bool:
        """Whether the request is one for MQTT over WebSocket that this connection can follow: none is unanswered."""
        return (
            self._door is not None
            and self.parser.should_upgrade()
            and self._get_upgrade() == b"websocket"
            and self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and httptools.parse_url(self.url).path == WEBSOCKET_PATH
            and (self.cycle is None or self.cycle.response_complete)
        )

    def _announces_body(self) -> bool:
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        )

    def _should_upgrade(self) -> bool:
        """Asked by uvicorn, which then leaves the request alone."""
        return self._upgrading

    def _leave(self) -> None:
        """Hand the connection over to the door."""
        assert self._door is not None
        self._stop_deadline()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        self.parser = None  # type: ignore[assignment]  # it refers to us: nothing would be freed until the next collection
        rest = bytes(self._waiting)
        self._waiting.clear()
        self._door.upgrade(self._raw, _head(self.url, self.headers), rest)

    def _unsupported_upgrade_warning(self) -> None:
        """uvicorn would ask for a WebSocket library; such a request is simply answered as if it had not asked."""
        self.logger.info("A request to upgrade the connection was answered over HTTP.")

    @property
    def _ip(self) -> str | None:
        return None if self.client is None else self.client[0]

    # --- bounds -------------------------------------------------------------------------------------------------

    def _bound_head(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD:
            self._refusal = TOO_LONG
            raise _Stop

    def _bound_unfinished_head(self, size: int) -> None:
        """The parser tells of a header once it is whole; one without an end is known by what keeps coming in."""
        self._unfinished += size
        if self._unfinished > 2 * MAX_HEAD:
            self._refusal = TOO_LONG
            self._refuse()

    def _refuse(self, error: Exception | None = None) -> None:
        """Answer what is no HTTP, or none that is served, and close. `error` is the parser's own."""
        self._stop_deadline()
        status, why = self._refusal
        log.warning("%s: HTTP refused with %d: %s", self._ip, status, error if self._refusal is INVALID else why)
        content = why.encode()
        self.transport.write(
            b"%bserver: fogbank\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (STATUS_LINE[status], len(content), content)
        )
        self.transport.close()

    def _restart_deadline(self, seconds: float) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(seconds, self._pass_deadline)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _pass_deadline(self) -> None:
        self._deadline = None
        log.info("%s: closed while waiting for the rest of a request (%s)", self._ip, self._part.name.lower())
        self.transport.close()


def _head(target: bytes, headers: list[tuple[bytes, bytes]]) -> HttpHead:
    """A GET as the front desk reads it. A header that was sent twice has both values, as RFC 9110, 5.3 joins them."""
    url = httptools.parse_url(target)
    joined: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    path, query = url.path.decode("ascii"), (url.query or b"").decode("latin-1")
    return HttpHead(method="GET", path=path, query=query, headers=joined)
