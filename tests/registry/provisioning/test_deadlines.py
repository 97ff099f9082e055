"""What is not used in its time goes, also after a kill, and nothing else does."""

import asyncio

import msgspec
import pytest
from tests.registry.provisioning.stage import DEVICE, HOOK, POLICY, Functions

from fogbank.errors import ResourceNotFound
from fogbank.ports import Delete, Expect, Identity, Put, StorageError
from fogbank.registry.provisioning import claims, ownership
from fogbank.registry.provisioning import deadlines as module
from fogbank.registry.provisioning.deadlines import Deadlines
from fogbank.registry.provisioning.errors import InvalidOwnershipToken
from fogbank.registry.provisioning.fleet import FleetProvisioning, NewCertificate
from fogbank.registry.provisioning.records import Hook
from fogbank.registry.records import CertificateStatus
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock

KINDS = ("certificate-ownership", "certificate-deadline", "provisioning-claim")


@pytest.fixture
async def new(fleet: FleetProvisioning, csr: str) -> NewCertificate:
    return await fleet.create_certificate_from_csr(DEVICE, csr)


async def left(documents: MemoryDocuments) -> int:
    """Records that provisioning keeps."""
    return sum([len(await documents.scan(kind)) for kind in KINDS])


async def test_a_certificate_that_nobody_provisioned(
    deadlines: Deadlines, registry: Registry, new: NewCertificate, clock: FakeClock, documents: MemoryDocuments
) -> None:
    await clock.advance(ownership.LIFETIME - 1)
    await deadlines.sweep()
    await registry.certificates.describe(new.certificate.id)
    await clock.advance(1.001)
    await deadlines.sweep()
    with pytest.raises(ResourceNotFound):
        await registry.certificates.describe(new.certificate.id)
    assert await left(documents) == 0


async def test_a_device_stays_and_its_token_goes(
    deadlines: Deadlines,
    registry: Registry,
    fleet: FleetProvisioning,
    new: NewCertificate,
    template: str,
    clock: FakeClock,
    documents: MemoryDocuments,
) -> None:
    await fleet.register_thing(DEVICE, "T", new.token, {"SerialNumber": "7"})
    await clock.advance(ownership.LIFETIME + 1)
    await deadlines.sweep()
    assert (await registry.certificates.describe(new.certificate.id)).status is CertificateStatus.ACTIVE
    assert await left(documents) == 0
    with pytest.raises(InvalidOwnershipToken):
        await fleet.register_thing(DEVICE, "T", new.token, {"SerialNumber": "7"})


@pytest.mark.parametrize("status", [CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.REVOKED])
async def test_what_somebody_has_seen_to_stays(
    deadlines: Deadlines,
    registry: Registry,
    new: NewCertificate,
    clock: FakeClock,
    documents: MemoryDocuments,
    status: CertificateStatus,
) -> None:
    """Developer guide: it is deleted where it "hasn't been activated and attached to a policy or a thing"."""
    await registry.certificates.update(new.certificate.id, status)
    await clock.advance(ownership.LIFETIME + 1)
    await deadlines.sweep()
    assert (await registry.certificates.describe(new.certificate.id)).status is status
    assert await left(documents) == 0


async def test_what_was_attached_to_it_does_not_keep_it(
    deadlines: Deadlines, registry: Registry, new: NewCertificate, clock: FakeClock
) -> None:
    arn = registry.certificates.arn(new.certificate.id)
    for name in ("a", "b"):
        await registry.things.create(name)
        await registry.thing_principals.attach(name, arn)
    await registry.policies.create("P", msgspec.json.encode(POLICY).decode())
    await registry.policy_attachments.attach("P", arn)
    await clock.advance(ownership.LIFETIME + 1)
    await deadlines.sweep()
    with pytest.raises(ResourceNotFound):
        await registry.certificates.describe(new.certificate.id)
    await registry.things.delete("a")
    await registry.policies.delete("P")


async def test_a_claim(
    deadlines: Deadlines, registry: Registry, template: str, clock: FakeClock, documents: MemoryDocuments
) -> None:
    certificate, _, _ = await registry.provisioning_claims.create(template)
    touched: list[frozenset[str]] = []

    async def listen(identities: frozenset[str]) -> None:
        touched.append(identities)

    registry.principals.watch(listen)
    await clock.advance(claims.LIFETIME - 1)
    await deadlines.sweep()
    assert (await registry.principals.recheck(Identity(certificate.id, "", active=True))).active
    assert touched == []
    await clock.advance(1.001)
    await deadlines.sweep()
    assert frozenset((certificate.id,)) in touched  # whoever is connected with it hears of that
    with pytest.raises(ResourceNotFound):
        await registry.certificates.describe(certificate.id)
    assert await left(documents) == 0


async def test_one_that_was_deleted_already(
    deadlines: Deadlines, registry: Registry, new: NewCertificate, clock: FakeClock, documents: MemoryDocuments
) -> None:
    await registry.certificates.delete(new.certificate.id)
    await clock.advance(ownership.LIFETIME + 1)
    await deadlines.sweep()
    assert await left(documents) == 0


async def test_one_that_is_being_provisioned_waits(
    deadlines: Deadlines,
    registry: Registry,
    fleet: FleetProvisioning,
    new: NewCertificate,
    template: str,
    clock: FakeClock,
    functions: Functions,
) -> None:
    await registry.provisioning_templates.update("T", hook=Hook(HOOK, "2020-04-01"))
    goes = asyncio.Event()
    functions.wait = goes.wait
    await clock.advance(ownership.LIFETIME - 1)
    registering = asyncio.create_task(fleet.register_thing(DEVICE, "T", new.token, {"SerialNumber": "7"}))
    await clock.advance(2)
    await deadlines.sweep()
    goes.set()
    await registering
    await deadlines.sweep()
    assert (await registry.certificates.describe(new.certificate.id)).status is CertificateStatus.ACTIVE


@pytest.mark.parametrize("last", range(6))
async def test_a_kill_keeps_nothing_for_ever(
    deadlines: Deadlines,
    registry: Registry,
    new: NewCertificate,
    template: str,
    clock: FakeClock,
    documents: MemoryDocuments,
    monkeypatch: pytest.MonkeyPatch,
    last: int,
) -> None:
    """However far the first sweep came, the next one does the rest."""
    await registry.provisioning_claims.create(template)
    await clock.advance(ownership.LIFETIME + 1)
    commit, left_to_do = documents.commit, last

    async def commit_while_alive(*changes: Put | Delete | Expect) -> list[int]:
        nonlocal left_to_do
        if left_to_do == 0:
            raise StorageError("killed")
        left_to_do -= 1
        return await commit(*changes)

    monkeypatch.setattr(documents, "commit", commit_while_alive)
    await deadlines.sweep()
    monkeypatch.setattr(documents, "commit", commit)
    await deadlines.sweep()
    assert await left(documents) == 0
    assert await documents.scan("certificate") == []


async def test_many(
    deadlines: Deadlines,
    registry: Registry,
    fleet: FleetProvisioning,
    csr: str,
    clock: FakeClock,
    documents: MemoryDocuments,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", 4)
    for _ in range(10):
        await fleet.create_certificate_from_csr(DEVICE, csr)
        await clock.advance(1)
    await clock.advance(ownership.LIFETIME - 5)
    await deadlines.sweep()
    assert len(await documents.scan("certificate")) == len(await documents.scan("certificate-deadline")) == 5


async def test_it_looks_by_itself_and_at_once(
    deadlines: Deadlines,
    new: NewCertificate,
    clock: FakeClock,
    documents: MemoryDocuments,
    fleet: FleetProvisioning,
    csr: str,
) -> None:
    await clock.advance(ownership.LIFETIME + 1)
    deadlines.start()
    await clock.advance(0)
    assert await left(documents) == 0
    await fleet.create_certificate_from_csr(DEVICE, csr)
    await clock.advance(ownership.LIFETIME + module.INTERVAL)
    assert await left(documents) == 0
    await deadlines.close()
