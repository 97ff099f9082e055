"""A connection of the torture: packets out in one write a turn of the loop, packets in one call each."""

import asyncio
from collections.abc import Callable

from tests.torture import wire
from tests.torture.wire import Kind

PATIENCE = 10.0
"""Seconds for a broker that is up to answer."""

Handler = Callable[[int, bytes], None]


class Gone(Exception):
    """The connection is no more: the broker was killed, or one side has closed it."""


class Link(asyncio.Protocol):
    """One TCP connection. Packets wait until somebody listens; what is sent on a link that has gone is gone with it."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.goodbye: bytes | None = None
        """The body of the DISCONNECT that the broker sent, where it did."""
        self._handler: Handler | None = None
        self._early: list[tuple[int, bytes]] = []
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._out: list[bytes] = []
        self._waiting: set[asyncio.Future[bytes]] = set()
        self._connack: asyncio.Future[bytes] = self.future()

    @classmethod
    async def open(cls, port: int, hello: bytes) -> "tuple[Link, bool, int]":
        """Connect and introduce oneself: the link, whether a session was present, and the reason code."""
        try:
            _, link = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        except OSError as error:
            raise Gone from error
        link.send(hello)
        try:
            answer = await asyncio.wait_for(link._connack, PATIENCE)
        except BaseException:
            link.abort()
            raise
        return link, bool(answer[0] & 1), answer[1]

    def listen(self, handler: Handler) -> None:
        """From now on packets go to `handler`, those first that have come since CONNACK."""
        self._handler = handler
        for first, body in self._early:
            handler(first, body)
        self._early.clear()

    @property
    def alive(self) -> bool:
        """Whether what is sent has a chance."""
        return not self.gone.is_set()

    def send(self, packet: bytes) -> None:
        """Write it with all else that is sent in this turn."""
        if not self._out:
            self._loop.call_soon(self.flush)
        self._out.append(packet)

    def flush(self) -> None:
        """Write what was sent, now."""
        if self._out and self._transport is not None and self.alive:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def future(self) -> asyncio.Future[bytes]:
        """Something to wait for that raises Gone where the connection goes first."""
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._out.clear()
        if self._transport is not None:
            self._transport.abort()
        self._lost()

    async def leave(self) -> None:
        """Say goodbye and close; nobody listens any longer."""
        self._handler = _ignore
        self.send(wire.GOODBYE)
        self.flush()
        if self._transport is not None:
            self._transport.close()
        await self.gone.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        packets, self._rest = wire.split(self._rest + data)
        for first, body in packets:
            if first == Kind.CONNACK:
                if not self._connack.done():
                    self._connack.set_result(body)
            elif first == Kind.DISCONNECT:
                self.goodbye = body
            elif self._handler is None:
                self._early.append((first, body))
            elif self.alive:
                self._handler(first, body)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost()

    def _lost(self) -> None:
        self.gone.set()
        for future in tuple(self._waiting):
            if not future.done():
                future.set_exception(Gone())
                future.exception()  # nobody may be waiting for it any more


def _ignore(first: int, body: bytes) -> None:
    """For a link that is being left."""
