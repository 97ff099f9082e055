"""A small HTTP server on a free port that remembers what it is sent, and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

Respond = Callable[["Received"], Awaitable[web.StreamResponse]]


class Received(msgspec.Struct, frozen=True):
    """A request as it came. Header names are in lower case."""

    method: str
    url: str
    """Path and query, as sent."""
    headers: dict[str, str]
    body: bytes


class Server:
    """Remembers requests. `respond` makes the answers; the default is an empty 200."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.respond: Respond | None = None
        self.url = ""
        self.hanging = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.method, request.raw_path, headers, await request.read())
        self.received.append(received)
        return web.Response() if self.respond is None else await self.respond(received)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer all requests so from now on."""

        async def respond(_: Received) -> web.StreamResponse:
            return web.Response(status=status, body=body, headers=headers)

        self.respond = respond

    async def hang(self, _: Received) -> web.StreamResponse:
        """A `respond` that never comes to an end while the server is up."""
        await self.hanging.wait()
        return web.Response()


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """A server, up while the block runs."""
    server = Server()
    runner = web.ServerRunner(web.Server(server.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        server.hanging.set()
        await runner.cleanup()
