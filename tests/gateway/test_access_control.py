"""Who may call what."""

from contextlib import nullcontext
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from tests.gateway.account import LOCAL, TRUST_ACCOUNT, Account, Keys, allow, document, serving
from tests.gateway.toy import ARNS, KEY

from fogbank.identity.access_keys import Status
from fogbank.identity.iam.sts import Wish

THINGS = ARNS.iot("thing", "mine-*")
ROLE = f"{LOCAL}:role/r"


async def session(account: Account, *statements: dict[str, object], **wishes: object) -> Keys:
    await account.iam.roles.make("r", TRUST_ACCOUNT)
    if statements:
        await account.iam.roles.put_inline("r", "own", document(*statements))
    wish = msgspec.structs.replace(Wish(role_arn=ROLE, name="me"), **wishes)
    opened = await account.iam.sts.assume_role(None, None, wish)
    return opened.session.key_id, opened.session.secret, opened.token


async def test_a_user_may_do_what_its_policies_allow_and_nothing_else() -> None:
    async with serving() as account:
        bob = await account.user("bob", allow("iot:CreateThing", THINGS))
        assert await account.call("iot", "create_thing", bob, thingName="mine-1")
        with pytest.raises(ClientError) as refused:
            await account.call("iot", "create_thing", bob, thingName="yours")
        error = refused.value.response
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert error["Error"]["Code"] == "AccessDeniedException"
        assert error["Error"]["Message"] == (
            f"User: {LOCAL}:user/bob is not authorized to perform: iot:CreateThing on resource: "
            f"{ARNS.iot('thing', 'yours')} because no identity-based policy allows the iot:CreateThing action"
        )
        for service, operation, params, action in (
            ("iot", "list_things", {}, "iot:ListThings on resource: \\*"),
            ("lambda", "invoke", {"FunctionName": "f"}, f"lambda:InvokeFunction on resource: {ARNS.function('f')}"),
            ("iam", "list_users", {}, f"iam:ListUsers on resource: {LOCAL}:user/"),
            ("iam", "create_access_key", {"UserName": "bob"}, f"iam:CreateAccessKey on resource: {LOCAL}:user/bob"),
            ("iam", "put_user_policy", {"UserName": "bob", "PolicyName": "p", "PolicyDocument": "{}"}, "PutUserPolicy"),
        ):
            with pytest.raises(ClientError, match=action):
                await account.call(service, operation, bob, **params)
        assert (await account.call("sts", "get_caller_identity", bob))["Arn"] == f"{LOCAL}:user/bob"
        assert len(account.toy.calls) == 1


async def test_an_explicit_denial_is_called_that() -> None:
    async with serving() as account:
        bob = await account.user("bob", allow("*"), {"Effect": "Deny", "Action": "iot:List*", "Resource": "*"})
        with pytest.raises(ClientError, match="with an explicit deny in an identity-based policy"):
            await account.call("iot", "list_things", bob)
        with pytest.raises(ClientError, match="InternalFailure"):  # allowed, and then broken on purpose
            await account.call("iot", "delete_thing", bob, thingName="a")


async def test_a_session_has_the_rights_of_its_role_within_its_policy() -> None:
    async with serving() as account:
        bounds = document(allow("iot:CreateThing", ARNS.iot("thing", "*-1")))
        keys = await session(account, allow("iot:*", THINGS), policy=bounds)
        identity = await account.call("sts", "get_caller_identity", keys)
        assert identity["Arn"] == f"arn:aws:sts::{ARNS.account}:assumed-role/r/me"
        assert identity["UserId"].endswith(":me")
        assert await account.call("iot", "create_thing", keys, thingName="mine-1")
        with pytest.raises(ClientError, match="because no session policy allows the iot:CreateThing action"):
            await account.call("iot", "create_thing", keys, thingName="mine-2")
        with pytest.raises(ClientError, match="because no identity-based policy allows"):
            await account.call("iot", "create_thing", keys, thingName="your-1")
        await account.iam.roles.delete_inline("r", "own")
        with pytest.raises(ClientError, match="because no identity-based policy allows"):
            await account.call("iot", "create_thing", keys, thingName="mine-1")


async def test_keys_and_tokens_that_are_no_good() -> None:
    async with serving() as account:
        keys = await session(account, allow("*"))
        bob = await account.user("bob", allow("*"))
        for wrong in (
            (keys[0], keys[1], None),
            (keys[0], keys[1], "x"),
            (KEY.id, KEY.secret, keys[2]),
            (bob[0], bob[1], keys[2]),
        ):
            with pytest.raises(ClientError, match="The security token included in the request is invalid"):
                await account.call("iot", "create_thing", wrong, thingName="a")
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            await account.call("sts", "get_caller_identity", (keys[0], bob[1], keys[2]))
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            await account.call("sts", "get_caller_identity", (keys[0], keys[1], None))
        await account.iam.users.update_key("bob", bob[0], Status.INACTIVE)
        with pytest.raises(ClientError, match="UnrecognizedClientException"):
            await account.call("iot", "create_thing", bob, thingName="a")


async def test_a_role_may_be_handed_on_by_those_who_may_pass_it() -> None:
    """IAM user guide, "Granting a user permissions to pass a role to an AWS service"."""
    async with serving() as account:
        anything = allow("lambda:*")
        function: dict[str, Any] = {
            "FunctionName": "f",
            "Role": ROLE,
            "Code": {"ZipFile": b"x"},
            "Runtime": "python3.11",
        }
        bob = await account.user("bob", anything)
        with pytest.raises(ClientError, match=f"iam:PassRole on resource: {ROLE} because no identity-based policy"):
            await account.call("lambda", "create_function", bob, **function)
        for service, passes in (("iot.amazonaws.com", False), ("lambda.amazonaws.com", True)):
            condition = {"StringEquals": {"iam:PassedToService": service}}
            policy = document(anything, allow("iam:PassRole", ROLE, Condition=condition))
            await account.iam.users.put_inline("bob", "own", policy)
            if passes:
                assert await account.call("lambda", "create_function", bob, **function)
            else:
                with pytest.raises(ClientError, match="iam:PassRole"):
                    await account.call("lambda", "create_function", bob, **function)
        assert await account.call("lambda", "create_function", **function)  # the root passes what it likes


async def test_assuming_a_role_is_for_the_role_s_trust_and_the_user_s_policies() -> None:
    async with serving() as account:
        await account.iam.roles.make("r", TRUST_ACCOUNT)
        bob = await account.user("bob")
        with pytest.raises(ClientError, match=f"sts:AssumeRole on resource: {ROLE}"):
            await account.call("sts", "assume_role", bob, RoleArn=ROLE, RoleSessionName="me")
        await account.iam.users.put_inline("bob", "own", document(allow("sts:AssumeRole", ROLE)))
        begun = await account.call("sts", "assume_role", bob, RoleArn=ROLE, RoleSessionName="me")
        found = begun["Credentials"]
        keys = found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]
        assert (await account.call("sts", "get_caller_identity", keys))["Arn"] == begun["AssumedRoleUser"]["Arn"]
        begun = await account.call("sts", "get_session_token", bob)
        found = begun["Credentials"]
        keys = found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]
        assert (await account.call("sts", "get_caller_identity", keys))["Arn"] == f"{LOCAL}:user/bob"


async def test_conditions_see_the_request() -> None:
    async with serving() as account:
        address = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
        tagged = {"StringEquals": {"aws:RequestTag/team": "x"}}
        bob = await account.user(
            "bob", allow("iot:CreateThing", Condition=address), allow("iam:CreateUser", Condition=tagged)
        )
        assert await account.call("iot", "create_thing", bob, thingName="a")
        tags = [{"Key": "team", "Value": "x"}]
        assert await account.call("iam", "create_user", bob, UserName="one", Tags=tags)
        with pytest.raises(ClientError, match="AccessDenied"):
            await account.call("iam", "create_user", bob, UserName="two")
        for condition, allowed in (
            ({"Bool": {"aws:SecureTransport": "false"}}, True),
            ({"Bool": {"aws:SecureTransport": "true"}}, False),
            ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
            ({"StringLike": {"aws:UserAgent": "Boto3/*"}}, True),
            ({"StringEquals": {"aws:username": "bob"}}, True),
            ({"StringEquals": {"aws:PrincipalArn": f"{LOCAL}:user/bob"}}, True),
            ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
            ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
            ({"Null": {"aws:TokenIssueTime": "true"}}, True),
        ):
            await account.iam.users.put_inline("bob", "own", document(allow("iot:*", Condition=condition)))
            before = len(account.toy.calls)
            with nullcontext() if allowed else pytest.raises(ClientError, match="AccessDenied"):
                await account.call("iot", "create_thing", bob, thingName="a")
            assert len(account.toy.calls) - before == allowed, condition
        elsewhere = {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
        await account.iam.users.put_inline("bob", "own", document(allow("*", Condition=elsewhere)))
        with pytest.raises(ClientError, match="AccessDenied"):
            await account.call("iot", "create_thing", bob, thingName="a")


async def test_conditions_see_the_tags_of_each_resource() -> None:
    """IAM user guide, "Controlling access to AWS resources using tags"."""
    tags = {ARNS.iot("thing", "ours"): {"team": "x", "stage": "test"}, ARNS.iot("thing", "theirs"): {"team": "y"}}
    async with serving(tags=tags) as account:
        ours = {"StringEquals": {"aws:ResourceTag/team": "x"}}
        bob = await account.user("bob", allow("iot:CreateThing", Condition=ours))
        assert await account.call("iot", "create_thing", bob, thingName="ours")
        for name in ("theirs", "nobodys"):
            with pytest.raises(ClientError, match="AccessDenied"):
                await account.call("iot", "create_thing", bob, thingName=name)
