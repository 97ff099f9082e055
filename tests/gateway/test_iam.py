"""IAM's and STS's API as boto3 sees it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.gateway import iam_story
from tests.gateway.account import LOCAL, TRUST_ACCOUNT, Account, allow, document, serving


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with serving() as account:
        yield account


@pytest.mark.parametrize("story", [iam_story.users, iam_story.roles, iam_story.policies])
async def test_stories(account: Account, story: object) -> None:
    assert callable(story)
    await asyncio.to_thread(story, account.client("iam"))


async def test_the_story_of_sessions(account: Account) -> None:
    await asyncio.to_thread(iam_story.sessions, account.client("iam"), account.client("sts"))


async def test_whoever_signs_for_another_region_reads_in_xml_what_is_wrong(account: Account) -> None:
    with pytest.raises(ClientError, match=r"SignatureDoesNotMatch.*this instance serves us-east-1"):
        await asyncio.to_thread(account.client("sts", region="eu-west-1").get_caller_identity)


async def test_lists_come_in_pages(account: Account) -> None:
    for number in range(7):
        await account.iam.roles.make(f"Role{number}", TRUST_ACCOUNT)
    paginator = account.client("iam").get_paginator("list_roles")

    def names() -> list[list[str]]:
        pages = paginator.paginate(PaginationConfig={"PageSize": 3})
        return [[role["RoleName"] for role in page["Roles"]] for page in pages]

    pages = await asyncio.to_thread(names)
    assert pages == [["Role0", "Role1", "Role2"], ["Role3", "Role4", "Role5"], ["Role6"]]
    with pytest.raises(ClientError, match=r"InvalidInput.*Invalid Marker"):
        await account.call("iam", "list_roles", Marker="%%%")


@pytest.mark.parametrize(
    ("operation", "params", "what"),
    [
        ("create_user", {"UserName": "a b"}, "ValidationError.*'userName'"),
        ("create_user", {"UserName": "x" * 65}, "ValidationError.*length less than or equal to 64"),
        ("create_user", {"UserName": "x", "Path": "ops"}, "ValidationError.*'path'"),
        ("create_role", {"RoleName": "r"}, "ValidationError.*Member must not be null"),
        ("list_roles", {"MaxItems": 0}, "ValidationError.*greater than or equal to 1"),
        ("create_user", {"UserName": "x", "Tags": [{"Key": "a", "Value": ""}] * 2}, "InvalidInput.*Duplicate tag keys"),
        ("create_group", {"GroupName": "g"}, "NotImplemented.*iam:CreateGroup"),
        ("create_access_key", {}, "ValidationError.*Must specify userName"),
    ],
)
async def test_what_is_refused(account: Account, operation: str, params: dict[str, Any], what: str) -> None:
    with pytest.raises(ClientError, match=f"(?i){what}"):
        await account.call("iam", operation, **params)


async def test_mfa_and_what_else_sessions_do_not_have_is_refused_by_name(account: Account) -> None:
    for params in ({"SerialNumber": "arn:aws:iam::mfa/x"}, {"TransitiveTagKeys": ["a"]}):
        with pytest.raises(ClientError, match=f"NotImplemented.*{next(iter(params))}"):
            await account.call("sts", "assume_role", RoleArn=f"{LOCAL}:role/r", RoleSessionName="me", **params)


async def test_a_user_may_look_at_itself_where_its_policy_lets_it(account: Account) -> None:
    own = f"{LOCAL}:user/${{aws:username}}"
    bob = await account.user("bob", allow(["iam:GetUser", "iam:*AccessKey*"], own))
    assert (await account.call("iam", "get_user", bob))["User"]["UserName"] == "bob"
    assert len((await account.call("iam", "list_access_keys", bob))["AccessKeyMetadata"]) == 1
    await account.user("eve")
    with pytest.raises(ClientError, match=f"iam:GetUser on resource: {LOCAL}:user/eve"):
        await account.call("iam", "get_user", bob, UserName="eve")


async def test_the_simulator_tells_what_was_missing(account: Account) -> None:
    policy = document(allow("iot:Publish", Condition={"StringEquals": {"aws:username": "bob"}}))
    asked: dict[str, Any] = {"PolicyInputList": [policy], "ActionNames": ["iot:Publish"]}

    async def simulate(**more: Any) -> Any:
        [result] = (await account.call("iam", "simulate_custom_policy", **asked | more))["EvaluationResults"]
        return result

    result = await simulate()
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("implicitDeny", ["aws:username"])
    entry = {"ContextKeyName": "aws:username", "ContextKeyValues": ["bob"], "ContextKeyType": "string"}
    boundary = document(allow("iot:Connect"))
    result = await simulate(PermissionsBoundaryPolicyInputList=[boundary], ContextEntries=[entry])
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    assert result["MatchedStatements"][0]["SourcePolicyId"] == "PolicyInputList.1"
    with pytest.raises(ClientError, match="InvalidInput"):
        await simulate(ActionNames=["Publish"])
    with pytest.raises(ClientError, match=r"NotImplemented.*CallerArn"):
        await simulate(CallerArn=f"{LOCAL}:user/b")
