"""The registry's operations, held against botocore's model: parameters, answers and errors must be those it knows."""

from pathlib import Path
from typing import Any

import pytest
from botocore.model import ServiceModel
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.gateway.modelled import Iot, iot_model
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.gateway.call import Members
from fogbank.gateway.iot_authorization import IotAuthorizationApi
from fogbank.gateway.iot_billing_groups import IotBillingGroupsApi
from fogbank.gateway.iot_certificates import IotCertificatesApi
from fogbank.gateway.iot_endpoint import Endpoint, IotEndpointApi
from fogbank.gateway.iot_events import IotEventsApi
from fogbank.gateway.iot_policies import IotPoliciesApi
from fogbank.gateway.iot_tags import IotTagsApi
from fogbank.gateway.iot_thing_groups import IotThingGroupsApi
from fogbank.gateway.iot_thing_types import IotThingTypesApi
from fogbank.gateway.iot_things import IotThingsApi
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock

POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'
NOW = 1_700_000_000.0
NOBODY = "0" * 64
ARN = "arn:aws:iot:eu-west-1:123456789012:"


@pytest.fixture(scope="session")
def model() -> ServiceModel:
    return iot_model()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def iot(model: ServiceModel, clock: FakeClock, tmp_path: Path) -> Iot:
    arns = Arns("eu-west-1", "123456789012")
    registry = Registry(MemoryDocuments(), arns, clock, OwnCa(tmp_path / "ca", clock).devices, Published())
    apis: list[object] = [
        IotThingsApi(registry),
        IotThingTypesApi(registry),
        IotCertificatesApi(registry),
        IotPoliciesApi(registry),
        IotThingGroupsApi(registry),
        IotBillingGroupsApi(registry),
        IotTagsApi(registry),
        IotEventsApi(registry),
        IotAuthorizationApi(registry),
        IotEndpointApi(lambda: Endpoint("broker.example", 8883, 8443)),
    ]
    return Iot(apis, model)


@pytest.fixture
async def certificate(iot: Iot) -> Members:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    pem = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM
    )
    return await iot.call("CreateCertificateFromCsr", certificateSigningRequest=pem.decode(), setAsActive=True)


async def test_things(iot: Iot) -> None:
    await iot.call("CreateThingType", thingTypeName="light")
    payload = {"attributes": {"colour": "red"}}
    made = await iot.call("CreateThing", thingName="lamp", thingTypeName="light", attributePayload=payload)
    arn = "arn:aws:iot:eu-west-1:123456789012:thing/lamp"
    assert (made["thingName"], made["thingArn"]) == ("lamp", arn)
    summary = {
        "thingName": "lamp",
        "thingTypeName": "light",
        "thingArn": arn,
        "attributes": {"colour": "red"},
        "version": 1,
    }
    described = await iot.call("DescribeThing", thingName="lamp")
    assert described == {**summary, "defaultClientId": "lamp", "thingId": made["thingId"]}
    filters = {"attributeName": "colour", "attributeValue": "r", "usePrefixAttributeValue": True}
    assert await iot.call("ListThings", **filters, thingTypeName="light") == {"things": [summary]}
    more = {"attributes": {"watts": "5", "colour": ""}, "merge": True}
    await iot.call("UpdateThing", thingName="lamp", attributePayload=more, removeThingType=True, expectedVersion=1)
    described = await iot.call("DescribeThing", thingName="lamp")
    assert (described["attributes"], described["version"]) == ({"watts": "5"}, 2)
    assert "thingTypeName" not in described
    assert await iot.call("DeleteThing", thingName="lamp", expectedVersion=2) == {}


async def test_an_update_without_attributes_leaves_them(iot: Iot) -> None:
    await iot.call("CreateThing", thingName="lamp", attributePayload={"attributes": {"a": "1"}})
    await iot.call("UpdateThing", thingName="lamp", attributePayload={"merge": False})
    assert (await iot.call("DescribeThing", thingName="lamp"))["attributes"] == {"a": "1"}
    await iot.call("UpdateThing", thingName="lamp", attributePayload={"attributes": {}})
    assert (await iot.call("DescribeThing", thingName="lamp"))["attributes"] == {}


async def test_things_are_paged(iot: Iot) -> None:
    for name in ("a", "b", "c"):
        await iot.call("CreateThing", thingName=name)
    first = await iot.call("ListThings", maxResults=2)
    second = await iot.call("ListThings", maxResults=2, nextToken=first["nextToken"])
    assert [one["thingName"] for one in first["things"] + second["things"]] == ["a", "b", "c"]
    assert "nextToken" not in second


async def test_principals_of_things(iot: Iot, certificate: Members) -> None:
    arn = certificate["certificateArn"]
    await iot.call("CreateThing", thingName="lamp")
    await iot.call("AttachThingPrincipal", thingName="lamp", principal=arn, thingPrincipalType="EXCLUSIVE_THING")
    assert await iot.call("ListThingPrincipals", thingName="lamp") == {"principals": [arn]}
    assert await iot.call("ListPrincipalThings", principal=arn) == {"things": ["lamp"]}
    type_ = {"thingPrincipalType": "EXCLUSIVE_THING"}
    assert await iot.call("ListThingPrincipalsV2", thingName="lamp", **type_) == {
        "thingPrincipalObjects": [{"principal": arn, **type_}]
    }
    assert await iot.call("ListPrincipalThingsV2", principal=arn) == {
        "principalThingObjects": [{"thingName": "lamp", **type_}]
    }
    other = {"thingPrincipalType": "NON_EXCLUSIVE_THING"}
    assert await iot.call("ListPrincipalThingsV2", principal=arn, **other) == {"principalThingObjects": []}
    await iot.call("DetachThingPrincipal", thingName="lamp", principal=arn)
    assert await iot.call("ListThingPrincipals", thingName="lamp") == {"principals": []}


async def test_thing_types(iot: Iot, clock: FakeClock) -> None:
    properties = {"thingTypeDescription": "shines", "searchableAttributes": ["colour"]}
    made = await iot.call("CreateThingType", thingTypeName="light", thingTypeProperties=properties, tags=[])
    summary = {
        "thingTypeName": "light",
        "thingTypeArn": "arn:aws:iot:eu-west-1:123456789012:thingtype/light",
        "thingTypeProperties": properties,
        "thingTypeMetadata": {"deprecated": False, "creationDate": NOW},
    }
    described = await iot.call("DescribeThingType", thingTypeName="light")
    assert described == {**summary, "thingTypeId": made["thingTypeId"]}
    assert await iot.call("ListThingTypes", thingTypeName="light") == {"thingTypes": [summary]}
    await iot.call("UpdateThingType", thingTypeName="light", thingTypeProperties={"thingTypeDescription": "glows"})
    await iot.call("DeprecateThingType", thingTypeName="light")
    metadata = (await iot.call("DescribeThingType", thingTypeName="light"))["thingTypeMetadata"]
    assert metadata == {"deprecated": True, "deprecationDate": NOW, "creationDate": NOW}
    await iot.call("DeprecateThingType", thingTypeName="light", undoDeprecate=True)
    await iot.call("DeprecateThingType", thingTypeName="light")
    await clock.advance(300)
    assert await iot.call("DeleteThingType", thingTypeName="light") == {}


async def test_certificates(iot: Iot) -> None:
    made = await iot.call("CreateKeysAndCertificate")
    id_ = made["certificateId"]
    assert made["certificateArn"] == f"arn:aws:iot:eu-west-1:123456789012:cert/{id_}"
    assert made["keyPair"]["PrivateKey"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    described = (await iot.call("DescribeCertificate", certificateId=id_))["certificateDescription"]
    certificate = x509.load_pem_x509_certificate(made["certificatePem"].encode())
    assert described.pop("generationId")
    assert described == {
        "certificateArn": made["certificateArn"],
        "certificateId": id_,
        "status": "INACTIVE",
        "certificatePem": made["certificatePem"],
        "certificateMode": "DEFAULT",
        "ownedBy": "123456789012",
        "creationDate": NOW,
        "lastModifiedDate": NOW,
        "customerVersion": 1,
        "transferData": {},
        "validity": {
            "notBefore": certificate.not_valid_before_utc.timestamp(),
            "notAfter": certificate.not_valid_after_utc.timestamp(),
        },
    }
    await iot.call("UpdateCertificate", certificateId=id_, newStatus="ACTIVE")
    [listed] = (await iot.call("ListCertificates", pageSize=1, ascendingOrder=True))["certificates"]
    assert (listed["certificateId"], listed["status"], listed["creationDate"]) == (id_, "ACTIVE", NOW)
    await iot.call("UpdateCertificate", certificateId=id_, newStatus="REVOKED")
    assert await iot.call("DeleteCertificate", certificateId=id_, forceDelete=True) == {}
    assert await iot.call("ListCertificates") == {"certificates": []}


async def test_policies_and_their_versions(iot: Iot) -> None:
    made = await iot.call("CreatePolicy", policyName="p", policyDocument=POLICY)
    arn = "arn:aws:iot:eu-west-1:123456789012:policy/p"
    assert made == {"policyName": "p", "policyArn": arn, "policyDocument": POLICY, "policyVersionId": "1"}
    other = POLICY.replace("iot:*", "iot:Connect")
    version = await iot.call("CreatePolicyVersion", policyName="p", policyDocument=other)
    assert version == {
        "policyArn": arn,
        "policyDocument": other,
        "policyVersionId": "2",
        "isDefaultVersion": False,
    }
    got = await iot.call("GetPolicy", policyName="p")
    assert (got["policyDocument"], got["defaultVersionId"], got["creationDate"]) == (POLICY, "1", NOW)
    await iot.call("SetDefaultPolicyVersion", policyName="p", policyVersionId="2")
    got = await iot.call("GetPolicyVersion", policyName="p", policyVersionId="2")
    assert (got["policyDocument"], got["isDefaultVersion"], got["policyName"]) == (other, True, "p")
    assert await iot.call("ListPolicyVersions", policyName="p") == {
        "policyVersions": [
            {"versionId": "2", "isDefaultVersion": True, "createDate": NOW},
            {"versionId": "1", "isDefaultVersion": False, "createDate": NOW},
        ]
    }
    await iot.call("DeletePolicyVersion", policyName="p", policyVersionId="1")
    assert await iot.call("ListPolicies", ascendingOrder=True) == {"policies": [{"policyName": "p", "policyArn": arn}]}
    assert await iot.call("DeletePolicy", policyName="p") == {}


@pytest.mark.parametrize(
    ("attach", "detach", "of_target", "targets", "target"),
    [
        ("AttachPolicy", "DetachPolicy", "ListAttachedPolicies", "ListTargetsForPolicy", "target"),
        (
            "AttachPrincipalPolicy",
            "DetachPrincipalPolicy",
            "ListPrincipalPolicies",
            "ListPolicyPrincipals",
            "principal",
        ),
    ],
)
async def test_targets_of_policies(
    iot: Iot, certificate: Members, attach: str, detach: str, of_target: str, targets: str, target: str
) -> None:
    """The newer calls, and the older ones that say principal."""
    whom = {target: certificate["certificateArn"]}
    made = await iot.call("CreatePolicy", policyName="p", policyDocument=POLICY)
    await iot.call(attach, policyName="p", **whom)
    reference = {"policyName": "p", "policyArn": made["policyArn"]}
    assert await iot.call(of_target, **whom) == {"policies": [reference]}
    assert await iot.call(targets, policyName="p") == {f"{target}s": [certificate["certificateArn"]]}
    await iot.call(detach, policyName="p", **whom)
    assert await iot.call(of_target, **whom) == {"policies": []}


async def test_thing_groups(iot: Iot) -> None:
    properties = {"thingGroupDescription": "ours", "attributePayload": {"attributes": {"street": "1"}}}
    made = await iot.call("CreateThingGroup", thingGroupName="house", thingGroupProperties=properties, tags=[])
    arn = "arn:aws:iot:eu-west-1:123456789012:thinggroup/house"
    assert (made["thingGroupName"], made["thingGroupArn"]) == ("house", arn)
    await iot.call("CreateThingGroup", thingGroupName="bath", parentGroupName="house")
    house, bath = {"groupName": "house", "groupArn": arn}, {"groupName": "bath", "groupArn": arn[:-5] + "bath"}
    assert await iot.call("DescribeThingGroup", thingGroupName="house") == {
        **made,
        "version": 1,
        "thingGroupProperties": properties,
        "thingGroupMetadata": {"creationDate": NOW},
    }
    metadata = (await iot.call("DescribeThingGroup", thingGroupName="bath"))["thingGroupMetadata"]
    assert metadata == {"parentGroupName": "house", "rootToParentThingGroups": [house], "creationDate": NOW}
    more = {"attributePayload": {"attributes": {"floor": "2"}, "merge": True}}
    updated = await iot.call("UpdateThingGroup", thingGroupName="house", thingGroupProperties=more, expectedVersion=1)
    assert updated == {"version": 2}
    described = (await iot.call("DescribeThingGroup", thingGroupName="house"))["thingGroupProperties"]
    assert described == {
        "thingGroupDescription": "ours",
        "attributePayload": {"attributes": {"street": "1", "floor": "2"}},
    }
    assert await iot.call("ListThingGroups") == {"thingGroups": [bath, house]}
    assert await iot.call("ListThingGroups", recursive=False) == {"thingGroups": [house]}
    assert await iot.call("ListThingGroups", parentGroup="house", namePrefixFilter="b") == {"thingGroups": [bath]}
    assert await iot.call("DeleteThingGroup", thingGroupName="bath", expectedVersion=1) == {}
    assert await iot.call("ListThingGroups", maxResults=1) == {"thingGroups": [house]}


async def test_things_in_groups(iot: Iot) -> None:
    for name, parent in (("house", {}), ("bath", {"parentGroupName": "house"}), ("garden", {})):
        made = await iot.call("CreateThingGroup", thingGroupName=name, **parent)
    thing = await iot.call("CreateThing", thingName="lamp")
    by_arn = {"thingGroupArn": made["thingGroupArn"], "thingArn": thing["thingArn"]}
    await iot.call("AddThingToThingGroup", **by_arn, overrideDynamicGroups=True)
    await iot.call("AddThingToThingGroup", thingGroupName="bath", thingName="lamp")
    listed = await iot.call("ListThingGroupsForThing", thingName="lamp")
    assert [one["groupName"] for one in listed["thingGroups"]] == ["bath", "garden"]
    assert listed["thingGroups"][1]["groupArn"] == made["thingGroupArn"]
    assert await iot.call("ListThingsInThingGroup", thingGroupName="house") == {"things": []}
    assert await iot.call("ListThingsInThingGroup", thingGroupName="house", recursive=True) == {"things": ["lamp"]}
    await iot.call("RemoveThingFromThingGroup", **by_arn)
    await iot.call("RemoveThingFromThingGroup", thingGroupName="garden", thingName="lamp")
    await iot.call(
        "UpdateThingGroupsForThing",
        thingName="lamp",
        thingGroupsToAdd=["garden", "house"],
        thingGroupsToRemove=["bath"],
    )
    listed = await iot.call("ListThingGroupsForThing", thingName="lamp", maxResults=1)
    assert [one["groupName"] for one in listed["thingGroups"]] == ["garden"]
    assert "nextToken" in listed


async def test_policies_of_groups_and_what_is_in_effect(iot: Iot, certificate: Members) -> None:
    principal = certificate["certificateArn"]
    await iot.call("CreateThing", thingName="lamp")
    await iot.call("AttachThingPrincipal", thingName="lamp", principal=principal)
    house = (await iot.call("CreateThingGroup", thingGroupName="house"))["thingGroupArn"]
    bath = (await iot.call("CreateThingGroup", thingGroupName="bath", parentGroupName="house"))["thingGroupArn"]
    await iot.call("AddThingToThingGroup", thingGroupName="bath", thingName="lamp")
    deny = POLICY.replace("Allow", "Deny").replace("iot:*", "iot:Publish")
    references = {}
    for name, document, target in (("all", POLICY, principal), ("no", deny, house)):
        made = await iot.call("CreatePolicy", policyName=name, policyDocument=document)
        references[name] = {"policyName": name, "policyArn": made["policyArn"]}
        await iot.call("AttachPolicy", policyName=name, target=target)
    assert await iot.call("ListAttachedPolicies", target=bath) == {"policies": []}
    assert await iot.call("ListAttachedPolicies", target=bath, recursive=True) == {"policies": [references["no"]]}
    assert await iot.call("ListTargetsForPolicy", policyName="no") == {"targets": [house]}
    assert await iot.call("GetEffectivePolicies", principal=principal, thingName="lamp") == {
        "effectivePolicies": [
            {**references["all"], "policyDocument": POLICY},
            {**references["no"], "policyDocument": deny},
        ]
    }
    topic = {"resources": ["arn:aws:iot:eu-west-1:123456789012:topic/a"]}
    asked = [{"actionType": action, **topic} for action in ("PUBLISH", "RECEIVE")]

    async def test(**params: Any) -> list[Members]:
        results: list[Members] = (await iot.call("TestAuthorization", authInfos=asked, **params))["authResults"]
        assert [one["authInfo"] for one in results] == asked
        return results

    publish, receive = await test(principal=principal, clientId="lamp")
    assert publish == {
        "authInfo": asked[0],
        "allowed": {"policies": [references["all"]]},
        "denied": {"implicitDeny": {"policies": []}, "explicitDeny": {"policies": [references["no"]]}},
        "authDecision": "EXPLICIT_DENY",
        "missingContextValues": [],
    }
    assert receive["authDecision"] == "ALLOWED"
    assert receive["denied"]["implicitDeny"] == {"policies": [references["no"]]}
    assert [one["authDecision"] for one in await test(principal=principal)] == ["ALLOWED"] * 2
    skipping = await test(principal=principal, clientId="lamp", policyNamesToSkip=["all"])
    assert [one["authDecision"] for one in skipping] == ["EXPLICIT_DENY", "IMPLICIT_DENY"]
    assert [one["authDecision"] for one in await test(policyNamesToAdd=["all"])] == ["ALLOWED"] * 2


async def test_billing_groups(iot: Iot) -> None:
    properties = {"billingGroupDescription": "all of it"}
    made = await iot.call("CreateBillingGroup", billingGroupName="north", billingGroupProperties=properties)
    arn = f"{ARN}billinggroup/north"
    assert made == {"billingGroupName": "north", "billingGroupArn": arn, "billingGroupId": made["billingGroupId"]}
    described = await iot.call("DescribeBillingGroup", billingGroupName="north")
    assert described == {
        **made,
        "version": 1,
        "billingGroupProperties": properties,
        "billingGroupMetadata": {"creationDate": NOW},
    }
    more = {"billingGroupDescription": "most of it"}
    change = {"billingGroupName": "north", "billingGroupProperties": more}
    assert await iot.call("UpdateBillingGroup", **change, expectedVersion=1) == {"version": 2}
    assert await iot.refused("UpdateBillingGroup", **change, expectedVersion=1) == "VersionConflictException"
    await iot.call("CreateBillingGroup", billingGroupName="south")
    north, south = (
        {"groupName": "north", "groupArn": arn},
        {"groupName": "south", "groupArn": f"{ARN}billinggroup/south"},
    )
    assert await iot.call("ListBillingGroups") == {"billingGroups": [north, south]}
    assert await iot.call("ListBillingGroups", namePrefixFilter="n") == {"billingGroups": [north]}
    first = await iot.call("ListBillingGroups", maxResults=1)
    assert await iot.call("ListBillingGroups", nextToken=first["nextToken"]) == {"billingGroups": [south]}
    assert await iot.refused("DeleteBillingGroup", billingGroupName="north", expectedVersion=1) == (
        "VersionConflictException"
    )
    await iot.call("DeleteBillingGroup", billingGroupName="north", expectedVersion=2)
    assert await iot.refused("DescribeBillingGroup", billingGroupName="north") == "ResourceNotFoundException"
    assert await iot.call("DeleteBillingGroup", billingGroupName="north") == {}


async def test_things_in_billing_groups(iot: Iot) -> None:
    arns = {}
    for name in ("north", "south"):
        arns[name] = (await iot.call("CreateBillingGroup", billingGroupName=name))["billingGroupArn"]
    await iot.call("CreateThing", thingName="lamp", billingGroupName="north")
    fan = await iot.call("CreateThing", thingName="fan")
    assert (await iot.call("DescribeThing", thingName="lamp"))["billingGroupName"] == "north"
    assert "billingGroupName" not in await iot.call("DescribeThing", thingName="fan")
    await iot.call("AddThingToBillingGroup", billingGroupArn=arns["north"], thingArn=fan["thingArn"])
    listed = await iot.call("ListThingsInBillingGroup", billingGroupName="north", maxResults=1)
    assert listed["things"] == ["fan"]
    rest = await iot.call("ListThingsInBillingGroup", billingGroupName="north", nextToken=listed["nextToken"])
    assert rest == {"things": ["lamp"]}
    elsewhere = {"billingGroupName": "south", "thingName": "lamp"}
    assert await iot.refused("AddThingToBillingGroup", **elsewhere) == "InvalidRequestException"
    await iot.call("RemoveThingFromBillingGroup", billingGroupName="north", thingName="lamp")
    await iot.call("AddThingToBillingGroup", **elsewhere)
    assert (await iot.call("DescribeThing", thingName="lamp"))["billingGroupName"] == "south"
    await iot.call("DeleteThing", thingName="lamp")
    assert await iot.call("ListThingsInBillingGroup", billingGroupName="south") == {"things": []}


@pytest.mark.parametrize(
    "params",
    [
        {"thingName": "lamp"},
        {"billingGroupName": "north"},
        {"billingGroupName": "north", "thingName": "lamp", "thingArn": f"{ARN}thing/fan"},
        {"billingGroupArn": "arn:aws:iot:us-east-1:123456789012:billinggroup/north", "thingName": "lamp"},
    ],
)
async def test_who_joins_what_must_be_clear(iot: Iot, params: dict[str, str]) -> None:
    await iot.call("CreateBillingGroup", billingGroupName="north")
    await iot.call("CreateThing", thingName="lamp")
    for name in ("AddThingToBillingGroup", "RemoveThingFromBillingGroup"):
        assert await iot.refused(name, **params) == "InvalidRequestException"


async def test_tags(iot: Iot) -> None:
    tags = [{"Key": "team", "Value": "night"}]
    made = {
        "thinggroup": ("CreateThingGroup", {"thingGroupName": "x", "tags": tags}),
        "thingtype": ("CreateThingType", {"thingTypeName": "x", "tags": tags}),
        "billinggroup": ("CreateBillingGroup", {"billingGroupName": "x", "tags": tags}),
        "policy": ("CreatePolicy", {"policyName": "x", "policyDocument": POLICY, "tags": tags}),
    }
    for kind, (name, params) in made.items():
        await iot.call(name, **params)
        assert await iot.call("ListTagsForResource", resourceArn=f"{ARN}{kind}/x") == {"tags": tags}
    arn = f"{ARN}policy/x"
    await iot.call("TagResource", resourceArn=arn, tags=[{"Key": "a"}, {"Key": "team", "Value": "day"}])
    both = [{"Key": "a", "Value": ""}, {"Key": "team", "Value": "day"}]
    assert await iot.call("ListTagsForResource", resourceArn=arn) == {"tags": both}
    await iot.call("UntagResource", resourceArn=arn, tagKeys=["a"])
    assert await iot.call("ListTagsForResource", resourceArn=arn) == {"tags": both[1:]}
    many = [{"Key": str(number)} for number in range(50)]
    assert await iot.refused("TagResource", resourceArn=arn, tags=many) == "LimitExceededException"
    nothing = {"resourceArn": f"{ARN}policy/y"}
    assert await iot.refused("TagResource", **nothing, tags=tags) == "ResourceNotFoundException"
    assert await iot.refused("UntagResource", **nothing, tagKeys=["a"]) == "ResourceNotFoundException"
    assert await iot.refused("ListTagsForResource", **nothing) == "ResourceNotFoundException"
    assert await iot.refused("ListTagsForResource", resourceArn=arn, nextToken="x") == "InvalidRequestException"
    assert await iot.refused("UntagResource", resourceArn=arn, tagKeys=["aws:a"]) == "InvalidRequestException"


async def test_event_configurations(iot: Iot, model: ServiceModel) -> None:
    answer = await iot.call("DescribeEventConfigurations")
    known = model.shape_for("EventType").enum
    assert answer == {"eventConfigurations": {name: {"Enabled": name == "CA_CERTIFICATE"} for name in known}}
    await iot.call("UpdateEventConfigurations", eventConfigurations={"THING": {"Enabled": True}, "CA_CERTIFICATE": {}})
    answer = await iot.call("DescribeEventConfigurations")
    assert [name for name, one in answer["eventConfigurations"].items() if one["Enabled"]] == ["THING"]
    assert (answer["creationDate"], answer["lastModifiedDate"]) == (NOW, NOW)
    await iot.call("UpdateEventConfigurations")
    assert await iot.refused("UpdateEventConfigurations", eventConfigurations={"X": {}}) == "InvalidRequestException"


async def test_propagating_attributes(iot: Iot) -> None:
    propagating = [
        {"userPropertyKey": "c", "thingAttribute": "colour"},
        {"userPropertyKey": "i", "connectionAttribute": "iot:ClientId"},
    ]
    properties = {"mqtt5Configuration": {"propagatingAttributes": propagating}}
    await iot.call("CreateThingType", thingTypeName="light", thingTypeProperties=properties)
    described = await iot.call("DescribeThingType", thingTypeName="light")
    assert described["thingTypeProperties"] == {"searchableAttributes": [], **properties}
    [listed] = (await iot.call("ListThingTypes"))["thingTypes"]
    assert listed["thingTypeProperties"] == described["thingTypeProperties"]
    fewer = {"mqtt5Configuration": {"propagatingAttributes": propagating[:1]}}
    await iot.call("UpdateThingType", thingTypeName="light", thingTypeProperties=fewer)
    described = await iot.call("DescribeThingType", thingTypeName="light")
    assert described["thingTypeProperties"]["mqtt5Configuration"] == fewer["mqtt5Configuration"]
    neither = {"mqtt5Configuration": {"propagatingAttributes": [{"userPropertyKey": "c"}]}}
    refused = await iot.refused("CreateThingType", thingTypeName="heater", thingTypeProperties=neither)
    assert refused == "InvalidRequestException"


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [
        ("DescribeThing", {"thingName": "x"}, "ResourceNotFoundException"),
        ("CreateThing", {"thingName": "lamp", "thingTypeName": "x"}, "ResourceAlreadyExistsException"),
        ("CreateThing", {"thingName": "new", "thingTypeName": "x"}, "ResourceNotFoundException"),
        ("CreateThing", {"thingName": "a b"}, "InvalidRequestException"),
        ("UpdateThing", {"thingName": "x"}, "ResourceNotFoundException"),
        ("UpdateThing", {"thingName": "lamp", "expectedVersion": 7}, "VersionConflictException"),
        ("DeleteThing", {"thingName": "lamp", "expectedVersion": 7}, "VersionConflictException"),
        ("DeleteThing", {"thingName": "lamp"}, "InvalidRequestException"),
        ("ListThings", {"nextToken": "x"}, "InvalidRequestException"),
        ("AttachThingPrincipal", {"thingName": "lamp", "principal": "x"}, "InvalidRequestException"),
        ("DetachThingPrincipal", {"thingName": "x", "principal": "CERT"}, "ResourceNotFoundException"),
        ("ListThingPrincipals", {"thingName": "x"}, "ResourceNotFoundException"),
        ("CreateThingType", {"thingTypeName": "a b"}, "InvalidRequestException"),
        ("DescribeThingType", {"thingTypeName": "x"}, "ResourceNotFoundException"),
        ("UpdateThingType", {"thingTypeName": "x"}, "ResourceNotFoundException"),
        ("DeprecateThingType", {"thingTypeName": "x"}, "ResourceNotFoundException"),
        ("DeleteThingType", {"thingTypeName": "x"}, "ResourceNotFoundException"),
        ("CreateCertificateFromCsr", {"certificateSigningRequest": "x"}, "InvalidRequestException"),
        ("DescribeCertificate", {"certificateId": NOBODY}, "ResourceNotFoundException"),
        ("UpdateCertificate", {"certificateId": NOBODY, "newStatus": "ACTIVE"}, "ResourceNotFoundException"),
        ("UpdateCertificate", {"certificateId": "ID", "newStatus": "PENDING_TRANSFER"}, "InvalidRequestException"),
        ("DeleteCertificate", {"certificateId": NOBODY}, "ResourceNotFoundException"),
        ("DeleteCertificate", {"certificateId": "ID"}, "CertificateStateException"),
        ("CreatePolicy", {"policyName": "p", "policyDocument": POLICY}, "ResourceAlreadyExistsException"),
        ("CreatePolicy", {"policyName": "q", "policyDocument": "{}"}, "MalformedPolicyException"),
        ("GetPolicy", {"policyName": "x"}, "ResourceNotFoundException"),
        ("DeletePolicy", {"policyName": "p"}, "DeleteConflictException"),
        ("DeletePolicy", {"policyName": "x"}, "ResourceNotFoundException"),
        ("CreatePolicyVersion", {"policyName": "p", "policyDocument": "{"}, "MalformedPolicyException"),
        ("GetPolicyVersion", {"policyName": "p", "policyVersionId": "2"}, "ResourceNotFoundException"),
        ("SetDefaultPolicyVersion", {"policyName": "p", "policyVersionId": "2"}, "ResourceNotFoundException"),
        ("DeletePolicyVersion", {"policyName": "p", "policyVersionId": "1"}, "InvalidRequestException"),
        ("AttachPolicy", {"policyName": "x", "target": "CERT"}, "ResourceNotFoundException"),
        ("AttachPolicy", {"policyName": "p", "target": "x"}, "InvalidRequestException"),
        ("DetachPolicy", {"policyName": "p", "target": "x"}, "InvalidRequestException"),
        ("ListTargetsForPolicy", {"policyName": "x"}, "ResourceNotFoundException"),
        ("ListPolicies", {"marker": "AAAA"}, "InvalidRequestException"),
        ("DescribeEndpoint", {"endpointType": "iot:Nonsense"}, "InvalidRequestException"),
        ("CreateThingGroup", {"thingGroupName": "g", "parentGroupName": "x"}, "InvalidRequestException"),
        ("CreateThingGroup", {"thingGroupName": "house", "parentGroupName": "x"}, "ResourceAlreadyExistsException"),
        ("DescribeThingGroup", {"thingGroupName": "x"}, "ResourceNotFoundException"),
        (
            "UpdateThingGroup",
            {"thingGroupName": "house", "thingGroupProperties": {}, "expectedVersion": 7},
            "VersionConflictException",
        ),
        ("DeleteThingGroup", {"thingGroupName": "house"}, "InvalidRequestException"),
        ("ListThingGroups", {"parentGroup": "x"}, "ResourceNotFoundException"),
        ("ListThingGroupsForThing", {"thingName": "x"}, "ResourceNotFoundException"),
        ("ListThingsInThingGroup", {"thingGroupName": "x"}, "ResourceNotFoundException"),
        ("AddThingToThingGroup", {"thingName": "lamp"}, "InvalidRequestException"),
        ("AddThingToThingGroup", {"thingGroupName": "house"}, "InvalidRequestException"),
        ("AddThingToThingGroup", {"thingName": "lamp", "thingGroupName": "x"}, "ResourceNotFoundException"),
        ("AddThingToThingGroup", {"thingName": "lamp", "thingGroupArn": "x"}, "InvalidRequestException"),
        (
            "RemoveThingFromThingGroup",
            {"thingGroupName": "house", "thingName": "lamp", "thingArn": f"{ARN}thing/fan"},
            "InvalidRequestException",
        ),
        ("UpdateThingGroupsForThing", {"thingGroupsToAdd": ["house"]}, "InvalidRequestException"),
        ("AttachPolicy", {"policyName": "p", "target": f"{ARN}thinggroup/x"}, "ResourceNotFoundException"),
        ("GetEffectivePolicies", {}, "InvalidRequestException"),
        ("GetEffectivePolicies", {"thingName": "x"}, "ResourceNotFoundException"),
        (
            "TestAuthorization",
            {"authInfos": [{"resources": ["*"]}], "policyNamesToAdd": ["x"]},
            "ResourceNotFoundException",
        ),
        ("TestAuthorization", {"authInfos": [{"resources": ["*"]}], "principal": "x"}, "InvalidRequestException"),
        # what AWS has and Fogbank has not, by name
        ("ListPrincipalPolicies", {"principal": "CERT", "ascendingOrder": True}, "NotImplementedException"),
        ("ListPolicyPrincipals", {"policyName": "p", "ascendingOrder": True}, "NotImplementedException"),
        ("GetEffectivePolicies", {"cognitoIdentityPoolId": "x"}, "NotImplementedException"),
        (
            "TestAuthorization",
            {"authInfos": [{"resources": ["*"]}], "cognitoIdentityPoolId": "x"},
            "NotImplementedException",
        ),
    ],
)
async def test_errors_are_those_of_the_model(
    iot: Iot, certificate: Members, name: str, params: dict[str, Any], code: str
) -> None:
    arn = certificate["certificateArn"]
    await iot.call("CreateThing", thingName="lamp")
    await iot.call("AttachThingPrincipal", thingName="lamp", principal=arn)
    await iot.call("CreatePolicy", policyName="p", policyDocument=POLICY)
    await iot.call("AttachPolicy", policyName="p", target=arn)
    await iot.call("CreateThingGroup", thingGroupName="house")
    await iot.call("CreateThingGroup", thingGroupName="room", parentGroupName="house")
    known = {"CERT": arn, "ID": certificate["certificateId"]}
    asked = {key: known.get(value, value) if isinstance(value, str) else value for key, value in params.items()}
    assert await iot.refused(name, **asked) == code


@pytest.mark.parametrize("type_", [{}, {"endpointType": "iot:Data"}, {"endpointType": "iot:Data-ATS"}])
async def test_the_endpoint_is_a_host_name_as_the_device_sdks_want_it(iot: Iot, type_: dict[str, str]) -> None:
    assert await iot.call("DescribeEndpoint", **type_) == {"endpointAddress": "broker.example"}


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("localhost", 8883, "localhost"),
        ("localhost", 443, "localhost"),
        ("localhost", 40001, "localhost:40001"),
        ("::1", 8883, "::1"),
        ("::1", 40001, "[::1]:40001"),
    ],
)
def test_a_port_that_the_sdks_do_not_guess_is_named(host: str, port: int, address: str) -> None:
    assert Endpoint(host, port, 443).data == address


@pytest.mark.parametrize("type_", ["iot:CredentialProvider", "iot:Jobs"])
async def test_what_speaks_https_alone_has_the_port_of_it(iot: Iot, type_: str) -> None:
    assert (await iot.call("DescribeEndpoint", endpointType=type_))["endpointAddress"] == "broker.example:8443"
    assert Endpoint("localhost", 8883, 443).https == "localhost"


async def test_every_operation_is_in_the_model(iot: Iot, model: ServiceModel) -> None:
    assert {name for _, name in iot.handlers} <= set(model.operation_names)
    assert {"CreateThing", "AttachPolicy", "CreateBillingGroup"} <= {name for _, name in iot.handlers}
