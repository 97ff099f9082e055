"""Devices provisioned in memory: what there is afterwards, what is refused, and that nothing is ever half done."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from cryptography import x509
from tests.registry import pki
from tests.registry.provisioning.devices import POLICY, WHOLE, assert_nothing, groups_of, stock, template
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.errors import ServiceError
from fogbank.ports import Delete, Expect, Put, StorageError
from fogbank.registry.errors import ConflictingResourceUpdate, ResourceConflicts, ResourceRegistrationFailure
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.provisioning.provisioner import Provisioned
from fogbank.registry.provisioning.template import Template, TemplateKind
from fogbank.registry.records import Certificate, CertificateStatus
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock

Enrol = Callable[[], Awaitable[Certificate]]
ACTIVE, INACTIVE, REVOKED = CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.REVOKED
PENDING = CertificateStatus.PENDING_ACTIVATION


COMMON_NAME = "AWS::IoT::Certificate::CommonName"
THING = {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": COMMON_NAME}}}
CERTIFICATE = {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}}}


@pytest.fixture
async def stocked(registry: Registry) -> Registry:
    """With types and groups that templates name."""
    return await stock(registry)


async def test_all_of_a_device(stocked: Registry, published: Published, csr: str) -> None:
    await stocked.event_configurations.update(dict.fromkeys(("THING", "THING_GROUP_MEMBERSHIP"), True))
    made = await stocked.provisioner.provision(template(thing=WHOLE), {"Name": "lamp-1", "CSR": csr})
    assert made.certificate_id is not None
    certificate = await stocked.certificates.describe(made.certificate_id)
    arn = stocked.certificates.arn(made.certificate_id)
    thing = await stocked.things.describe("lamp-1")
    assert (made.thing_name, made.certificate_pem, made.device_configuration) == ("lamp-1", certificate.pem, {})
    assert (thing.type_name, thing.attributes, thing.version) == ("bulb", {"serial": "1"}, 1)
    assert await groups_of(stocked, "lamp-1") == ["attic", "hall"]
    assert await stocked.billing_members.group_of("lamp-1") == "payer"
    assert certificate.status is ACTIVE
    [attached] = (await stocked.thing_principals.of_thing("lamp-1", Paging())).items
    assert (attached.certificate, attached.exclusive) == (certificate.id, False)
    [policy] = (await stocked.policy_attachments.of_target(arn, Paging())).items
    assert (await stocked.policies.describe(policy)).document == POLICY
    assert made.resource_arns == {  # developer guide, single-thing-provisioning
        "thing": stocked.things.arn("lamp-1"),
        "certificate": arn,
        "policy": stocked.policies.arn(policy),
    }
    assert [one.id for one in (await stocked.certificates.page(Paging())).items] == [certificate.id]
    assert published.topics() == [
        "$aws/events/thing/lamp-1/created",
        "$aws/events/thingGroupMembership/thingGroup/hall/thing/lamp-1/added",
        "$aws/events/thingGroupMembership/thingGroup/attic/thing/lamp-1/added",
    ]


async def test_a_device_is_one_batch(registry: Registry, documents: MemoryDocuments, csr: str) -> None:
    batches: list[int] = []
    commit = documents.commit

    async def counting(*changes: Put | Delete | Expect) -> list[int]:
        batches.append(len(changes))
        return await commit(*changes)

    documents.commit = counting  # type: ignore[method-assign]
    receipt = Put("test", "receipt", b"")
    await registry.provisioner.provision(template(), {"Name": "a", "CSR": csr}, along=lambda made: [receipt])
    assert len(batches) == 1
    assert await documents.get("test", "receipt") is not None


async def test_policies_are_shared_by_their_documents(registry: Registry, csr: str) -> None:
    made = [await registry.provisioner.provision(template(), {"Name": name, "CSR": csr}) for name in ("a", "b")]
    assert made[0].resource_arns["policy"] == made[1].resource_arns["policy"]
    assert made[0].certificate_id != made[1].certificate_id
    assert len((await registry.policies.page(Paging())).items) == 1


async def test_a_thing_alone(registry: Registry) -> None:
    only = Template.parse(
        '{"Resources": {"t": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": "a"}}}}', TemplateKind.REGISTRATION
    )
    made = await registry.provisioner.provision(only, {})
    assert (made.certificate_pem, made.resource_arns) == (None, {"thing": registry.things.arn("a")})


# --- devices of their own


async def test_a_device_names_no_certificate_but_its_own(registry: Registry, csr: str, enrol: Enrol) -> None:
    stranger, own = await enrol(), await registry.certificates.create_from_request(csr, pending=True)
    fleet = template(kind=TemplateKind.FLEET_PROVISIONING)
    sent = {"Name": "a", "AWS::IoT::Certificate::Id": stranger.id}
    made = await registry.provisioner.provision(fleet, sent, certificate_id=own.id)
    assert made.certificate_id == own.id
    assert (await registry.certificates.describe(own.id)).status is ACTIVE
    assert (await registry.thing_principals.of_principal(registry.certificates.arn(stranger.id), Paging())).items == []
    with pytest.raises(ResourceRegistrationFailure, match="no certificate to provision a device with"):
        await registry.provisioner.provision(fleet, sent)


async def test_only_the_platform_says_what_the_parameters_of_aws_are(registry: Registry, csr: str) -> None:
    own = await registry.certificates.create_from_request(csr, pending=True)
    named = {"Parameters": {COMMON_NAME: {"Type": "String"}}, "Resources": {"thing": THING, "certificate": CERTIFICATE}}
    fleet = Template.parse(json.dumps(named), TemplateKind.FLEET_PROVISIONING)
    with pytest.raises(ResourceRegistrationFailure, match="CommonName has neither a value nor a default"):
        await registry.provisioner.provision(fleet, {COMMON_NAME: "somebody"}, certificate_id=own.id)
    just_in_time = Template.parse(json.dumps(named), TemplateKind.JITP)
    values = {COMMON_NAME: "lamp", "AWS::IoT::Certificate::Id": "0" * 64}
    made = await registry.provisioner.provision(just_in_time, values, certificate_id=own.id)
    assert (made.thing_name, made.certificate_id) == ("lamp", own.id)


# --- refusals: nothing is half done


FAILING: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({}, {"Name": "a b"}, "'a b' at 'thingName'"),
    ({}, {"Name": ""}, "'thingName'"),
    ({}, {"Name": "x" * 129}, "'thingName'"),
    ({}, {"Name": "../etc/passwd\n"}, "'thingName'"),
    ({}, {"CSR": "-----BEGIN CERTIFICATE REQUEST-----"}, "certificate signing request is not acceptable"),
    ({"thing": {"ThingTypeName": "nothing"}}, {}, "Thing type nothing not found"),
    ({"thing": {"ThingGroups": ["hall", "nowhere"]}}, {}, "Thing group nowhere not found"),
    ({"thing": {"ThingGroups": [{"Ref": "Name"}]}}, {}, "Thing group a not found"),
    ({"thing": {"BillingGroup": "nobody"}}, {}, "nobody not found"),
    ({"thing": {"AttributePayload": {"a": {"Ref": "Name"}, "b b": "1"}}}, {}, "'attributeName'"),
    ({"thing": {"AttributePayload": {"a": "no spaces"}}}, {}, "'attributeValue'"),
    ({"thing": {"AttributePayload": {f"a{i}": "1" for i in range(4)}}}, {}, "has 4 attributes"),
    ({"policies": {"p": {"PolicyName": "nothing"}}}, {}, "Policy not found: nothing"),
    ({"policies": {"p": {"PolicyDocument": POLICY}, "q": {"PolicyName": {"Ref": "Name"}}}}, {}, "Policy not found: a"),
    ({"certificate": {"CertificateId": "0" * 64}}, {}, "does not exist"),
    ({"certificate": {"CertificateId": "x"}}, {}, "'certificateId'"),
    ({"certificate": {"CertificatePem": "x"}}, {}, "not an X.509 certificate"),
]


@pytest.mark.parametrize(("made_of", "values", "reason"), FAILING)
async def test_what_cannot_be_made_leaves_nothing(
    stocked: Registry, csr: str, made_of: dict[str, Any], values: dict[str, str], reason: str
) -> None:
    with pytest.raises(ResourceRegistrationFailure) as told:
        await stocked.provisioner.provision(template(**made_of), {"Name": "a", "CSR": csr, **values})
    assert reason in str(told.value)
    await assert_nothing(stocked)


async def test_a_certificate_takes_no_eleventh_policy(registry: Registry, enrol: Enrol) -> None:
    certificate = await enrol()
    for i in range(10):
        await registry.policies.create(f"p{i}", POLICY)
        await registry.policy_attachments.attach(f"p{i}", registry.certificates.arn(certificate.id))
    with pytest.raises(ResourceRegistrationFailure, match="maximum number of policies"):
        await registry.provisioner.provision(
            template(certificate={"CertificateId": {"Ref": "Id"}}), {"Name": "a", "Id": certificate.id}
        )
    assert (await registry.things.page(Paging())).items == []


# --- kills and races


class FailingDocuments(MemoryDocuments):
    """The next commit fails: before anything is written, or after all of it was."""

    failing = ""

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        if self.failing == "before":
            raise StorageError("the disk is full")
        versions = await super().commit(*changes)
        if self.failing == "after":
            raise StorageError("the answer is lost")
        return versions


@pytest.mark.parametrize("failing", ["before", "after"])
async def test_a_commit_that_fails_leaves_all_or_nothing_and_a_retry_completes(
    arns: Arns, clock: FakeClock, own_ca: OwnCa, published: Published, enrol: Enrol, csr: str, failing: str
) -> None:
    documents = FailingDocuments()
    registry = await stock(Registry(documents, arns, clock, own_ca.devices, published))
    certificate = await registry.certificates.create_from_request(csr, pending=True)
    by_id, values = (
        template(thing=WHOLE, certificate={"CertificateId": {"Ref": "Id"}}),
        {"Name": "a", "Id": certificate.id},
    )
    documents.failing = failing
    with pytest.raises(StorageError):
        await registry.provisioner.provision(by_id, values)
    documents.failing = ""
    status = (await registry.certificates.describe(certificate.id)).status
    things = len((await registry.things.page(Paging())).items)
    assert (status, things) == ((PENDING, 0) if failing == "before" else (ACTIVE, 1))
    await registry.provisioner.provision(by_id, values)
    assert (await registry.certificates.describe(certificate.id)).status is ACTIVE
    assert (await registry.things.describe("a")).version == 1
    assert await groups_of(registry, "a") == ["attic", "hall"]


async def test_the_same_thing_at_once_is_as_one_after_the_other(slow_registry: Registry, csr: str) -> None:
    registry = await stock(slow_registry)
    whole = template(thing=WHOLE)
    made = await asyncio.gather(
        *(registry.provisioner.provision(whole, {"Name": "a", "CSR": csr}) for _ in range(5)),
    )
    attached = (await registry.thing_principals.of_thing("a", Paging())).items
    assert {one.certificate for one in attached} == {one.certificate_id for one in made}
    assert len({one.certificate_id for one in made}) == 5 == len((await registry.certificates.page(Paging())).items)
    assert len((await registry.policies.page(Paging())).items) == 1
    assert (await registry.things.describe("a")).version == 1


async def test_different_things_of_one_name_at_once(slow_registry: Registry, csr: str) -> None:
    """One of them comes first; the others are refused whole."""
    registry = slow_registry
    told = await asyncio.gather(
        *(
            registry.provisioner.provision(
                template(thing={"AttributePayload": {"n": str(i)}}, policies={}), {"Name": "a", "CSR": csr}
            )
            for i in range(5)
        ),
        return_exceptions=True,
    )
    [made] = [one for one in told if isinstance(one, Provisioned)]
    assert sum(isinstance(one, ResourceConflicts) for one in told) == 4
    assert [one.id for one in (await registry.certificates.page(Paging())).items] == [made.certificate_id]


async def test_deleting_meanwhile_leaves_all_or_nothing(slow_registry: Registry, csr: str) -> None:
    registry = await stock(slow_registry)
    await registry.policies.create("p", POLICY)

    async def delete() -> None:
        for deletion in (registry.policies.delete("p"), registry.thing_groups.delete("hall")):
            try:
                await deletion
            except ServiceError:
                pass

    provisioning = registry.provisioner.provision(
        template(thing=WHOLE, policies={"p": {"PolicyName": "p"}}), {"Name": "a", "CSR": csr}
    )
    made, _ = await asyncio.gather(provisioning, delete(), return_exceptions=True)
    if isinstance(made, Provisioned):
        arn = registry.certificates.arn(made.certificate_id or "")
        assert (await registry.policy_attachments.of_target(arn, Paging())).items == ["p"]
        await registry.policies.describe("p")  # cannot have gone
    else:
        assert isinstance(made, ResourceRegistrationFailure)
        assert (await registry.things.page(Paging())).items == []
        assert (await registry.certificates.page(Paging())).items == []


async def test_what_goes_along_is_its_caller_s_to_expect(
    registry: Registry, documents: MemoryDocuments, csr: str
) -> None:
    await documents.commit(Put("test", "used", b""))
    rounds: list[Provisioned] = []

    def along(made: Provisioned) -> list[Put]:
        rounds.append(made)
        return [Put("test", "used", b"", 0)]

    with pytest.raises(ConflictingResourceUpdate):
        await registry.provisioner.provision(template(), {"Name": "a", "CSR": csr}, along=along)
    assert len(rounds) == 1
    await assert_nothing(registry)


async def test_rights_follow_at_once(registry: Registry, csr: str) -> None:
    """The caches hear of what is made and changed: a device is let in, and out, with the answer."""
    waiting = await registry.certificates.create_from_request(csr, pending=True)
    der = pki.der(x509.load_pem_x509_certificate(waiting.pem.encode()))
    assert not (await registry.principals.identify(der)).active
    heard: list[frozenset[str]] = []

    async def listen(identities: frozenset[str]) -> None:
        heard.append(identities)

    registry.principals.watch(listen)
    by_id = template(certificate={"CertificateId": {"Ref": "Id"}})
    await registry.provisioner.provision(by_id, {"Name": "a", "Id": waiting.id})
    identity = await registry.principals.identify(der)
    assert identity.active
    assert waiting.id in frozenset().union(*heard)
    grant = await registry.principals.grant(identity, "a")
    assert len(grant.policies) == 1
    assert grant.thing is not None
    assert grant.thing.attached
