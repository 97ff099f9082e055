"""The connections API as boto3 sees it, and what devices may do with it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.gateway.data_plane import DEVICE, REQUEST, DataPlane, allowing
from tests.gateway.served import Served, serving
from tests.gateway.toy import until

from fogbank.broker.rates import Bucket
from fogbank.errors import Forbidden, GatewayTimeout, InvalidRequest, Throttling
from fogbank.gateway.call import Members
from fogbank.mqtt import Properties, Version
from fogbank.mqtt.packets import Puback, Publish, Will
from fogbank.settings import Limits


@pytest.fixture
async def data(plane: DataPlane) -> AsyncIterator[Served]:
    async with serving(plane.apis, "iot-data") as served:
        yield served


async def refusal(data: Served, operation: str, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        await data.call(operation, **params)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def milliseconds(plane: DataPlane) -> int:
    return int(plane.clock.time() * 1000)


# --- GetConnection ---


async def test_a_connection_from_its_beginning_to_its_end(plane: DataPlane, data: Served) -> None:
    lamp = await plane.device().accepted("a/lamp é", clean_start=False)
    answer = await data.call("get_connection", clientId="a/lamp é")
    assert answer == {
        "clientId": "a/lamp é",
        "connected": True,
        "cleanSession": False,
        "keepAliveDuration": 60,
        "sessionExpiry": 3600,
        "connectedSince": milliseconds(plane),
    }
    await plane.clock.advance(1)
    lamp.lose()
    answer = await data.call("get_connection", clientId="a/lamp é")
    assert answer == {
        "clientId": "a/lamp é",
        "connected": False,
        "cleanSession": False,
        "keepAliveDuration": 60,
        "sessionExpiry": 3600,
        "disconnectedSince": milliseconds(plane),
        "disconnectReason": "CONNECTION_LOST",
    }


async def test_sockets_are_told_where_asked_for(plane: DataPlane, data: Served) -> None:
    await plane.device().accepted("lamp")
    answer = await data.call("get_connection", clientId="lamp", includeSocketInformation=True)
    socket = {key: answer[key] for key in ("sourceIp", "sourcePort", "targetIp", "targetPort")}
    assert socket == {"sourceIp": "192.0.2.1", "sourcePort": 4711, "targetIp": "192.0.2.255", "targetPort": 8883}
    assert answer["cleanSession"] is True


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("get_connection", {}),
        ("delete_connection", {"cleanSession": True}),
        ("list_subscriptions", {}),
        ("send_direct_message", {"topic": "a"}),
    ],
)
async def test_nobody_of_that_name(data: Served, operation: str, params: dict[str, Any]) -> None:
    assert await refusal(data, operation, clientId="nobody", **params) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize("client_id", ["$lamp", "x" * 129])
async def test_client_ids_that_cannot_be(data: Served, client_id: str) -> None:
    assert await refusal(data, "get_connection", clientId=client_id) == ("InvalidRequestException", 400)


# --- DeleteConnection ---


async def test_a_connection_is_ended(plane: DataPlane, data: Served) -> None:
    lamp = await plane.device().accepted("lamp", clean_start=False, will=Will("gone", b""))
    assert await data.call("delete_connection", clientId="lamp") == {}
    assert lamp.closed
    assert [message.topic for message in plane.published] == ["gone"]
    answer = await data.call("get_connection", clientId="lamp")
    assert (answer["connected"], answer["disconnectReason"]) == (False, "API_INITIATED_DISCONNECT")
    assert (await plane.device().connect("lamp", clean_start=False)).session_present


async def test_with_its_session_and_without_its_will(plane: DataPlane, data: Served) -> None:
    await plane.device().accepted("lamp", clean_start=False, will=Will("gone", b""))
    await data.call("delete_connection", clientId="lamp", cleanSession=True, preventWillMessage=True)
    assert plane.published == []
    assert not (await plane.device().connect("lamp", clean_start=False)).session_present


# --- ListSubscriptions ---


async def test_subscriptions_in_pages(plane: DataPlane, data: Served) -> None:
    lamp = await plane.device().accepted("lamp", clean_start=False)
    for number in range(0, 24, 8):
        await lamp.subscribe(*((f"t/{number + one:02}", one % 2) for one in range(8)))
    lamp.lose()
    first = await data.call("list_subscriptions", clientId="lamp")
    assert len(first["subscriptions"]) == 20, "where the request does not say (API reference)"
    second = await data.call("list_subscriptions", clientId="lamp", maxResults=200, nextToken=first["nextToken"])
    assert "nextToken" not in second
    assert first["subscriptions"] + second["subscriptions"] == [
        {"topicFilter": f"t/{number:02}", "qos": number % 2} for number in range(24)
    ]
    assert await refusal(data, "list_subscriptions", clientId="lamp", nextToken="!") == ("InvalidRequestException", 400)


# --- SendDirectMessage ---


async def test_a_direct_message(plane: DataPlane, data: Served) -> None:
    lamp = await plane.device(Version.V5).accepted("lamp")
    answer = await data.call(
        "send_direct_message",
        clientId="lamp",
        topic="a/b",
        payload=b"hello",
        contentType="text",
        responseTopic="r",
        correlationData="/w==",
        payloadFormatIndicator="UTF8_DATA",
        userProperties=[{"k": "v"}],
    )
    assert (answer["message"], len(answer["traceId"])) == ("OK", len(REQUEST))
    properties = Properties(
        payload_format=1,
        content_type="text",
        response_topic="r",
        correlation_data=b"\xff",
        user_properties=(("k", "v"),),
    )
    assert await lamp.messages() == [Publish("a/b", b"hello", properties=properties)]
    assert plane.published == []
    [event] = [one for one in plane.events if one.kind == "publish"]
    assert (event.topic, event.client_id, event.detail) == ("a/b", "lamp", {"direct": True, "confirmed": False})


async def test_one_that_is_confirmed(plane: DataPlane) -> None:
    lamp = await plane.device().accepted("lamp")
    sending = asyncio.create_task(
        plane.call("SendDirectMessage", clientId="lamp", topic="a", payload=b"x", confirmation=True)
    )
    [packet] = await lamp.messages()
    assert (packet.qos, packet.payload) == (1, b"x")
    await plane.clock.advance(4.9)  # 5 seconds where the request does not say (API reference)
    assert not sending.done()
    lamp.send(Puback(packet.packet_id))
    assert await sending == {"message": "OK", "traceId": REQUEST}


@pytest.mark.parametrize(("params", "seconds"), [({}, 5), ({"timeout": 1}, 1), ({"timeout": 15}, 15)])
async def test_one_that_is_not(plane: DataPlane, params: Members, seconds: int) -> None:
    await plane.device().accepted("lamp")
    sending = asyncio.create_task(
        plane.call("SendDirectMessage", clientId="lamp", topic="a", confirmation=True, **params)
    )
    await plane.clock.advance(seconds - 0.1)
    assert not sending.done()
    await plane.clock.advance(0.1)
    with pytest.raises(GatewayTimeout):
        await sending


async def test_which_boto3_takes_for_a_timeout(plane: DataPlane, data: Served) -> None:
    lamp = await plane.device().accepted("lamp")
    params = {"clientId": "lamp", "topic": "a", "confirmation": True}
    refused = asyncio.create_task(refusal(data, "send_direct_message", **params))
    await until(lambda: lamp.connection.session.inflight.count)
    lamp.lose()
    assert await refused == ("GatewayTimeoutException", 504)


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({"topic": "$aws/things/lamp/shadow/get"}, "begins with \\$"),
        ({"topic": "a/#"}, "wildcard"),
        ({"topic": "a", "confirmation": True, "timeout": 0}, "timeout is 0; it must be 1 to 15"),
        ({"topic": "a", "confirmation": True, "timeout": 16}, "timeout is 16"),
        ({"topic": "a", "correlationData": "!"}, "correlationData"),
    ],
)
async def test_direct_messages_that_cannot_be(plane: DataPlane, params: Members, what: str) -> None:
    await plane.device().accepted("lamp")
    with pytest.raises(InvalidRequest, match=what):
        await plane.call("SendDirectMessage", clientId="lamp", **params)


async def test_a_timeout_says_nothing_without_a_confirmation(plane: DataPlane) -> None:
    """API reference: this parameter is ignored."""
    await plane.device().accepted("lamp")
    await plane.call("SendDirectMessage", clientId="lamp", topic="a", timeout=99)


# --- rates ---


@pytest.mark.parametrize("name", ["GetConnection", "DeleteConnection", "ListSubscriptions"])
async def test_once_a_second_for_each_client(name: str) -> None:
    """General Reference, quotas: 1 a second per client ID, of each operation, where rates bind."""
    plane = DataPlane(limits=Limits.STRICT)
    for client_id in ("lamp", "door"):
        await plane.device().accepted(client_id, clean_start=False)
    await plane.call(name, clientId="lamp")
    with pytest.raises(Throttling, match=f"{name} requests a second per client ID"):
        await plane.call(name, clientId="lamp")
    await plane.call(name, clientId="door")
    await plane.clock.advance(1)
    await plane.call(name, clientId="lamp")


async def test_so_many_direct_messages_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = DataPlane(limits=Limits.STRICT)
    lamp = await plane.device().accepted("lamp")
    monkeypatch.setattr(plane.broker.rates, "_direct", Bucket(1, plane.clock))
    await plane.call("SendDirectMessage", clientId="lamp", topic="a")
    with pytest.raises(Throttling, match="direct messages a second"):
        await plane.call("SendDirectMessage", clientId="lamp", topic="a")
    assert len(await lamp.messages()) == 1


# --- devices ---


@pytest.mark.parametrize(
    ("name", "params", "kind"),
    [
        ("GetConnection", {}, "connect"),
        ("DeleteConnection", {}, "disconnect"),
        ("ListSubscriptions", {}, "subscribe"),
        ("SendDirectMessage", {"topic": "a"}, "publish"),
    ],
)
async def test_devices_need_a_policy(name: str, params: Members, kind: str) -> None:
    plane = DataPlane(allowing((name, "client/lamp")))
    lamp, other = await plane.device().accepted("lamp"), await plane.device().accepted("other")
    with pytest.raises(Forbidden):
        await plane.call(name, DEVICE, clientId="other", **params)
    assert not other.closed
    assert await other.messages() == []
    assert plane.denials() == [(kind, "", "other", "")]
    await plane.call(name, DEVICE, clientId="lamp", **params)
    assert lamp.closed is (name == "DeleteConnection")


def conditional(action: str, key: str, value: str) -> str:
    condition = f', "Condition": {{"StringEquals": {{"{key}": "{value}"}}}}}}]}}'
    return allowing((action, "*")).replace("}]}", condition)


async def test_the_topic_is_a_condition_key_of_direct_messages() -> None:
    plane = DataPlane(conditional("SendDirectMessage", "iot:Topic", "ok"))
    await plane.device().accepted("lamp")
    await plane.call("SendDirectMessage", DEVICE, clientId="lamp", topic="ok")
    with pytest.raises(Forbidden):
        await plane.call("SendDirectMessage", DEVICE, clientId="lamp", topic="other")


async def test_sockets_are_a_condition_key_of_get_connection() -> None:
    plane = DataPlane(conditional("GetConnection", "iot:IncludeSocketInformation", "false"))
    await plane.device().accepted("lamp")
    await plane.call("GetConnection", DEVICE, clientId="lamp")
    with pytest.raises(Forbidden):
        await plane.call("GetConnection", DEVICE, clientId="lamp", includeSocketInformation=True)
