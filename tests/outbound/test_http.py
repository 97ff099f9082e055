"""The pool: what it sends, and how everything ends that goes wrong on the other side."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.outbound.server import Server

from fogbank.outbound.credentials import CredentialChain
from fogbank.outbound.http import HttpPool, place
from fogbank.ports import HttpRequest, OutboundError, Signing


@pytest_asyncio.fixture
async def pool(credentials: None) -> AsyncIterator[HttpPool]:
    made = HttpPool(CredentialChain(metadata=False))
    yield made
    await made.close()


def request(url: str, **more: object) -> HttpRequest:
    return HttpRequest(**{"method": "POST", "url": url, "body": b"x", **more})  # type: ignore[arg-type]


async def test_a_request_arrives_as_it_was_said(pool: HttpPool, server: Server) -> None:
    server.answer(404, b"no", **{"X-Some": "thing"})
    headers = (("Content-Type", "text/plain"), ("X-Twice", "a"))
    answer = await pool.send(request(server.url + "/a%2Fb/c%20d?e=%2B&f", method="PUT", headers=headers))
    assert (answer.status, answer.reason, answer.body, answer.headers["x-some"]) == (404, "Not Found", b"no", "thing")
    [received] = server.received
    assert (received.method, received.url, received.body) == ("PUT", "/a%2Fb/c%20d?e=%2B&f", b"x")
    assert set(received.headers) == {"host", "content-type", "x-twice", "content-length"}


async def test_redirects_are_answers(pool: HttpPool, server: Server) -> None:
    server.answer(302, Location=server.url + "/elsewhere")
    assert (await pool.send(request(server.url))).status == 302
    assert len(server.received) == 1


async def test_a_connection_is_used_again(pool: HttpPool) -> None:
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\nx")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    for _ in range(3):
        await pool.send(request(url))
    assert opened == 1
    await pool.close()
    listener.close()
    await listener.wait_closed()


async def test_one_that_hangs_is_given_up(pool: HttpPool, server: Server) -> None:
    server.respond = server.hang
    with pytest.raises(OutboundError, match=r"did not answer within 0.05 s") as told:
        await pool.send(request(server.url, timeout=0.05))
    assert (told.value.code, told.value.transient) == ("Timeout", True)


async def test_a_long_answer_is_not_read(pool: HttpPool, server: Server) -> None:
    server.answer(200, b"x" * 1001)
    with pytest.raises(OutboundError, match="more than 1000 bytes") as told:
        await pool.send(request(server.url, limit=1000))
    assert (told.value.code, told.value.transient) == ("AnswerTooLarge", False)
    assert (await pool.send(request(server.url, limit=1001))).status == 200


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b"SSH-2.0-x\r\n\r\n"])
async def test_one_that_resets_or_speaks_something_else(pool: HttpPool, said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(OutboundError, match=f"127.0.0.1:{port}") as told:
        await pool.send(request(f"http://127.0.0.1:{port}/p?secret=1"))
    assert (told.value.code, told.value.transient) == ("Connection", True)
    assert "secret" not in str(told.value)
    listener.close()
    await listener.wait_closed()


async def test_nobody_listens(pool: HttpPool, server: Server) -> None:
    with pytest.raises(OutboundError) as told:
        await pool.send(request("http://127.0.0.1:1/"))
    assert (told.value.code, told.value.transient) == ("Connection", True)


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://a b/", "ftp://127.0.0.1/"])
async def test_what_is_no_url(pool: HttpPool, url: str) -> None:
    with pytest.raises(OutboundError):
        await pool.send(request(url))


async def test_a_request_can_be_signed(pool: HttpPool, server: Server) -> None:
    await pool.send(request(server.url + "/i", signing=Signing("es", "eu-west-1"), headers=(("X-A", "b"),)))
    [received] = server.received
    scope = received.headers["authorization"]
    assert scope.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/es/aws4_request" in scope
    assert received.headers["x-a"] == "b"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://user:pass@host:1/p?q=1#f", "https://host:1/p"),
        ("http://host", "http://host"),
        ("http://[", "an unreadable URL"),
    ],
)
def test_what_is_told_of_a_url(url: str, told: str) -> None:
    assert place(url) == told
