"""Just-in-time provisioning: what the subject says becomes a device, or the certificate goes on waiting."""

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.registry.provisioning.stage import FLEET, HOOK, JITP, ROLE, Functions, body

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, ResourceNotFound
from fogbank.ports import StorageError
from fogbank.registry.provisioning.hooks import Hooks
from fogbank.registry.provisioning.just_in_time_provisioning import JustInTimeProvisioning, subject_parameters
from fogbank.registry.provisioning.records import Hook, TemplateType
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
from fogbank.testing import FakeClock
from fogbank.trace import Trace, TraceEvent

CA = "ca" * 32
SUBJECT = [
    (NameOID.COUNTRY_NAME, "DE"),
    (NameOID.ORGANIZATION_NAME, "Lamps"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "hall"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "yard"),
    (NameOID.DN_QUALIFIER, "q"),
    (NameOID.STATE_OR_PROVINCE_NAME, "BE"),
    (NameOID.COMMON_NAME, "lamp-7"),
    (NameOID.SERIAL_NUMBER, "007"),
    (NameOID.LOCALITY_NAME, "Berlin"),
]
INLINE = RegistrationConfig(template_body=body(JITP), role_arn=ROLE)
NAMED = RegistrationConfig(template_name="J")


def pem(subject: list[tuple[x509.ObjectIdentifier, str]]) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
    now = datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + datetime.timedelta(days=10_000))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    return certificate.decode()


def ca(registration: RegistrationConfig) -> CaCertificate:
    return CaCertificate(
        id=CA,
        pem="",
        status=CaStatus.ACTIVE,
        auto_registration=True,
        mode=CertificateMode.DEFAULT,
        registration=registration,
        created=0,
        modified=0,
        not_before=0,
        not_after=9e9,
        generation="",
        subject="",
        authority="",
    )


@pytest.fixture
async def waiting(registry: Registry) -> Certificate:
    """A certificate that its CA's registration has left PENDING_ACTIVATION."""
    certificate = x509.load_pem_x509_certificate(pem(SUBJECT).encode())
    value = registry.certificates.enrolled(certificate, CertificateStatus.PENDING_ACTIVATION, ca(INLINE))
    return await registry.certificates.enter(value)


@pytest.fixture
def jitp(registry: Registry, hooks: Hooks, arns: Arns, clock: FakeClock, trace: Trace) -> JustInTimeProvisioning:
    return JustInTimeProvisioning(registry.provisioning_templates, registry.provisioner, hooks, arns, clock, trace)


async def template(registry: Registry, **more: Any) -> None:
    more = {"enabled": True} | more
    await registry.provisioning_templates.create("J", body(JITP), ROLE, type_=TemplateType.JITP, **more)


async def status(registry: Registry, certificate: Certificate) -> CertificateStatus:
    return (await registry.certificates.describe(certificate.id)).status


def test_what_the_subject_says(arns: Arns) -> None:
    """Developer guide, jit-provisioning; of two units the first."""
    certificate = Certificate(
        id="",
        pem=pem(SUBJECT),
        status=CertificateStatus.ACTIVE,
        created=0,
        modified=0,
        not_before=0,
        not_after=0,
        generation="",
    )
    assert subject_parameters(certificate) == {
        "AWS::IoT::Certificate::Country": "DE",
        "AWS::IoT::Certificate::Organization": "Lamps",
        "AWS::IoT::Certificate::OrganizationalUnit": "hall",
        "AWS::IoT::Certificate::DistinguishedNameQualifier": "q",
        "AWS::IoT::Certificate::StateName": "BE",
        "AWS::IoT::Certificate::CommonName": "lamp-7",
        "AWS::IoT::Certificate::SerialNumber": "007",
    }


@pytest.mark.parametrize("registration", [INLINE, NAMED])
async def test_a_device_becomes_what_the_template_says(
    jitp: JustInTimeProvisioning,
    registry: Registry,
    waiting: Certificate,
    registration: RegistrationConfig,
    traced: list[TraceEvent],
) -> None:
    await template(registry)
    await jitp.provision(waiting, ca(registration))
    assert await status(registry, waiting) is CertificateStatus.ACTIVE
    attached = await registry.thing_principals.of_thing("lamp-7", Paging())
    assert [one.certificate for one in attached.items] == [waiting.id]
    assert [(one.kind, one.status, one.principal, one.detail) for one in traced] == [
        ("provisioning", "success", waiting.id, {"thingName": "lamp-7"})
    ]
    await jitp.provision(waiting, ca(registration))  # once more, as after a kill, is no harm
    assert await status(registry, waiting) is CertificateStatus.ACTIVE


async def failing(
    jitp: JustInTimeProvisioning,
    registry: Registry,
    waiting: Certificate,
    registration: RegistrationConfig,
    traced: list[TraceEvent],
    caplog: pytest.LogCaptureFixture,
    why: str,
) -> None:
    """It waits, and log and trace say why."""
    await jitp.provision(waiting, ca(registration))
    assert await status(registry, waiting) is CertificateStatus.PENDING_ACTIVATION
    assert (await registry.things.page(Paging())).items == []
    assert traced[-1].status == "failure"
    assert why in traced[-1].reason
    assert why in caplog.text


async def test_a_template_that_asks_for_more_than_the_subject_has(
    jitp: JustInTimeProvisioning,
    registry: Registry,
    waiting: Certificate,
    traced: list[TraceEvent],
    caplog: pytest.LogCaptureFixture,
) -> None:
    more = JITP | {"Parameters": JITP["Parameters"] | {"Colour": {"Type": "String"}}}
    registration = RegistrationConfig(template_body=body(more), role_arn=ROLE)
    await failing(jitp, registry, waiting, registration, traced, caplog, "Colour")


async def test_a_template_that_is_off(
    jitp: JustInTimeProvisioning,
    registry: Registry,
    waiting: Certificate,
    traced: list[TraceEvent],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await template(registry, enabled=False)
    await failing(jitp, registry, waiting, NAMED, traced, caplog, "not enabled")


async def test_a_template_that_is_gone(
    jitp: JustInTimeProvisioning,
    registry: Registry,
    waiting: Certificate,
    traced: list[TraceEvent],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await failing(jitp, registry, waiting, NAMED, traced, caplog, "not found")


async def test_hooks_are_asked(
    jitp: JustInTimeProvisioning,
    registry: Registry,
    waiting: Certificate,
    traced: list[TraceEvent],
    caplog: pytest.LogCaptureFixture,
    functions: Functions,
) -> None:
    await template(registry, hook=Hook(HOOK, "2020-04-01"))
    functions.answer = {"allowProvisioning": False}
    await failing(jitp, registry, waiting, NAMED, traced, caplog, "did not allow")
    [event] = functions.events
    assert event.keys() == {"certificateId", "certificatePem", "templateArn", "parameters"}
    assert event["parameters"]["AWS::IoT::Certificate::CommonName"] == "lamp-7"
    functions.answer = {
        "allowProvisioning": True,
        "parameterOverrides": {"AWS::IoT::Certificate::CommonName": "lamp-8", "AWS::IoT::Certificate::Id": "0" * 64},
    }
    await jitp.provision(waiting, ca(NAMED))
    assert await status(registry, waiting) is CertificateStatus.ACTIVE
    await registry.things.describe("lamp-8")


@pytest.mark.parametrize(
    ("registration", "error"),
    [
        (RegistrationConfig(template_body="{", role_arn=ROLE), InvalidRequest),
        (RegistrationConfig(template_name="F"), InvalidRequest),
        (RegistrationConfig(template_name="nobody's"), (InvalidRequest, ResourceNotFound)),
        (RegistrationConfig(template_name="U"), ResourceNotFound),
    ],
)
async def test_configurations_that_cannot_be(
    jitp: JustInTimeProvisioning, registry: Registry, registration: RegistrationConfig, error: Any
) -> None:
    await registry.provisioning_templates.create("F", body(FLEET), ROLE)
    with pytest.raises(error):
        await jitp.check(registration)


async def test_configurations_that_can(jitp: JustInTimeProvisioning, registry: Registry) -> None:
    await template(registry, enabled=False)
    await jitp.check(INLINE)
    await jitp.check(NAMED)


async def test_what_a_kill_prevented_the_next_attempt_does(
    jitp: JustInTimeProvisioning,
    registry: Registry,
    waiting: Certificate,
    documents: MemoryDocuments,
    monkeypatch: pytest.MonkeyPatch,
    traced: list[TraceEvent],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def killed(*_: object) -> list[int]:
        raise StorageError("killed")

    with monkeypatch.context() as context:
        context.setattr(documents, "commit", killed)
        await failing(jitp, registry, waiting, INLINE, traced, caplog, "killed")
    await jitp.provision(waiting, ca(INLINE))
    assert await status(registry, waiting) is CertificateStatus.ACTIVE
