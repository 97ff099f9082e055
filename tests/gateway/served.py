"""API modules behind a real gateway on a socket, with boto3 in front."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import boto3
from botocore.config import Config
from tests.gateway.toy import ARNS, KEY, REGION

from fogbank.clock import SystemClock
from fogbank.gateway.pipeline import Gateway
from fogbank.transport.http import HttpServer


class Served:
    """boto3's IoT client for it."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def call(self, operation: str, **params: Any) -> Any:
        """The answer that boto3 has for an operation (in its spelling), without the metadata."""
        answer = await asyncio.to_thread(getattr(self._client, operation), **params)
        answer.pop("ResponseMetadata")
        return answer


@asynccontextmanager
async def serving(apis: Iterable[object]) -> AsyncIterator[Served]:
    """The APIs on a free port, for `toy.KEY`."""
    gateway = Gateway(apis, arns=ARNS, clock=SystemClock(), access_keys={KEY.id: KEY}.get)
    http = HttpServer(gateway)
    protocol: Callable[[], asyncio.Protocol] = http.protocol
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    client = boto3.session.Session().client(
        "iot",
        region_name=REGION,
        endpoint_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        aws_access_key_id=KEY.id,
        aws_secret_access_key=KEY.secret,
        config=Config(retries={"max_attempts": 0}),
    )
    try:
        yield Served(client)
    finally:
        client.close()
        server.close()
        gateway.close()
        await http.shutdown()
