"""Listening sockets whose connections stay plain sockets: those that OpenSSL is to read and write itself."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any

log = logging.getLogger(__name__)

BACKLOG = 4096
MOST = 64
"""Connections accepted in one turn of the loop."""
PAUSE = 1.0
"""Seconds without accepting after the process, or the machine, has run out of descriptors or memory."""

Address = tuple[str, int]
Greet = Callable[[socket.socket, Address], None]
"""Takes over a connection, which does not block, and the peer's address."""


class Acceptor:
    """Accepts on sockets that are listening."""

    def __init__(self, sockets: Sequence[socket.socket], greet: Greet) -> None:
        self.sockets = sockets
        self._loop = asyncio.get_running_loop()
        self._greet = greet
        for one in sockets:
            self._loop.add_reader(one, self._accept, one)

    def close(self) -> None:
        """Accept no more."""
        for one in self.sockets:
            if one.fileno() >= 0:
                self._loop.remove_reader(one)
                one.close()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(MOST):
            try:
                link, address = listening.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue  # it was gone before it was accepted
            except OSError as error:
                self._pause(listening, error)
                return
            try:
                link.setblocking(False)
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._greet(link, address[:2])
            except OSError as error:
                link.close()
                self._pause(listening, error)
                return

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        """There is no room: what does not get in waits in the kernel, and asking on would only fill the log."""
        log.error("no connection is accepted for %g seconds: %s", PAUSE, error.strerror)
        self._loop.remove_reader(listening)
        self._loop.call_later(PAUSE, self._go_on, listening)

    def _go_on(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._accept, listening)


async def accept_sockets(host: str, port: int, greet: Greet) -> Acceptor:
    """Listen on all addresses of `host` (an empty one: on all there are) and accept. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            listening = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(listening)
            _listen(listening, address)
    except OSError:
        for one in sockets:
            one.close()
        raise
    return Acceptor(sockets, greet)


def _listen(listening: socket.socket, address: Any) -> None:
    """As asyncio's own servers do."""
    listening.setblocking(False)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listening.family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listening.bind(address)
    listening.listen(BACKLOG)
