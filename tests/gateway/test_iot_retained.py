"""Retained messages as boto3 sees them, and what devices may see of them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.gateway.data_plane import DEVICE, DataPlane, allowing
from tests.gateway.served import Served, serving

from fogbank.errors import Forbidden, InvalidRequest, ResourceNotFound
from fogbank.message import Message, MessageProperties


@pytest.fixture
async def data(plane: DataPlane) -> AsyncIterator[Served]:
    async with serving(plane.apis, "iot-data") as served:
        yield served


def retain(plane: DataPlane, topic: str, payload: bytes = b"x", **fields: object) -> None:
    plane.broker.router.deliver(Message(topic, payload, retain=True, **fields))  # type: ignore[arg-type]


async def test_one_with_all_it_has(plane: DataPlane, data: Served) -> None:
    pairs = (("deviceName", "alpha"), ("deviceCnt", "45"), ("deviceName", "beta"))
    retain(plane, "a/b c", b"\x00\xff", qos=1, properties=MessageProperties(user_properties=pairs))
    answer = await data.call("get_retained_message", topic="a/b c")
    properties = json.loads(answer.pop("userProperties"))
    assert properties == [{"deviceName": "alpha"}, {"deviceCnt": "45"}, {"deviceName": "beta"}]
    assert answer == {
        "topic": "a/b c",
        "payload": b"\x00\xff",
        "qos": 1,
        "lastModifiedTime": int(plane.clock.time() * 1000),
    }


async def test_one_without_user_properties(plane: DataPlane, data: Served) -> None:
    retain(plane, "a")
    assert "userProperties" not in await data.call("get_retained_message", topic="a")


async def test_none(plane: DataPlane, data: Served) -> None:
    with pytest.raises(ClientError) as caught:
        await data.call("get_retained_message", topic="a")
    response = caught.value.response
    assert response["Error"]["Code"] == "ResourceNotFoundException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert "'a'" in response["Error"]["Message"]


async def test_one_that_has_expired_is_none(plane: DataPlane) -> None:
    retain(plane, "a", expires_at=plane.clock.time() + 1)
    await plane.call("GetRetainedMessage", topic="a")
    await plane.clock.advance(1)
    with pytest.raises(ResourceNotFound):
        await plane.call("GetRetainedMessage", topic="a")


async def test_a_filter_is_no_topic(plane: DataPlane) -> None:
    with pytest.raises(InvalidRequest, match="holds a wildcard"):
        await plane.call("GetRetainedMessage", topic="a/+")


async def test_the_list_comes_in_pages(plane: DataPlane, data: Served) -> None:
    for number in range(5):
        retain(plane, f"t/{number}", bytes(number + 1), qos=number % 2)
    found: list[dict[str, Any]] = []
    params: dict[str, str] = {}
    sizes = []
    while True:
        page = await data.call("list_retained_messages", maxResults=2, **params)
        found += page["retainedTopics"]
        sizes.append(len(page["retainedTopics"]))
        if "nextToken" not in page:
            break
        params = {"nextToken": page["nextToken"]}
    assert sizes == [2, 2, 1]
    assert found[0] == {
        "topic": "t/0",
        "payloadSize": 1,
        "qos": 0,
        "lastModifiedTime": int(plane.clock.time() * 1000),
    }
    assert [(one["topic"], one["payloadSize"], one["qos"]) for one in found] == [
        (f"t/{number}", number + 1, number % 2) for number in range(5)
    ]


async def test_a_page_that_is_just_full_is_the_last(plane: DataPlane) -> None:
    retain(plane, "a")
    answer = await plane.call("ListRetainedMessages", maxResults=1)
    assert (len(answer["retainedTopics"]), answer["nextToken"]) == (1, None)


async def test_an_empty_list(data: Served) -> None:
    assert await data.call("list_retained_messages") == {"retainedTopics": []}


@pytest.mark.parametrize("params", [{"maxResults": 0}, {"maxResults": 201}, {"nextToken": "!"}])
async def test_pages_that_cannot_be(data: Served, params: dict[str, object]) -> None:
    with pytest.raises(ClientError, match="InvalidRequestException"):
        await data.call("list_retained_messages", **params)


async def test_what_devices_may_see() -> None:
    plane = DataPlane(allowing(("GetRetainedMessage", "topic/a")))
    retain(plane, "a")
    retain(plane, "b")
    await plane.call("GetRetainedMessage", DEVICE, topic="a")
    for name, params in (("GetRetainedMessage", {"topic": "b"}), ("ListRetainedMessages", {})):
        with pytest.raises(Forbidden):
            await plane.call(name, DEVICE, **params)
    assert plane.denials() == [("receive", "b", "", ""), ("receive", "", "", "")]


async def test_a_list_is_allowed_on_everything_or_not_at_all() -> None:
    """Developer guide, iot-policy-actions: the resource of iot:ListRetainedMessages must be `*`."""
    plane = DataPlane(allowing(("ListRetainedMessages", "topic/*")))
    with pytest.raises(Forbidden):
        await plane.call("ListRetainedMessages", DEVICE)
    plane.principals.policy = allowing(("ListRetainedMessages", "*"))
    await plane.call("ListRetainedMessages", DEVICE)
