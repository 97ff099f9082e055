from typing import Any

import pytest
from tests.awswire.specimens import SERVICES, load, operation

from fogbank.awswire.errors import ValidationError
from fogbank.awswire.validate import Validator
from fogbank.errors import InvalidRequest

VALIDATORS = {service: Validator(service, load(service)) for service in SERVICES}
NAME = "Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"


def complaint(service: str, name: str, params: dict[str, Any]) -> str:
    _, op = operation(service, name)
    with pytest.raises((InvalidRequest, ValidationError)) as caught:
        VALIDATORS[service].check(op, params)
    assert type(caught.value) is (ValidationError if service == "lambda" else InvalidRequest)
    return caught.value.message


@pytest.mark.parametrize(
    ("service", "name", "params", "text"),
    [
        (
            "iot",
            "CreateThing",
            {"thingName": "a b"},
            f"1 validation error detected: Value 'a b' at 'thingName' failed to satisfy constraint: {NAME}",
        ),
        (
            "iot",
            "CreateThing",
            {},
            "1 validation error detected: Value null at 'thingName' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "iot",
            "CreateThing",
            {"thingName": "a" * 129},
            f"1 validation error detected: Value '{'a' * 129}' at 'thingName' failed to satisfy constraint: "
            "Member must have length less than or equal to 128",
        ),
        (
            "iot",
            "CreateThing",
            {"thingName": "ä", "thingTypeName": "ö"},
            f"2 validation errors detected: Value 'ä' at 'thingName' failed to satisfy constraint: {NAME}; "
            f"Value 'ö' at 'thingTypeName' failed to satisfy constraint: {NAME}",
        ),
        (
            "iot",
            "CreateThing",
            {"thingName": "a", "attributePayload": {"attributes": {"a b": "x"}}},
            "1 validation error detected: Value '{'a b': 'x'}' at 'attributePayload.attributes' failed to satisfy "
            "constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 128, "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.,@/:#-]+]",
        ),
        (
            "iot",
            "CreateThing",
            {"thingName": "a", "attributePayload": {"attributes": {"a": "x" * 801}}},
            "Map value must satisfy constraint: [Member must have length less than or equal to 800",
        ),
        (
            "iot",
            "ListThings",
            {"maxResults": 0},
            "1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            "iot",
            "UpdateCertificate",
            {"certificateId": "a" * 64, "newStatus": "GONE"},
            "Value 'GONE' at 'newStatus' failed to satisfy constraint: Member must satisfy enum value set: [ACTIVE, ",
        ),
        (
            "iot",
            "CreateTopicRule",
            {"ruleName": "r", "topicRulePayload": {"sql": "", "actions": [{"lambda": {}}, None]}},
            "Value null at 'topicRulePayload.actions.1.member.lambda.functionArn' failed to satisfy constraint",
        ),
        (
            "iot",
            "CreateTopicRule",
            {"ruleName": "r", "topicRulePayload": {"sql": "", "actions": [None]}},
            "Value null at 'topicRulePayload.actions.1.member' failed to satisfy constraint: Member must not be null",
        ),
        (
            "lambda",
            "CreateFunction",
            {"FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/r", "Code": {}, "Runtime": "cobol"},
            "1 validation error detected: Value 'cobol' at 'runtime' failed to satisfy constraint: "
            "Member must satisfy enum value set: [",
        ),
        ("iot-data", "GetThingShadow", {"thingName": ""}, "Member must have length greater than or equal to 1"),
    ],
)
def test_what_the_model_forbids_is_told_in_aws_s_words(
    service: str, name: str, params: dict[str, Any], text: str
) -> None:
    assert text in complaint(service, name, params)


@pytest.mark.parametrize(
    ("service", "name", "params"),
    [
        ("iot", "CreateThing", {"thingName": "a:b_c-1", "attributePayload": {"attributes": {"a": ""}}}),
        ("iot", "ListThings", {"maxResults": 250}),
        ("iot-data", "Publish", {"topic": "a/b", "payload": b"", "userProperties": [{"a": "b"}]}),
        ("lambda", "CreateFunction", {"FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/r", "Code": {}}),
        ("lambda", "ListFunctions", {}),
    ],
)
def test_what_the_model_allows_passes(service: str, name: str, params: dict[str, Any]) -> None:
    VALIDATORS[service].check(operation(service, name)[1], params)


def test_secret_values_are_not_repeated() -> None:
    params = {
        "FunctionName": "f",
        "Role": "arn:aws:iam::123456789012:role/r",
        "Code": {},
        "Environment": {"Variables": {"not allowed": "secret"}},
    }
    text = complaint("lambda", "CreateFunction", params)
    assert "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [" in text
    assert "secret" not in text


def test_long_values_and_long_lists_of_problems_are_cut() -> None:
    tags = [{"Key": "\0" * 5000} for _ in range(50)]
    text = complaint("iot", "TagResource", {"resourceArn": "arn", "tags": tags})
    assert text.startswith("50 validation errors detected: ")
    assert len(text) < 6000
