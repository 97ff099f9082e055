from typing import Any

import msgspec
import pytest
from tests.functions.specimens import configuration

from fogbank.errors import InvalidParameterValue
from fogbank.functions.function import check


@pytest.mark.parametrize(
    "change",
    [
        {"timeout": 1},
        {"timeout": 900},
        {"memory_size": 128},
        {"memory_size": 10240},
        {"ephemeral_storage": 10240},
        {"description": "x" * 256},
        {"handler": "x" * 128},
        {"runtime": "python3.9"},
        {"runtime": "python3.13"},
        {"environment": {"AB": "", "a_1": "x"}},
        {"environment": {"AB": "x" * 4094}},
        {"role": "arn:aws-cn:iam::123456789012:role/path/name"},
    ],
)
def test_accepts_what_is_within_the_bounds(change: dict[str, Any]) -> None:
    changed = msgspec.structs.replace(configuration(), **change)
    assert check(changed) is changed


@pytest.mark.parametrize(
    ("change", "reason"),
    [  # developer guide, "Lambda quotas" and "Using environment variables"
        ({"timeout": 0}, "'timeout'.*greater than or equal to 1"),
        ({"timeout": 901}, "Value '901' at 'timeout' .* less than or equal to 900"),
        ({"memory_size": 127}, "'memorySize'.*greater than or equal to 128"),
        ({"memory_size": 10241}, "'memorySize'.*less than or equal to 10240"),
        ({"ephemeral_storage": 511}, "'ephemeralStorage.size'"),
        ({"description": "x" * 257}, "'description'"),
        ({"handler": "x" * 129}, "'handler'"),
        ({"handler": "a b"}, "'handler'"),
        ({"handler": ""}, "Runtime and Handler are mandatory parameters"),
        ({"runtime": ""}, "Runtime and Handler are mandatory parameters"),
        ({"runtime": "nodejs22.x"}, "does not run the runtime nodejs22.x"),
        ({"runtime": "python2.7"}, "does not run the runtime python2.7"),
        ({"role": "worker"}, "'role'"),
        ({"environment": {"A": "x"}}, "'environment.variables'"),
        ({"environment": {"1A": "x"}}, "'environment.variables'"),
        ({"environment": {"A-B": "x"}}, "'environment.variables'"),
        ({"environment": {"AB": "a\0b"}}, "null character"),
        ({"environment": {"AB": "x" * 4095}}, "exceeded the 4KB limit. Actual size: 4097 bytes"),
        ({"environment": {"AWS_REGION": "x", "OWN": "x"}}, "Reserved keys used in this request: AWS_REGION$"),
        ({"environment": {"AWS_SESSION_TOKEN": "x"}}, "reserved keys"),
        ({"environment": {"LAMBDA_TASK_ROOT": "x"}}, "reserved keys"),
        ({"environment": {"_HANDLER": "x"}}, "reserved keys"),
    ],
)
def test_names_the_member_that_is_out_of_bounds(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidParameterValue, match=reason):
        check(msgspec.structs.replace(configuration(), **change))
