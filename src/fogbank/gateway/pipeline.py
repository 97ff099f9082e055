"""The way of an HTTP request, as one list of handlers from top to bottom, in an ASGI application.

Each handler reads from the exchange what those before it found out and adds its own; whatever one raises ends the
way and is translated once, by `errors`.
"""

from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate
from functools import partial

import msgspec

from fogbank import __version__
from fogbank.arns import Arns
from fogbank.awswire.errors import UnknownOperation
from fogbank.awswire.http import Response, parse_query
from fogbank.clock import Clock
from fogbank.errors import Forbidden
from fogbank.gateway.access_control import AccessControl
from fogbank.gateway.authentication import AccessKeys, Authenticator, HttpDesk, Recheck
from fogbank.gateway.body import Bodies
from fogbank.gateway.dispatch import Dispatcher
from fogbank.gateway.errors import response_to
from fogbank.gateway.exchange import AsgiMessage, Disconnected, Exchange, Receive, Send
from fogbank.gateway.metrics import CONTENT_TYPE
from fogbank.gateway.trace import TraceStreams
from fogbank.identity.signer import Signers
from fogbank.trace import Trace

Step = Callable[[Exchange], Awaitable[None]]

OWN_PATHS = "/_fogbank/"
"""Paths that are this platform's own and no service's."""


class Gateway:
    """Serves the operations of API modules over HTTP, as AWS would. An ASGI application."""

    def __init__(
        self,
        apis: Iterable[object],
        *,
        arns: Arns,
        clock: Clock,
        access_keys: AccessKeys,
        recheck: Recheck | None = None,
        trace: Trace | None = None,
        ca: Callable[[], bytes] | None = None,
        code: Callable[[str], Awaitable[bytes | None]] | None = None,
        desk: HttpDesk | None = None,
        metrics: Callable[[], bytes] | None = None,
        signers: Signers | None = None,
        access: AccessControl | None = None,
    ) -> None:
        """`access_keys` finds the key of an ID; `recheck` is `PrincipalStore.recheck`, asked for each request of a
        device. A device is known by the Arrival that the transport leaves in the scope's state. `ca` gives the
        certificate (PEM) of the authority that clients trust; it is public, and served to whoever asks. `code` gives
        the zip of a function for the token of a `Code.Location`, None where the token is not good. `desk` knows of
        custom authorizers; without one there are none. `metrics` gives the text of what is counted, for keys alone.
        `signers` knows users and sessions too, and not only the root's keys; `access` what they may do. Without it
        there must be nobody but the root and devices."""
        self._clock = clock
        self._traces = None if trace is None else TraceStreams(trace)
        self._dispatcher = dispatcher = Dispatcher(apis)
        self._authenticator = authenticator = Authenticator(
            arns, clock, access_keys, recheck, desk, signers
        )
        self._bodies = bodies = Bodies()
        self._steps: tuple[Step, ...] = (
            authenticator.claim,  # who says they ask, judged by the headers alone
            dispatcher.choose,  # the services they can mean
            bodies.read,  # within the bound of the service
            authenticator.authenticate,  # proves the signature
            dispatcher.route,  # the operation
            dispatcher.parse,  # its parameters
            dispatcher.validate,  # held against the model
            *(() if access is None else (access.authorise,)),  # what users may do
            dispatcher.call,  # the API method
            dispatcher.serialise,
        )
        self._own: dict[tuple[str, str], Callable[[Exchange, Send], Awaitable[None]]] = {
            ("GET", "/_fogbank/health"): self._health,
            ("GET", "/_fogbank/trace"): self._stream_trace,
        }
        if ca is not None:
            self._own["GET", "/_fogbank/ca.pem"] = partial(self._serve_ca, ca)
        if code is not None:
            self._own["GET", "/_fogbank/code"] = partial(self._serve_code, code)
        if metrics is not None:
            self._own["GET", "/_fogbank/metrics"] = partial(self._serve_metrics, metrics)
        self._date = (0, b"")

    async def __call__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the gateway speaks HTTP, not {scope['type']}")
        exchange = Exchange(scope, receive)
        try:
            if exchange.request.path.startswith(OWN_PATHS):
                await self._answer_own(exchange, send)
                return
            for step in self._steps:
                await step(exchange)
        except Disconnected:
            return
        except Exception as error:
            exchange.response = response_to(error, exchange)
        await self._respond(exchange, exchange.response, send)

    def load(self) -> None:
        """Read all models now instead of on first use. Raises FogbankError where an API and its model disagree."""
        for service in self._dispatcher.services:
            service.routes.find("", "", ())

    def close(self) -> None:
        """End what would never end by itself, so that the server's own shutdown does not wait for it."""
        if self._traces is not None:
            self._traces.close()

    async def _answer_own(self, exchange: Exchange, send: Send) -> None:
        answer = self._own.get((exchange.request.method, exchange.request.path))
        if answer is None:
            raise UnknownOperation(f"Fogbank has nothing at {exchange.request.method} {exchange.request.path[:256]}")
        await answer(exchange, send)

    async def _health(self, exchange: Exchange, send: Send) -> None:
        document = msgspec.json.encode({"status": "ok", "version": __version__})
        await self._respond(exchange, Response(200, (("content-type", "application/json"),), document), send)

    async def _serve_ca(self, ca: Callable[[], bytes], exchange: Exchange, send: Send) -> None:
        await self._respond(exchange, Response(200, (("content-type", "application/x-pem-file"),), ca()), send)

    async def _serve_code(self, code: Callable[[str], Awaitable[bytes | None]], exchange: Exchange, send: Send) -> None:
        token = dict(parse_query(exchange.request.query)).get("token", "")
        archive = await code(token)
        if archive is None:
            raise Forbidden("The address of this code has expired or was never given; ask GetFunction for a new one.")
        await self._respond(exchange, Response(200, (("content-type", "application/zip"),), archive), send)

    async def _authenticate(self, exchange: Exchange) -> None:
        for step in (self._authenticator.claim, self._bodies.read, self._authenticator.authenticate):
            await step(exchange)

    async def _serve_metrics(self, metrics: Callable[[], bytes], exchange: Exchange, send: Send) -> None:
        await self._authenticate(exchange)
        if exchange.caller.device is not None:
            raise UnknownOperation("There are no metrics to read here.")
        await self._respond(exchange, Response(200, (("content-type", CONTENT_TYPE),), metrics()), send)

    async def _stream_trace(self, exchange: Exchange, send: Send) -> None:
        await self._authenticate(exchange)
        if self._traces is None or exchange.caller.device is not None:
            raise UnknownOperation("There is no trace to listen to here.")
        headers = [*self._headers(exchange), (b"content-type", b"application/x-ndjson")]
        await self._traces.serve(exchange.receive, send, headers)

    async def _respond(self, exchange: Exchange, response: Response, send: Send) -> None:
        headers = self._headers(exchange)
        headers += [(name.lower().encode("latin-1"), value.encode("utf-8")) for name, value in response.headers]
        if response.status != 204:
            headers.append((b"content-length", b"%d" % len(response.body)))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if response.status == 204 else response.body})

    def _headers(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        """What every answer bears. AWS's SDKs correct their clocks by the date."""
        second = int(self._clock.time())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return [(b"date", self._date[1]), (b"x-amzn-requestid", exchange.request_id.encode())]
