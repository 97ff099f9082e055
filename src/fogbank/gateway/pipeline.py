"""The way of an HTTP request, as one list of handlers from top to bottom, in an ASGI application.

Each handler reads from the exchange what those before it found out and adds its own; whatever one raises ends the
way and is translated once, by `errors`. Those that never wait are plain functions.
"""

from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate

from fogbank import __version__
from fogbank.arns import Arns
from fogbank.awswire.errors import UnknownOperation
from fogbank.awswire.http import Response
from fogbank.clock import Clock
from fogbank.errors import Forbidden
from fogbank.gateway.access_control import AccessControl
from fogbank.gateway.audit import Audit
from fogbank.gateway.authentication import AccessKeys, Authenticator, HttpDesk, Recheck
from fogbank.gateway.body import DEFAULT_LIMIT, Bodies
from fogbank.gateway.dispatch import Dispatcher
from fogbank.gateway.errors import response_to
from fogbank.gateway.exchange import AsgiMessage, Disconnected, Exchange, Receive, Send
from fogbank.gateway.pages import OWN_PATHS, Audience, Page, Pages, Visit, json_response
from fogbank.gateway.trace import TraceStreams
from fogbank.identity.signer import Signers
from fogbank.trace import Trace

Step = Callable[[Exchange], Awaitable[None] | None]

HEALTH_PATH = "/_fogbank/health"
TRACE_PATH = "/_fogbank/trace"


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
        desk: HttpDesk | None = None,
        signers: Signers | None = None,
        access: AccessControl | None = None,
        pages: Iterable[Page] = (),
        audit: Audit | None = None,
    ) -> None:
        """`access_keys` finds the key of an ID; `recheck` is `PrincipalStore.recheck`, asked for each request of a
        device. A device is known by the Arrival that the transport leaves in the scope's state. `desk` knows of
        custom authorizers; without one there are none. `signers` knows users and sessions too, and not only the root's
        keys; `access` what they may do. Without it there must be nobody but the root and devices. `pages` are served
        beside the operations. `audit` writes down who has changed what."""
        self._clock = clock
        self._traces = None if trace is None else TraceStreams(trace)
        self._dispatcher = dispatcher = Dispatcher(apis)
        self._authenticator = authenticator = Authenticator(arns, clock, access_keys, recheck, desk, signers)
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
        self._access = access
        self._audit = audit
        self._pages = Pages([Page(method="GET", path=HEALTH_PATH, audience=Audience.ANYONE, answer=_health), *pages])
        self._date = (0, b"")

    async def __call__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the gateway speaks HTTP, not {scope['type']}")
        exchange = Exchange(scope, receive)
        try:
            if (found := self._pages.find(exchange.request)) is not None:
                exchange.response = await self._visit(exchange, *found)
                await self._respond(exchange, exchange.response, send)
                return
            if exchange.request.path.startswith(OWN_PATHS):
                await self._stream_trace(exchange, send)
                return
            await self._operate(exchange)
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

    async def _operate(self, exchange: Exchange) -> None:
        error: Exception | None = None
        try:
            for step in self._steps:
                if (waiting := step(exchange)) is not None:
                    await waiting
        except Exception as met:
            error = met
            raise
        finally:
            if self._audit is not None:
                await self._audit.of_call(exchange, error)

    async def _visit(self, exchange: Exchange, page: Page, names: dict[str, str]) -> Response:
        """The page, for those whom it is for."""
        if page.audience is Audience.ANYONE:
            return await page.answer(Visit(exchange.request, names, exchange.request_id))
        await self._authenticate(exchange, page.limit)
        caller = exchange.caller
        if page.audience is Audience.DEVICES:
            if caller.device is None or caller.principals is not None:
                raise Forbidden("This is for devices: come with a client certificate, over TLS.")
        elif caller.device is not None and (not page.action or caller.principals is None or self._access is None):
            raise _nothing(exchange)
        visit, error = Visit(exchange.request, names, exchange.request_id, caller), None
        try:
            if page.audience is Audience.KEYS and caller.device is not None and self._access is not None:
                await self._access.allow(exchange, page.action)
            return await page.answer(visit)
        except Exception as met:
            error = met
            raise
        finally:
            if self._audit is not None and page.event:
                await self._audit.of_page(page.event, visit, error)

    async def _authenticate(self, exchange: Exchange, limit: int) -> None:
        await self._authenticator.claim(exchange)
        await self._bodies.read(exchange, limit)
        await self._authenticator.authenticate(exchange)

    async def _stream_trace(self, exchange: Exchange, send: Send) -> None:
        request = exchange.request
        if (request.method, request.path) != ("GET", TRACE_PATH) or self._traces is None:
            raise _nothing(exchange)
        await self._authenticate(exchange, DEFAULT_LIMIT)
        if exchange.caller.device is not None:
            raise _nothing(exchange)
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


async def _health(visit: Visit) -> Response:
    return json_response({"status": "ok", "version": __version__})


def _nothing(exchange: Exchange) -> UnknownOperation:
    """Of what there is, too, where it is not for whoever asks."""
    request = exchange.request
    return UnknownOperation(f"Fogbank has nothing for you at {request.method} {request.path[:256]}")
