"""The endpoint over real sockets, spoken to byte by byte, with a runtime that remembers what it was told."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fogbank.functions.runtime_api import ACCEPTED, MAX_HEADERS, MAX_RESPONSE, Address, Answer, Reply, RuntimeApi

NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"


class Remembers:
    """A `Runtime` that accepts everything."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.replies: asyncio.Queue[Reply] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.admitting = True
        self.admitted: list[tuple[Address, Address]] = []

    def admits(self, peer: Address, own: Address) -> bool:
        self.admitted.append((peer, own))
        return self.admitting

    def next(self, reply: Reply) -> None:
        self.replies.put_nowait(reply)

    def hung_up(self, reply: Reply) -> None:
        self.gone.set()

    def response(self, request_id: str, attempt: str | None, body: bytes | None) -> Answer:
        self.calls.append(("response", request_id, attempt, body))
        return ACCEPTED

    def error(self, request_id: str, attempt: str | None, body: bytes) -> Answer:
        self.calls.append(("error", request_id, attempt, body))
        return ACCEPTED

    def init_error(self, body: bytes) -> Answer:
        self.calls.append(("init_error", body))
        return ACCEPTED


class Client:
    """A runtime's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def post(self, path: str, body: bytes, *headers: str) -> None:
        head = [f"POST /2018-06-01/runtime/{path} HTTP/1.1", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    async def receive(self) -> tuple[int, dict[str, str], bytes]:
        head = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 10)).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        return int(head[0].split()[1]), headers, await self._reader.readexactly(int(headers.get("Content-Length", 0)))

    async def ended(self) -> bool:
        try:
            return await asyncio.wait_for(self._reader.read(), 10) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._writer.close()

    @property
    def ends(self) -> tuple[Address, Address]:
        return self._writer.get_extra_info("sockname"), self._writer.get_extra_info("peername")


@pytest.fixture
def runtime() -> Remembers:
    return Remembers()


@pytest.fixture
async def api(runtime: Remembers) -> AsyncIterator[RuntimeApi]:
    api = RuntimeApi(runtime)
    yield api
    api.close()


@pytest.fixture
async def client(api: RuntimeApi) -> AsyncIterator[Client]:
    host, port = (await api.start()).split(":")
    client = Client(*await asyncio.open_connection(host, int(port)))
    yield client
    client.close()


async def test_next_waits_for_an_event(client: Client, runtime: Remembers) -> None:
    client.send(NEXT)
    reply = await asyncio.wait_for(runtime.replies.get(), 10)
    reply(Answer(200, b'{"a": 1}', {"Lambda-Runtime-Aws-Request-Id": "r-1", "Lambda-Runtime-Client-Context": '"ä"'}))
    status, headers, body = await client.receive()
    assert (status, body) == (200, b'{"a": 1}')
    assert headers["Lambda-Runtime-Aws-Request-Id"] == "r-1"
    assert headers["Content-Type"] == "application/json"


async def test_answers_over_one_connection(client: Client, runtime: Remembers) -> None:
    client.post("invocation/r-1/response", b"1")
    assert await client.receive() == (202, {"Content-Type": "application/json", "Content-Length": "16"}, ACCEPTED.body)
    client.post("invocation/r-2/error", b"{}", "Lambda-Runtime-Invocation-Id: a-2")
    await client.receive()
    client.post("init/error", b"{}")
    await client.receive()
    assert runtime.calls == [("response", "r-1", None, b"1"), ("error", "r-2", "a-2", b"{}"), ("init_error", b"{}")]


async def test_requests_may_arrive_in_any_pieces(client: Client, runtime: Remembers) -> None:
    request = b"POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    for byte in request + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n":
        client.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await client.receive())[0] == 202
    assert runtime.calls == [("response", "r-1", None, b"abcde")]


async def test_passes_on_answers_up_to_the_bound(client: Client, runtime: Remembers) -> None:
    client.post("invocation/r-1/response", b"x" * MAX_RESPONSE)
    await client.receive()
    client.post("invocation/r-2/response", b"x" * (MAX_RESPONSE + 1))
    await client.receive()
    assert [call[3] for call in runtime.calls] == [b"x" * MAX_RESPONSE, None]


async def test_tells_who_waits_to_go_on(client: Client, runtime: Remembers) -> None:
    client.send(b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert (await client.receive())[0] == 100
    client.send(b"x")
    assert (await client.receive())[0] == 202


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/1.1",
        b"POST /2018-06-01/runtime/invocation/next HTTP/1.1",
        b"GET /2018-06-01/runtime/invocation/r/response HTTP/1.1",
        b"POST /2018-06-01/runtime/invocation/a%2Fb/response HTTP/1.1",
        b"GET /2018-06-01/runtime/restore/next HTTP/1.1",
        b"POST /2020-01-01/extension/register HTTP/1.1",
    ],
)
async def test_knows_no_other_paths(client: Client, runtime: Remembers, request_line: bytes) -> None:
    client.send(request_line + b"\r\n\r\n")
    assert (await client.receive())[0] == 404
    assert runtime.calls == []


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x00\xa5", b"GET\r\n\r\n", b"hello\r\n\r\n" * 50])
async def test_garbage_ends_the_connection(client: Client, garbage: bytes) -> None:
    client.send(garbage)
    while not await client.ended():
        pass


async def test_bounds_the_headers(client: Client, runtime: Remembers) -> None:
    client.send(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n")
    client.send(b"X: " + b"y" * MAX_HEADERS + b"\r\n\r\n")
    while not await client.ended():
        pass
    assert runtime.replies.empty()


async def test_a_second_request_before_the_answer_ends_the_connection(client: Client, runtime: Remembers) -> None:
    client.send(NEXT)
    await asyncio.wait_for(runtime.replies.get(), 10)
    client.send(NEXT)
    assert await client.ended()
    await asyncio.wait_for(runtime.gone.wait(), 10)


async def test_turns_away_other_processes(client: Client, runtime: Remembers) -> None:
    runtime.admitting = False
    client.post("invocation/r-1/response", b"1")
    assert (await client.receive())[0] == 403
    assert await client.ended()
    assert runtime.calls == []


async def test_asks_once_whose_a_connection_is(client: Client, runtime: Remembers) -> None:
    for _ in range(3):
        client.post("init/error", b"1")
        await client.receive()
    assert runtime.admitted == [client.ends]


async def test_says_when_the_runtime_hangs_up(client: Client, runtime: Remembers) -> None:
    client.send(NEXT)
    reply = await asyncio.wait_for(runtime.replies.get(), 10)
    client.close()
    await asyncio.wait_for(runtime.gone.wait(), 10)
    reply(Answer(200, b"too late"))
