"""Last words that reach a peer which is still sending; on the event loop that is used, and on asyncio's own."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from fogbank.transport import lingering
from fogbank.transport.acceptor import accept_sockets
from fogbank.transport.lingering import EXTENSIONS, MOST_DISCARDED, PATIENCE, Lingering
from fogbank.transport.readiness import Readiness
from fogbank.transport.tls import server_context
from fogbank.transport.tls_link import TlsLink, TlsPort

from .conftest import make_certificate
from .test_half_open import Loop
from .tls_pair import Above, until

WITHIN = 10.0
WORDS = b"the last words"
MB = 1 << 20

Scenario = Callable[["Server"], Awaitable[None]]


class Server:
    """Answers the first bytes of everybody with its last words."""

    def __init__(self, directory: Path | None) -> None:
        loop = asyncio.get_running_loop()
        self.lingering = Lingering(loop)
        self.readiness = Readiness(loop)
        self.above: list[Above] = []
        self.links: list[asyncio.Transport] = []
        self.words = WORDS
        self._certificate = None if directory is None else directory / "server.pem"
        self._accepting: Any
        self.port = 0

    async def open(self) -> None:
        if self._certificate is None:
            self._accepting = await asyncio.get_running_loop().create_server(self._greet, "127.0.0.1", 0)
        else:
            port = TlsPort(server_context(self._certificate, self._certificate), self, self.readiness)
            self._accepting = await accept_sockets("127.0.0.1", 0, port)
        self.port = self._accepting.sockets[0].getsockname()[1]

    def _greet(self) -> asyncio.Protocol:
        above = Above()
        above.connection_made = lambda transport: self._meet(above, transport)  # type: ignore[method-assign]
        return above

    def _meet(self, above: Above, transport: asyncio.BaseTransport) -> None:
        link = cast(asyncio.Transport, transport)
        above.on_data = lambda: self._part(link)
        self.above.append(above)
        self.links.append(link)

    def _part(self, link: asyncio.Transport) -> None:
        link.write(self.words)
        link.pause_reading()  # as flow control may have done
        self.lingering.part(link)
        self.lingering.part(link)

    def accepted(self, link: TlsLink) -> None: ...

    def secured(self, link: TlsLink) -> None:
        above = Above()
        self._meet(above, link)
        link.set_protocol(above)

    def failed(self, link: TlsLink, why: str) -> None: ...

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context: ssl.SSLContext | None = None
        if self._certificate is not None:
            context = ssl.create_default_context(cafile=str(self._certificate))
        name = None if context is None else "localhost"
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname=name)

    def ask(self) -> int:
        """How many bytes a client of the plainest kind reads."""
        with socket.create_connection(("127.0.0.1", self.port)) as plain:
            link = plain
            if self._certificate is not None:
                context = ssl.create_default_context(cafile=str(self._certificate))
                link = context.wrap_socket(plain, server_hostname="localhost")
            link.sendall(b"x")
            count = 0
            while chunk := link.recv(65_536):
                count += len(chunk)
            link.close()
        return count

    async def close(self) -> None:
        self._accepting.close()
        await self.lingering.drain(0.1)
        await until(lambda: len(self.lingering) == 0)
        self.readiness.close()


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario, bool], None]:
    """Plays a scenario on a server, with TLS or without, in a loop of its own."""
    make_certificate(tmp_path / "server.pem", "localhost")

    def play(scenario: Scenario, secure: bool) -> None:
        async def run() -> None:
            server = Server(tmp_path if secure else None)
            await server.open()
            try:
                async with asyncio.timeout(WITHIN):
                    await scenario(server)
            finally:
                await server.close()

        runner: Callable[[Coroutine[Any, Any, None]], None] = request.param
        runner(run())

    return play


Play = Callable[[Scenario, bool], None]
either = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


@either
def test_who_is_still_sending_reads_the_last_words(play: Play, secure: bool) -> None:
    async def scenario(server: Server) -> None:
        reader, writer = await server.connect()
        writer.write(b"x" * 5000)
        await until(lambda: server.above and server.above[0].lost)
        for _ in range(10):  # each of which a closed socket would answer with a reset
            writer.write(b"x" * 5000)
            await asyncio.sleep(0)
        assert await reader.read() == WORDS
        assert server.above[0].lost == [None]  # once, and without waiting for the peer
        assert secure or len(server.lingering) == 1  # asyncio's client answers close_notify by itself
        writer.close()
        await until(lambda: len(server.lingering) == 0)
        assert server.links[0].is_closing()

    play(scenario, secure)


@either
def test_a_backlog_is_written_first(play: Play, secure: bool) -> None:
    async def scenario(server: Server) -> None:
        server.words = bytes(8 * MB)
        assert await asyncio.to_thread(server.ask) == 8 * MB
        await until(lambda: len(server.lingering) == 0)

    play(scenario, secure)


async def flood(writer: asyncio.StreamWriter) -> None:
    for _ in range(1000):
        writer.write(bytes(65_536))
        await writer.drain()


@either
def test_who_sends_on_and_on_is_cut_off(play: Play, secure: bool) -> None:
    async def scenario(server: Server) -> None:
        _, writer = await server.connect()
        with pytest.raises(ConnectionError):
            await flood(writer)
        await until(lambda: len(server.lingering) == 0)
        writer.close()

    play(scenario, secure)


@either
def test_who_has_gone_already_needs_no_words(play: Play, secure: bool) -> None:
    async def scenario(server: Server) -> None:
        _, writer = await server.connect()
        writer.write(b"x")
        await writer.drain()
        writer.transport.abort()
        await until(lambda: server.above and server.above[0].lost and len(server.lingering) == 0)
        await asyncio.sleep(0)
        assert len(server.above[0].lost) == 1

    play(scenario, secure)


def test_the_end_of_the_server_waits_for_who_listens_and_not_for_others(play: Play) -> None:
    async def scenario(server: Server) -> None:
        reader, writer = await server.connect()
        deaf_reader, deaf = await server.connect()
        for one in (writer, deaf):
            one.write(b"x")
        assert await reader.read() == WORDS
        writer.close()
        await until(lambda: len(server.lingering) == 1)
        await server.lingering.drain(0.01)
        assert len(server.lingering) == 0
        await deaf_reader.read()
        deaf.close()

    play(scenario, False)


def test_the_end_of_the_server_waits_for_nobody_where_there_is_nobody(play: Play) -> None:
    async def scenario(server: Server) -> None:
        await server.lingering.drain(1e6)

    play(scenario, False)


# --- bounds, on a clock of our own ---


class Wire(asyncio.Transport):
    """Has a backlog, and knows what was asked of it."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol = Above()
        self.above = self.protocol
        self.asked: list[str] = []
        self.unsent = 0
        self._broken = broken

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def is_closing(self) -> bool:
        return "abort" in self.asked

    def write_eof(self) -> None:
        if self._broken:
            raise OSError("not connected")
        self.asked.append("eof")

    def resume_reading(self) -> None:
        self.asked.append("resume")

    def abort(self) -> None:
        self.asked.append("abort")
        self.protocol.connection_lost(None)

    def get_write_buffer_size(self) -> int:
        return self.unsent


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_a_peer_that_does_not_close_is_cut_off_in_time(loop: Loop) -> None:
    book, wire = Lingering(loop), Wire()
    book.part(wire)
    loop.pass_time(PATIENCE * 0.9)
    assert (wire.asked, len(book)) == (["eof", "resume"], 1)
    loop.pass_time(PATIENCE * 0.2)
    assert (wire.asked, len(book)) == (["eof", "resume", "abort"], 0)
    loop.close()


def test_who_is_taking_a_backlog_gets_more_time_but_not_for_ever(loop: Loop) -> None:
    book, slow, stuck = Lingering(loop), Wire(), Wire()
    slow.unsent = stuck.unsent = 100
    book.part(slow)
    book.part(stuck)
    for round_ in range(EXTENSIONS):
        slow.unsent -= 1
        loop.pass_time(PATIENCE * 1.01)
        assert (slow.is_closing(), stuck.is_closing()) == (False, True), round_
    slow.unsent -= 1
    loop.pass_time(PATIENCE * 1.01)
    assert slow.is_closing()
    loop.close()


def test_what_is_thrown_away_is_bounded(loop: Loop) -> None:
    book, wire = Lingering(loop), Wire()
    book.part(wire)
    farewell = wire.protocol
    assert isinstance(farewell, lingering.Farewell)
    farewell.data_received(bytes(MOST_DISCARDED))
    assert not wire.is_closing()
    farewell.data_received(b"x")
    assert wire.is_closing()
    loop.close()


def test_many_at_once_are_bounded(loop: Loop) -> None:
    book, wires = Lingering(loop, most=3), [Wire() for _ in range(5)]
    for wire in wires:
        book.part(wire)
    assert [wire.is_closing() for wire in wires] == [True, True, False, False, False]
    loop.close()


def test_who_cannot_be_told_is_cut_off(loop: Loop) -> None:
    book, wire = Lingering(loop), Wire(broken=True)
    book.part(wire)
    loop.pass_time(0)
    assert (wire.asked, len(book)) == (["abort"], 0)
    assert wire.above.lost == [None]
    loop.close()


def test_what_is_closing_is_left_alone(loop: Loop) -> None:
    book, wire = Lingering(loop), Wire()
    wire.asked = ["abort"]
    book.part(wire)
    assert (wire.asked, len(book)) == (["abort"], 0)
    loop.close()
