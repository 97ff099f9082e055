"""Listeners: a port each, and on every port the protocols told apart.

What a connection speaks is decided by ALPN where the client says it, else by the first byte: MQTT begins with a CONNECT
packet, HTTP with a letter. A connection that says nothing, or nothing known, is closed. Who a client is, the front desk
finds out: here is only collected what it goes by.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, cast

from OpenSSL import SSL

from fogbank.broker.broker import Broker
from fogbank.mqtt.codec import PacketType
from fogbank.ports import Arrival, FrontDesk, HttpHead, Peer, PrincipalStore
from fogbank.tasks import Tasks
from fogbank.transport.acceptor import BACKLOG, accept_sockets
from fogbank.transport.half_open import HalfOpen
from fogbank.transport.http import Door
from fogbank.transport.lingering import Lingering
from fogbank.transport.mqtt_link import MqttLink
from fogbank.transport.peer import PlainPrincipals
from fogbank.transport.readiness import Readiness
from fogbank.transport.tls import ALPN_HTTP, ALPN_MQTT
from fogbank.transport.tls_link import ARRIVAL, TlsLink, TlsPort
from fogbank.transport.upgrade import Upgrade

log = logging.getLogger(__name__)

FIRST_OF_MQTT = PacketType.CONNECT << 4

HttpProtocol = Callable[[Door], asyncio.Protocol]


class Accepting(Protocol):
    """Sockets that listen, and whoever takes what they accept."""

    @property
    def sockets(self) -> Sequence[Any]: ...

    def close(self) -> None:
        """Accept no more; what is connected stays."""
        ...


Accept = Callable[[str, int], Awaitable[Accepting]]
"""Listens at a host and port, and accepts. Raises OSError."""


class Listener:
    """One port, and how connections to it are accepted."""

    def __init__(self, name: str, host: str, port: int, accept: Accept) -> None:
        self.name = name
        self.host = host
        self.port = port
        """The port asked for; after `open` the real one."""
        self._accept = accept
        self._accepting: Accepting | None = None

    async def open(self) -> None:
        """Bind and accept. Raises OSError with a text that says which port is taken and what to do."""
        try:
            self._accepting = await self._accept(self.host, self.port)
        except OSError as error:
            raise OSError(
                error.errno, f"cannot listen on {self.host}:{self.port} for {self.name}: {_reason(error)}"
            ) from None
        self.port = self._accepting.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Accept no more; what is connected stays."""
        if self._accepting is not None:
            self._accepting.close()


def served(factory: Callable[[], asyncio.Protocol]) -> Accept:
    """By the event loop's own transports, with a protocol for each connection."""

    async def accept(host: str, port: int) -> Accepting:
        return await asyncio.get_running_loop().create_server(factory, host, port, backlog=BACKLOG)

    return accept


class Entrance:
    """What all ports share: finds out who comes, and what they speak."""

    def __init__(self, broker: Broker, http: HttpProtocol, principals: PrincipalStore, desk: FrontDesk) -> None:
        self._broker = broker
        self._http = http
        self._principals = principals
        self._desk = desk
        loop = asyncio.get_running_loop()
        self._half_open = HalfOpen(loop)
        self._readiness = Readiness(loop)
        self.lingering = Lingering(loop)
        self._tasks = Tasks("listener")

    async def close(self) -> None:
        """End who has not got anywhere yet."""
        await self._tasks.close()
        self._half_open.close()

    async def drain(self) -> None:
        """Wait for those who are being told goodbye; call it last, when nobody else is connected any more."""
        await self.lingering.drain()
        self._readiness.close()

    # --- what fresh connections begin with ---

    def plain_mqtt(self, principals: PlainPrincipals) -> Accept:
        """MQTT without TLS for nameless clients of which `principals` knows the rights."""
        return served(lambda: _PlainMqtt(self, principals))

    def http(self) -> Accept:
        """HTTP without TLS; requests are signed."""
        return served(lambda: self._http(self))

    def tls(self, context: SSL.Context) -> Accept:
        """TLS, with MQTT and HTTP inside."""
        return partial(accept_sockets, greet=TlsPort(context, self, self._readiness))

    # --- TLS (tls_link.Gate) ---

    def accepted(self, link: TlsLink) -> None:
        self._half_open.enter(link)

    def failed(self, link: TlsLink, why: str) -> None:
        self._half_open.leave(link)
        if why:
            log.info("%s: TLS handshake failed: %s", _address(link)[0], why)

    def secured(self, link: TlsLink) -> None:
        """A handshake is done: find out who it is, then go on."""
        link.pause_reading()
        self._half_open.leave(link)
        identifying = self._tasks.start(self._identify(link), "identify")
        identifying.add_done_callback(lambda task: link.abort() if task.cancelled() else None)

    async def _identify(self, link: TlsLink) -> None:
        ip, port = _address(link)
        alpn, certificate = link.alpn, link.certificate
        try:
            identity = None if certificate is None else await self._principals.identify(certificate)
        except Exception:
            log.exception("%s: cannot look up the client's certificate", ip)
            link.abort()
            return
        if link.is_closing():
            return
        arrival = Arrival(
            ip=ip, port=port, server_name=link.server_name, alpn=alpn, identity=identity, certificate=certificate
        )
        if alpn in ALPN_MQTT:
            await self._introduce(link, arrival)
            return
        link.resume_reading()  # first, since what has come already may make the protocol pause it
        if alpn in ALPN_HTTP:
            self._speak_http(link, arrival)
        else:
            link.set_protocol(_FirstByte(self, link, arrival))

    # --- telling protocols apart ---

    def decide(self, link: TlsLink, arrival: Arrival, data: bytes) -> bool:
        """Go on with the protocol that the first bytes belong to; whether there is one."""
        first = data[0]
        if first == FIRST_OF_MQTT:
            link.pause_reading()
            self._tasks.start(self._introduce(link, arrival, data), "introduce")
        elif first < 0x80 and chr(first).isalpha():
            self._speak_http(link, arrival).data_received(data)
        else:
            return False
        return True

    async def _introduce(self, link: TlsLink, arrival: Arrival, data: bytes = b"") -> None:
        """MQTT, once the front desk has said who it is. `data` has come already; reading is paused."""
        try:
            peer = await self._desk.mqtt(arrival)
        except Exception:
            log.exception("%s: cannot find out who connects", arrival.ip)
            link.abort()
            return
        if link.is_closing():
            return
        link.resume_reading()
        protocol = self.speak_mqtt(link, peer)
        if data:
            protocol.data_received(data)

    def speak_mqtt(self, link: asyncio.Transport, peer: Peer) -> MqttLink:
        """MQTT from now on."""
        protocol = MqttLink(self._broker, link, peer, self._half_open, self.lingering)
        link.set_protocol(protocol)
        return protocol

    def _speak_http(self, link: TlsLink, arrival: Arrival) -> asyncio.Protocol:
        link.arrival = arrival
        protocol = self._http(self)
        protocol.connection_made(link)
        link.set_protocol(protocol)
        return protocol

    # --- HTTP (http.Door) ---

    def half_open(self, transport: asyncio.Transport) -> None:
        self._half_open.enter(transport)

    def greeted(self, transport: asyncio.Transport) -> None:
        self._half_open.leave(transport)

    def upgrade(self, transport: asyncio.Transport, request: HttpHead, rest: bytes) -> None:
        arrival = transport.get_extra_info(ARRIVAL)
        if arrival is None:
            ip, port = _address(transport)
            arrival = Arrival(ip=ip, port=port)
        upgrade = Upgrade(transport, rest, self.lingering)
        self._tasks.start(upgrade.decide(self._desk, arrival, request, self._speak_websocket), "upgrade")

    def _speak_websocket(self, transport: asyncio.Transport, peer: Peer) -> asyncio.Protocol:
        from fogbank.transport.websocket import WebSocketLink  # its library costs 30 ms, and many never need it

        return WebSocketLink(self._broker, transport, peer, self._half_open, self.lingering)


class _PlainMqtt(asyncio.Protocol):
    """Hands a fresh plain connection over to MQTT."""

    def __init__(self, entrance: Entrance, principals: PlainPrincipals) -> None:
        self._entrance = entrance
        self._principals = principals

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        link = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from asyncio's
        ip, port = _address(link)
        principals = self._principals
        self._entrance.speak_mqtt(link, Peer(identity=principals.identity, principals=principals, ip=ip, port=port))


class _FirstByte(asyncio.Protocol):
    """Waits for the byte that tells what a connection speaks."""

    def __init__(self, entrance: Entrance, link: TlsLink, arrival: Arrival) -> None:
        self._entrance = entrance
        self._link = link
        self._arrival = arrival
        entrance.half_open(link)

    def data_received(self, data: bytes) -> None:
        self._entrance.greeted(self._link)
        if not self._entrance.decide(self._link, self._arrival, data):
            log.warning("%s: neither MQTT nor HTTP: the connection begins with %r", self._arrival.ip, data[:16])
            self._link.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._entrance.greeted(self._link)


def _address(transport: asyncio.BaseTransport) -> tuple[str | None, int | None]:
    peername = transport.get_extra_info("peername")
    return (peername[0], peername[1]) if peername else (None, None)


def _reason(error: OSError) -> str:
    number = error.errno or 0
    text = (os.strerror(number) if number > 0 else error.strerror or str(error)).lower()
    return f"{text}; choose another port, or 0 for any free one" if "in use" in text else text
