"""Policies that only bound what others give: session policies and permissions boundaries."""

import itertools

import msgspec
import pytest

from fogbank.policy import PolicySet
from fogbank.ports import PolicyDocument

TOPIC = "arn:aws:iot:us-east-1:123456789012:topic/a"
SESSION, BOUNDARY = "session policy", "permissions boundary"


def policy(name: str, effect: str, limit: str | None = None, resource: str = "*") -> PolicyDocument:
    statement = {"Effect": effect, "Action": "iot:Publish", "Resource": resource}
    return PolicyDocument(name, msgspec.json.encode({"Statement": statement}).decode(), limit)


def allowed(*documents: PolicyDocument) -> bool:
    return PolicySet.compile(documents).bind({}).decide("iot:Publish", TOPIC).allowed


@pytest.mark.parametrize("effects", [*itertools.product(("Allow", "Deny", "other"), repeat=3)])
def test_all_must_allow_and_none_deny(effects: tuple[str, str, str]) -> None:
    """IAM user guide, "Policy evaluation logic": the intersection of identity policies, boundary and session policy."""
    documents = []
    for effect, limit in zip(effects, (None, SESSION, BOUNDARY), strict=True):
        resource = "arn:other" if effect == "other" else "*"
        documents.append(policy(f"p-{limit}", "Allow" if effect == "other" else effect, limit, resource))
    for order in itertools.permutations(documents):
        assert allowed(*order) is (set(effects) == {"Allow"})


def test_of_several_with_the_same_word_one_is_enough_but_one_denial_is_too_much() -> None:
    given, narrow = policy("g", "Allow"), policy("n", "Allow", SESSION, "arn:other")
    assert allowed(given, narrow, policy("w", "Allow", SESSION))
    assert not allowed(given, policy("w", "Allow", SESSION), policy("d", "Deny", SESSION))


def test_a_limit_gives_nothing_by_itself() -> None:
    assert not allowed(policy("s", "Allow", SESSION))
    assert not allowed()


def test_the_reason_names_the_limit() -> None:
    documents = (policy("g", "Allow"), policy("narrow", "Allow", SESSION, "arn:other"))
    decision = PolicySet.compile(documents).bind({}).decide("iot:Publish", TOPIC)
    assert "policy 'narrow'" in decision.reason
