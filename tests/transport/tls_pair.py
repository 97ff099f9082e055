"""A TLS link of ours, and a client of OpenSSL's at the other end of a socket pair."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from OpenSSL import SSL

from fogbank.transport.readiness import Readiness
from fogbank.transport.tls import server_context
from fogbank.transport.tls_link import TlsLink, TlsPort

WITHIN = 10.0
ADDRESS = ("192.0.2.1", 4711)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until it is so."""
    async with asyncio.timeout(WITHIN):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no events
            await asyncio.sleep(0)


async def turns(count: int = 5) -> None:
    """Let the loop turn some times."""
    for _ in range(count):
        await asyncio.sleep(0)


class Above(asyncio.Protocol):
    """The protocol above a link: writes down what it is told."""

    def __init__(self) -> None:
        self.received = b""
        self.chunks = 0
        self.told: list[str] = []
        self.lost: list[Exception | None] = []
        self.on_data: Callable[[], object] = lambda: None

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.chunks += 1
        self.on_data()

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class Book:
    """A gate that writes down who came through."""

    def __init__(self) -> None:
        self.links: list[TlsLink] = []
        self.secured_links: list[TlsLink] = []
        self.failures: list[str] = []

    def accepted(self, link: TlsLink) -> None:
        self.links.append(link)

    def secured(self, link: TlsLink) -> None:
        self.secured_links.append(link)

    def failed(self, link: TlsLink, why: str) -> None:
        self.failures.append(why)


class Client:
    """The other end. Nothing here blocks."""

    def __init__(self, context: SSL.Context, link: socket.socket) -> None:
        self.link = link
        link.setblocking(False)
        self.tls = SSL.Connection(context, link)
        self.tls.set_connect_state()
        self.received = b""
        self.ended = False
        """Whether close_notify has come."""

    def shake(self) -> bool:
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def take(self) -> bytes:
        """All that has come so far."""
        try:
            while not self.ended:
                self.received += self.tls.recv(65_536)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        return self.received

    def is_cut(self) -> bool:
        """Whether the socket, not only TLS, has ended."""
        try:
            return self.link.recv(65_536) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    def fill(self, data: bytes) -> int:
        """Send as much as fits; how much that was."""
        sent = 0
        try:
            while sent < len(data):
                sent += self.tls.send(data[sent : sent + 16_384])
        except (SSL.WantWriteError, SSL.WantReadError):
            pass
        return sent


class Stage:
    """Makes pairs, and clears up."""

    def __init__(self, directory: Path, certificate: bytes) -> None:
        """`certificate`: the client's, in DER."""
        self.certificate = certificate
        self.book = Book()
        self.readiness = Readiness(asyncio.get_running_loop())
        server = directory / "server.pem"
        self.port = TlsPort(server_context(server, server), self.book, self.readiness)
        self._directory = directory
        self._sockets: list[socket.socket] = []

    def context(self, *, certificate: str | None = "device", version: int = SSL.TLS1_3_VERSION) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        if certificate is not None:
            path = str(self._directory / f"{certificate}.pem")
            context.use_certificate_file(path)
            context.use_privatekey_file(path)
        return context

    def raw(self, *, tcp: bool = False) -> tuple[TlsLink, socket.socket]:
        """A link that nothing has come for, and the other end."""
        ours, theirs = _tcp_pair() if tcp else socket.socketpair()
        self._sockets.append(theirs)
        ours.setblocking(False)
        self.port(ours, ADDRESS)
        return self.book.links[-1], theirs

    async def pair(
        self, context: SSL.Context | None = None, *, tcp: bool = False, name: bytes | None = None
    ) -> tuple[TlsLink, Above, Client]:
        """A link after its handshake, with a protocol, and the client."""
        link, theirs = self.raw(tcp=tcp)
        client = Client(context or self.context(), theirs)
        if name is not None:
            client.tls.set_tlsext_host_name(name)
        await until(client.shake)
        await until(lambda: link in self.book.secured_links)
        above = Above()
        link.set_protocol(above)
        return link, above, client

    def close(self) -> None:
        for link in self.book.links:
            link.abort()
        for one in self._sockets:
            one.close()
        self.readiness.close()


def _tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Over the loopback interface: unlike a socket pair it knows resets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    return ours, theirs
