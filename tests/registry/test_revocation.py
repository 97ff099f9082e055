import asyncio
import datetime
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.registry import pki
from tests.registry.conftest import SlowDocuments

from fogbank.errors import InvalidRequest
from fogbank.registry import revocation
from fogbank.registry.errors import CertificateValidation
from fogbank.registry.records import CaCertificate, CaStatus, Certificate, CertificateMode, CertificateStatus
from fogbank.registry.registry import Registry
from fogbank.testing.clock import FakeClock

RegisterCa = Callable[..., Awaitable[CaCertificate]]
ACTIVE, REVOKED = CertificateStatus.ACTIVE, CertificateStatus.REVOKED
DAY = datetime.timedelta(days=1)


@pytest.fixture
def ca() -> pki.Authority:
    return pki.Authority()


Devices = Callable[[int], Awaitable[list[Certificate]]]


@pytest.fixture
def devices(registry: Registry, register_ca: RegisterCa, ca: pki.Authority) -> Devices:
    """Registers a CA and so many ACTIVE devices, with the serial numbers 1, 2, and so on."""

    async def make(count: int) -> list[Certificate]:
        await register_ca(ca)
        pems = [pki.pem(ca.issue(f"sensor-{serial}", serial=serial)) for serial in range(1, count + 1)]
        return [await registry.certificate_registration.register(pem, status=ACTIVE) for pem in pems]

    return make


async def statuses(registry: Registry, made: list[Certificate]) -> list[CertificateStatus]:
    return [(await registry.certificates.describe(one.id)).status for one in made]


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
async def test_what_a_list_names_is_revoked_and_nothing_else(
    registry: Registry, devices: Devices, ca: pki.Authority, encoding: Encoding, clock: FakeClock
) -> None:
    made = await devices(4)
    told: list[frozenset[str]] = []

    async def watch(ids: frozenset[str]) -> None:
        told.append(ids)

    registry.principals.watch(watch)
    await clock.advance(5)
    taken = await registry.revocation.take(ca.revoke(1, 3, 99, number=7).public_bytes(encoding))
    assert (taken.number, taken.entries, taken.revoked) == (7, 3, 2)
    assert taken.this_update == pki.START.timestamp()
    assert taken.ca_certificate_ids == (made[0].ca,)
    assert await statuses(registry, made) == [REVOKED, ACTIVE, REVOKED, ACTIVE]
    assert told == [frozenset((made[0].id, made[2].id))]
    assert (await registry.certificates.describe(made[0].id)).modified == clock.time()
    identity = await registry.principals.identify(pki.der(x509.load_pem_x509_certificate(made[0].pem.encode())))
    assert identity.reason == "certificate is REVOKED"


async def test_again_it_changes_nothing(registry: Registry, devices: Devices, ca: pki.Authority) -> None:
    made = await devices(2)
    crl = pki.crl_pem(ca.revoke(1, number=7))
    assert (await registry.revocation.take(crl)).revoked == 1
    before = await registry.certificates.describe(made[0].id)
    assert (await registry.revocation.take(crl)).revoked == 0
    assert await registry.certificates.describe(made[0].id) == before


async def test_it_is_taken_in_batches(
    registry: Registry, devices: Devices, ca: pki.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "BATCH", 3)
    made = await devices(8)
    assert (await registry.revocation.take(pki.crl_pem(ca.revoke(*range(1, 8))))).revoked == 7
    assert await statuses(registry, made) == [REVOKED] * 7 + [ACTIVE]


@pytest.mark.parametrize(
    ("first", "second", "older"),
    [
        ({"number": 7}, {"number": 6, "at": pki.START + DAY}, True),
        ({"number": 7}, {"number": 8, "at": pki.START - DAY}, False),
        ({}, {"at": pki.START - DAY}, True),
        ({}, {"at": pki.START + DAY}, False),
        ({"number": 7}, {"at": pki.START - DAY}, True),
    ],
)
async def test_an_older_list_is_refused(
    registry: Registry, devices: Devices, ca: pki.Authority, first: Any, second: Any, older: bool
) -> None:
    """By its number, RFC 5280 5.2.3, else by its date."""
    made = await devices(2)
    await registry.revocation.take(pki.crl_pem(ca.revoke(1, **first)))
    crl = pki.crl_pem(ca.revoke(2, **second))
    if older:
        with pytest.raises(InvalidRequest, match="older"):
            await registry.revocation.take(crl)
    else:
        await registry.revocation.take(crl)
    assert await statuses(registry, made) == [REVOKED, ACTIVE if older else REVOKED]


async def test_a_kill_in_between_can_be_made_good(
    registry: Registry, devices: Devices, ca: pki.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "BATCH", 2)
    made = await devices(4)
    crl = pki.crl_pem(ca.revoke(1, 2, 3, 4, number=7))
    revoke, calls = registry.revocation._revoke, 0

    async def killed(*args: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return await revoke(*args)

    monkeypatch.setattr(registry.revocation, "_revoke", killed)
    with pytest.raises(KeyboardInterrupt):
        await registry.revocation.take(crl)
    monkeypatch.setattr(registry.revocation, "_revoke", revoke)
    assert await statuses(registry, made) == [REVOKED, REVOKED, ACTIVE, ACTIVE]
    await registry.revocation.take(pki.crl_pem(ca.revoke(number=6)))  # the interrupted one does not count as seen
    assert (await registry.revocation.take(crl)).revoked == 2


async def test_what_it_names_cannot_be_registered_any_more(
    registry: Registry, devices: Devices, ca: pki.Authority
) -> None:
    await devices(1)
    await registry.revocation.take(pki.crl_pem(ca.revoke(5)))
    late = pki.pem(ca.issue(serial=5))
    with pytest.raises(CertificateValidation, match="revocation list"):
        await registry.certificate_registration.register(late, status=ACTIVE)
    made = await registry.certificate_registration.register(late, status=REVOKED)
    assert made.status is REVOKED


async def test_registering_and_revoking_at_once_ends_revoked(
    slow_registry: Registry, slow_documents: SlowDocuments, ca: pki.Authority
) -> None:
    await slow_registry.ca_certificates.register(
        ca.pem, mode=CertificateMode.SNI_ONLY, active=True, auto_registration=True
    )
    issued = [ca.issue(serial=serial) for serial in range(1, 6)]
    await asyncio.gather(
        *(slow_registry.certificate_registration.register(pki.pem(one), status=ACTIVE) for one in issued[:3]),
        slow_registry.revocation.take(pki.crl_pem(ca.revoke(1, 2, 3, 4, 5))),
        *(slow_registry.just_in_time.meet(pki.der(one)) for one in issued[3:]),
        return_exceptions=True,
    )
    for one in issued:
        identity = await slow_registry.principals.identify(pki.der(one))
        assert identity.reason in ("certificate is REVOKED", "unknown certificate")


async def test_a_list_of_a_renewed_ca_is_for_both(registry: Registry, register_ca: RegisterCa) -> None:
    old = pki.Authority()
    renewed = pki.Authority(key=old.key)
    ids = [(await register_ca(one)).id for one in (old, renewed)]
    made = [
        await registry.certificate_registration.register(pki.pem(old.issue(serial=n)), ca_pem=one.pem, status=ACTIVE)
        for n, one in ((1, old), (2, renewed))
    ]
    taken = await registry.revocation.take(pki.crl_pem(old.revoke(1, 2)))
    assert taken.ca_certificate_ids == tuple(sorted(ids))
    assert await statuses(registry, made) == [REVOKED, REVOKED]


async def test_a_namesakes_certificate_is_not_touched(registry: Registry, register_ca: RegisterCa) -> None:
    cas = [pki.Authority("Same"), pki.Authority("Same")]
    for one in cas:
        await register_ca(one)
    made = [
        await registry.certificate_registration.register(pki.pem(one.issue(serial=1)), ca_pem=one.pem, status=ACTIVE)
        for one in cas
    ]
    await registry.revocation.take(pki.crl_pem(cas[0].revoke(1)))
    assert await statuses(registry, made) == [REVOKED, ACTIVE]


async def test_one_that_was_registered_without_its_ca_is(
    registry: Registry, register_ca: RegisterCa, ca: pki.Authority
) -> None:
    made = await registry.certificate_registration.register_without_ca(pki.pem(ca.issue(serial=1)), status=ACTIVE)
    await register_ca(ca, active=False)  # in whatever state
    assert (await registry.revocation.take(pki.crl_pem(ca.revoke(1)))).revoked == 1
    assert await statuses(registry, [made]) == [REVOKED]


async def test_one_that_is_being_transferred_is_revoked_too(
    registry: Registry, devices: Devices, ca: pki.Authority
) -> None:
    [made] = await devices(1)
    await registry.certificates.update(made.id, CertificateStatus.INACTIVE)
    await registry.certificate_transfers.begin(made.id, "111111111111")
    await registry.revocation.take(pki.crl_pem(ca.revoke(1)))
    assert await statuses(registry, [made]) == [REVOKED]


def _usage(*, crl: bool) -> x509.KeyUsage:
    others = "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only"
    off = dict.fromkeys(others.split(), False)
    return x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=crl, **off)


async def test_a_ca_whose_key_may_not_sign_lists_signs_none(registry: Registry, register_ca: RegisterCa) -> None:
    for crl in (True, False):
        ca = pki.Authority(f"CRL {crl}", extensions=[_usage(crl=crl)])
        await register_ca(ca)
        if crl:
            await registry.revocation.take(pki.crl_pem(ca.revoke(1)))
        else:
            with pytest.raises(CertificateValidation, match="No registered CA"):
                await registry.revocation.take(pki.crl_pem(ca.revoke(1)))


BAD: dict[str, tuple[Callable[[pki.Authority], bytes], str]] = {
    "nothing": (lambda ca: b"", "malformed"),
    "garbage": (lambda ca: b"garbage", "malformed"),
    "a certificate": (lambda ca: ca.pem.encode(), "malformed"),
    "cut short": (lambda ca: ca.revoke(1).public_bytes(Encoding.DER)[:-5], "malformed"),
    "too long": (lambda ca: bytes(revocation.LARGEST_LIST + 1), "longer than"),
    "a stranger's": (lambda ca: pki.crl_pem(pki.Authority("Elsewhere").revoke(1)), "No registered CA"),
    "a namesake's": (lambda ca: pki.crl_pem(pki.Authority().revoke(1)), "No registered CA"),
    "of the future": (lambda ca: pki.crl_pem(ca.revoke(1, at=pki.END)), "of the future"),
    "a delta": (
        lambda ca: pki.crl_pem(ca.revoke(1, number=2, extensions=[x509.DeltaCRLIndicator(1)])),
        "deltaCRLIndicator",
    ),
    "of some reasons": (
        lambda ca: pki.crl_pem(
            ca.revoke(
                1,
                extensions=[
                    x509.IssuingDistributionPoint(
                        full_name=None,
                        relative_name=None,
                        only_contains_user_certs=False,
                        only_contains_ca_certs=False,
                        only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}),
                        indirect_crl=False,
                        only_contains_attribute_certs=False,
                    )
                ],
            )
        ),
        "not a complete one",
    ),
}


@pytest.mark.parametrize("what", BAD)
async def test_bad_lists_are_refused_and_revoke_nothing(
    registry: Registry, devices: Devices, ca: pki.Authority, what: str
) -> None:
    made = await devices(1)
    make, why = BAD[what]
    with pytest.raises(CertificateValidation, match=why):
        await registry.revocation.take(make(ca))
    assert await statuses(registry, made) == [ACTIVE]


async def test_a_list_of_an_inactive_ca_counts(registry: Registry, devices: Devices, ca: pki.Authority) -> None:
    [made] = await devices(1)
    assert made.ca is not None
    await registry.ca_certificates.update(made.ca, status=CaStatus.INACTIVE)
    assert (await registry.revocation.take(pki.crl_pem(ca.revoke(1)))).revoked == 1


LIST = pki.Authority().revoke(1, 2, 3, number=5, reason=x509.ReasonFlags.key_compromise).public_bytes(Encoding.DER)


@given(st.integers(0, len(LIST) - 1), st.binary(max_size=3), st.integers(0, 4))
@settings(max_examples=300)
def test_no_bytes_do_more_than_be_refused(at: int, put: bytes, cut: int) -> None:
    data = LIST[:at] + put + LIST[at + cut :]
    try:
        revocation._parse(data)
    except CertificateValidation as error:
        refused = error
    else:
        return
    assert refused.message.isprintable()
