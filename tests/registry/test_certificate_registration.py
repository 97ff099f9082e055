import asyncio
import datetime
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.registry import pki

from fogbank.errors import InvalidRequest, ResourceAlreadyExists
from fogbank.registry.errors import CertificateConflict, CertificateState, CertificateValidation
from fogbank.registry.records import CaCertificate, CaStatus, Certificate, CertificateMode, CertificateStatus
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock

RegisterCa = Callable[..., Awaitable[CaCertificate]]
ACTIVE, INACTIVE, REVOKED = CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.REVOKED
DAY = datetime.timedelta(days=1)


@pytest.fixture
def ca() -> pki.Authority:
    return pki.Authority()


@pytest.mark.parametrize("status", [ACTIVE, INACTIVE, REVOKED])
async def test_a_cas_certificate_is_registered_under_it(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, status: CertificateStatus
) -> None:
    authority = await register_ca(ca)
    issued = ca.issue()
    made = await registry.certificate_registration.register(pki.pem(issued), status=status)
    assert (made.status, made.ca, made.mode) == (status, authority.id, CertificateMode.DEFAULT)
    assert made.pem == pki.pem(issued)
    assert await registry.certificates.describe(made.id) == made
    assert [one.id for one in (await registry.certificates.page(Paging())).items] == [made.id]
    assert (await registry.principals.identify(pki.der(issued))).active is (status is ACTIVE)


async def test_it_takes_the_mode_of_its_ca(registry: Registry, ca: pki.Authority) -> None:
    """API reference, RegisterCertificate."""
    await registry.ca_certificates.register(ca.pem, mode=CertificateMode.SNI_ONLY, active=True)
    made = await registry.certificate_registration.register(pki.pem(ca.issue()))
    assert made.mode is CertificateMode.SNI_ONLY


async def test_without_a_ca_anybody_may_have_signed_it(registry: Registry, ca: pki.Authority) -> None:
    for certificate in (ca.issue(), ca.certificate):  # `openssl req -x509` makes devices that are CAs
        made = await registry.certificate_registration.register_without_ca(pki.pem(certificate), status=ACTIVE)
        assert (made.ca, made.mode) == (None, CertificateMode.SNI_ONLY)
        assert (await registry.principals.identify(pki.der(certificate))).active


async def test_twice_is_a_conflict_that_names_it(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority
) -> None:
    await register_ca(ca)
    registration, issued = registry.certificate_registration, ca.issue()
    made = await registration.register(pki.pem(issued))
    for again in (registration.register, registration.register_without_ca):
        with pytest.raises(ResourceAlreadyExists, match="already provisioned or registered") as taken:
            await again(pki.pem(issued))
        assert taken.value.members == {
            "resourceId": made.id,
            "resourceArn": registry.certificates.arn(made.id),
        }


async def test_the_same_at_once_is_registered_once(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority
) -> None:
    await register_ca(ca)
    pem = pki.pem(ca.issue())
    outcomes = await asyncio.gather(
        *(registry.certificate_registration.register(pem) for _ in range(8)), return_exceptions=True
    )
    assert [type(one) for one in outcomes].count(Certificate) == 1
    assert [type(one) for one in outcomes].count(ResourceAlreadyExists) == 7


async def test_with_its_signature_written_anew_it_is_the_same(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority
) -> None:
    await register_ca(ca)
    issued = ca.issue()
    made = await registry.certificate_registration.register(pki.pem(issued))
    anew = pki.pem(x509.load_der_x509_certificate(pki.written_anew(issued)))
    with pytest.raises(ResourceAlreadyExists) as taken:
        await registry.certificate_registration.register(anew)
    assert taken.value.members["resourceId"] == made.id


async def test_its_ca_must_be_registered_and_active(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority
) -> None:
    registration, pem = registry.certificate_registration, pki.pem(ca.issue())
    for ca_pem in (None, ca.pem):
        with pytest.raises(CertificateValidation):
            await registration.register(pem, ca_pem=ca_pem)
    authority = await register_ca(ca, active=False)
    with pytest.raises(CertificateState, match="not ACTIVE"):
        await registration.register(pem)
    await registry.ca_certificates.update(authority.id, status=CaStatus.ACTIVE)
    made = await registration.register(pem, status=ACTIVE)
    await registry.ca_certificates.update(authority.id, status=CaStatus.INACTIVE)
    assert (await registry.certificates.describe(made.id)).status is ACTIVE, "those that are registered go on"


async def test_what_changes_before_it_is_stored_counts(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, first, second = await register_ca(ca), ca.issue(), ca.issue()
    enter = registry.certificates.enter
    changes: list[Awaitable[Any]] = []

    async def enter_late(*args: Any) -> Certificate:
        while changes:
            await changes.pop()
        return await enter(*args)

    monkeypatch.setattr(registry.certificates, "enter", enter_late)
    changes.append(registry.revocation.take(pki.crl_pem(ca.revoke(first.serial_number))))
    with pytest.raises(CertificateValidation, match="revocation list"):
        await registry.certificate_registration.register(pki.pem(first), status=ACTIVE)
    changes.append(registry.ca_certificates.update(authority.id, status=CaStatus.INACTIVE))
    with pytest.raises(CertificateState):
        await registry.certificate_registration.register(pki.pem(second), status=ACTIVE)
    assert (await registry.certificates.page(Paging())).items == []


async def test_it_must_be_valid_then(register_ca: RegisterCa, registry: Registry, clock: FakeClock) -> None:
    end = datetime.datetime.fromtimestamp(clock.time(), datetime.UTC) + DAY
    ca = pki.Authority(end=end)
    await register_ca(ca)
    issued = ca.issue()
    await clock.advance(2 * 86_400)
    with pytest.raises(CertificateValidation, match="The CA certificate has expired"):
        await registry.certificate_registration.register(pki.pem(issued))


async def test_of_several_of_one_name_it_must_be_said_which(registry: Registry, register_ca: RegisterCa) -> None:
    """API reference, RegisterCertificate."""
    cas = [pki.Authority("Same"), pki.Authority("Same")]
    ids = [(await register_ca(one)).id for one in cas]
    pem = pki.pem(cas[1].issue())
    with pytest.raises(CertificateConflict, match="caCertificatePem"):
        await registry.certificate_registration.register(pem)
    with pytest.raises(CertificateValidation, match="has not signed"):
        await registry.certificate_registration.register(pem, ca_pem=cas[0].pem)
    made = await registry.certificate_registration.register(pem, ca_pem=cas[1].pem)
    assert made.ca == ids[1]


BAD: dict[str, Callable[[pki.Authority], str]] = {
    "garbage": lambda ca: "garbage",
    "expired": lambda ca: pki.pem(ca.issue(end=pki.START + DAY)),
    "not valid yet": lambda ca: pki.pem(ca.issue(start=pki.END - DAY)),
    "weak key": lambda ca: pki.pem(ca.issue(key=rsa.generate_private_key(65537, 1024))),
    "wrong chain": lambda ca: pki.pem(pki.Authority().issue()),
    "self-signed in the CA's name": lambda ca: pki.Authority(ca=None).pem,
    "the CA itself": lambda ca: ca.pem,
    "an intermediate CA": lambda ca: pki.pem(ca.issue(ca=True)),
    "two": lambda ca: pki.pem(ca.issue()) + ca.pem,
}


@pytest.mark.parametrize("what", BAD)
async def test_bad_certificates_are_refused_and_nothing_is_stored(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, documents: MemoryDocuments, what: str
) -> None:
    await register_ca(ca)
    before = dict(documents._records)
    with pytest.raises(CertificateValidation):
        await registry.certificate_registration.register(BAD[what](ca))
    assert documents._records == before


@pytest.mark.parametrize("status", ["PENDING_TRANSFER", "PENDING_ACTIVATION", "REGISTER_INACTIVE"])
async def test_other_statuses_are_not_to_be_had(registry: Registry, ca: pki.Authority, status: str) -> None:
    for register in (registry.certificate_registration.register, registry.certificate_registration.register_without_ca):
        with pytest.raises(InvalidRequest, match=status):
            await register(pki.pem(ca.issue()), status=CertificateStatus(status))


async def test_the_certificates_of_a_ca_are_listed_by_creation(
    registry: Registry, register_ca: RegisterCa, clock: FakeClock
) -> None:
    north, south = pki.Authority("North"), pki.Authority("South")
    made: dict[str, list[str]] = {}
    for authority in (north, south):
        ca = await register_ca(authority)
        made[ca.id] = []
        for _ in range(5):
            pem = pki.pem(authority.issue())
            made[ca.id].append((await registry.certificate_registration.register(pem)).id)
            await clock.advance(1)
    for ca_id, ids in made.items():
        first = await registry.certificates.page_of_ca(ca_id, Paging(None, 3), ascending=True)
        rest = await registry.certificates.page_of_ca(ca_id.upper(), Paging(first.next, 3), ascending=True)
        assert [one.id for one in first.items + rest.items] == ids
        assert rest.next is None
        newest = await registry.certificates.page_of_ca(ca_id, Paging())
        assert [one.id for one in newest.items] == ids[::-1]
        await registry.certificates.delete(ids[0])
        assert len((await registry.certificates.page_of_ca(ca_id, Paging())).items) == 4
    assert len((await registry.certificates.page(Paging())).items) == 8
    with pytest.raises(InvalidRequest):
        await registry.certificates.page_of_ca("x", Paging())


async def test_deleted_it_can_be_registered_again(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, documents: MemoryDocuments
) -> None:
    await register_ca(ca)
    before = {key: record.body for key, (record, _) in documents._records.items()}
    pem = pki.pem(ca.issue())
    made = await registry.certificate_registration.register(pem)
    await registry.certificates.delete(made.id)
    assert {key: record.body for key, (record, _) in documents._records.items()} == before, "nothing of it is left"
    await registry.certificate_registration.register(pem)
