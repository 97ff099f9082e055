import asyncio
import datetime
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.registry import pki

from fogbank.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound, ServiceError
from fogbank.registry import certificate_checks as checks
from fogbank.registry.errors import CertificateState, CertificateValidation, RegistrationCodeValidation
from fogbank.registry.records import CaCertificate, CaStatus, CertificateMode, RegistrationConfig
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock

RegisterCa = Callable[..., Awaitable[CaCertificate]]
BY_NAME = RegistrationConfig(template_name="factory")
BY_BODY = RegistrationConfig(template_body="{}", role_arn="arn:aws:iam::123456789012:role/r")


async def test_a_ca_is_registered_with_a_certificate_for_the_code(registry: Registry, clock: FakeClock) -> None:
    ca = pki.Authority()
    code = await registry.registration_codes.get()
    made = await registry.ca_certificates.register(ca.pem, ca.verification(code))
    assert made.id == checks.certificate_id_of(pki.der(ca.certificate))
    assert registry.ca_certificates.arn(made.id) == f"arn:aws:iot:eu-west-1:123456789012:cacert/{made.id}"
    assert (made.status, made.mode, made.auto_registration) == (CaStatus.INACTIVE, CertificateMode.DEFAULT, False)
    assert (made.pem, made.created, made.registration) == (ca.pem, clock.time(), None)
    assert await registry.ca_certificates.describe(made.id.upper()) == made


async def test_or_without_one_where_the_server_name_tells_accounts_apart(registry: Registry) -> None:
    made = await registry.ca_certificates.register(
        pki.Authority().pem,
        mode=CertificateMode.SNI_ONLY,
        active=True,
        auto_registration=True,
        registration=BY_NAME,
        tags={"site": "north"},
    )
    assert (made.status, made.mode, made.auto_registration) == (CaStatus.ACTIVE, CertificateMode.SNI_ONLY, True)
    assert made.registration == BY_NAME
    assert await registry.tags.list(registry.ca_certificates.arn(made.id)) == {"site": "north"}


NAMESAKE = pki.Authority()


def two_names(*names: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])


@pytest.mark.parametrize(
    ("verification", "error"),
    [
        (lambda ca, code: None, InvalidRequest),
        (lambda ca, code: "", InvalidRequest),
        (lambda ca, code: "garbage", CertificateValidation),
        (lambda ca, code: ca.pem, RegistrationCodeValidation),
        (lambda ca, code: ca.verification("0" * 64), RegistrationCodeValidation),
        (lambda ca, code: ca.verification(code.upper()), RegistrationCodeValidation),
        (lambda ca, code: pki.pem(ca.issue(subject=x509.Name([]))), RegistrationCodeValidation),
        (lambda ca, code: pki.pem(ca.issue(subject=two_names(code, "more"))), RegistrationCodeValidation),
        (lambda ca, code: NAMESAKE.verification(code), CertificateValidation),
        (lambda ca, code: ca.verification(code, end=pki.START + datetime.timedelta(days=1)), CertificateValidation),
    ],
    ids=[
        "none",
        "empty",
        "garbage",
        "itself",
        "another code",
        "capitals",
        "no name",
        "two names",
        "another's",
        "expired",
    ],
)
async def test_any_other_certificate_shows_nothing(
    registry: Registry, verification: Callable[[pki.Authority, str], str | None], error: type[ServiceError]
) -> None:
    ca = pki.Authority()
    code = await registry.registration_codes.get()
    with pytest.raises(error):
        await registry.ca_certificates.register(ca.pem, verification(ca, code))
    assert (await registry.ca_certificates.page(Paging())).items == []


async def test_a_mode_without_verification_takes_none(registry: Registry) -> None:
    ca = pki.Authority()
    verification = ca.verification(await registry.registration_codes.get())
    with pytest.raises(InvalidRequest, match="SNI_ONLY"):
        await registry.ca_certificates.register(ca.pem, verification, mode=CertificateMode.SNI_ONLY)


@pytest.mark.parametrize(
    "options",
    [
        {"ca": None},
        {"ca": False},
        {"end": pki.START + datetime.timedelta(days=1)},
        {"start": datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)},
    ],
    ids=["says nothing", "says no", "expired", "not yet"],
)
async def test_what_is_no_ca_now_is_refused(register_ca: RegisterCa, options: dict[str, Any]) -> None:
    with pytest.raises(CertificateValidation):
        await register_ca(pki.Authority(**options))


async def test_twice_is_once(register_ca: RegisterCa, registry: Registry) -> None:
    ca = pki.Authority()
    made = await register_ca(ca)
    with pytest.raises(ResourceAlreadyExists) as taken:
        await register_ca(ca)
    assert taken.value.members == {"resourceId": made.id, "resourceArn": registry.ca_certificates.arn(made.id)}


async def test_ten_may_have_one_subject(register_ca: RegisterCa, registry: Registry) -> None:
    """General Reference, AWS IoT Core quotas. However many register at once."""
    made = await asyncio.gather(*(register_ca(pki.Authority("Same")) for _ in range(12)), return_exceptions=True)
    refused = [one for one in made if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == [LimitExceeded, LimitExceeded]
    await register_ca(pki.Authority("Other"))
    first = next(one for one in made if isinstance(one, CaCertificate))
    await registry.ca_certificates.update(first.id, status=CaStatus.INACTIVE)
    await registry.ca_certificates.delete(first.id)
    await register_ca(pki.Authority("Same"))


@pytest.mark.parametrize(
    "registration",
    [
        RegistrationConfig(role_arn="arn"),
        RegistrationConfig(template_body="{}"),
        RegistrationConfig(template_body="{}", role_arn="arn", template_name="n"),
    ],
)
async def test_a_registration_configuration_has_one_template(
    register_ca: RegisterCa, registry: Registry, registration: RegistrationConfig
) -> None:
    with pytest.raises(InvalidRequest, match="registrationConfig"):
        await register_ca(pki.Authority(), registration=registration)
    made = await register_ca(pki.Authority())
    with pytest.raises(InvalidRequest, match="registrationConfig"):
        await registry.ca_certificates.update(made.id, registration=registration)


async def test_who_provisions_has_a_word_in_it(register_ca: RegisterCa, registry: Registry) -> None:
    async def refuse(registration: RegistrationConfig) -> None:
        raise InvalidRequest(f"no template {registration.template_name}")

    registry.ca_certificates.check_registration = refuse
    with pytest.raises(InvalidRequest, match="no template factory"):
        await register_ca(pki.Authority(), registration=BY_NAME)


async def test_what_is_given_is_changed(register_ca: RegisterCa, registry: Registry, clock: FakeClock) -> None:
    cas = registry.ca_certificates
    made = await register_ca(pki.Authority(), registration=BY_NAME)
    await clock.advance(5)
    await cas.update(made.id)
    assert await cas.describe(made.id) == made
    await cas.update(made.id, status=CaStatus.INACTIVE)
    after = await cas.describe(made.id)
    assert (after.status, after.auto_registration, after.registration) == (CaStatus.INACTIVE, True, BY_NAME)
    assert after.modified == made.modified + 5
    await cas.update(made.id, registration=BY_BODY, auto_registration=False)
    after = await cas.describe(made.id)
    assert (after.auto_registration, after.registration) == (False, BY_BODY)
    await cas.update(made.id, status=CaStatus.ACTIVE, auto_registration=True)
    await cas.update(made.id, remove_auto_registration=True)
    after = await cas.describe(made.id)
    assert (after.status, after.auto_registration, after.registration) == (CaStatus.ACTIVE, False, None)


async def test_it_cannot_be_removed_and_set_at_once(register_ca: RegisterCa, registry: Registry) -> None:
    made = await register_ca(pki.Authority())
    with pytest.raises(InvalidRequest):
        await registry.ca_certificates.update(made.id, auto_registration=True, remove_auto_registration=True)
    with pytest.raises(InvalidRequest):
        await registry.ca_certificates.update(made.id, registration=BY_NAME, remove_auto_registration=True)


async def test_it_is_deleted_once_it_is_inactive(register_ca: RegisterCa, registry: Registry) -> None:
    cas, ca = registry.ca_certificates, pki.Authority()
    made = await register_ca(ca, tags={"a": "b"})
    device = await registry.certificate_registration.register(pki.pem(ca.issue()))
    with pytest.raises(CertificateState):
        await cas.delete(made.id)
    await cas.update(made.id, status=CaStatus.INACTIVE)
    await cas.delete(made.id)
    with pytest.raises(ResourceNotFound):
        await cas.describe(made.id)
    assert await registry.tags.of(cas.arn(made.id)) == {}
    assert (await cas.page(Paging())).items == []
    assert await registry.certificates.describe(device.id) == device, "what it issued stays"
    again = await register_ca(ca)
    assert await registry.tags.list(cas.arn(again.id)) == {}


@pytest.mark.parametrize("id_", ["0" * 64, "A" * 64])
async def test_unknown_ones_are_not_found(registry: Registry, id_: str) -> None:
    cas = registry.ca_certificates
    for call in (cas.describe(id_), cas.update(id_), cas.delete(id_)):
        with pytest.raises(ResourceNotFound):
            await call


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("size", [1, 2, 5, 250])
async def test_pages_are_by_creation(
    register_ca: RegisterCa, registry: Registry, clock: FakeClock, size: int, ascending: bool
) -> None:
    made = []
    for number in range(5):
        made.append((await register_ca(pki.Authority(), registration=BY_NAME if number % 2 else BY_BODY)).id)
        await clock.advance(1)

    async def listed(template: str | None) -> list[str]:
        found: list[str] = []
        token: str | None = None
        while True:
            paging = Paging(token, size)
            page = await registry.ca_certificates.page(paging, ascending=ascending, template=template)
            found += [one.id for one in page.items]
            token = page.next
            if token is None:
                return found if ascending else found[::-1]

    assert await listed(None) == made
    assert await listed("factory") == made[1::2]
    assert await listed("another") == []


async def test_the_cas_of_a_name_are_known_as_they_are_now(register_ca: RegisterCa, registry: Registry) -> None:
    ca = pki.Authority()
    cas = registry.ca_certificates
    assert await cas.named(ca.name) == ()
    made = await register_ca(ca)
    assert [one.record for one in await cas.named(ca.name)] == [made]
    await cas.update(made.id, status=CaStatus.INACTIVE)
    assert [one.record.status for one in await cas.named(ca.name)] == [CaStatus.INACTIVE]
    await cas.delete(made.id)
    assert await cas.named(ca.name) == ()
