import asyncio
import datetime
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from tests.registry import pki
from tests.registry.conftest import SlowDocuments
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.registry import certificate_checks as checks
from fogbank.registry import just_in_time
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.records import (
    CaCertificate,
    CaStatus,
    Certificate,
    CertificateMode,
    CertificateStatus,
    RegistrationConfig,
)
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock

RegisterCa = Callable[..., Awaitable[CaCertificate]]
DAY = datetime.timedelta(days=1)


@pytest.fixture
def ca() -> pki.Authority:
    return pki.Authority()


async def registered(registry: Registry) -> list[Certificate]:
    return (await registry.certificates.page(Paging())).items


async def test_an_unknown_certificate_of_a_registered_ca_waits_for_activation(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, published: Published, clock: FakeClock
) -> None:
    """Developer guide, auto-register-device-cert, with its payload."""
    authority, device = await register_ca(ca), ca.issue()
    assert await registry.just_in_time.meet(pki.der(device)) is None
    [made] = await registered(registry)
    assert (made.id, made.ca) == (checks.id_of(device), authority.id)
    assert (made.status, made.mode) == (CertificateStatus.PENDING_ACTIVATION, CertificateMode.DEFAULT)
    identity = await registry.principals.identify(pki.der(device))
    assert (identity.active, identity.reason) == (False, "certificate is PENDING_ACTIVATION")
    milliseconds = int(clock.time() * 1000)
    assert published.take() == [
        (
            f"$aws/events/certificates/registered/{authority.id}",
            {
                "certificateId": made.id,
                "caCertificateId": authority.id,
                "timestamp": milliseconds,
                "certificateStatus": "PENDING_ACTIVATION",
                "awsAccountId": "123456789012",
                "certificateRegistrationTimestamp": str(milliseconds),
            },
        )
    ]


async def test_it_is_durable_before_anybody_hears_of_it(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register_ca(ca)
    there: list[int] = []

    async def publish(*_: object) -> None:
        there.append(len(await registered(registry)))

    monkeypatch.setattr(registry.events, "emit", publish)
    await registry.just_in_time.meet(pki.der(ca.issue()))
    assert there == [1]


async def test_every_further_attempt_is_told_of_until_it_is_active(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, published: Published, clock: FakeClock
) -> None:
    await register_ca(ca)
    der = pki.der(ca.issue())
    for attempt in range(3):
        assert await registry.just_in_time.meet(der) is None
        [(_, document)] = published.take()
        assert int(document["certificateRegistrationTimestamp"]) == document["timestamp"] - attempt * 1000
        await clock.advance(1)
    for status in (CertificateStatus.INACTIVE, CertificateStatus.ACTIVE, CertificateStatus.REVOKED):
        await registry.certificates.update(checks.certificate_id_of(der), status)
        assert await registry.just_in_time.meet(der) is None
        assert published.take() == []
    assert len(await registered(registry)) == 1


BAD: dict[str, tuple[Callable[[pki.Authority], bytes], str]] = {
    "garbage": (lambda ca: b"garbage", "cannot be read"),
    "a stranger": (lambda ca: pki.der(pki.Authority("Elsewhere").issue()), "no registered CA"),
    "wrong chain": (lambda ca: pki.der(pki.Authority().issue()), "has not signed it"),
    "self-signed in the CA's name": (lambda ca: pki.der(pki.Authority(ca=None).certificate), "has not signed it"),
    "the CA itself": (lambda ca: pki.der(ca.certificate), "one of a CA"),
    "an intermediate CA": (lambda ca: pki.der(ca.issue(ca=True)), "one of a CA"),
    "expired": (lambda ca: pki.der(ca.issue(end=pki.START + DAY)), "has expired"),
    "not valid yet": (lambda ca: pki.der(ca.issue(start=pki.END - DAY)), "not valid yet"),
    "SHA-224": (lambda ca: pki.der(ca.issue(digest=hashes.SHA224())), "signature algorithm"),
    "weak key": (
        lambda ca: pki.der(ca.issue(key=rsa.generate_private_key(65537, 1024))),
        "too short",
    ),
    "hostile name": (
        lambda ca: pki.der(ca.issue(subject=x509.Name([x509.NameAttribute(NameOID.TITLE, "a\0b", _validate=False)]))),
        "control characters",
    ),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_is_no_devices_of_it_is_not_registered(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, published: Published, what: str
) -> None:
    await register_ca(ca)
    make, why = BAD[what]
    der = make(ca)
    for _ in range(2):
        assert why in str(await registry.just_in_time.meet(der))
    assert await registered(registry) == []
    assert published.take() == []


@pytest.mark.parametrize("options", [{"active": False}, {"auto_registration": False}])
async def test_its_ca_must_register_by_itself_and_may_begin_to(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, options: dict[str, Any]
) -> None:
    der = pki.der(ca.issue())
    assert "no registered CA" in str(await registry.just_in_time.meet(der))
    authority = await register_ca(ca, **options)
    assert "registers nobody" in str(await registry.just_in_time.meet(der))
    await registry.ca_certificates.update(authority.id, status=CaStatus.ACTIVE, auto_registration=True)
    assert await registry.just_in_time.meet(der) is None


async def test_its_ca_must_be_valid(registry: Registry, register_ca: RegisterCa, clock: FakeClock) -> None:
    end = datetime.datetime.fromtimestamp(clock.time(), datetime.UTC) + DAY
    ca = pki.Authority(end=end)
    await register_ca(ca)
    await clock.advance(2 * 86_400)
    assert "has expired" in str(await registry.just_in_time.meet(pki.der(ca.issue())))


async def test_of_namesakes_the_one_that_signed_it_counts(registry: Registry, register_ca: RegisterCa) -> None:
    cas = [pki.Authority("Same") for _ in range(3)]
    ids = [(await register_ca(one)).id for one in cas]
    for number in (2, 0, 1):
        assert await registry.just_in_time.meet(pki.der(cas[number].issue())) is None
        made = await registered(registry)
        assert ids[number] in {one.ca for one in made}


async def test_many_connections_at_once_are_one_registration(
    slow_registry: Registry, slow_documents: SlowDocuments, published: Published, ca: pki.Authority
) -> None:
    await slow_registry.ca_certificates.register(
        ca.pem, mode=CertificateMode.SNI_ONLY, active=True, auto_registration=True
    )
    der = pki.der(ca.issue())
    assert await asyncio.gather(*(slow_registry.just_in_time.meet(der) for _ in range(20))) == [None] * 20
    assert len(await registered(slow_registry)) == 1
    assert published.take()


async def test_a_signature_in_another_encoding_is_no_new_device(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, published: Published
) -> None:
    """Else a device that was revoked would come back under another ID."""
    await register_ca(ca)
    device = ca.issue()
    await registry.just_in_time.meet(pki.der(device))
    await registry.certificates.update(checks.id_of(device), CertificateStatus.REVOKED)
    published.take()
    assert "another ID" in str(await registry.just_in_time.meet(pki.written_anew(device)))
    assert len(await registered(registry)) == 1
    assert published.take() == []


async def test_nor_is_it_told_of_while_the_first_waits(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, published: Published
) -> None:
    await register_ca(ca)
    device = ca.issue()
    await registry.just_in_time.meet(pki.der(device))
    published.take()
    assert "another ID" in str(await registry.just_in_time.meet(pki.written_anew(device)))
    assert published.take() == []


async def test_what_changes_before_it_is_stored_counts(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CA's state, and its revocation list: a registration rests on both."""
    authority, first, second = await register_ca(ca), ca.issue(), ca.issue()
    enter = registry.certificates.enter
    changes: list[Awaitable[Any]] = []

    async def enter_late(*args: Any) -> Certificate:
        while changes:
            await changes.pop()
        return await enter(*args)

    monkeypatch.setattr(registry.certificates, "enter", enter_late)
    changes.append(registry.revocation.take(pki.crl_pem(ca.revoke(first.serial_number))))
    assert "revocation list" in str(await registry.just_in_time.meet(pki.der(first)))
    changes.append(registry.ca_certificates.update(authority.id, status=CaStatus.INACTIVE))
    assert "registers nobody" in str(await registry.just_in_time.meet(pki.der(second)))
    assert await registered(registry) == []


async def test_a_refusal_that_a_ca_has_overtaken_is_not_remembered(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, der = await register_ca(ca, active=False), pki.der(ca.issue())
    judge = registry.just_in_time._registered

    async def overtaken(der: bytes) -> Any:
        outcome = await judge(der)
        await registry.ca_certificates.update(authority.id, status=CaStatus.ACTIVE)
        return outcome

    monkeypatch.setattr(registry.just_in_time, "_registered", overtaken)
    assert "registers nobody" in str(await registry.just_in_time.meet(der))
    assert await registry.just_in_time.meet(der) is None


async def test_both_encodings_at_once_are_one_registration(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority
) -> None:
    await register_ca(ca)
    device = ca.issue()
    ders = [pki.der(device), pki.written_anew(device)] * 4
    outcomes = await asyncio.gather(*map(registry.just_in_time.meet, ders))
    assert len(await registered(registry)) == 1
    assert [one is None for one in outcomes].count(True) == 4


async def test_what_is_revoked_is_not_registered(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority
) -> None:
    await register_ca(ca)
    device = ca.issue()
    await registry.revocation.take(pki.crl_pem(ca.revoke(device.serial_number)))
    assert "revocation list" in str(await registry.just_in_time.meet(pki.der(device)))


# --- bounds -----------------------------------------------------------------------------------------------------------


async def test_signatures_are_checked_for_registered_issuers_alone_and_once(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register_ca(ca)
    checked: list[str] = []

    def is_issued_by(certificate: Any, authority: Any) -> bool:
        checked.append(checks.id_of(certificate))
        return False

    monkeypatch.setattr(checks, "is_issued_by", is_issued_by)
    forged = pki.der(pki.Authority().issue())
    for der in (pki.der(pki.Authority("Elsewhere").issue()), b"garbage", forged, forged, forged):
        assert await registry.just_in_time.meet(der)
    assert checked == [checks.certificate_id_of(forged)]


async def test_so_many_refusals_are_remembered(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, register_ca: RegisterCa, ca: pki.Authority
) -> None:
    monkeypatch.setattr(just_in_time, "REFUSED", 3)
    await register_ca(ca)
    for number in range(10):
        await registry.just_in_time.meet(b"%d" % number)
    assert len(registry.just_in_time._refused) == 3


def _limited(documents: MemoryDocuments, arns: Arns, clock: FakeClock, own_ca: OwnCa, *, binds: bool) -> Registry:
    return Registry(documents, arns, clock, own_ca.devices, Published(), rates_bind=binds)


@pytest.mark.parametrize("binds", [True, False])
async def test_where_rates_bind_there_are_fifteen_a_second(
    documents: MemoryDocuments, arns: Arns, clock: FakeClock, own_ca: OwnCa, ca: pki.Authority, binds: bool
) -> None:
    registry = _limited(documents, arns, clock, own_ca, binds=binds)
    await registry.ca_certificates.register(ca.pem, mode=CertificateMode.SNI_ONLY, active=True, auto_registration=True)
    ders = [pki.der(ca.issue()) for _ in range(20)]
    outcomes = [await registry.just_in_time.meet(der) for der in ders]
    assert [one is None for one in outcomes].count(True) == (15 if binds else 20)
    if binds:
        assert "15 registrations a second" in str(outcomes[-1])
    await clock.advance(1)
    assert [await registry.just_in_time.meet(der) for der in ders] == [None] * 20


# --- provisioning -----------------------------------------------------------------------------------------------------

BY_NAME = RegistrationConfig(template_name="factory")


class Provisioner:
    """Provisions when it is let."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str]] = []
        self.let = asyncio.Event()
        self._ends = asyncio.Semaphore(0)
        self.fails = False

    async def __call__(self, certificate: Certificate, ca: CaCertificate) -> None:
        self.begun.append((certificate.id, ca.id))
        await self.let.wait()
        self._ends.release()
        if self.fails:
            raise RuntimeError("no such template")

    async def ended(self, count: int) -> None:
        """Return when so many more have ended."""
        for _ in range(count):
            await self._ends.acquire()
        await asyncio.sleep(0)


async def test_with_a_configuration_it_is_provisioned_and_again_until_it_is_active(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority
) -> None:
    provisioner = registry.just_in_time.provision = Provisioner()
    provisioner.fails = True
    authority = await register_ca(ca, registration=BY_NAME)
    device = ca.issue()
    for _ in range(3):
        assert await registry.just_in_time.meet(pki.der(device)) is None  # the connection does not wait for it
    await asyncio.sleep(0)
    assert provisioner.begun == [(checks.id_of(device), authority.id)], "once at a time"
    provisioner.let.set()
    await provisioner.ended(1)
    await registry.just_in_time.meet(pki.der(device))
    await asyncio.sleep(0)
    assert len(provisioner.begun) == 2
    await registry.certificates.update(checks.id_of(device), CertificateStatus.ACTIVE)
    await registry.just_in_time.meet(pki.der(device))
    await asyncio.sleep(0)
    assert len(provisioner.begun) == 2


async def test_not_for_a_ca_that_is_no_longer_active(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority
) -> None:
    authority = await register_ca(ca, registration=BY_NAME)
    device = pki.der(ca.issue())
    await registry.just_in_time.meet(device)
    provisioner = registry.just_in_time.provision = Provisioner()
    await registry.ca_certificates.update(authority.id, status=CaStatus.INACTIVE)
    await registry.just_in_time.meet(device)
    await asyncio.sleep(0)
    assert provisioner.begun == []


async def test_without_one_it_is_not(registry: Registry, register_ca: RegisterCa, ca: pki.Authority) -> None:
    provisioner = registry.just_in_time.provision = Provisioner()
    await register_ca(ca)
    await registry.just_in_time.meet(pki.der(ca.issue()))
    await asyncio.sleep(0)
    assert provisioner.begun == []


async def test_so_many_are_provisioned_at_once(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(just_in_time, "PROVISIONING", 2)
    provisioner = registry.just_in_time.provision = Provisioner()
    await register_ca(ca, registration=BY_NAME)
    ders = [pki.der(ca.issue()) for _ in range(4)]
    for der in ders:
        await registry.just_in_time.meet(der)
    await asyncio.sleep(0)
    assert len(provisioner.begun) == 2
    provisioner.let.set()
    await provisioner.ended(2)
    for der in ders[2:]:
        await registry.just_in_time.meet(der)
    await asyncio.sleep(0)
    assert len(provisioner.begun) == 4
