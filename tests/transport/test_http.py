import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.ports import Arrival, Identity
from fogbank.transport import http
from fogbank.transport.http import HttpServer

HELLO = b"GET /hello?a=b HTTP/1.1\r\nhost: x\r\n\r\n"
App = Callable[[Any, Any, Any], Awaitable[None]]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Tells what the application got to see."""
    body = (await receive())["body"]
    seen = {"path": scope["path"], "query": scope["query_string"].decode(), "body": body.decode()}
    seen["identity"] = scope["state"]["fogbank.identity"]
    await answer(send, msgspec.json.encode(seen))


async def answer(send: Any, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(app: App) -> AsyncIterator[tuple[HttpServer, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A server with one connection to it."""
    server = HttpServer(app)
    listener = await asyncio.get_running_loop().create_server(server.protocol, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
    try:
        async with asyncio.timeout(20):
            yield server, reader, writer
    finally:
        listener.close()
        writer.close()
        await server.shutdown(0.01)


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, Any]:
    """Head and JSON body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    return head, msgspec.json.decode(await reader.readexactly(length))


# --- the plain course of things ---------------------------------------------------------------------------------


async def test_requests_follow_one_another_on_a_connection() -> None:
    async with serving(echo) as (_, reader, writer):
        for _ in range(3):
            writer.write(HELLO)
            head, seen = await read_answer(reader)
            assert head.startswith(b"HTTP/1.1 200 OK\r\nserver: fogbank\r\n")
            assert seen == {"path": "/hello", "query": "a=b", "body": "", "identity": None}


async def test_a_connection_keeps_something_from_request_to_request() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept = scope["state"]["fogbank.kept"]
        kept["count"] = kept.get("count", 0) + 1
        await answer(send, msgspec.json.encode(kept))

    for _ in range(2):
        async with serving(app) as (_, reader, writer):
            for count in (1, 2, 3):
                writer.write(HELLO)
                assert (await read_answer(reader))[1] == {"count": count}


async def test_requests_may_come_at_once_and_in_pieces() -> None:
    post = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"
    data = HELLO + post + HELLO
    async with serving(echo) as (_, reader, writer):
        for start in range(0, len(data), 7):
            writer.write(data[start : start + 7])
            await writer.drain()
        assert [(await read_answer(reader))[1]["path"] for _ in range(3)] == ["/hello", "/", "/hello"]


async def test_many_requests_in_one_chunk_are_not_one_long_head() -> None:
    asks = HELLO.replace(b"host: x", b"host: x\r\npadding: " + b"x" * 5000)
    count = 4 * http.MAX_HEAD // len(asks)
    async with serving(echo) as (_, reader, writer):
        writer.write(asks * count + asks[:10])
        for _ in range(count):
            assert (await read_answer(reader))[1]["path"] == "/hello"
        writer.write(asks[10:])
        assert (await read_answer(reader))[1]["path"] == "/hello"


async def test_who_asks_on_without_waiting_for_answers_is_not_read_on() -> None:
    """Requests ahead of their answers wait in bytes, not as requests, and all are answered in their order."""
    count = 20 * http.MAX_PIPELINED
    async with serving(echo) as (server, reader, writer):
        numbered = b"".join(HELLO.replace(b"hello", b"%d" % number) for number in range(count))
        writer.write(numbered)
        longest = 0
        for number in range(count):
            assert (await read_answer(reader))[1]["path"] == f"/{number}"
            [connection] = server._state.connections
            assert isinstance(connection, http.HttpConnection)
            longest = max(longest, len(connection.pipeline))
    assert longest < http.MAX_PIPELINED + http.PIECE // 30


class Wire(asyncio.Transport):
    """A transport as the TLS link is one: no socket beneath it that anyone could ask."""

    def __init__(self, **extra: Any) -> None:
        super().__init__({"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 443)} | extra)
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def test_the_transport_s_identity_reaches_the_application_and_its_answer_is_one_write() -> None:
    identity = Identity("c" * 64, "arn:aws:iot:us-east-1:1:cert/c", active=True)
    arrival = Arrival(identity=identity)
    wire = Wire(**{"fogbank.arrival": arrival})
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        state = scope["state"]
        seen.append((state["fogbank.identity"], state["fogbank.arrival"], scope["client"]))
        await answer(send, b"{}")

    server = HttpServer(app)
    protocol = server.protocol()
    protocol.connection_made(wire)
    for _ in range(2):
        protocol.data_received(HELLO)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert seen == [(identity, arrival, ("192.0.2.1", 5))] * 2
    assert [part.endswith(b"\r\n\r\n{}") for part in wire.written] == [True, True]
    protocol.connection_lost(None)
    assert server.connections == 0


async def test_a_request_to_upgrade_is_answered_over_http(caplog: pytest.LogCaptureFixture) -> None:
    asks = HELLO.replace(b"host: x", b"host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x")
    async with serving(echo) as (_, reader, writer):
        writer.write(asks)
        assert (await read_answer(reader))[1]["path"] == "/hello"
    assert caplog.records == []


async def test_a_client_may_ask_before_it_sends_its_body() -> None:
    async with serving(echo) as (_, reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await read_answer(reader))[1]["body"] == "abc"


async def fed(pieces: list[bytes]) -> tuple[list[Any], list[bytes], bool]:
    """What the application saw of the pieces, what was written, and whether the connection was closed."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        seen.append((scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], body))
        await answer(send, b"{}")

    wire, server = Wire(), HttpServer(app)
    protocol = server.protocol()
    protocol.connection_made(wire)
    for piece in pieces:
        if not wire.closed:
            protocol.data_received(piece)
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    closed = wire.closed
    protocol.connection_lost(None)
    await server.shutdown(0)
    return seen, wire.written, closed


STREAM = (
    HELLO
    + b"POST /a%2Fb HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabcde"
    + b"POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    + HELLO
)


@given(st.sets(st.integers(1, len(STREAM) - 1)))
def test_any_split_of_the_stream_gives_the_same_requests(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    seen, written, closed = asyncio.run(fed([STREAM[start:end] for start, end in pairwise(edges)]))
    assert [(method, path, body) for method, path, _, _, body in seen] == [
        ("GET", b"/hello", b""),
        ("POST", b"/a%2Fb", b"abcde"),
        ("POST", b"/c", b"abcde"),
        ("GET", b"/hello", b""),
    ]
    assert b"".join(written).count(b"HTTP/1.1 200 OK\r\n") == 4
    assert not closed


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"GET ", b"/ ", b"HTTP/1.1\r\n", b"a: b\r\n", b"\r\n"])))
def test_any_bytes_are_answered_or_refused(pieces: list[bytes]) -> None:
    _, written, _ = asyncio.run(fed([piece for piece in pieces if piece]))
    assert all(part.startswith(b"HTTP/1.1 ") for part in written)


# --- bad peers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"HELLO\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nnope\r\n",
        b"GET / HTTP/7.3\r\n\r\n",
    ],
)
async def test_garbage_is_refused_and_logged_once(garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass

    with caplog.at_level(logging.WARNING):
        async with serving(app) as (_, reader, writer):
            writer.write(garbage)
            assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request\r\nserver: fogbank\r\n")
    [record] = caplog.records
    assert record.getMessage().startswith("127.0.0.1: HTTP refused with 400: ")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * http.MAX_HEAD,
        b"GET / HTTP/1.1\r\na: " + b"b" * (http.MAX_HEAD + 1) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\na: " + b"b" * (3 * http.MAX_HEAD),
        b"GET / HTTP/1.1\r\n" + b"b" * (3 * http.MAX_HEAD),
        b"GET /" + b"a" * (http.MAX_HEAD + 1) + b" HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * (3 * http.MAX_HEAD),
    ],
)
async def test_a_head_is_bounded(head: bytes) -> None:
    async with serving(echo) as (_, reader, writer):
        for start in range(0, len(head), 5000):
            writer.write(head[start : start + 5000])
            await asyncio.sleep(0)
            if reader.at_eof():
                break
        try:
            assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        except ConnectionResetError:
            pass  # the server closed while more was on its way


async def test_a_large_head_within_the_bound_is_taken_in_any_pieces() -> None:
    head = b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: " + b"b" * (http.MAX_HEAD - 100) + b"\r\n\r\n"
    async with serving(echo) as (_, reader, writer):
        for _ in range(2):
            for start in range(0, len(head), 1000):
                writer.write(head[start : start + 1000])
                await writer.drain()
                await asyncio.sleep(0)
            assert (await read_answer(reader))[1]["path"] == "/"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", HELLO + b"GET"])
async def test_a_peer_that_does_not_finish_its_head(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_DEADLINE", 0.01)
    async with serving(echo) as (_, reader, writer):
        writer.write(sent)
        left = await reader.read()
        assert (b"200 OK" in left) == sent.startswith(HELLO)


async def test_a_peer_that_does_not_finish_its_body(monkeypatch: pytest.MonkeyPatch) -> None:
    left = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    monkeypatch.setattr(http, "BODY_DEADLINE", 0.01)
    async with serving(app) as (_, reader, writer):
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc")
        assert await reader.read() == b""
        await left.wait()


async def test_no_deadline_hangs_over_an_application_that_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_DEADLINE", 0)
    monkeypatch.setattr(http, "BODY_DEADLINE", 0)
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await answer(send, b"{}")

    wire = Wire()
    protocol = HttpServer(app).protocol()
    protocol.connection_made(wire)
    protocol.data_received(HELLO)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not wire.closed
    go.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(wire.written) == 1
    protocol.connection_lost(None)


async def test_the_rest_of_a_refused_body_is_thrown_away_to_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"{}")

    monkeypatch.setattr(http, "MAX_DISCARDED", 1000)
    async with serving(app) as (_, reader, writer):
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 900\r\n\r\n")
        await read_answer(reader)
        writer.write(b"x" * 900 + HELLO)
        await read_answer(reader)
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 2000\r\n\r\n")
        await read_answer(reader)
        writer.write(b"x" * 1500)
        assert await reader.read() == b""


# --- the end ----------------------------------------------------------------------------------------------------


async def test_shutdown_closes_what_is_idle() -> None:
    async with serving(echo) as (server, reader, writer):
        writer.write(HELLO)
        await read_answer(reader)
        assert server.connections == 1
        await server.shutdown()
        assert await reader.read() == b""
        assert server.connections == 0


async def test_shutdown_lets_a_request_be_answered() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.set()
        await go.wait()
        await answer(send, b"{}")

    async with serving(app) as (server, reader, writer):
        writer.write(HELLO)
        await asked.wait()
        shutdown = asyncio.create_task(server.shutdown(60))
        await asyncio.sleep(0)
        go.set()
        head, _ = await read_answer(reader)
        assert b"connection: close\r\n" in head
        await shutdown


async def test_shutdown_waits_only_so_long_and_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    async with serving(app) as (server, reader, writer):
        writer.write(HELLO)
        await asked.wait()
        await server.shutdown(0)
        assert ended.is_set()
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass
    assert caplog.records == []


async def test_an_idle_connection_is_closed_and_one_in_use_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, now = asyncio.get_running_loop(), 100.0
    monkeypatch.setattr(loop, "time", lambda: now)
    wire = Wire()
    protocol = HttpServer(echo).protocol()
    assert isinstance(protocol, http.HttpConnection)
    protocol.connection_made(wire)

    async def ask() -> None:
        protocol.data_received(HELLO)
        for _ in range(10):
            await asyncio.sleep(0)

    await ask()
    timer = protocol.timeout_keep_alive_task
    now += http.KEEP_ALIVE - 1
    await ask()
    assert protocol.timeout_keep_alive_task is timer  # one serves both
    now += 1
    protocol.timeout_keep_alive_handler()
    assert not wire.closed
    now += http.KEEP_ALIVE - 1
    protocol.data_received(HELLO)
    protocol.timeout_keep_alive_handler()  # while the third is being answered
    assert not wire.closed
    for _ in range(10):
        await asyncio.sleep(0)
    now += http.KEEP_ALIVE
    protocol.timeout_keep_alive_handler()
    assert wire.is_closing()
    protocol.connection_lost(None)
    assert protocol.timeout_keep_alive_task is None
