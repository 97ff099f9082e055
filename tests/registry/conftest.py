"""A registry in memory, with a clock that stands still and a CA made once per process."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.registry.pki import Authority
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.ports import Delete, Expect, Put, Record
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.records import CaCertificate, Certificate
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock


@pytest.fixture(scope="session")
def own_ca(tmp_path_factory: pytest.TempPathFactory) -> OwnCa:
    return OwnCa(tmp_path_factory.mktemp("data") / "ca", FakeClock())


@pytest.fixture
def ca_directory(tmp_path: Path) -> Path:
    return tmp_path / "ca"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def documents() -> MemoryDocuments:
    return MemoryDocuments()


@pytest.fixture
def arns() -> Arns:
    return Arns("eu-west-1", "123456789012")


@pytest.fixture
def published() -> Published:
    """What the registry published."""
    return Published()


@pytest.fixture
def registry(documents: MemoryDocuments, arns: Arns, clock: FakeClock, own_ca: OwnCa, published: Published) -> Registry:
    return Registry(documents, arns, clock, own_ca.devices, published)


@pytest.fixture(scope="session")
def csr() -> str:
    """A certificate signing request as a device would make it, on P-256: cheap to make and to sign."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "sensor-7"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "attic"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "house"),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def enrol(registry: Registry, csr: str) -> Callable[[], Awaitable[Certificate]]:
    """Registers another ACTIVE certificate."""

    async def enrol() -> Certificate:
        return await registry.certificates.create_from_request(csr, active=True)

    return enrol


@pytest.fixture
def register_ca(registry: Registry) -> Callable[..., Awaitable[CaCertificate]]:
    """`register_ca(authority, **options)`: registers a CA with a certificate for the code; ACTIVE and auto-registering,
    unless the options say otherwise."""

    async def register(authority: Authority, **options: Any) -> CaCertificate:
        verification = authority.verification(await registry.registration_codes.get())
        options = {"active": True, "auto_registration": True} | options
        return await registry.ca_certificates.register(authority.pem, verification, **options)

    return register


class SlowDocuments(MemoryDocuments):
    """Lets others run before and after every access, as often as `random` says: what a real engine does to callers."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self.commits = 0

    async def get(self, kind: str, key: str) -> Record | None:
        await self._others()
        found = await super().get(kind, key)
        await self._others()
        return found

    async def scan(self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> list[Record]:
        await self._others()
        found = await super().scan(kind, prefix=prefix, after=after, limit=limit)
        await self._others()
        return found

    async def find(
        self, kind: str, index: str, value: str, *, after: str = "", limit: int | None = None
    ) -> list[Record]:
        await self._others()
        found = await super().find(kind, index, value, after=after, limit=limit)
        await self._others()
        return found

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        await self._others()
        self.commits += 1
        versions = await super().commit(*changes)
        await self._others()
        return versions

    async def _others(self) -> None:
        for _ in range(self._random.randrange(3)):
            await asyncio.sleep(0)


class HeldDocuments(MemoryDocuments):
    """Holds back the next batch until another call has run from its beginning to its end: the worst that can happen
    between what a writer read and what it writes."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().commit(*changes)


@pytest.fixture
def held_documents() -> HeldDocuments:
    return HeldDocuments()


@pytest.fixture
def held_registry(
    held_documents: HeldDocuments, arns: Arns, clock: FakeClock, own_ca: OwnCa, published: Published
) -> Registry:
    """A registry in which one call overtakes another."""
    return Registry(held_documents, arns, clock, own_ca.devices, published)


@pytest.fixture(params=range(12))
def slow_documents(request: pytest.FixtureRequest) -> SlowDocuments:
    return SlowDocuments(Random(request.param))


@pytest.fixture
def slow_registry(
    slow_documents: SlowDocuments, arns: Arns, clock: FakeClock, own_ca: OwnCa, published: Published
) -> Registry:
    """A registry whose callers interleave, another way with each of a dozen seeds."""
    return Registry(slow_documents, arns, clock, own_ca.devices, published)
