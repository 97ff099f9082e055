"""A reception in memory with scripted functions, a clock that stands still, and keys made once per process."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from fogbank.arns import Arns
from fogbank.errors import ServiceError
from fogbank.identity.access_keys import AccessKeys
from fogbank.identity.iam.iam import Iam
from fogbank.identity.reception import Reception
from fogbank.ports import (
    Delete,
    Documents,
    Expect,
    Grant,
    Identity,
    InvocationResult,
    InvocationType,
    PolicyDocument,
    PrincipalListener,
    Put,
    Record,
    ServiceCaller,
    ThingContext,
)
from fogbank.registry.tags import Tags
from fogbank.settings import AccessKey
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock
from fogbank.trace import Trace, TraceEvent

ARNS = Arns("eu-west-1", "123456789012")
FUNCTION = ARNS.function("judge")
KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
POLICY = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}
ANSWER: Mapping[str, Any] = {
    "isAuthenticated": True,
    "principalId": "sensor7",
    "policyDocuments": [POLICY],
    "disconnectAfterInSeconds": 3600,
    "refreshAfterInSeconds": 300,
}
MakeIam = Callable[..., Awaitable[Iam]]
CERTIFICATE = Identity("c" * 64, ARNS.iot("cert", "c" * 64), active=True, attributes={"iot:Certificate.X": "y"})


class SlowDocuments(MemoryDocuments):
    """Lets others run around every access, as often as `random` says: what a real engine does to callers."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    async def get(self, kind: str, key: str) -> Record | None:
        await self._others()
        found = await super().get(kind, key)
        await self._others()
        return found

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        await self._others()
        versions = await super().commit(*changes)
        await self._others()
        return versions

    async def _others(self) -> None:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)


class Functions:
    """Implements `ports.Invoker`: says what it is told to say, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: Any = dict(ANSWER)
        """An object, the bytes themselves, or an error."""
        self.function_error: str | None = None
        self.hangs = False
        self.given_up = 0
        """How often nobody waited for an answer any more."""
        self.events: list[dict[str, Any]] = []
        self.asked: list[tuple[str, ServiceCaller | None]] = []

    async def invoke(
        self,
        function: str,
        payload: bytes,
        *,
        type_: InvocationType = InvocationType.REQUEST_RESPONSE,
        qualifier: str | None = None,
        caller: ServiceCaller | None = None,
        client_context: str | None = None,
        log_tail: bool = False,
    ) -> InvocationResult:
        self.events.append(msgspec.json.decode(payload))
        self.asked.append((function, caller))
        if self.hangs:
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up += 1
        if isinstance(self.answer, ServiceError):
            raise self.answer
        answer = self.answer if isinstance(self.answer, bytes) else msgspec.json.encode(self.answer)
        return InvocationResult(200, answer, function_error=self.function_error)


class Certificates:
    """The PrincipalStore of certificates: one policy and a thing for each, and what became of them."""

    def __init__(self) -> None:
        self.revoked = False

    async def identify(self, certificate: bytes) -> Identity:
        raise NotImplementedError

    async def recheck(self, identity: Identity) -> Identity:
        reason = "certificate is REVOKED" if self.revoked else ""
        return msgspec.structs.replace(identity, active=not self.revoked, reason=reason)

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        assert identity.id == CERTIFICATE.id
        return Grant((PolicyDocument("own", msgspec.json.encode(POLICY).decode()),), ThingContext("thing", True))

    def watch(self, listener: PrincipalListener) -> None:
        raise NotImplementedError


class Signer:
    """Who makes signed tokens."""

    def __init__(self, bits: int = 2048) -> None:
        self.key = rsa.generate_private_key(65537, bits)
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.pem = public.decode()

    def sign(self, token: str) -> str:
        made = self.key.sign(token.encode(), padding.PKCS1v15(), hashes.SHA256())
        return base64.b64encode(made).decode()


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
def other_signer() -> Signer:
    return Signer()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def documents() -> MemoryDocuments:
    return MemoryDocuments()


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture
def keys() -> dict[str, AccessKey]:
    return {KEY.id: KEY}


@pytest.fixture
def trace(clock: FakeClock) -> Trace:
    return Trace(clock)


@pytest.fixture
def events(trace: Trace) -> list[TraceEvent]:
    """What is told to the trace."""
    told: list[TraceEvent] = []
    trace.listen(told.append)
    return told


@pytest.fixture
def make(
    documents: MemoryDocuments,
    certificates: Certificates,
    functions: Functions,
    keys: dict[str, AccessKey],
    clock: FakeClock,
    trace: Trace,
) -> Callable[..., Reception]:
    """Makes receptions on the same documents."""

    def make(documents: MemoryDocuments = documents, **options: Any) -> Reception:
        tags = Tags(documents, ARNS)
        return Reception(documents, certificates, functions, keys.get, ARNS, clock, trace, tags=tags, **options)

    return make


@pytest.fixture
def reception(make: Callable[..., Reception]) -> Reception:
    return make()


@pytest.fixture
def make_iam(documents: MemoryDocuments, clock: FakeClock) -> MakeIam:
    """Makes IAMs on the same documents: the second is the first one after a restart."""

    async def make(documents: Documents = documents, *, check_roles: bool = False) -> Iam:
        keys = AccessKeys(documents, clock)
        await keys.ensure_first(KEY)
        iam = Iam(documents, keys, ARNS, clock, check_roles=check_roles)
        await iam.load()
        return iam

    return make
