import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fogbank.errors import DeleteConflict, InvalidRequest, ResourceNotFound
from fogbank.registry.certificates import certificate_id_of
from fogbank.registry.errors import CertificateState
from fogbank.registry.records import Certificate, CertificateStatus
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock

Enrol = Callable[[], Awaitable[Certificate]]
POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'
ACTIVE, INACTIVE, REVOKED = CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.REVOKED
NOBODY = "0" * 64


@pytest.mark.parametrize(("active", "status"), [(True, ACTIVE), (False, INACTIVE)])
async def test_a_certificate_is_as_it_was_made(
    registry: Registry, clock: FakeClock, csr: str, active: bool, status: CertificateStatus
) -> None:
    made = await registry.certificates.create_from_request(csr, active=active)
    assert await registry.certificates.describe(made.id) == made
    assert (made.status, made.created, made.modified) == (status, clock.time(), clock.time())
    der = x509.load_pem_x509_certificate(made.pem.encode()).public_bytes(Encoding.DER)
    assert made.id == certificate_id_of(der)
    assert registry.certificates.arn(made.id) == f"arn:aws:iot:eu-west-1:123456789012:cert/{made.id}"


async def test_the_same_request_makes_another_certificate_each_time(registry: Registry, csr: str) -> None:
    """API reference, CreateCertificateFromCsr."""
    first = await registry.certificates.create_from_request(csr, active=True)
    second = await registry.certificates.create_from_request(csr, active=True)
    assert first.id != second.id


async def test_no_private_key_lands_in_storage_or_logs(
    registry: Registry, documents: MemoryDocuments, caplog: pytest.LogCaptureFixture, arns: object
) -> None:
    caplog.set_level(logging.DEBUG)
    made, keys = await registry.certificates.create_with_keys(active=True)
    await registry.certificates.describe(made.id)
    await registry.certificates.page(Paging())
    stored = b"".join(record.body for record, _ in documents._records.values())
    secret = "".join(keys.private_key.splitlines()[1:-1])
    assert made.pem.splitlines()[1].encode() in stored
    for place in (stored.decode(), caplog.text, repr(keys), repr(made)):
        assert "PRIVATE" not in place
        assert secret[:40] not in place


async def test_keys_are_made_off_the_event_loop(registry: Registry) -> None:
    creating = asyncio.create_task(registry.certificates.create_with_keys(active=True))
    turns = 0
    while not creating.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10  # the loop went round while the key was made
    creating.result()


@pytest.mark.parametrize("id_", ["", "x" * 64, "0" * 63, "0" * 65, "../" + "0" * 61])
async def test_bad_ids_are_refused(registry: Registry, id_: str) -> None:
    with pytest.raises(InvalidRequest):
        await registry.certificates.describe(id_)


@pytest.mark.parametrize("id_", [NOBODY, "A" * 64])
async def test_unknown_ids_are_not_found(registry: Registry, id_: str) -> None:
    for call in (
        registry.certificates.describe(id_),
        registry.certificates.update(id_, ACTIVE),
        registry.certificates.delete(id_),
    ):
        with pytest.raises(ResourceNotFound):
            await call


async def test_an_id_in_capitals_is_the_same(registry: Registry, enrol: Enrol) -> None:
    made = await enrol()
    assert await registry.certificates.describe(made.id.upper()) == made


@pytest.mark.parametrize("start", [ACTIVE, INACTIVE])
@pytest.mark.parametrize("end", [ACTIVE, INACTIVE, REVOKED])
async def test_the_status_can_be_set(
    registry: Registry, clock: FakeClock, csr: str, start: CertificateStatus, end: CertificateStatus
) -> None:
    made = await registry.certificates.create_from_request(csr, active=start is ACTIVE)
    await clock.advance(5)
    await registry.certificates.update(made.id, end)
    after = await registry.certificates.describe(made.id)
    assert (after.status, after.modified) == (end, made.modified if start is end else clock.time())


@pytest.mark.parametrize("status", ["PENDING_TRANSFER", "PENDING_ACTIVATION", "REGISTER_INACTIVE"])
async def test_statuses_of_aws_itself_are_refused(registry: Registry, enrol: Enrol, status: str) -> None:
    """API reference, UpdateCertificate."""
    made = await enrol()
    with pytest.raises(InvalidRequest, match=status):
        await registry.certificates.update(made.id, CertificateStatus(status))


async def test_revocation_is_final(registry: Registry, enrol: Enrol) -> None:
    """Developer guide, revoke-ca-cert: once a certificate is revoked, its status cannot be changed."""
    made = await enrol()
    await registry.certificates.update(made.id, REVOKED)
    await registry.certificates.update(made.id, REVOKED)  # idempotent
    for status in (ACTIVE, INACTIVE):
        with pytest.raises(CertificateState):
            await registry.certificates.update(made.id, status)


async def test_deletion_wants_it_inactive_and_free(registry: Registry, enrol: Enrol) -> None:
    """Texts as AWS words them, as users of its SDKs report them."""
    made = await enrol()
    arn = registry.certificates.arn(made.id)
    await registry.policies.create("all", POLICY)
    await registry.policy_attachments.attach("all", arn)
    await registry.things.create("lamp")
    await registry.thing_principals.attach("lamp", arn)

    with pytest.raises(CertificateState) as active:
        await registry.certificates.delete(made.id, force=True)
    assert active.value.message == f"Certificate must be deactivated (not ACTIVE) before deletion. Id: {made.id}"

    await registry.certificates.update(made.id, INACTIVE)
    for force in (False, True):
        with pytest.raises(DeleteConflict) as holding:
            await registry.certificates.delete(made.id, force=force)
        assert holding.value.message == f"Things must be detached before deletion (arn: {arn})"

    await registry.thing_principals.detach("lamp", arn)
    with pytest.raises(DeleteConflict) as held:
        await registry.certificates.delete(made.id)
    assert held.value.message == f"Certificate policies must be detached before deletion (arn: {arn})"

    await registry.certificates.delete(made.id, force=True)
    with pytest.raises(ResourceNotFound):
        await registry.certificates.describe(made.id)
    assert (await registry.policy_attachments.targets("all", Paging())).items == []
    assert (await registry.certificates.page(Paging())).items == []
    await registry.policies.delete("all")


async def test_a_revoked_certificate_can_be_deleted(registry: Registry, enrol: Enrol) -> None:
    made = await enrol()
    await registry.certificates.update(made.id, REVOKED)
    await registry.certificates.delete(made.id)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 250])
@pytest.mark.parametrize("ascending", [True, False])
async def test_pages_of_any_size_give_all_by_creation(
    registry: Registry, clock: FakeClock, enrol: Enrol, size: int, ascending: bool
) -> None:
    made = []
    for _ in range(7):
        made.append((await enrol()).id)
        await clock.advance(0.001)
    listed: list[str] = []
    token: str | None = None
    while True:
        page = await registry.certificates.page(Paging(token, size), ascending=ascending)
        listed += [one.id for one in page.items]
        token = page.next
        if token is None:
            break
    assert listed == (made if ascending else made[::-1])


async def test_the_default_page_holds_25(registry: Registry, enrol: Enrol) -> None:
    """API reference, ListCertificates."""
    for _ in range(26):
        await enrol()
    page = await registry.certificates.page(Paging())
    assert (len(page.items), page.next is None) == (25, False)
