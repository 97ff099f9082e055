"""One request on its way through the pipeline, and what the handlers have found out about it so far."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fogbank.awswire.http import Request, Response
from fogbank.awswire.routes import Route
from fogbank.awswire.sigv4 import Claim
from fogbank.gateway.call import Caller, Members
from fogbank.gateway.service import Service

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]


class Disconnected(Exception):
    """The client went away before its request was whole."""


class Exchange:
    """Each handler of the pipeline reads what those before it have set, and sets its own."""

    __slots__ = (
        "caller",
        "claim",
        "params",
        "query",
        "receive",
        "request",
        "request_id",
        "response",
        "result",
        "route",
        "scope",
        "service",
        "services",
    )

    def __init__(self, scope: AsgiMessage, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.request_id = _new_id()
        self.request = read_head(scope)
        """Without its body until `Bodies.read`."""
        self.claim: Claim | None = None
        """None where a client certificate speaks for the request."""
        self.caller: Caller
        self.services: tuple[Service, ...] = ()
        """The services that the caller can mean, by the name in the signature or for being a device."""
        self.service: Service | None = None
        self.route: Route
        self.query: list[tuple[str, str]]
        self.params: Members
        self.result: Members
        self.response: Response


def _new_id() -> str:
    """A random UUID as text (RFC 9562, version 4), at a third of the cost of making a UUID first."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def read_head(scope: AsgiMessage) -> Request:
    """Method, path, query and headers of an ASGI request."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    path = scope["raw_path"].decode("latin-1")
    return Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers)
