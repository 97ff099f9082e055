from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
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


def _values(service: str, shape: str, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of the shape's type, within its constraints or not."""
    shapes = load(service).shapes
    one = shapes[shape]
    if depth > 3:
        return st.just({"structure": {}, "list": [], "map": {}}.get(one.type, "a"))
    match one.type:
        case "structure":
            members = {name: _values(service, ref.shape, depth + 1) for name, ref in one.members.items()}
            return st.fixed_dictionaries({}, optional=members)
        case "list" if one.member is not None:
            return st.lists(_values(service, one.member.shape, depth + 1), max_size=3)
        case "map" if one.key is not None and one.value is not None:
            keys = st.sampled_from(["a", "a b", ""])
            return st.dictionaries(keys, _values(service, one.value.shape, depth + 1), max_size=2)
        case "string":
            return st.sampled_from(["a", "a b", "", "a" * 300, *one.enum[:1]]) | st.none()
        case "blob":
            return st.sampled_from([b"", b"x"])
        case "boolean":
            return st.booleans()
    return st.sampled_from([-1, 0, 1, 10**9])


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("iot", "CreateThing"),
        ("iot", "CreateTopicRule"),
        ("iot", "CreateJob"),
        ("iot", "SearchIndex"),
        ("iot-data", "UpdateThingShadow"),
        ("lambda", "CreateFunction"),
    ],
)
@given(data=st.data())
def test_what_fits_has_no_problems_and_only_that(service: str, name: str, data: st.DataObject) -> None:
    validator, (_, op) = VALIDATORS[service], operation(service, name)
    assert op.input is not None
    params = data.draw(_values(service, op.input.shape))
    assert validator._fits(op.input)(params) == (not list(validator._problems(op.input, params, "")))
