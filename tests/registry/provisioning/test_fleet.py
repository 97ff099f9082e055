"""Fleet provisioning: devices become what templates say, once, or nothing at all."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.registry.provisioning.stage import DEVICE, FLEET, HOOK, JITP, OTHER, ROLE, Functions, body

from fogbank.errors import Forbidden, ResourceNotFound, ServiceError, ServiceUnavailable
from fogbank.message import Origin
from fogbank.ports import Delete, Expect, Put, StorageError
from fogbank.registry.errors import ConflictingResourceUpdate, ResourceConflicts, ResourceRegistrationFailure
from fogbank.registry.provisioning.errors import (
    AccessDenied,
    Conflicting,
    InternalError,
    InvalidCsr,
    InvalidOwnershipToken,
    InvalidParameters,
    Rejection,
    TemplateNotFound,
    Unavailable,
)
from fogbank.registry.provisioning.fleet import FleetProvisioning, NewCertificate
from fogbank.registry.provisioning.hooks import Hooks
from fogbank.registry.provisioning.ownership import OwnershipTokens
from fogbank.registry.provisioning.records import Hook, Outcome, ProvisioningRecords, TemplateType
from fogbank.registry.records import CertificateStatus
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing import FakeClock

LAMP = {"SerialNumber": "7"}
PENDING = CertificateStatus.PENDING_ACTIVATION


@pytest.fixture
async def new(fleet: FleetProvisioning, csr: str) -> NewCertificate:
    return await fleet.create_certificate_from_csr(DEVICE, csr)


async def register(
    fleet: FleetProvisioning, new: NewCertificate, parameters: dict[str, str] = LAMP, origin: Origin = DEVICE
) -> Outcome:
    return await fleet.register_thing(origin, "T", new.token, parameters)


async def status(registry: Registry, new: NewCertificate) -> CertificateStatus:
    return (await registry.certificates.describe(new.certificate.id)).status


async def assert_nothing_was_made(registry: Registry, new: NewCertificate) -> None:
    assert await status(registry, new) is PENDING
    assert (await registry.things.page(Paging())).items == []
    assert (await registry.policies.page(Paging())).items == []


async def test_keys_are_given_once(fleet: FleetProvisioning, registry: Registry, documents: MemoryDocuments) -> None:
    new = await fleet.create_keys_and_certificate(DEVICE)
    assert new.private_key is not None
    assert new.private_key.startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert await status(registry, new) is PENDING
    assert new.private_key not in repr(new)
    assert new.token not in repr(new)
    for kind in ("certificate", "certificate-ownership", "certificate-deadline"):
        [record] = await documents.scan(kind)
        assert b"PRIVATE KEY" not in record.body
        assert new.token.encode() not in record.body


async def test_a_device_becomes_what_the_template_says(
    fleet: FleetProvisioning, registry: Registry, new: NewCertificate, template: str
) -> None:
    assert (new.private_key, await status(registry, new)) == (None, PENDING)
    outcome = await register(fleet, new)
    assert (outcome.thing, outcome.configuration) == ("lamp-7", {"site": "hall"})
    assert await status(registry, new) is CertificateStatus.ACTIVE
    assert (await registry.things.describe("lamp-7")).attributes == {"site": "hall"}
    arn = registry.certificates.arn(new.certificate.id)
    attached = await registry.thing_principals.of_principal(arn, Paging())
    assert [one.thing for one in attached.items] == ["lamp-7"]
    assert len((await registry.policy_attachments.of_target(arn, Paging())).items) == 1


async def test_who_lost_the_answer_is_told_again(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, functions: Functions
) -> None:
    """The answer is at QoS 0: a device that comes back asks the same again, and nothing more is done."""
    await registry.provisioning_templates.update("T", hook=Hook(HOOK, "2020-04-01"))
    first = await register(fleet, new, LAMP | {"Site": "yard"})
    await registry.provisioning_templates.update("T", enabled=False)
    again = await register(fleet, new, {"Site": "yard"} | LAMP, Origin(DEVICE.principal, "another name"))
    assert again == first
    assert len(functions.events) == 1


@pytest.mark.parametrize("parameters", [{}, LAMP | {"Site": "yard"}, {"SerialNumber": "8"}])
async def test_a_token_is_used_once(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, parameters: dict[str, str]
) -> None:
    await register(fleet, new)
    with pytest.raises(InvalidOwnershipToken, match="used"):
        await register(fleet, new, parameters)
    assert [one.name for one in (await registry.things.page(Paging())).items] == ["lamp-7"]


async def test_another_claims_token_is_no_good(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry
) -> None:
    with pytest.raises(InvalidOwnershipToken):
        await register(fleet, new, origin=OTHER)
    await assert_nothing_was_made(registry, new)
    await register(fleet, new)


async def test_an_expired_token_is_no_good(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, clock: FakeClock
) -> None:
    await clock.advance(3600)
    with pytest.raises(InvalidOwnershipToken):
        await register(fleet, new)
    await assert_nothing_was_made(registry, new)


@pytest.mark.parametrize("to", [CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.REVOKED])
async def test_a_certificate_that_somebody_has_seen_to_is_left_alone(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, to: CertificateStatus
) -> None:
    await registry.certificates.update(new.certificate.id, to)
    with pytest.raises(InvalidOwnershipToken, match=to.value):
        await register(fleet, new)
    assert await status(registry, new) is to


async def test_a_certificate_that_was_deleted(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry
) -> None:
    await registry.certificates.delete(new.certificate.id)
    with pytest.raises(InvalidOwnershipToken, match="deleted"):
        await register(fleet, new)


@pytest.mark.parametrize("csr", ["", "x", "-----BEGIN CERTIFICATE REQUEST-----\n", "\0" * 100, "ü", "a" * 65_536])
async def test_requests_that_are_none(fleet: FleetProvisioning, registry: Registry, csr: str) -> None:
    with pytest.raises(InvalidCsr):
        await fleet.create_certificate_from_csr(DEVICE, csr)
    assert (await registry.certificates.page(Paging())).items == []


@pytest.mark.parametrize("name", ["U", "", "a b", "x" * 100, "../T", "\0"])
async def test_no_such_template(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, name: str
) -> None:
    with pytest.raises(TemplateNotFound):
        await fleet.register_thing(DEVICE, name, new.token, LAMP)
    await assert_nothing_was_made(registry, new)


async def test_a_template_for_others(fleet: FleetProvisioning, new: NewCertificate, registry: Registry) -> None:
    await registry.provisioning_templates.create("T", body(JITP), ROLE, type_=TemplateType.JITP, enabled=True)
    with pytest.raises(TemplateNotFound):
        await register(fleet, new)


async def test_a_template_that_is_off(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry
) -> None:
    await registry.provisioning_templates.update("T", enabled=False)
    with pytest.raises(AccessDenied, match="not enabled"):
        await register(fleet, new)
    await assert_nothing_was_made(registry, new)
    await registry.provisioning_templates.update("T", enabled=True)
    await register(fleet, new)


async def test_the_version_in_effect_counts(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry
) -> None:
    second = body(FLEET | {"DeviceConfiguration": {"version": "2"}})
    await registry.template_versions.create("T", second, default=True)
    assert (await register(fleet, new)).configuration == {"version": "2"}


async def test_a_hook_says_no(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, functions: Functions
) -> None:
    await registry.provisioning_templates.update("T", hook=Hook(HOOK, "2020-04-01"))
    functions.answer = {"allowProvisioning": False}
    with pytest.raises(AccessDenied):
        await register(fleet, new)
    await assert_nothing_was_made(registry, new)
    [event] = functions.events
    assert (event["claimCertificateId"], event["clientId"]) == (DEVICE.principal, DEVICE.client_id)
    assert (event["certificateId"], event["certificatePem"]) == (new.certificate.id, new.certificate.pem)
    functions.answer = {"allowProvisioning": True, "parameterOverrides": {"SerialNumber": "99"}}
    assert (await register(fleet, new)).thing == "lamp-99"


async def test_a_hook_cannot_name_another_certificate(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, functions: Functions, csr: str
) -> None:
    victim = await registry.certificates.create_from_request(csr)
    await registry.provisioning_templates.update("T", hook=Hook(HOOK, "2020-04-01"))
    overrides = {"AWS::IoT::Certificate::Id": victim.id}
    functions.answer = {"allowProvisioning": True, "parameterOverrides": overrides}
    await register(fleet, new)
    assert (await registry.certificates.describe(victim.id)).status is CertificateStatus.INACTIVE
    assert await status(registry, new) is CertificateStatus.ACTIVE


@pytest.mark.parametrize("name", ["AWS::IoT::Certificate::Id", "AWS::Region", "AWS::"])
async def test_a_device_cannot_say_what_is_not_its_to_say(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, name: str
) -> None:
    with pytest.raises(InvalidParameters):
        await register(fleet, new, LAMP | {name: "x"})
    await assert_nothing_was_made(registry, new)


@pytest.mark.parametrize("serial", ["", "a b", "#", "ü", "\0", "x" * 200, '"', "${iot:ClientId}"])
async def test_values_that_make_no_thing(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, serial: str
) -> None:
    if serial == "":
        assert (await register(fleet, new, {"SerialNumber": serial})).thing == "lamp-"
        return
    with pytest.raises(InvalidParameters):
        await register(fleet, new, {"SerialNumber": serial})
    await assert_nothing_was_made(registry, new)


async def test_two_devices_of_one_name(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, csr: str
) -> None:
    second = await fleet.create_certificate_from_csr(DEVICE, csr)
    await register(fleet, new)
    with pytest.raises(Conflicting):
        await register(fleet, second, LAMP | {"Site": "yard"})
    assert await status(registry, second) is PENDING
    await register(fleet, second, {"SerialNumber": "8"})


async def test_the_same_asked_at_once_is_done_once(
    fleet: FleetProvisioning, new: NewCertificate, template: str, registry: Registry, functions: Functions
) -> None:
    """QoS 1 may deliver a request twice; what AWS makes of that is not documented."""
    await registry.provisioning_templates.update("T", hook=Hook(HOOK, "2020-04-01"))
    goes = asyncio.Event()
    functions.wait = goes.wait
    asked = [asyncio.create_task(register(fleet, new)) for _ in range(3)]
    other = asyncio.create_task(register(fleet, new, {"SerialNumber": "8"}))
    with pytest.raises(Conflicting):
        await other
    assert fleet.busy(new.certificate.id)
    asked[0].cancel()  # one that waits no more takes nobody along
    goes.set()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1] == outcomes[2]
    assert isinstance(outcomes[1], Outcome)
    assert len(functions.events) == 1
    assert not fleet.busy(new.certificate.id)


async def test_many_devices_at_once(fleet: FleetProvisioning, template: str, registry: Registry, csr: str) -> None:
    async def onboard(serial: int) -> Outcome:
        new = await fleet.create_certificate_from_csr(DEVICE, csr)
        return await register(fleet, new, {"SerialNumber": str(serial)})

    outcomes = await asyncio.gather(*(onboard(serial) for serial in range(20)))
    assert [one.thing for one in outcomes] == [f"lamp-{serial}" for serial in range(20)]
    assert len((await registry.things.page(Paging())).items) == 20


class Killed(StorageError):
    """The process is no more: nothing that it does from now on is stored."""


@pytest.mark.parametrize("last", range(5))
async def test_a_kill_leaves_all_or_nothing(
    fleet: FleetProvisioning,
    template: str,
    registry: Registry,
    csr: str,
    documents: MemoryDocuments,
    monkeypatch: pytest.MonkeyPatch,
    last: int,
) -> None:
    """After each commit there is: the device that came so far finds what is there, or may do it again."""
    commit, left = documents.commit, last

    async def commit_while_alive(*changes: Put | Delete | Expect) -> list[int]:
        nonlocal left
        if left == 0:
            raise Killed("killed")
        left -= 1
        return await commit(*changes)

    monkeypatch.setattr(documents, "commit", commit_while_alive)
    new = None
    try:
        new = await fleet.create_certificate_from_csr(DEVICE, csr)
        await register(fleet, new)
    except StorageError:
        pass
    monkeypatch.setattr(documents, "commit", commit)
    certificates = (await registry.certificates.page(Paging())).items
    if new is None:
        assert certificates == []
        assert last == 0
        return
    things = (await registry.things.page(Paging())).items
    is_active = await status(registry, new) is CertificateStatus.ACTIVE
    assert len(things) == is_active == bool((await registry.policies.page(Paging())).items)
    assert is_active == (last >= 2)
    outcome = await register(fleet, new)
    assert outcome.thing == "lamp-7"
    assert await status(registry, new) is CertificateStatus.ACTIVE
    with pytest.raises(InvalidOwnershipToken):
        await register(fleet, new, {"SerialNumber": "8"})


ERRORS: list[tuple[Callable[[str], ServiceError], type[Rejection]]] = [
    (Forbidden, AccessDenied),
    (ResourceConflicts, Conflicting),
    (ConflictingResourceUpdate, Conflicting),
    (ResourceRegistrationFailure, InvalidParameters),
    (ResourceNotFound, InvalidParameters),
    (ServiceUnavailable, Unavailable),
    (ServiceError, InternalError),
]


@pytest.mark.parametrize(("error", "rejection"), ERRORS)
async def test_what_errors_are_to_a_device(
    fleet: FleetProvisioning,
    new: NewCertificate,
    template: str,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    error: Callable[[str], ServiceError],
    rejection: type[Rejection],
) -> None:
    async def fail(*_: Any, **more: Any) -> None:
        assert (more["role_arn"], more["certificate_id"]) == (ROLE, new.certificate.id)
        assert more["source"] == registry.provisioning_templates.arn("T")
        raise error("why")

    monkeypatch.setattr(registry.provisioner, "provision", fail)
    with pytest.raises(rejection) as rejected:
        await register(fleet, new)
    assert ("why" in str(rejected.value)) == (rejection not in (InternalError, AccessDenied))
    assert ("why" in rejected.value.detail) == (rejection is not InternalError)


async def test_the_same_asked_at_once_on_a_slow_disk(
    slow_registry: Registry, slow_documents: MemoryDocuments, hooks: Hooks, clock: FakeClock, csr: str
) -> None:
    """However reads and writes interleave, one device is made, and all who ask are told the same."""
    registry = slow_registry
    await registry.provisioning_templates.create("T", body(FLEET), ROLE, enabled=True)
    tokens = OwnershipTokens(ProvisioningRecords(slow_documents), clock)
    fleet = FleetProvisioning(
        registry.certificates, registry.provisioning_templates, tokens, registry.provisioner, hooks
    )
    new = await fleet.create_certificate_from_csr(DEVICE, csr)
    outcomes = await asyncio.gather(*(register(fleet, new) for _ in range(6)))
    assert outcomes == [outcomes[0]] * 6
    assert len((await registry.things.page(Paging())).items) == 1
    await fleet.close()
