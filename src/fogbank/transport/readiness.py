"""One epoll for all TLS sockets, itself watched by the event loop.

The loop's own readers cost a handle, an object of its library and several calls per socket and event; here an event
costs a look into a dict. What is ready is served in turns of bounded length, so that a thousand handshakes at once, or
peers that send without end, leave time to everybody else: those whose turn ended early are first in the next.
"""

import asyncio
import select
from typing import Protocol

MOST = 1024
"""Sockets looked at in one turn."""
SLICE = 0.01
"""Seconds of one turn, after which no further socket is served."""

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT


class Ready(Protocol):
    """Whoever waits for a socket."""

    def ready(self, events: int) -> None:
        """It can be read or written, or has failed; perhaps no longer. Never raises."""
        ...


class Readiness:
    """Who waits for which descriptor. Whoever closes one must `forget` it first."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._waiting: dict[int, Ready] = {}
        self._left: list[tuple[int, int]] = []
        """What is still to be served of the turn before."""
        loop.add_reader(self._epoll.fileno(), self._serve)

    def __len__(self) -> int:
        return len(self._waiting)

    def watch(self, descriptor: int, events: int, who: Ready) -> None:
        """Tell `who` of these events from now on, instead of those asked for before."""
        if descriptor in self._waiting:
            self._epoll.modify(descriptor, events)
        else:
            self._waiting[descriptor] = who
            self._epoll.register(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Tell nobody any more, not even of failures."""
        if self._waiting.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._waiting.clear()
        self._left = []

    def _serve(self) -> None:
        """An event may be out of date when its turn comes; then there is nothing to read, and nothing happens."""
        waiting, time = self._waiting, self._loop.time
        until = time() + SLICE
        events, self._left = self._left or self._epoll.poll(0, MOST), []
        for served, (descriptor, flags) in enumerate(events, start=1):
            who = waiting.get(descriptor)
            if who is not None:
                who.ready(flags)
                if time() >= until:
                    self._left = events[served:]
                    return
