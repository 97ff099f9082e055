"""Listeners: a port each, and on every port the protocols told apart.

What a connection speaks is decided by ALPN where the client says it, else by the first byte: MQTT begins with a CONNECT
packet, HTTP with a letter. A connection that says nothing, or nothing known, is closed and logged once.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from OpenSSL import SSL

from fogbank.broker.broker import Broker
from fogbank.mqtt.codec import PacketType
from fogbank.ports import PrincipalStore
from fogbank.tasks import Tasks
from fogbank.transport.http import IDENTITY
from fogbank.transport.mqtt_link import MqttLink
from fogbank.transport.peer import NO_CERTIFICATE, NoPrincipals, Peer, PlainPrincipals
from fogbank.transport.tls import ALPN_HTTP, ALPN_MQTT, TlsLink

log = logging.getLogger(__name__)

GREETING_TIMEOUT = 10.0
"""Seconds for the TLS handshake and the first byte, so that half-open connections do not pile up."""
BACKLOG = 4096
FIRST_OF_MQTT = PacketType.CONNECT << 4

HttpProtocol = Callable[[], asyncio.Protocol]


class Listener:
    """One listening socket. `greeter` makes the protocol that a fresh connection begins with."""

    def __init__(self, name: str, host: str, port: int, greeter: Callable[[], asyncio.Protocol]) -> None:
        self.name = name
        self.host = host
        self.port = port
        """The port asked for; after `open` the real one."""
        self._greeter = greeter
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Bind and accept. Raises OSError with a text that says which port is taken and what to do."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._greeter, self.host, self.port, backlog=BACKLOG)
        except OSError as error:
            raise OSError(
                error.errno, f"cannot listen on {self.host}:{self.port} for {self.name}: {_reason(error)}"
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Accept no more; what is connected stays."""
        if self._server is not None:
            self._server.close()


class Entrance:
    """Makes the greeters: what all ports share."""

    def __init__(self, broker: Broker, http: HttpProtocol, principals: PrincipalStore) -> None:
        self._broker = broker
        self._http = http
        self._principals = principals
        self._without_certificate: PrincipalStore = NoPrincipals()
        self._tasks = Tasks("listener")

    async def close(self) -> None:
        await self._tasks.close()

    def plain_mqtt(self, principals: PlainPrincipals) -> Callable[[], asyncio.Protocol]:
        """MQTT without TLS for nameless clients of which `principals` knows the rights."""
        return lambda: _PlainMqtt(self._broker, principals)

    def http(self) -> Callable[[], asyncio.Protocol]:
        """HTTP without TLS; requests are signed."""
        return self._http

    def tls(self, context: SSL.Context) -> Callable[[], asyncio.Protocol]:
        """TLS, with MQTT and HTTP inside."""
        return lambda: _tls_greeter(self, context)

    def secured(self, link: TlsLink, certificate: bytes | None, alpn: bytes) -> None:
        """A handshake is done: find out who it is, then go on."""
        link.pause_reading()
        self._tasks.start(self._identify(link, certificate, alpn), "identify")

    async def _identify(self, link: TlsLink, certificate: bytes | None, alpn: bytes) -> None:
        identity, principals = NO_CERTIFICATE, self._without_certificate
        if certificate is not None:
            principals = self._principals
            try:
                identity = await self._principals.identify(certificate)
            except Exception:
                log.exception("%s: cannot look up the client's certificate", _ip(link))
                link.abort()
                return
        peer = Peer(identity, principals, _ip(link))
        link.set_extra_info(IDENTITY, identity if certificate is not None else None)
        if link.is_closing():
            return
        if alpn == ALPN_MQTT:
            self._speak_mqtt(link, peer)
        elif alpn in ALPN_HTTP:
            self._speak_http(link)
        else:
            link.set_protocol(_FirstByte(self, link, peer))
        link.resume_reading()

    def decide(self, link: asyncio.Transport, peer: Peer, first: int) -> bool:
        """Set the protocol that the first byte belongs to; whether there is one."""
        if first == FIRST_OF_MQTT:
            self._speak_mqtt(link, peer)
        elif first < 0x80 and chr(first).isalpha():
            self._speak_http(link)
        else:
            return False
        return True

    def _speak_mqtt(self, link: asyncio.Transport, peer: Peer) -> None:
        link.set_protocol(MqttLink(self._broker, link, peer))

    def _speak_http(self, link: asyncio.Transport) -> None:
        protocol = self._http()
        protocol.connection_made(link)
        link.set_protocol(protocol)


class _PlainMqtt(asyncio.Protocol):
    """Hands a fresh plain connection over to MQTT."""

    def __init__(self, broker: Broker, principals: PlainPrincipals) -> None:
        self._broker = broker
        self._principals = principals

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        link = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from asyncio's
        link.set_protocol(MqttLink(self._broker, link, Peer(self._principals.identity, self._principals, _ip(link))))


class _FirstByte(asyncio.Protocol):
    """Waits for the byte that tells what a connection speaks."""

    def __init__(self, entrance: Entrance, link: asyncio.Transport, peer: Peer) -> None:
        self._entrance = entrance
        self._link = link
        self._peer = peer
        self._deadline = asyncio.get_running_loop().call_later(GREETING_TIMEOUT, self._overdue)

    def data_received(self, data: bytes) -> None:
        self._deadline.cancel()
        if self._entrance.decide(self._link, self._peer, data[0]):
            cast(asyncio.Protocol, self._link.get_protocol()).data_received(data)
        else:
            log.warning("%s: neither MQTT nor HTTP: the connection begins with %r", self._peer.ip, data[:16])
            self._link.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()

    def _overdue(self) -> None:
        log.info("%s: nothing was sent within %g seconds of the TLS handshake", self._peer.ip, GREETING_TIMEOUT)
        self._link.abort()


def _tls_greeter(entrance: Entrance, context: SSL.Context) -> TlsLink:
    """A TLS connection with a deadline on its handshake."""

    def secured(link: TlsLink, certificate: bytes | None, alpn: bytes) -> None:
        deadline.cancel()
        entrance.secured(link, certificate, alpn)

    def failed(link: TlsLink, why: str) -> None:
        deadline.cancel()
        log.info("%s: TLS handshake failed: %s", _ip(link), why)

    link = TlsLink(context, secured, failed)
    deadline = asyncio.get_running_loop().call_later(GREETING_TIMEOUT, link.abort)
    return link


def _ip(transport: asyncio.BaseTransport) -> str | None:
    peername = transport.get_extra_info("peername")
    return peername[0] if peername else None


def _reason(error: OSError) -> str:
    text = (error.strerror or str(error)).lower().rpartition(": ")[2]  # asyncio puts the address before it
    return f"{text}; choose another port, or 0 for any free one" if "in use" in text else text
