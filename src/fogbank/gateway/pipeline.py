"""The way of an HTTP request, as one list of handlers from top to bottom, in an ASGI application.

Each handler reads from the exchange what those before it found out and adds its own; whatever one raises ends the
way and is translated once, by `errors`.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate
from functools import partial
from urllib.parse import unquote

import msgspec

from fogbank import __version__
from fogbank.arns import Arns
from fogbank.awswire.errors import UnknownOperation
from fogbank.awswire.http import Response, parse_query
from fogbank.awswire.sigv4 import read_claim
from fogbank.clock import Clock
from fogbank.errors import Forbidden
from fogbank.gateway.access_control import AccessControl
from fogbank.gateway.authentication import AccessKeys, Authenticator, HttpDesk, Recheck
from fogbank.gateway.body import Bodies
from fogbank.gateway.dispatch import Dispatcher
from fogbank.gateway.errors import response_to
from fogbank.gateway.exchange import AsgiMessage, Disconnected, Exchange, Receive, Send
from fogbank.gateway.iot_rule_destinations import CONFIRM_PATH
from fogbank.gateway.metrics import CONTENT_TYPE
from fogbank.gateway.trace import TraceStreams
from fogbank.identity.signer import Signers
from fogbank.trace import Trace

Step = Callable[[Exchange], Awaitable[None]]

OWN_PATHS = "/_fogbank/"
"""Paths that are this platform's own and no service's."""
RULE_TEST = re.compile(r"/_fogbank/rules/(?P<rule>\w+)/test", re.ASCII)


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
        confirm: Callable[[str], Awaitable[Response]] | None = None,
        rule_test: Callable[[str, bytes], Awaitable[Response]] | None = None,
    ) -> None:
        """`access_keys` finds the key of an ID; `recheck` is `PrincipalStore.recheck`, asked for each request of a
        device. A device is known by the Arrival that the transport leaves in the scope's state. `ca` gives the
        certificate (PEM) of the authority that clients trust; it is public, and served to whoever asks. `code` gives
        the zip of a function for the token of a `Code.Location`, None where the token is not good. `desk` knows of
        custom authorizers; without one there are none. `metrics` gives the text of what is counted, for keys alone.
        `signers` knows users and sessions too, and not only the root's keys; `access` what they may do. Without it
        there must be nobody but the root and devices. `confirm` takes back the token of a topic rule destination from
        whoever has it. `rule_test` answers a dry run of the rule of that name, for the root's keys alone."""
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
        self._confirm = confirm
        self._rule_test = rule_test
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
            if self._confirm is not None and _is_confirmation(exchange):
                token = unquote(exchange.request.path.removeprefix(CONFIRM_PATH))
                await self._respond(exchange, await self._confirm(token), send)
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
        method, path = exchange.request.method, exchange.request.path
        tested = RULE_TEST.fullmatch(path)
        if tested is not None and method == "POST" and self._rule_test is not None:
            await self._test_rule(self._rule_test, tested["rule"], exchange, send)
            return
        answer = self._own.get((method, path))
        if answer is None:
            raise UnknownOperation(f"Fogbank has nothing at {method} {path[:256]}")
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

    async def _test_rule(
        self, test: Callable[[str, bytes], Awaitable[Response]], rule: str, exchange: Exchange, send: Send
    ) -> None:
        await self._authenticate(exchange)
        if exchange.caller.device is not None:
            raise UnknownOperation("There are no rules to test here.")
        await self._respond(exchange, await test(rule, exchange.request.body), send)

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


def _is_confirmation(exchange: Exchange) -> bool:
    """Whether somebody brings a token back. What is signed goes the way of all operations."""
    request = exchange.request
    return request.method == "GET" and request.path.startswith(CONFIRM_PATH) and read_claim(request) is None
