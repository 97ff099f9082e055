"""Managed policies, their versions, and those of AWS."""

import pytest
from tests.identity.iam.conftest import LOCAL, LOGGING, TRUST_IOT, document, statement

from fogbank.identity.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    MalformedPolicyDocument,
    NoSuchEntity,
)
from fogbank.identity.iam.iam import Iam
from fogbank.identity.iam.managed import aws_policies
from fogbank.identity.iam.records import Policy
from fogbank.policy.document import parse_document

ARN = f"{LOCAL}:policy/p"


async def test_versions_are_five_and_never_used_again(iam: Iam) -> None:
    """IAM user guide, "Versioning IAM policies"."""
    await iam.policies.create("p", document())
    for number in (2, 3, 4, 5):
        assert await iam.policies.create_version(ARN, document(statement("Deny")), default=number == 3) == number
    with pytest.raises(LimitExceeded, match="up to 5 versions"):
        await iam.policies.create_version(ARN, document(), default=True)
    with pytest.raises(DeleteConflict, match="Cannot delete the default version"):
        await iam.policies.delete_version(ARN, "v3")
    await iam.policies.delete_version(ARN, "v5")
    assert await iam.policies.create_version(ARN, document(), default=False) == 6
    policy = await iam.policies.get(ARN)
    assert isinstance(policy, Policy)
    assert (policy.default, set(policy.versions)) == (3, {1, 2, 3, 4, 6})
    for unknown in ("v5", "v7", "3", "v03", "v", "", "v٣", "v" + "9" * 50):
        with pytest.raises(NoSuchEntity, match="does not exist or is not attachable"):
            await iam.policies.set_default(ARN, unknown)


async def test_what_is_refused(iam: Iam) -> None:
    with pytest.raises(MalformedPolicyDocument):
        await iam.policies.create("p", "{}")
    with pytest.raises(LimitExceeded, match="PolicySize: 6144"):
        await iam.policies.create("p", document(statement(resource="a" * 6144)))
    await iam.policies.create("p", document() + " " * 10_000)  # white space is free
    with pytest.raises(EntityAlreadyExists, match="A policy called P already exists"):
        await iam.policies.create("P", document(), path="/elsewhere/")
    with pytest.raises(NoSuchEntity, match="was not found"):
        await iam.policies.get(f"{LOCAL}:policy/elsewhere/p")
    for change in (iam.policies.delete(LOGGING), iam.policies.set_default(LOGGING, "v1")):
        with pytest.raises(InvalidInput, match="managed by AWS"):
            await change


async def test_a_policy_leaves_when_nobody_holds_it_and_nothing_but_its_default_is_left(iam: Iam) -> None:
    await iam.policies.create("p", document())
    await iam.policies.create_version(ARN, document(), default=True)
    await iam.roles.make("r", TRUST_IOT)
    await iam.roles.attach("r", ARN)
    with pytest.raises(DeleteConflict, match="more than one version"):
        await iam.policies.delete(ARN)
    await iam.policies.delete_version(ARN, "v1")
    with pytest.raises(DeleteConflict, match="attached to entities"):
        await iam.policies.delete(ARN)
    assert await iam.policies.used("p") == (1, 0)
    await iam.roles.detach("r", ARN)
    await iam.policies.delete(ARN)
    assert await iam.policies.all() == []


@pytest.mark.parametrize("arn", aws_policies())
def test_every_policy_of_aws_is_one_that_can_be_evaluated(arn: str) -> None:
    policy = aws_policies()[arn]
    assert parse_document(policy.document).statements
    assert policy.created < 2_000_000_000
    assert f"arn:aws:iam::aws:policy{policy.path}{policy.name}" == arn
    assert 16 <= len(policy.id) <= 128
    assert policy.id.isalnum()


def test_those_that_templates_for_iot_and_lambda_name_are_there() -> None:
    for name in (
        "service-role/AWSIoTThingsRegistration",
        "service-role/AWSIoTRuleActions",
        "service-role/AWSIoTLogging",
        "service-role/AWSLambdaBasicExecutionRole",
        "AWSIoTFullAccess",
        "AdministratorAccess",
    ):
        assert f"arn:aws:iam::aws:policy/{name}" in aws_policies()
