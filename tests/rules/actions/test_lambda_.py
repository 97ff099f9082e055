"""The action `lambda`: which parameters it takes, and how it invokes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fogbank.errors import InvalidRequest
from fogbank.ports import InvocationType, ServiceCaller
from fogbank.rules.errors import SqlParse

if TYPE_CHECKING:
    from tests.rules.conftest import Platform

PREFIX = "arn:aws:lambda:us-east-1:123456789012:function:"


async def test_it_invokes_asynchronously_in_the_name_of_the_rule(platform: Platform) -> None:
    await platform.create("r", "SELECT a FROM 't'", {"lambda": {"functionArn": PREFIX + "f"}})
    await platform.send("t", {"a": 1, "b": 2})
    [call] = platform.invoker.calls
    assert (call.function, call.payload, call.type_) == (PREFIX + "f", b'{"a":1}', InvocationType.EVENT)
    assert call.caller == ServiceCaller(
        "iot.amazonaws.com", "arn:aws:iot:us-east-1:123456789012:rule/r", "123456789012"
    )


@pytest.mark.parametrize("name", ["f:live", "f:3", "f:$LATEST", "with-hyphen_and_1"])
async def test_versions_and_aliases_go_along(platform: Platform, name: str) -> None:
    await platform.create("r", "SELECT * FROM 't'", {"lambda": {"functionArn": PREFIX + name}})
    await platform.send("t", {})
    assert platform.invoker.calls[0].function == PREFIX + name


async def test_the_function_may_come_from_the_message(platform: Platform) -> None:
    await platform.create("r", "SELECT * FROM 't/+'", {"lambda": {"functionArn": PREFIX + "${topic(2)}"}})
    await platform.send("t/chosen", {})
    assert platform.invoker.calls[0].function == PREFIX + "chosen"


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, "functionArn"),
        ({"functionArn": 1}, "functionArn"),
        ({"functionArn": "f"}, "'f' is not the ARN"),
        ({"functionArn": ""}, "'' is not the ARN"),
        ({"functionArn": PREFIX + "f", "roleArn": "r"}, "roleArn"),
        ({"functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:f"}, "region eu-west-1"),
        ({"functionArn": "arn:aws:lambda:us-east-1:210987654321:function:f"}, "account 210987654321"),
        ([], "array"),
    ],
)
async def test_parameters_that_are_refused(platform: Platform, parameters: Any, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        await platform.create("r", "SELECT * FROM 't'", {"lambda": parameters})


async def test_a_wrong_template_is_refused(platform: Platform) -> None:
    with pytest.raises(SqlParse, match="functionArn"):
        await platform.create("r", "SELECT * FROM 't'", {"lambda": {"functionArn": PREFIX + "${topic(}"}})
