"""API modules behind a real gateway on a socket, with boto3 in front."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import boto3
from botocore.config import Config
from tests.gateway.toy import ARNS, KEY, REGION, with_identity

from fogbank.clock import SystemClock
from fogbank.gateway.pipeline import Gateway
from fogbank.ports import Identity
from fogbank.transport.http import HttpServer


class Served:
    """boto3's client for it."""

    def __init__(self, client: Any, port: int) -> None:
        self._client = client
        self.port = port

    async def call(self, operation: str, **params: Any) -> Any:
        """The answer that boto3 has for an operation (in its spelling), without the metadata."""
        answer = await asyncio.to_thread(getattr(self._client, operation), **params)
        answer.pop("ResponseMetadata")
        return answer


@asynccontextmanager
async def serving(
    apis: Iterable[object], service: str = "iot", identity: Identity | None = None
) -> AsyncIterator[Served]:
    """The APIs on a free port, for `toy.KEY`; the client is the one of `service`. `identity` is that of requests
    without a signature."""
    gateway = Gateway(apis, arns=ARNS, clock=SystemClock(), access_keys={KEY.id: KEY}.get)
    http = HttpServer(gateway)
    server = await asyncio.get_running_loop().create_server(
        lambda: with_identity(http.protocol, identity), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    client = boto3.session.Session().client(
        service,
        region_name=REGION,
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=KEY.id,
        aws_secret_access_key=KEY.secret,
        config=Config(retries={"max_attempts": 0}, parameter_validation=False),  # that is the server's part
    )
    try:
        yield Served(client, port)
    finally:
        client.close()
        server.close()
        gateway.close()
        await http.shutdown()
