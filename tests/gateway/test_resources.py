"""Which resources requests are about, operation by operation."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from dev.coverage import implemented
from tests.gateway.account import LOCAL, TRUST_ACCOUNT, Account, serving
from tests.gateway.toy import ARNS

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


NOT_ABOUT_ANYTHING = {
    "ClearDefaultAuthorizer",
    "ConfirmTopicRuleDestination",
    "CreateTopicRuleDestination",
    "CreateCertificateFromCsr",
    "CreateKeysAndCertificate",
    "RegisterCertificateWithoutCA",
    "TestAuthorization",
}
"""Besides lists: what AWS too checks on `*` alone."""


def test_every_operation_of_iot_that_is_implemented_and_names_something_is_in_the_table() -> None:
    known = {name for operations in resources._IOT.values() for name in operations.split()} | set(
        resources._IOT_TARGETS
    )
    silent = {name for name in implemented()["iot"] - known if not name.startswith(("List", "DescribeDefault"))}
    assert silent - NOT_ABOUT_ANYTHING <= {"DescribeEndpoint"}


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
