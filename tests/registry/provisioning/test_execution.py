"""What override settings make of things and certificates that are there, by tables, and what roles are asked for.

The quotations are of the developer guide, provision-template, "Override settings".
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.registry import pki
from tests.registry.provisioning.devices import WHOLE, assert_nothing, groups_of, stock, template
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.errors import Forbidden, ServiceError
from fogbank.registry.errors import ResourceConflicts, ResourceRegistrationFailure
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.records import CaCertificate, Certificate, CertificateStatus, Membership
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock

Enrol = Callable[[], Awaitable[Certificate]]
ACTIVE, INACTIVE, REVOKED = CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.REVOKED
PENDING = CertificateStatus.PENDING_ACTIVATION


@pytest.fixture
async def stocked(registry: Registry) -> Registry:
    """With types and groups that templates name."""
    return await stock(registry)


# --- the certificate


async def test_a_certificate_that_is_there(registry: Registry, enrol: Enrol) -> None:
    certificate = await enrol()
    by_id = template(certificate={"CertificateId": {"Ref": "Id"}, "ThingPrincipalType": "EXCLUSIVE_THING"})
    made = await registry.provisioner.provision(by_id, {"Name": "a", "Id": certificate.id})
    assert (made.certificate_id, made.certificate_pem) == (certificate.id, certificate.pem)
    [attached] = (await registry.thing_principals.of_thing("a", Paging())).items
    assert attached.exclusive
    with pytest.raises(ResourceRegistrationFailure, match="is attached to thing a exclusively"):
        await registry.provisioner.provision(by_id, {"Name": "b", "Id": certificate.id})


@pytest.mark.parametrize("named", [False, True])
async def test_a_certificate_of_a_registered_ca(
    registry: Registry, register_ca: Callable[..., Awaitable[CaCertificate]], named: bool
) -> None:
    ca = pki.Authority()
    authority = await register_ca(ca)
    issued = ca.issue()
    properties = {"CertificatePem": {"Ref": "Pem"}, **({"CACertificatePem": {"Ref": "Ca"}} if named else {})}
    by_pem, values = template(certificate=properties), {"Name": "a", "Pem": pki.pem(issued), "Ca": ca.pem}
    made = await registry.provisioner.provision(by_pem, values)
    certificate = await registry.certificates.describe(made.certificate_id or "")
    assert (certificate.ca, certificate.status) == (authority.id, ACTIVE)
    assert (await registry.provisioner.provision(by_pem, values)).certificate_id == certificate.id  # once more


async def test_a_certificate_of_a_stranger_makes_nothing(registry: Registry) -> None:
    values = {"Name": "a", "Pem": pki.pem(pki.Authority().issue())}
    with pytest.raises(ResourceRegistrationFailure, match="No registered CA certificate"):
        await registry.provisioner.provision(template(certificate={"CertificatePem": {"Ref": "Pem"}}), values)
    await assert_nothing(registry)


@pytest.mark.parametrize(
    ("before", "wanted", "setting", "after"),
    [
        (ACTIVE, "ACTIVE", None, ACTIVE),
        (INACTIVE, "ACTIVE", None, ACTIVE),
        (ACTIVE, "INACTIVE", None, INACTIVE),
        (INACTIVE, "ACTIVE", "DO_NOTHING", INACTIVE),
        (INACTIVE, "ACTIVE", "REPLACE", ACTIVE),
        (ACTIVE, "INACTIVE", "REPLACE", INACTIVE),
        (ACTIVE, "ACTIVE", "FAIL", ResourceConflicts),
        # one that waits to be provisioned is not there yet (jit-provisioning: DO_NOTHING, and it becomes ACTIVE)
        (PENDING, "ACTIVE", None, ACTIVE),
        (PENDING, "ACTIVE", "DO_NOTHING", ACTIVE),
        (PENDING, "INACTIVE", "FAIL", INACTIVE),
        # "once a certificate is revoked, its status can't be changed"
        (REVOKED, "ACTIVE", "REPLACE", ResourceRegistrationFailure),
        (REVOKED, "ACTIVE", "DO_NOTHING", ResourceRegistrationFailure),
    ],
)
async def test_the_status_of_a_certificate_that_is_there(
    registry: Registry,
    csr: str,
    before: CertificateStatus,
    wanted: str,
    setting: str | None,
    after: CertificateStatus | type[ServiceError],
) -> None:
    certificate = await registry.certificates.create_from_request(csr, pending=before is PENDING)
    if before is not PENDING:
        await registry.certificates.update(certificate.id, before)
    by_id = template(certificate={"CertificateId": {"Ref": "Id"}, "Status": wanted}, status=setting)
    provisioning = registry.provisioner.provision(by_id, {"Name": "a", "Id": certificate.id})
    if isinstance(after, CertificateStatus):
        await provisioning
        assert (await registry.certificates.describe(certificate.id)).status is after
    else:
        with pytest.raises(after):
            await provisioning
        assert (await registry.certificates.describe(certificate.id)).status is before
        assert (await registry.things.page(Paging())).items == []


# --- a thing that is there


BEFORE: dict[str, Any] = {"type_name": "bulb", "attributes": {"a": "1", "b": "2"}, "billing_group": "payer"}

OVERRIDES: list[tuple[dict[str, Any], dict[str, str], dict[str, Any] | type[ServiceError]]] = [
    ({}, {}, {}),
    # nothing is said, and nothing differs
    ({"AttributePayload": {"b": "2", "a": "1"}, "ThingTypeName": "bulb", "ThingGroups": ["hall"]}, {}, {}),
    ({"BillingGroup": "payer"}, {}, {}),
    # nothing is said, and something does
    ({"AttributePayload": {"a": "1"}}, {}, ResourceConflicts),
    ({"AttributePayload": {"a": "1", "b": "2", "c": "3"}}, {}, ResourceConflicts),
    ({"ThingTypeName": "lamp"}, {}, ResourceConflicts),
    ({"ThingGroups": ["hall", "cellar"]}, {}, ResourceConflicts),
    ({"BillingGroup": "other"}, {}, ResourceConflicts),
    # "DO_NOTHING: leave the resource as is"
    ({"AttributePayload": {"c": "3"}}, {"AttributePayload": "DO_NOTHING"}, {}),
    ({"ThingTypeName": "lamp"}, {"ThingTypeName": "DO_NOTHING"}, {}),
    ({"ThingGroups": ["cellar"]}, {"ThingGroups": "DO_NOTHING"}, {}),
    # "REPLACE the resource with the resource specified in the template"
    ({"AttributePayload": {"c": "3"}}, {"AttributePayload": "REPLACE"}, {"attributes": {"c": "3"}}),
    ({"ThingTypeName": "lamp"}, {"ThingTypeName": "REPLACE"}, {"type": "lamp"}),
    ({"ThingGroups": ["cellar", "attic"]}, {"ThingGroups": "REPLACE"}, {"groups": ["attic", "cellar"]}),
    ({"ThingGroups": []}, {"ThingGroups": "REPLACE"}, {"groups": []}),
    # "MERGE the existing attributes or group memberships of the thing with those specified in the template"
    ({"AttributePayload": {"b": "3", "c": "4"}}, {"AttributePayload": "MERGE"},
     {"attributes": {"a": "1", "b": "3", "c": "4"}}),
    ({"ThingGroups": ["cellar", "hall"]}, {"ThingGroups": "MERGE"}, {"groups": ["cellar", "hall"]}),
    # "FAIL: cause the request to fail with a ResourceConflictsException"
    ({"AttributePayload": {"a": "1", "b": "2"}}, {"AttributePayload": "FAIL"}, ResourceConflicts),
    ({"ThingTypeName": "bulb"}, {"ThingTypeName": "FAIL"}, ResourceConflicts),
    ({"ThingGroups": ["hall"]}, {"ThingGroups": "FAIL"}, ResourceConflicts),
    ({}, {"ThingGroups": "FAIL"}, {}),
    # the first thing that fails undoes all before it
    ({"AttributePayload": {"c": "3"}, "ThingTypeName": "lamp"}, {"AttributePayload": "REPLACE"}, ResourceConflicts),
    ({"AttributePayload": {"c": "3"}, "ThingGroups": ["nowhere"]},
     {"AttributePayload": "REPLACE", "ThingGroups": "MERGE"}, ResourceRegistrationFailure),
]  # fmt: skip


@pytest.mark.parametrize(("properties", "overrides", "outcome"), OVERRIDES)
async def test_a_thing_that_is_there(
    stocked: Registry,
    csr: str,
    properties: dict[str, Any],
    overrides: dict[str, str],
    outcome: dict[str, Any] | type[ServiceError],
) -> None:
    before = await stocked.things.create("lamp-1", **BEFORE)
    await stocked.group_members.update("lamp-1", join=["hall"])
    provisioning = stocked.provisioner.provision(
        template(thing=properties, overrides=overrides), {"Name": "lamp-1", "CSR": csr}
    )
    expected = outcome if isinstance(outcome, dict) else {}
    if isinstance(outcome, dict):
        await provisioning
    else:
        with pytest.raises(outcome):
            await provisioning
        assert (await stocked.certificates.page(Paging())).items == []
        assert (await stocked.policies.page(Paging())).items == []
    thing = await stocked.things.describe("lamp-1")
    assert thing.attributes == expected.get("attributes", {"a": "1", "b": "2"})
    assert thing.type_name == expected.get("type", "bulb")
    assert await groups_of(stocked, "lamp-1") == expected.get("groups", ["hall"])
    assert thing.version == (2 if {"attributes", "type"} & {*expected} else 1)
    assert (thing.id, await stocked.billing_members.group_of("lamp-1")) == (before.id, "payer")


async def test_replacing_groups_leaves_those_that_a_query_has_found(stocked: Registry, csr: str) -> None:
    await stocked.things.create("a")
    await stocked.group_members.update("a", join=["hall"])
    found = Membership(thing="a", path=("bright",), created=0, dynamic=True)
    await stocked.records.memberships.put(found.key, found)
    replacing = template(thing={"ThingGroups": ["attic"]}, overrides={"ThingGroups": "REPLACE"})
    await stocked.provisioner.provision(replacing, {"Name": "a", "CSR": csr})
    assert await groups_of(stocked, "a") == ["attic", "bright"]


async def test_a_thing_without_a_billing_group_joins_one(stocked: Registry, csr: str) -> None:
    await stocked.things.create("a")
    await stocked.provisioner.provision(template(thing={"BillingGroup": "payer"}), {"Name": "a", "CSR": csr})
    assert await stocked.billing_members.group_of("a") == "payer"


class Roles:
    """Port RoleRights: a role that may do anything but `forbidden`."""

    def __init__(self, forbidden: str = "") -> None:
        self.forbidden = forbidden
        self.asked: list[tuple[str, str, str | None]] = []

    async def check(self, role_arn: str, action: str, resource: str, *, source: str | None = None) -> None:
        assert role_arn == "role"
        self.asked.append((action, resource, source))
        if action == self.forbidden:
            raise Forbidden(f"not {action}")


ACTIONS = ["CreateCertificateFromCsr", "CreatePolicy", "AttachPolicy", "CreateThing", "AddThingToThingGroup"]


@pytest.mark.parametrize("forbidden", ["", *ACTIONS, "AttachThingPrincipal"])
async def test_a_role_must_be_allowed_all_of_it(
    documents: MemoryDocuments,
    arns: Arns,
    clock: FakeClock,
    own_ca: OwnCa,
    published: Published,
    csr: str,
    forbidden: str,
) -> None:
    roles = Roles(f"iot:{forbidden}")
    registry = await stock(Registry(documents, arns, clock, own_ca.devices, published, roles=roles))
    values = {"Name": "a", "CSR": csr}
    provisioning = registry.provisioner.provision(template(thing=WHOLE), values, role_arn="role", source="template")
    if forbidden:
        with pytest.raises(Forbidden, match=forbidden):
            await provisioning
        await assert_nothing(registry)
        await registry.provisioner.provision(template(thing=WHOLE), values)  # without a role
        return
    made = await provisioning
    arn, thing = made.resource_arns["certificate"], made.resource_arns["thing"]
    assert roles.asked == [
        ("iot:CreateCertificateFromCsr", "*", "template"),
        ("iot:CreatePolicy", made.resource_arns["policy"], "template"),
        ("iot:AttachPolicy", arn, "template"),
        ("iot:CreateThing", thing, "template"),
        ("iot:CreateThing", arns.iot("billinggroup", "payer"), "template"),
        ("iot:AddThingToThingGroup", thing, "template"),
        ("iot:AddThingToThingGroup", arns.iot("thinggroup", "hall"), "template"),
        ("iot:AddThingToThingGroup", thing, "template"),
        ("iot:AddThingToThingGroup", arns.iot("thinggroup", "attic"), "template"),
        ("iot:AttachThingPrincipal", arn, "template"),
    ]
