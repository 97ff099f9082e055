"""Closing so that the peer gets to read our last words.

To close a socket to which the peer is still sending makes the kernel answer with a reset, upon which the peer's kernel
throws away what it has received and not yet handed over: the reason in a DISCONNECT, a refusal in a CONNACK or an HTTP
answer. So we say that we are done writing (FIN, and close_notify before it), and read on, throwing away what comes,
until the peer closes as well. What that may cost is bounded: in time, in bytes, and in how many do it at once.
"""

import asyncio
from typing import cast

from fogbank.transport.deadlines import Deadlines, abort

PATIENCE = 2.0
"""Seconds that a peer gets to take what was written and to close as well."""
EXTENSIONS = 2
"""How often a peer that is still taking a backlog gets its time anew."""
MOST_DISCARDED = 1 << 20
"""Bytes thrown away after which the peer is taken for one that does not listen."""
GRACE = 0.5
"""Seconds that they get when the server ends; whoever listens needs far less."""


class Lingering(Deadlines):
    """Who is being closed. For the protocol above, a connection is over as soon as it is handed over to here."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int | None = None) -> None:
        super().__init__(loop, most)
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def patience(self) -> float:
        return PATIENCE

    def part(self, transport: asyncio.Transport) -> None:
        """Write what is buffered, say that this is all, and close when the peer does.

        The transport's protocol gets its `connection_lost` in the next turn of the loop, whatever the peer does.
        """
        if transport in self or transport.is_closing():
            return
        protocol = transport.get_protocol()
        self._loop.call_soon(protocol.connection_lost, None)
        transport.set_protocol(Farewell(self, transport))
        self.enter(transport)
        self._empty.clear()
        try:
            transport.write_eof()
            transport.resume_reading()
        except OSError:  # the peer is gone already
            transport.abort()

    def expired(self, transport: asyncio.BaseTransport) -> None:
        link = cast(asyncio.Transport, transport)
        farewell = link.get_protocol()
        if isinstance(farewell, Farewell) and farewell.is_taking(link.get_write_buffer_size()):
            self.enter(link)
        else:
            abort(link)

    def leave(self, transport: asyncio.BaseTransport) -> None:
        super().leave(transport)
        if not self:
            self._empty.set()

    async def drain(self, grace: float = GRACE) -> None:
        """Wait until all are gone, but so many seconds at most: then end them."""
        try:
            await asyncio.wait_for(self._empty.wait(), grace)
        except TimeoutError:
            self.close()


class Farewell(asyncio.Protocol):
    """Throws away what comes."""

    __slots__ = ("_discarded", "_extensions", "_lingering", "_transport", "_unsent")

    def __init__(self, lingering: Lingering, transport: asyncio.Transport) -> None:
        self._lingering = lingering
        self._transport = transport
        self._discarded = 0
        self._extensions = 0
        self._unsent = transport.get_write_buffer_size()

    def data_received(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > MOST_DISCARDED:
            self._transport.abort()

    def is_taking(self, unsent: int) -> bool:
        """Whether the peer has taken some of a backlog since this was asked before, and there is more of it."""
        before, self._unsent = self._unsent, unsent
        self._extensions += 1
        return 0 < unsent < before and self._extensions <= EXTENSIONS

    def connection_lost(self, exc: Exception | None) -> None:
        self._lingering.leave(self._transport)
