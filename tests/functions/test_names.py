import pytest

from fogbank.arns import Arns
from fogbank.errors import InvalidParameterValue, ResourceNotFound
from fogbank.functions.errors import AccessDenied
from fogbank.functions.names import FunctionName, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # API reference, Invoke: "The name or ARN of the Lambda function, version, or alias"
        ("my-function", FunctionName("my-function")),
        ("my-function:v1", FunctionName("my-function", "v1")),
        ("my-function:$LATEST", FunctionName("my-function", "$LATEST")),
        ("123456789012:function:my-function", FunctionName("my-function")),
        ("123456789012:function:my-function:7", FunctionName("my-function", "7")),
        ("function:my-function", FunctionName("my-function")),
        ("arn:aws:lambda:us-east-1:123456789012:function:my-function", FunctionName("my-function")),
        ("arn:aws:lambda:us-east-1:123456789012:function:my-function:v1", FunctionName("my-function", "v1")),
    ],
)
def test_takes_names_partial_arns_and_arns(text: str, expected: FunctionName, arns: Arns) -> None:
    assert parse(text, arns) == expected


@pytest.mark.parametrize("text", ["", "a b", "a/b", "x" * 65, "arn:aws:s3:::bucket", "a:b:c", "../a", "a\n", "ä"])
def test_refuses_what_is_no_name(text: str, arns: Arns) -> None:
    with pytest.raises(InvalidParameterValue, match="functionName"):
        parse(text, arns)


def test_takes_the_qualifier_from_the_request_too(arns: Arns) -> None:
    assert parse("f", arns, "v1") == FunctionName("f", "v1")
    assert parse("f:v1", arns, "v1") == FunctionName("f", "v1")
    with pytest.raises(InvalidParameterValue, match="does not match the specified qualifier"):
        parse("f:v1", arns, "v2")


def test_serves_one_region_and_account(arns: Arns) -> None:
    with pytest.raises(ResourceNotFound, match="'eu-west-1' are not reachable in this region"):
        parse("arn:aws:lambda:eu-west-1:123456789012:function:f", arns)
    with pytest.raises(AccessDenied, match="210987654321"):
        parse("arn:aws:lambda:us-east-1:210987654321:function:f", arns)
