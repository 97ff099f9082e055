"""Everything that IAM and STS can do, once, by boto3: for the served API and for the whole platform."""

from typing import Any

import pytest
from tests.gateway.account import LOCAL, TRUST_ACCOUNT, TRUST_IOT, allow, document

LOGGING = "arn:aws:iam::aws:policy/service-role/AWSIoTLogging"
PUBLISH = document(allow("iot:Publish", "arn:aws:iot:*:*:topic/a"))


def users(iam: Any) -> None:
    user = iam.create_user(UserName="bob", Path="/ops/", Tags=[{"Key": "team", "Value": "x"}])["User"]
    assert user["Arn"] == f"{LOCAL}:user/ops/bob"
    assert iam.get_user(UserName="bob")["User"] == user
    assert iam.list_users(PathPrefix="/ops/")["Users"][0]["UserId"] == user["UserId"]
    assert iam.list_users(PathPrefix="/other/")["Users"] == []
    iam.tag_user(UserName="bob", Tags=[{"Key": "a", "Value": "b"}])
    iam.untag_user(UserName="bob", TagKeys=["team"])
    assert iam.list_user_tags(UserName="bob")["Tags"] == [{"Key": "a", "Value": "b"}]

    key = iam.create_access_key(UserName="bob")["AccessKey"]
    assert key["AccessKeyId"].startswith("AKIA")
    iam.update_access_key(UserName="bob", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    [listed] = iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]
    assert (listed["AccessKeyId"], listed["Status"]) == (key["AccessKeyId"], "Inactive")
    with pytest.raises(iam.exceptions.DeleteConflictException, match="delete access keys first"):
        iam.delete_user(UserName="bob")
    iam.delete_access_key(UserName="bob", AccessKeyId=key["AccessKeyId"])

    _policies_of(iam, "user", {"UserName": "bob"})
    iam.delete_user(UserName="bob")
    with pytest.raises(iam.exceptions.NoSuchEntityException, match="The user with name bob cannot be found"):
        iam.get_user(UserName="bob")


def roles(iam: Any) -> None:
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST_IOT, Description="d")["Role"]
    assert role["Arn"] == f"{LOCAL}:role/worker"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "iot.amazonaws.com"}
    with pytest.raises(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST_IOT)
    with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
        iam.create_role(RoleName="other", AssumeRolePolicyDocument="{}")
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=TRUST_ACCOUNT)
    iam.update_role(RoleName="worker", MaxSessionDuration=7200)
    assert iam.update_role_description(RoleName="worker", Description="e")["Role"]["Description"] == "e"
    iam.tag_role(RoleName="worker", Tags=[{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}])
    iam.untag_role(RoleName="worker", TagKeys=["a"])
    assert iam.list_role_tags(RoleName="worker")["Tags"] == [{"Key": "c", "Value": ""}]
    got = iam.get_role(RoleName="worker")["Role"]
    assert (got["MaxSessionDuration"], got["Description"], got["RoleId"]) == (7200, "e", role["RoleId"])
    assert got["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": "123456789012"}
    assert [one["RoleName"] for one in iam.list_roles()["Roles"]] == ["worker"]
    assert iam.list_instance_profiles_for_role(RoleName="worker")["InstanceProfiles"] == []
    _policies_of(iam, "role", {"RoleName": "worker"})
    iam.delete_role(RoleName="worker")


def _policies_of(iam: Any, noun: str, who: dict[str, str]) -> None:
    """What users and roles have alike."""

    def call(pattern: str, **params: Any) -> Any:
        return getattr(iam, pattern.format(noun))(**who, **params)

    call("attach_{}_policy", PolicyArn=LOGGING)
    expected = [{"PolicyName": "AWSIoTLogging", "PolicyArn": LOGGING}]
    assert call("list_attached_{}_policies")["AttachedPolicies"] == expected
    assert call("list_attached_{}_policies", PathPrefix="/mine/")["AttachedPolicies"] == []
    call("put_{}_policy", PolicyName="p", PolicyDocument=PUBLISH)
    assert call("get_{}_policy", PolicyName="p")["PolicyDocument"]["Statement"][0]["Action"] == "iot:Publish"
    assert call("list_{}_policies")["PolicyNames"] == ["p"]
    call("put_{}_permissions_boundary", PermissionsBoundary=LOGGING)
    boundary = call("get_{}")[noun.capitalize()]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == LOGGING
    call("delete_{}_permissions_boundary")
    with pytest.raises(iam.exceptions.DeleteConflictException, match="detach all policies first"):
        call("delete_{}")
    call("detach_{}_policy", PolicyArn=LOGGING)
    with pytest.raises(iam.exceptions.DeleteConflictException, match="delete policies first"):
        call("delete_{}")
    call("delete_{}_policy", PolicyName="p")


def policies(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="p", PolicyDocument=PUBLISH, Description="d")["Policy"]["Arn"]
    assert arn == f"{LOCAL}:policy/p"
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("iot:*")))["PolicyVersion"]
    assert (made["VersionId"], made["IsDefaultVersion"]) == ("v2", False)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    got = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (got["DefaultVersionId"], got["AttachmentCount"], got["Description"]) == ("v2", 0, "d")
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Action"] == "iot:Publish"
    assert [one["VersionId"] for one in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v2", "v1"]
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "c", "Value": "d"}]
    assert [one["Arn"] for one in iam.list_policies(Scope="Local")["Policies"]] == [arn]
    assert LOGGING in [one["Arn"] for one in iam.list_policies(Scope="AWS")["Policies"]]
    assert iam.list_policies(OnlyAttached=True)["Policies"] == []
    aws = iam.get_policy(PolicyArn=LOGGING)["Policy"]
    document_of_aws = iam.get_policy_version(PolicyArn=LOGGING, VersionId=aws["DefaultVersionId"])["PolicyVersion"]
    assert "logs:CreateLogGroup" in document_of_aws["Document"]["Statement"][0]["Action"]
    assert len(iam.list_policy_versions(PolicyArn=LOGGING)["Versions"]) == 1

    iam.create_role(RoleName="holder", AssumeRolePolicyDocument=TRUST_IOT)
    iam.attach_role_policy(RoleName="holder", PolicyArn=arn)
    holders = iam.list_entities_for_policy(PolicyArn=arn)
    assert ([one["RoleName"] for one in holders["PolicyRoles"]], holders["PolicyUsers"]) == (["holder"], [])
    with pytest.raises(iam.exceptions.DeleteConflictException, match="attached to entities"):
        iam.delete_policy(PolicyArn=arn)
    topic = "arn:aws:iot:us-east-1:123456789012:topic/a"
    simulated = iam.simulate_principal_policy(
        PolicySourceArn=f"{LOCAL}:role/holder", ActionNames=["iot:Publish", "s3:GetObject"], ResourceArns=[topic]
    )
    assert [one["EvalDecision"] for one in simulated["EvaluationResults"]] == ["allowed", "implicitDeny"]
    [denied] = iam.simulate_custom_policy(
        PolicyInputList=[document(allow("iot:*"), {"Effect": "Deny", "Action": "iot:Publish", "Resource": topic})],
        ActionNames=["iot:Publish"],
        ResourceArns=[topic],
    )["EvaluationResults"]
    assert denied["EvalDecision"] == "explicitDeny"
    iam.detach_role_policy(RoleName="holder", PolicyArn=arn)
    iam.delete_role(RoleName="holder")
    iam.delete_policy(PolicyArn=arn)


def sessions(iam: Any, sts: Any) -> None:
    assert sts.get_caller_identity()["Arn"] == f"{LOCAL}:root"
    role = iam.create_role(RoleName="session", AssumeRolePolicyDocument=TRUST_ACCOUNT)["Role"]
    begun = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="me", DurationSeconds=900)
    assert begun["AssumedRoleUser"]["AssumedRoleId"] == f"{role['RoleId']}:me"
    credentials = begun["Credentials"]
    assert sts.get_access_key_info(AccessKeyId=credentials["AccessKeyId"])["Account"] == "123456789012"
    left = credentials["Expiration"].timestamp() - role["CreateDate"].timestamp()
    assert 890 < left < 1000
    assert sts.get_session_token()["Credentials"]["AccessKeyId"].startswith("ASIA")
    iam.delete_role(RoleName="session")
