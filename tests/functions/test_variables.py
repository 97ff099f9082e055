import re

import msgspec
from tests.functions.specimens import configuration

from fogbank.functions.function import Function
from fogbank.functions.variables import variables

FUNCTION = Function(
    name="f",
    configuration=configuration(environment={"OWN": "1", "LANG": "C", "AWS_ENDPOINT_URL": "http://own"}),
    code_digest="0" * 64,
    code_size=1,
    last_modified=0,
    revision_id="r",
    deployment="d",
)


def of(function: Function = FUNCTION, **platform: str) -> dict[str, str]:
    return variables(function, region="eu-west-1", runtime_api="127.0.0.1:9", platform=platform, now=1_795_415_584)


def test_are_those_of_aws() -> None:
    """Developer guide, "Defined runtime environment variables"."""
    found = of(AWS_ACCESS_KEY_ID="key")
    stream = found.pop("AWS_LAMBDA_LOG_STREAM_NAME")
    assert re.fullmatch(r"2026/11/23/\[\$LATEST\][0-9a-f]{32}", stream)
    assert found == {
        "LANG": "C",
        "TZ": ":UTC",
        "OWN": "1",
        "AWS_ENDPOINT_URL": "http://own",
        "AWS_ACCESS_KEY_ID": "key",
        "_HANDLER": "lambda_function.handler",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
    }


def test_the_users_own_win_over_the_platforms_and_never_over_those_reserved() -> None:
    plain = msgspec.structs.replace(FUNCTION, configuration=configuration())
    assert of(plain, AWS_ENDPOINT_URL="http://platform")["AWS_ENDPOINT_URL"] == "http://platform"
    assert of(FUNCTION, AWS_ENDPOINT_URL="http://platform")["AWS_ENDPOINT_URL"] == "http://own"
    assert of(plain, AWS_REGION="nowhere")["AWS_REGION"] == "eu-west-1"
