"""A whole account behind a real gateway on a socket: IAM, STS, and an API to have rights for; boto3 in front."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from tests.gateway.toy import ARNS, KEY, REGION, ToyApi

from fogbank.clock import Clock, SystemClock
from fogbank.gateway.access_control import AccessControl
from fogbank.gateway.audit import Audit
from fogbank.gateway.iam_policies import IamPoliciesApi
from fogbank.gateway.iam_roles import IamRolesApi
from fogbank.gateway.iam_simulation import IamSimulationApi
from fogbank.gateway.iam_users import IamUsersApi
from fogbank.gateway.pages import Page
from fogbank.gateway.pipeline import Gateway
from fogbank.gateway.sts import StsApi
from fogbank.identity.access_keys import AccessKeys
from fogbank.identity.iam.iam import Iam
from fogbank.storage.memory import MemoryDocuments
from fogbank.transport.http import HttpServer

LOCAL = f"arn:aws:iam::{ARNS.account}"
Keys = tuple[str, str, str | None]
ROOT: Keys = (KEY.id, KEY.secret, None)


def document(*statements: dict[str, Any]) -> str:
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": statements}).decode()


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


TRUST_ACCOUNT = document({"Effect": "Allow", "Principal": {"AWS": ARNS.account}, "Action": "sts:AssumeRole"})
TRUST_IOT = document({"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"})


class Account:
    """What a test holds in its hands."""

    def __init__(self, iam: Iam, toy: ToyApi, port: int) -> None:
        self.iam = iam
        self.toy = toy
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._clients: list[Any] = []

    def client(self, service: str, keys: Keys = ROOT, region: str = REGION) -> Any:
        key_id, secret, token = keys
        made = boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"max_attempts": 0}, parameter_validation=False),  # that is the server's part
        )
        self._clients.append(made)
        return made

    async def call(self, service: str, operation: str, keys: Keys = ROOT, **params: Any) -> Any:
        """The answer that boto3 has for an operation (in its spelling), without the metadata."""
        answer = await asyncio.to_thread(getattr(self.client(service, keys), operation), **params)
        answer.pop("ResponseMetadata")
        return answer

    async def user(self, name: str, *statements: dict[str, Any]) -> Keys:
        """A user with one policy, by its keys."""
        await self.iam.users.make(name)
        if statements:
            await self.iam.users.put_inline(name, "own", document(*statements))
        key = await self.iam.users.create_key(name)
        return key.id, key.secret, None

    def close(self) -> None:
        for client in self._clients:
            client.close()


@asynccontextmanager
async def serving(
    clock: Clock | None = None,
    pages: Iterable[Page] = (),
    audit: Audit | None = None,
    tags: Mapping[str, Mapping[str, str]] | None = None,
) -> AsyncIterator[Account]:
    """An account on a free port; `tags` of its resources by their ARNs."""
    clock, documents = clock or SystemClock(), MemoryDocuments()
    keys = AccessKeys(documents, clock)
    await keys.ensure_first(KEY)
    iam = Iam(documents, keys, ARNS, clock)
    await iam.load()
    toy = ToyApi()

    async def tags_of(arn: str) -> Mapping[str, str]:
        return (tags or {}).get(arn, {})

    apis = [toy, IamUsersApi(iam), IamRolesApi(iam), IamPoliciesApi(iam), IamSimulationApi(iam), StsApi(iam, ARNS)]
    gateway = Gateway(
        apis,
        arns=ARNS,
        clock=clock,
        access_keys=keys.get,
        signers=iam.signers,
        access=AccessControl(iam, ARNS, tags_of),
        pages=pages,
        audit=audit,
    )
    gateway.load()
    http = HttpServer(gateway)
    server = await asyncio.get_running_loop().create_server(http.protocol, "127.0.0.1", 0)
    account = Account(iam, toy, server.sockets[0].getsockname()[1])
    try:
        yield account
    finally:
        account.close()
        server.close()
        gateway.close()
        await http.shutdown()
        await iam.close()
