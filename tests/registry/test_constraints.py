import pytest

from fogbank.errors import InvalidRequest, NotImplementedByFogbank
from fogbank.gateway import models
from fogbank.registry import constraints
from fogbank.registry.constraints import POLICY_NAME, THING_NAME, Constraint, refuse_unsupported


@pytest.mark.parametrize(
    ("constraint", "shape"),
    [
        (constraints.THING_NAME, "ThingName"),
        (constraints.THING_TYPE_NAME, "ThingTypeName"),
        (constraints.ATTRIBUTE_NAME, "AttributeName"),
        (constraints.ATTRIBUTE_VALUE, "AttributeValue"),
        (constraints.POLICY_NAME, "PolicyName"),
        (constraints.CERTIFICATE_ID, "CertificateId"),
    ],
)
def test_patterns_and_lengths_are_those_of_the_model(constraint: Constraint, shape: str) -> None:
    there = models.load("iot").shapes[shape]
    assert (constraint.pattern, constraint.longest) == (there.pattern, there.max)


@pytest.mark.parametrize(
    ("constraint", "value", "rule"),
    [
        (THING_NAME, "a b", "Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"),
        (THING_NAME, "", "Member must have length greater than or equal to 1"),
        (POLICY_NAME, "x" * 129, "Member must have length less than or equal to 128"),
    ],
)
def test_refusals_are_worded_as_aws_words_them(constraint: Constraint, value: str, rule: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        constraint.check(value)
    message = refused.value.message
    assert message.startswith("1 validation error detected: Value '")
    assert message.endswith(f"at '{constraint.member}' failed to satisfy constraint: {rule}")
    assert len(message) < 400


@pytest.mark.parametrize("nothing", [None, "", [], {}, False])
def test_asking_for_nothing_is_fine(nothing: None) -> None:
    refuse_unsupported("CreateThing", tags=nothing)


def test_what_is_not_honoured_is_refused_by_name() -> None:
    with pytest.raises(NotImplementedByFogbank, match="CreateThing: tags is not supported"):
        refuse_unsupported("CreateThing", tags=[{"Key": "k"}])
