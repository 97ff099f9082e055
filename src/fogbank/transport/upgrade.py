"""The opening handshake of MQTT over WebSocket: from an HTTP request to frames (RFC 6455, 4.2; MQTT 5, 6).

Who the client is, is found out before the upgrade: the refusal is an HTTP answer, which a browser or an SDK can show.
"""

import asyncio
import base64
import binascii
import hashlib
import logging
from collections.abc import Callable

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from fogbank.errors import InternalFailure, InvalidRequest, ServiceError
from fogbank.ports import Arrival, FrontDesk, HttpHead, Peer
from fogbank.transport.lingering import Lingering

log = logging.getLogger(__name__)

SUBPROTOCOLS = ("mqtt", "mqttv3.1")
"""What MQTT is called, best first; the second by libraries that are older than the standard."""
VERSION = "13"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NONCE = 16
"""Bytes of `Sec-WebSocket-Key`."""

Admitted = Callable[[asyncio.Transport, Peer], asyncio.Protocol]
"""Makes the protocol that a connection goes on with."""


class UpgradeRequired(ServiceError):
    """The request asks for a version of WebSocket that nobody speaks any more. (RFC 6455, 4.4)"""

    code = "UpgradeRequiredException"
    status = 426


def agree(request: HttpHead) -> bytes:
    """The head of the answer that turns the connection into a WebSocket. Raises ServiceError where that cannot be."""
    headers = request.headers
    if (version := headers.get("sec-websocket-version")) != VERSION:
        raise UpgradeRequired(f"Sec-WebSocket-Version is {version!r}; only {VERSION} is served.")
    key = headers.get("sec-websocket-key", "")
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != NONCE:
        raise InvalidRequest(f"Sec-WebSocket-Key must be {NONCE} bytes in base64. (RFC 6455, 4.1)")
    return (
        b"%bserver: fogbank\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: %b\r\nsec-websocket-protocol: %b\r\n\r\n"
        % (STATUS_LINE[101], _accept(key), _subprotocol(headers.get("sec-websocket-protocol")))
    )


def _accept(key: str) -> bytes:
    """The proof that the request was understood as one for a WebSocket (RFC 6455, 4.2.2). It is no secret."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest())


def _subprotocol(offered: str | None) -> bytes:
    names = [name.strip() for name in (offered or "").split(",")]
    for name in SUBPROTOCOLS:
        if name in names:
            return name.encode()
    raise InvalidRequest("Sec-WebSocket-Protocol must offer the sub-protocol 'mqtt'. [MQTT-6.0.0-3]")


def refusal(error: ServiceError) -> bytes:
    """The HTTP answer to a request that cannot become a WebSocket."""
    body = msgspec.json.encode({"message": error.message})
    version = b"sec-websocket-version: %b\r\n" % VERSION.encode() if isinstance(error, UpgradeRequired) else b""
    return b"%bserver: fogbank\r\ncontent-type: application/json\r\nx-amzn-errortype: %b\r\n%b" % (
        STATUS_LINE[error.status],
        error.code.encode(),
        version,
    ) + b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body)


class Upgrade(asyncio.Protocol):
    """Holds a connection while the front desk looks at the request."""

    def __init__(self, transport: asyncio.Transport, rest: bytes, lingering: Lingering) -> None:
        """`rest` is what has come after the request."""
        self._transport = transport
        self._rest = rest
        self._lingering = lingering
        transport.set_protocol(self)
        transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """What was under way when reading was paused."""
        self._rest += data

    async def decide(self, desk: FrontDesk, arrival: Arrival, request: HttpHead, admitted: Admitted) -> None:
        """Answer the request, and go on with what it asked for where it may have it."""
        try:
            answer = agree(request)
            peer = await desk.websocket(arrival, request)
        except ServiceError as error:
            self._refuse(arrival, error)
            return
        except Exception:
            log.exception("%s: cannot find out who asks for a WebSocket", arrival.ip)
            self._refuse(arrival, InternalFailure("An internal failure occurred."))
            return
        if self._transport.is_closing():
            return
        self._transport.write(answer)
        self._transport.resume_reading()  # first, since what has come already may make the protocol pause it
        protocol = admitted(self._transport, peer)
        self._transport.set_protocol(protocol)
        if self._rest:
            protocol.data_received(self._rest)

    def _refuse(self, arrival: Arrival, error: ServiceError) -> None:
        log.warning("%s: WebSocket refused with %d: %s", arrival.ip, error.status, error.message)
        if not self._transport.is_closing():
            self._transport.write(refusal(error))
            self._lingering.part(self._transport)
