import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, ResourceNotFound
from fogbank.registry.errors import CertificateState, TransferAlreadyCompleted, TransferConflict
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.records import Certificate, CertificateStatus
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock

Enrol = Callable[[], Awaitable[Certificate]]
INACTIVE, PENDING = CertificateStatus.INACTIVE, CertificateStatus.PENDING_TRANSFER
HERE, THERE = "123456789012", "111111111111"
POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'


@pytest.fixture
async def made(registry: Registry, csr: str) -> Certificate:
    return await registry.certificates.create_from_request(csr)


@pytest.fixture
def there(documents: MemoryDocuments, clock: FakeClock, own_ca: OwnCa) -> Registry:
    """The same data, served by an instance that is the other account."""
    return Registry(documents, Arns("eu-west-1", THERE), clock, own_ca.devices, Published())


async def test_a_transfer_is_begun_listed_and_cancelled(
    registry: Registry, made: Certificate, clock: FakeClock
) -> None:
    transfers = registry.certificate_transfers
    await clock.advance(5)
    assert await transfers.begin(made.id, THERE, "yours now") == f"arn:aws:iot:eu-west-1:{THERE}:cert/{made.id}"
    pending = await registry.certificates.describe(made.id)
    assert pending.status is PENDING
    assert pending.transfer is not None
    assert (pending.transfer.source, pending.transfer.target) == (HERE, THERE)
    assert (pending.transfer.started, pending.transfer.message) == (clock.time(), "yours now")
    assert (await transfers.outgoing(Paging())).items == [pending]
    await transfers.cancel(made.id)
    after = await registry.certificates.describe(made.id)
    assert (after.status, after.transfer) == (INACTIVE, None)
    assert (await transfers.outgoing(Paging())).items == []
    with pytest.raises(ResourceNotFound):
        await transfers.cancel(made.id)


@pytest.mark.parametrize("target", [HERE, "", "1", "11111111111x", "1111111111111", "١" * 12])
async def test_it_is_for_another_account(registry: Registry, made: Certificate, target: str) -> None:
    with pytest.raises(InvalidRequest):
        await registry.certificate_transfers.begin(made.id, target)


@pytest.mark.parametrize("status", [CertificateStatus.ACTIVE, CertificateStatus.REVOKED])
async def test_it_must_be_inactive(registry: Registry, made: Certificate, status: CertificateStatus) -> None:
    await registry.certificates.update(made.id, status)
    with pytest.raises(CertificateState):
        await registry.certificate_transfers.begin(made.id, THERE)


async def test_it_must_hold_nothing(registry: Registry, made: Certificate) -> None:
    arn = registry.certificates.arn(made.id)
    await registry.policies.create("all", POLICY)
    await registry.policy_attachments.attach("all", arn)
    with pytest.raises(TransferConflict, match="Policies"):
        await registry.certificate_transfers.begin(made.id, THERE)
    await registry.policy_attachments.detach("all", arn)
    await registry.things.create("lamp")
    await registry.thing_principals.attach("lamp", arn)
    with pytest.raises(TransferConflict, match="Things"):
        await registry.certificate_transfers.begin(made.id, THERE)


async def test_on_its_way_it_is_nobodys(registry: Registry, made: Certificate) -> None:
    await registry.certificate_transfers.begin(made.id, THERE)
    for call in (
        registry.certificates.update(made.id, CertificateStatus.ACTIVE),
        registry.certificates.delete(made.id, force=True),
        registry.certificate_transfers.begin(made.id, THERE),
    ):
        with pytest.raises(CertificateState):
            await call


async def test_this_account_cannot_accept_what_goes_to_another(registry: Registry, made: Certificate) -> None:
    await registry.certificate_transfers.begin(made.id, THERE)
    for call in (
        registry.certificate_transfers.accept(made.id),
        registry.certificate_transfers.reject(made.id),
    ):
        with pytest.raises(ResourceNotFound):
            await call
    assert (await registry.certificates.describe(made.id)).status is PENDING


@pytest.mark.parametrize("active", [True, False])
async def test_the_other_account_accepts(
    registry: Registry, there: Registry, made: Certificate, clock: FakeClock, active: bool
) -> None:
    await registry.certificate_transfers.begin(made.id, THERE, "yours")
    with pytest.raises(ResourceNotFound):
        await there.certificate_transfers.cancel(made.id)
    await clock.advance(5)
    await there.certificate_transfers.accept(made.id, active=active)
    after = await there.certificates.describe(made.id)
    assert after.status is (CertificateStatus.ACTIVE if active else INACTIVE)
    assert (after.previous_owner, after.customer_version) == (HERE, 2)
    assert after.transfer is not None
    assert after.transfer.accepted == clock.time()
    for call in (there.certificate_transfers.accept(made.id), registry.certificate_transfers.cancel(made.id)):
        with pytest.raises(TransferAlreadyCompleted):
            await call
    assert (await there.certificate_transfers.outgoing(Paging())).items == []


async def test_or_rejects(registry: Registry, there: Registry, made: Certificate, clock: FakeClock) -> None:
    await registry.certificate_transfers.begin(made.id, THERE)
    await there.certificate_transfers.reject(made.id, "not ours")
    after = await registry.certificates.describe(made.id)
    assert (after.status, after.customer_version, after.previous_owner) == (INACTIVE, 1, None)
    assert after.transfer is not None
    assert (after.transfer.rejected, after.transfer.reject_reason) == (clock.time(), "not ours")
    await registry.certificate_transfers.begin(made.id, THERE)  # and it may be offered again


async def test_accepting_and_cancelling_at_once_is_one_of_them(
    registry: Registry, there: Registry, made: Certificate
) -> None:
    await registry.certificate_transfers.begin(made.id, THERE)
    outcomes = await asyncio.gather(
        there.certificate_transfers.accept(made.id),
        registry.certificate_transfers.cancel(made.id),
        return_exceptions=True,
    )
    assert [one is None for one in outcomes].count(True) == 1


@pytest.mark.parametrize("ascending", [True, False])
async def test_the_outgoing_are_by_creation(registry: Registry, clock: FakeClock, csr: str, ascending: bool) -> None:
    ids = []
    for _ in range(5):
        ids.append((await registry.certificates.create_from_request(csr)).id)
        await clock.advance(1)
    for id_ in reversed(ids):
        await registry.certificate_transfers.begin(id_, THERE)
    first = await registry.certificate_transfers.outgoing(Paging(None, 3), ascending=ascending)
    rest = await registry.certificate_transfers.outgoing(Paging(first.next, 3), ascending=ascending)
    assert [one.id for one in first.items + rest.items] == (ids if ascending else ids[::-1])
    assert rest.next is None


async def test_words_have_an_end(registry: Registry, made: Certificate) -> None:
    with pytest.raises(InvalidRequest):
        await registry.certificate_transfers.begin(made.id, THERE, "x" * 129)
