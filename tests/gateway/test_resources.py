"""Which resources requests are about, operation by operation."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from dev.coverage import implemented
from tests.gateway.account import LOCAL, TRUST_ACCOUNT, Account, allow, document, serving
from tests.gateway.authorization import REFERENCE
from tests.gateway.toy import ARNS

from fogbank.awswire.model import ServiceModel, Shape
from fogbank.errors import ServiceError
from fogbank.gateway import models, resources
from fogbank.gateway.resources import Asked, Resources, roles_in

ME = f"{LOCAL}:user/me"


def iot(kind: str, name: str) -> str:
    return ARNS.iot(kind, name)


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with serving() as account:
        yield account


async def asked(account: Account, service: str, operation: str, **params: Any) -> Asked:
    return await Resources(ARNS, account.iam).asked(service, operation, params, ME)


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("CreateThing", {"thingName": "a"}, [iot("thing", "a")]),
        ("CreateThing", {"thingName": "a", "thingTypeName": "t"}, [iot("thing", "a")]),
        (
            "CreateThing",
            {"thingName": "a", "billingGroupName": "b"},
            [iot("thing", "a"), iot("billinggroup", "b")],
        ),
        (
            "AddThingToThingGroup",
            {"thingName": "a", "thingGroupName": "g"},
            [iot("thing", "a"), iot("thinggroup", "g")],
        ),
        (
            "AddThingToThingGroup",
            {"thingName": "a", "thingArn": iot("thing", "b"), "thingGroupArn": iot("thinggroup", "g")},
            [iot("thing", "a"), iot("thing", "b"), iot("thinggroup", "g")],
        ),
        (
            "UpdateThingGroupsForThing",
            {"thingName": "a", "thingGroupsToAdd": ["g", "h"], "thingGroupsToRemove": ["i"]},
            [iot("thing", "a"), iot("thinggroup", "g"), iot("thinggroup", "h"), iot("thinggroup", "i")],
        ),
        ("UpdateCertificate", {"certificateId": "c"}, [iot("cert", "c")]),
        ("UpdateCACertificate", {"certificateId": "c"}, [iot("cacert", "c")]),
        ("AttachPolicy", {"policyName": "p", "target": iot("cert", "c")}, [iot("cert", "c")]),
        ("AttachPolicy", {"policyName": "p", "target": "eu-west-1:cognito"}, ["*"]),
        ("AttachThingPrincipal", {"thingName": "a", "principal": iot("cert", "c")}, [iot("cert", "c")]),
        ("CreatePolicyVersion", {"policyName": "p"}, [iot("policy", "p")]),
        ("ReplaceTopicRule", {"ruleName": "r", "topicRulePayload": {}}, [iot("rule", "r")]),
        ("SearchIndex", {"queryString": "*"}, [iot("index", "AWS_Things")]),
        ("SearchIndex", {"queryString": "*", "indexName": "AWS_ThingGroups"}, [iot("index", "AWS_ThingGroups")]),
        (
            "CreateDynamicThingGroup",
            {"thingGroupName": "g", "queryString": "*"},
            [iot("thinggroup", "g"), iot("index", "AWS_Things")],
        ),
        ("DeleteDynamicThingGroup", {"thingGroupName": "g"}, [iot("thinggroup", "g")]),
        (
            "UpdateFleetMetric",
            {"metricName": "m", "indexName": "AWS_ThingGroups"},
            [iot("index", "AWS_ThingGroups"), iot("fleetmetric", "m")],
        ),
        ("DescribeFleetMetric", {"metricName": "m"}, [iot("fleetmetric", "m")]),
        ("UpdateIndexingConfiguration", {"thingIndexingConfiguration": {}}, ["*"]),
        ("CreateKeysAndCertificate", {"setAsActive": True}, ["*"]),
        ("ListThings", {}, ["*"]),
        ("TagResource", {"resourceArn": iot("rule", "r")}, [iot("rule", "r")]),
        ("NoSuchOperation", {"thingName": "a"}, ["*"]),
    ],
)
async def test_iot(account: Account, operation: str, params: dict[str, Any], expected: list[str]) -> None:
    """Service authorization reference, "Actions, resources, and condition keys for AWS IoT"."""
    found = await asked(account, "iot", operation, **params)
    assert (found.action, list(found.resources)) == (f"iot:{operation}", expected)


@pytest.mark.parametrize(
    ("operation", "params", "action", "expected"),
    [
        ("Invoke", {"FunctionName": "f"}, "InvokeFunction", ARNS.function("f")),
        ("Invoke", {"FunctionName": "f", "Qualifier": "v1"}, "InvokeFunction", ARNS.function("f", "v1")),
        ("Invoke", {"FunctionName": "f:v1"}, "InvokeFunction", ARNS.function("f", "v1")),
        ("DeleteFunction", {"FunctionName": ARNS.function("f")}, "DeleteFunction", ARNS.function("f")),
        ("GetFunction", {"FunctionName": f"{ARNS.account}:f"}, "GetFunction", ARNS.function("f")),
        ("ListFunctions", {}, "ListFunctions", "*"),
        ("GetEventSourceMapping", {"UUID": "u"}, "GetEventSourceMapping", ARNS.of("lambda", "event-source-mapping:u")),
        ("ListTags", {"Resource": ARNS.function("f")}, "ListTags", ARNS.function("f")),
    ],
)
async def test_lambda(account: Account, operation: str, params: dict[str, Any], action: str, expected: str) -> None:
    found = await asked(account, "lambda", operation, **params)
    assert (found.action, found.resources) == (f"lambda:{action}", (expected,))


async def test_a_function_of_somebody_else_is_refused(account: Account) -> None:
    with pytest.raises(ServiceError, match="not reachable"):
        await asked(account, "lambda", "Invoke", FunctionName="arn:aws:lambda:eu-west-1:123456789012:function:f")


async def test_iam(account: Account) -> None:
    await account.iam.users.make("bob", path="/ops/")
    await account.iam.roles.make("r", TRUST_ACCOUNT, path="/x/")
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("GetUser", {}, ME),
        ("CreateAccessKey", {}, ME),
        ("GetUser", {"UserName": "bob"}, f"{LOCAL}:user/ops/bob"),
        ("CreateUser", {"UserName": "eve", "Path": "/a/"}, f"{LOCAL}:user/a/eve"),
        ("CreateUser", {"UserName": "eve"}, f"{LOCAL}:user/eve"),
        ("PutRolePolicy", {"RoleName": "r", "PolicyName": "p"}, f"{LOCAL}:role/x/r"),
        ("AttachRolePolicy", {"RoleName": "r", "PolicyArn": f"{LOCAL}:policy/p"}, f"{LOCAL}:role/x/r"),
        ("CreatePolicy", {"PolicyName": "p", "Path": "/y/"}, f"{LOCAL}:policy/y/p"),
        ("GetPolicy", {"PolicyArn": f"{LOCAL}:policy/p"}, f"{LOCAL}:policy/p"),
        ("SimulatePrincipalPolicy", {"PolicySourceArn": f"{LOCAL}:role/x/r"}, f"{LOCAL}:role/x/r"),
        ("ListUsers", {}, f"{LOCAL}:user/"),
        ("ListRoles", {"PathPrefix": "/x/"}, f"{LOCAL}:role/x/"),
        ("ListPolicies", {}, "*"),
    ]
    for operation, params, expected in cases:
        assert (await asked(account, "iam", operation, **params)).resources == (expected,), operation


async def test_condition_keys(account: Account) -> None:
    found = await asked(account, "iot", "CreateThingGroup", thingGroupName="g", tags=[{"Key": "a", "Value": "b"}])
    assert found.context == {"aws:RequestTag/a": "b", "aws:TagKeys": ("a",)}
    found = await asked(account, "iot", "CreateTopicRule", ruleName="r", topicRulePayload={}, tags="a=b")
    assert found.context == {"aws:RequestTag/a": "b", "aws:TagKeys": ("a",)}
    found = await asked(account, "iot", "UntagResource", resourceArn="arn:aws:iot:::policy/p", tagKeys=["a"])
    assert found.context == {"aws:TagKeys": ("a",)}
    found = await asked(account, "lambda", "CreateFunction", FunctionName="f", Tags={"a": "b"})
    assert found.context == {"aws:RequestTag/a": "b", "aws:TagKeys": ("a",)}
    found = await asked(account, "iam", "UntagUser", UserName="u", TagKeys=["a"])
    assert found.context == {"aws:TagKeys": ("a",)}
    found = await asked(account, "iam", "AttachUserPolicy", UserName="u", PolicyArn="arn:p")
    assert found.context == {"iam:PolicyARN": "arn:p"}


def test_the_table_names_operations_and_members_that_the_model_has() -> None:
    model = models.load("iot")
    for kind, operations in resources._IOT.items():
        for operation in operations.split():
            if operation == "GetThingConnectivityData":
                continue
            shape = model.operations[operation].input
            assert shape is not None
            assert set(resources._NAMES[kind]) & model.shapes[shape.shape].members.keys(), (kind, operation)
    for operation, members in resources._IOT_TARGETS.items():
        shape = model.operations[operation].input
        assert shape is not None
        assert set(members) <= model.shapes[shape.shape].members.keys(), operation


# --- the service authorization reference ------------------------------------------------------------------------------


CONTROL_PLANE = ("iam", "iot", "lambda", "sts")
EVERYWHERE = [(service, name) for service in REFERENCE for name in REFERENCE[service]]

DIFFERENT: dict[tuple[str, str], set[str]] = {
    # the group's members tell what is in the index, which another action guards
    ("iot", "CreateDynamicThingGroup"): {"thinggroup", "index"},
    ("iot", "UpdateDynamicThingGroup"): {"thinggroup", "index"},
    # the request has but the token, and whoever has that may visit the destination's address without asking anybody
    ("iot", "ConfirmTopicRuleDestination"): set(),
    # there are no IAM groups
    ("iam", "SimulatePrincipalPolicy"): {"user", "role"},
    # IAM's own refusals name these ARNs, though its reference has none
    ("iam", "ListUsers"): {"user"},
    ("iam", "ListRoles"): {"role"},
}
"""Where we differ, and why."""

ARNS_OF: dict[str, tuple[str, ...]] = {
    "thingArn": ("thing/x",),
    "thingGroupArn": ("thinggroup/x",),
    "billingGroupArn": ("billinggroup/x",),
    "jobArn": ("job/x",),
    "jobTemplateArn": ("jobtemplate/x",),
    "destinationPackageVersions": ("package/x/version/1",),
    "principal": ("cert/x",),
    "target": ("cert/x", "thinggroup/x"),
    "targets": ("thing/x", "thinggroup/x"),
    "arn": ("ruledestination/http/x",),
}
"""What can stand in members that take ARNs of IoT."""
NOT_TAGGABLE = {
    "certificateprovider", "command", "custommetric", "dimension", "mitigationaction", "otaupdate", "scheduledaudit",
    "securityprofile", "stream",
}  # fmt: skip


def members_of(service: str, operation: str) -> dict[str, Shape]:
    model = models.load(service)
    described = model.operations[operation].input
    if described is None:
        return {}
    members = model.shapes[described.shape].members
    return {name: model.shapes[ref.shape] for name, ref in members.items()}


def requests(service: str, operation: str) -> Iterator[dict[str, Any]]:
    """Requests with all members that are texts, or lists of them; each ARN that a member can be is in one of them."""
    alternatives: dict[str, tuple[str, ...]] = {}
    for member, shape in members_of(service, operation).items():
        if shape.type not in ("string", "list"):
            continue
        if service == "iot" and member == "resourceArn":
            kinds = REFERENCE[service][operation].kinds - NOT_TAGGABLE
            alternatives[member] = tuple(iot(kind, "x") for kind in sorted(kinds))
        elif service == "iot" and member in ARNS_OF:
            alternatives[member] = tuple(ARNS.of("iot", one) for one in ARNS_OF[member])
        elif member == "PolicySourceArn":
            alternatives[member] = (f"{LOCAL}:user/x", f"{LOCAL}:role/x")
        elif member in ("PolicyArn", "RoleArn"):
            alternatives[member] = (f"{LOCAL}:{member.removesuffix('Arn').lower()}/x",)
        elif not member.startswith("Path"):
            alternatives[member] = ("x",)
    for turn in range(max(map(len, alternatives.values()), default=1)):
        yield {
            member: [values[turn % len(values)]] if members_of(service, operation)[member].type == "list"
            else values[turn % len(values)]
            for member, values in alternatives.items()
            if member.lower() not in ("tags", "tagkeys") and "arameter" not in member
        }  # fmt: skip


def kind_of(arn: str) -> str:
    service, kind = arn.split(":")[2], arn.split(":", 5)[5].split("/")[0].split(":")[0]
    assert service in ("iot", "lambda", "iam")
    return kind


@pytest.mark.parametrize(("service", "operation"), [one for one in EVERYWHERE if one[0] in CONTROL_PLANE])
async def test_the_resources_are_those_of_the_reference(account: Account, service: str, operation: str) -> None:
    entry = REFERENCE[service][operation]
    expected = DIFFERENT.get((service, operation), entry.kinds)
    if operation in ("ListTagsForResource", "TagResource", "UntagResource"):
        expected -= NOT_TAGGABLE
    found: set[str] = set()
    for request in requests(service, operation):
        found |= set((await asked(account, service, operation, **request)).resources)
    assert {kind_of(one) for one in found - {"*"}} == expected
    assert ("*" in found) == (not expected), "what is about something is not about everything"


def test_the_reference_has_all_that_is_implemented() -> None:
    """Who implements an operation adds what AWS checks for it."""
    assert {service: set(names) for service, names in REFERENCE.items()} == implemented()


KEYS = {
    "iot:thingArn", "iot:DomainName", "iam:PolicyARN", "iam:PermissionsBoundary", "lambda:Principal",
    "iot:IncludeSocketInformation", "iot:Topic", "iot:JobId",
}  # fmt: skip
"""Those that we know; the last three in the data plane."""
KEYS_OF_WHAT_IS_MISSING = {
    "lambda:CodeSigningConfigArn", "lambda:EventSourceToken", "lambda:FunctionUrlAuthType",
    "lambda:InvokedViaFunctionUrl", "lambda:Layer", "lambda:SecurityGroupIds", "lambda:SubnetIds", "lambda:VpcIds",
}  # fmt: skip
"""Of layers, networks, signed code and function URLs, which there are not: the requests are refused."""


def test_every_condition_key_is_known() -> None:
    keys = {key for entries in REFERENCE.values() for entry in entries.values() for key in entry.keys}
    assert keys - KEYS - KEYS_OF_WHAT_IS_MISSING - {"iam:ResourceTag/${TagKey}"} == set()


async def test_the_condition_keys_of_single_operations(account: Account) -> None:
    await account.iam.policies.create("edge", document(allow("*")))
    edge = f"{LOCAL}:policy/edge"
    await account.iam.users.make("bob", tags={"team": "x"}, boundary=edge)
    cases: list[tuple[str, str, dict[str, Any], dict[str, str]]] = [
        ("iot", "AttachThingPrincipal", {"thingName": "a"}, {"iot:thingArn": iot("thing", "a")}),
        ("iot", "DetachThingPrincipal", {"thingName": "a"}, {"iot:thingArn": iot("thing", "a")}),
        ("iot", "CreateDomainConfiguration", {"domainName": "a.example"}, {"iot:DomainName": "a.example"}),
        ("lambda", "AddPermission", {"FunctionName": "f", "Principal": "s3"}, {"lambda:Principal": "s3"}),
        (
            "iam",
            "PutUserPolicy",
            {"UserName": "bob"},
            {"aws:ResourceTag/team": "x", "iam:ResourceTag/team": "x", "iam:PermissionsBoundary": edge},
        ),
        (
            "iam",
            "PutUserPermissionsBoundary",
            {"UserName": "bob", "PermissionsBoundary": "arn:other"},
            {"aws:ResourceTag/team": "x", "iam:ResourceTag/team": "x", "iam:PermissionsBoundary": "arn:other"},
        ),
        ("iam", "PutUserPolicy", {"UserName": "eve"}, {}),
    ]
    for service, operation, params, expected in cases:
        assert (await asked(account, service, operation, **params)).context == expected, operation


def roles_of(shape: str, model: ServiceModel, depth: int = 0) -> Iterator[Any]:
    """Values of a shape that have a role in one place, for each place where one can be."""
    of = model.shapes[shape]
    for name, ref in of.members.items():
        if model.shapes[ref.shape].type == "string":
            if ref.shape.lower().endswith("rolearn") or name.lower().endswith(("rolearn", "role")):
                yield {name: f"{LOCAL}:role/r"}
        elif depth < 6:
            for inner in roles_of(ref.shape, model, depth + 1):
                yield {name: inner}
    if of.member is not None and depth < 6:
        for inner in roles_of(of.member.shape, model, depth + 1):
            yield [inner]


@pytest.mark.parametrize(("service", "operation"), [one for one in EVERYWHERE if one[0] in ("iot", "lambda")])
def test_every_role_that_a_request_can_hand_on_is_found(service: str, operation: str) -> None:
    """Else somebody could let the platform do what he may not do himself."""
    model = models.load(service)
    described = model.operations[operation].input
    places = [] if described is None else list(roles_of(described.shape, model))
    for place in places:
        assert list(roles_in(place)) == [f"{LOCAL}:role/r"], place
    if "iam:PassRole" in REFERENCE[service][operation].dependent:
        assert places


async def test_a_name_that_looks_like_an_arn_is_a_name(account: Account) -> None:
    """Else a policy that denies all things would say nothing of it."""
    assert (await asked(account, "iot", "CreateThing", thingName="arn:x")).resources == (iot("thing", "arn:x"),)


def test_roles_are_found_wherever_they_stand() -> None:
    role = f"{LOCAL}:role/"
    payload = {
        "ruleName": "r",
        "topicRulePayload": {
            "sql": f"SELECT '{role}sql'",
            "actions": [
                {"sqs": {"roleArn": role + "a", "queueUrl": "q"}},
                {"timestream": {"roleArn": role + "b", "dimensions": [{"name": "roleArn", "value": role + "no"}]}},
            ],
            "errorAction": {"republish": {"roleArn": role + "c", "topic": "t"}},
        },
    }
    assert list(roles_in(payload)) == [role + "a", role + "b", role + "c"]
    assert list(roles_in({"Role": role + "l", "Description": role})) == [role + "l"]
    assert list(roles_in({"provisioningRoleArn": role + "p"})) == [role + "p"]
