"""Trust policies: who may assume a role, and on what terms."""

from typing import Any

import msgspec
import pytest

from fogbank.policy import Asker, MalformedPolicy, TrustPolicy
from fogbank.policy.document import parse_document, parse_trust

IOT = Asker("Service", ("iot.amazonaws.com",))
BOB = Asker("AWS", ("arn:aws:iam::123456789012:user/bob",), "123456789012")
SERVICE = {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}
ACCOUNT = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}


def trust(*statements: dict[str, Any]) -> TrustPolicy:
    return TrustPolicy.parse(msgspec.json.encode({"Version": "2012-10-17", "Statement": statements}).decode())


def test_a_service_that_is_named() -> None:
    decision = trust(SERVICE).decide(IOT, {})
    assert (decision.allowed, decision.delegated) == (True, False)
    assert "statement 1" in decision.reason
    decision = trust(ACCOUNT).decide(IOT, {})
    assert not decision.allowed
    assert decision.reason == "its trust policy does not allow sts:AssumeRole to iot.amazonaws.com"


def test_the_account_leaves_it_to_its_own_policies_and_a_name_does_not() -> None:
    assert trust(ACCOUNT).decide(BOB, {}).delegated
    named = ACCOUNT | {"Principal": {"AWS": BOB.names[0]}}
    assert not trust(ACCOUNT, named).decide(BOB, {}).delegated


def test_a_denial_wins_wherever_it_stands() -> None:
    denial = SERVICE | {"Effect": "Deny"}
    for statements in ([SERVICE, denial], [denial, SERVICE]):
        decision = trust(*statements).decide(IOT, {})
        assert not decision.allowed
        assert "denies sts:AssumeRole to iot.amazonaws.com" in decision.reason
    others = {"Effect": "Deny", "NotPrincipal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:*"}
    assert not trust(SERVICE, others).decide(IOT, {}).allowed
    spared = others | {"NotPrincipal": {"Service": "iot.amazonaws.com"}}
    assert trust(SERVICE, spared).decide(IOT, {}).allowed


@pytest.mark.parametrize(
    ("context", "allowed"),
    [
        ({"aws:SourceArn": "arn:aws:iot:us-east-1:123456789012:rule/a"}, True),
        ({"aws:sourcearn": "arn:aws:iot:us-east-1:123456789012:rule/a"}, True),
        ({"aws:SourceArn": "arn:aws:iot:us-east-1:123456789012:rule/b"}, False),
        ({}, False),
    ],
)
def test_conditions(context: dict[str, str], allowed: bool) -> None:
    """Developer guide, cross-service-confused-deputy-prevention."""
    condition = {"ArnLike": {"aws:SourceArn": "arn:aws:iot:*:123456789012:rule/a*"}}
    decision = trust(SERVICE | {"Condition": condition}).decide(IOT, context)
    assert decision.allowed is allowed
    assert allowed or "only where ArnLike aws:SourceArn" in decision.reason


def test_actions_beside_assume_role() -> None:
    tagging = SERVICE | {"Action": ["sts:assumerole", "sts:TagSession"]}
    assert trust(tagging).decide(IOT, {}, "sts:TagSession").allowed
    assert trust(tagging).decide(IOT, {}).allowed
    assert not trust(SERVICE).decide(IOT, {}, "sts:TagSession").allowed


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (SERVICE | {"Resource": "*"}, "Resource"),
        (SERVICE | {"Action": "iot:Publish"}, "no action of sts"),
        (SERVICE | {"Action": "*"}, "no action of sts"),
        ({"Effect": "Allow", "Action": "sts:AssumeRole"}, "must have either Principal or NotPrincipal"),
        (SERVICE | {"NotPrincipal": "*"}, "must have either Principal or NotPrincipal"),
        (SERVICE | {"Principal": {"AWS": "bob"}}, "Statement\\[1\\].Principal: 'bob'"),
        (SERVICE | {"Effect": "Maybe"}, "Statement\\[1\\].Effect"),
    ],
)
def test_what_is_no_trust_policy(statement: dict[str, Any], what: str) -> None:
    with pytest.raises(MalformedPolicy, match=what):
        trust(statement)


def test_policies_of_devices_and_users_have_no_principal() -> None:
    text = msgspec.json.encode({"Statement": SERVICE | {"Resource": "*"}}).decode()
    with pytest.raises(MalformedPolicy, match="'Principal' is not an element"):
        parse_document(text)
    assert parse_trust(msgspec.json.encode({"Statement": SERVICE}).decode()).statements[0].principals is not None
