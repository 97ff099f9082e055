"""Publishing over HTTP, from boto3 to whoever gets the message."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.gateway.data_plane import CERTIFICATE, DEVICE, REQUEST, DataPlane, Remembering, allowing
from tests.gateway.served import Served, serving
from tests.gateway.toy import KEY, send

from fogbank.awswire.http import Request
from fogbank.broker.rates import Bucket
from fogbank.errors import Forbidden, InvalidRequest, Throttling
from fogbank.message import Message, MessageProperties, Origin
from fogbank.mqtt import Properties, Version
from fogbank.ports import StorageError
from fogbank.settings import Limits


@pytest.fixture
async def data(plane: DataPlane) -> AsyncIterator[Served]:
    async with serving(plane.apis, "iot-data") as served:
        yield served


async def test_what_boto3_publishes(plane: DataPlane, data: Served) -> None:
    receiver = await plane.device(Version.V5).accepted("receiver")
    await receiver.subscribe(("a/b", 1))
    await data.call(
        "publish",
        topic="a/b",
        qos=1,
        payload=b"\x00\xff",
        contentType="text/plain",
        responseTopic="answers/1",
        correlationData="/w==",
        payloadFormatIndicator="UTF8_DATA",
        messageExpiry=600,
        userProperties=[{"k": "1"}, {"k": "2"}],
    )
    [message] = plane.published
    assert message == Message(
        "a/b",
        b"\x00\xff",
        1,
        origin=Origin(KEY.id, None, "127.0.0.1"),
        properties=MessageProperties(
            payload_format=1,
            content_type="text/plain",
            response_topic="answers/1",
            correlation_data=b"\xff",
            user_properties=(("k", "1"), ("k", "2")),
        ),
        expires_at=plane.clock.time() + 600,
    )
    [packet] = await receiver.messages()
    assert packet.properties == Properties(
        payload_format=1,
        message_expiry=600,
        content_type="text/plain",
        response_topic="answers/1",
        correlation_data=b"\xff",
        user_properties=(("k", "1"), ("k", "2")),
    )


async def test_the_answer_of_the_guide(plane: DataPlane) -> None:
    assert await plane.call("Publish", topic="a") == {"message": "OK", "traceId": REQUEST}
    [message] = plane.published
    assert (message.payload, message.qos, message.retain) == (b"", 0, False)


@pytest.mark.parametrize(
    ("params", "code", "status"),
    [
        ({"topic": "a/+"}, "InvalidRequestException", 400),
        ({"topic": "a", "userProperties": {"k": "v"}}, "InvalidRequestException", 400),
        ({"topic": "a", "payloadFormatIndicator": "TEXT"}, "InvalidRequestException", 400),
        ({"topic": "a", "qos": 2}, "InvalidRequestException", 400),
        ({"topic": "$aws/x", "retain": True}, "InvalidRequestException", 400),
        ({"topic": "a", "payload": bytes(131_073)}, "RequestEntityTooLargeException", 413),
    ],
)
async def test_what_is_refused(plane: DataPlane, data: Served, params: dict[str, Any], code: str, status: int) -> None:
    with pytest.raises(ClientError) as caught:
        await data.call("publish", **params)
    response = caught.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert plane.published == []


async def test_a_retained_message(plane: DataPlane) -> None:
    await plane.call("Publish", topic="a", payload=b"x", retain=True)
    kept = plane.broker.retained.get("a")
    assert kept is not None
    assert (kept.message.payload, kept.message.qos) == (b"x", 0)
    await plane.call("Publish", topic="a", payload=b"", retain=True)
    assert plane.broker.retained.get("a") is None
    assert [message.payload for message in plane.published] == [b"x", b""]


async def test_retained_messages_on_reserved_topics_under_open_limits() -> None:
    plane = DataPlane(limits=Limits.OPEN)
    await plane.call("Publish", topic="$x", payload=b"x", retain=True)
    assert plane.broker.retained.get("$x") is not None


async def test_no_room_to_retain(plane: DataPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Developer guide, "MQTT retained messages": over the account's cap they are throttled."""
    monkeypatch.setattr(plane.broker.retained, "_max_messages", 0)
    with pytest.raises(Throttling, match="no room to retain") as caught:
        await plane.call("Publish", topic="a", payload=b"x", retain=True)
    assert caught.value.status == 429
    assert plane.published == []


class TestRates:
    """General Reference, quotas: they bind under strict limits alone, over HTTP as over MQTT."""

    async def test_one_retained_message_a_second_and_topic(self) -> None:
        plane = DataPlane(limits=Limits.STRICT)
        await plane.call("Publish", topic="a", payload=b"1", retain=True)
        with pytest.raises(Throttling, match="retained messages a second per topic"):
            await plane.call("Publish", topic="a", payload=b"2", retain=True)
        await plane.call("Publish", topic="a", payload=b"3")
        await plane.call("Publish", topic="b", payload=b"4", retain=True)
        await plane.clock.advance(1)
        await plane.call("Publish", topic="a", payload=b"5", retain=True)
        assert [message.payload for message in plane.published] == [b"1", b"3", b"4", b"5"]
        assert plane.broker.metrics().throttled == 1

    async def test_so_many_messages_a_second(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plane = DataPlane(limits=Limits.STRICT)
        assert plane.broker.rates is not None
        monkeypatch.setattr(plane.broker.rates, "inbound", Bucket(2, plane.clock))
        for _ in range(2):
            await plane.call("Publish", topic="a")
        with pytest.raises(Throttling, match="publishes a second"):
            await plane.call("Publish", topic="a")
        assert len(plane.published) == 2

    async def test_a_denied_message_counts_for_nobody(self) -> None:
        plane = DataPlane(allowing(("Publish", "topic/*")), limits=Limits.STRICT)
        with pytest.raises(Forbidden):
            await plane.call("Publish", DEVICE, topic="a", payload=b"1", retain=True)
        await plane.call("Publish", topic="a", payload=b"2", retain=True)

    async def test_otherwise_they_do_not_bind(self, plane: DataPlane) -> None:
        for _ in range(20):
            await plane.call("Publish", topic="a", payload=b"1", retain=True)
        assert plane.broker.metrics().throttled == 0


class TestDevices:
    async def test_what_a_policy_allows(self) -> None:
        plane = DataPlane(allowing(("Publish", "topic/lamp/*"), ("RetainPublish", "topic/lamp/kept")))
        await plane.call("Publish", DEVICE, topic="lamp/data")
        await plane.call("Publish", DEVICE, topic="lamp/kept", payload=b"x", retain=True)
        with pytest.raises(Forbidden):
            await plane.call("Publish", DEVICE, topic="door/data")
        with pytest.raises(Forbidden):
            await plane.call("Publish", DEVICE, topic="lamp/data", retain=True)
        assert [message.topic for message in plane.published] == ["lamp/data", "lamp/kept"]
        assert plane.denials() == [("publish", "door/data", "", ""), ("publish", "lamp/data", "", "")]
        reasons = [event.reason for event in plane.events if event.status == "denied"]
        assert "iot:Publish" in reasons[0]
        assert "iot:RetainPublish" in reasons[1]

    async def test_the_right_to_retain_alone_is_not_enough(self) -> None:
        plane = DataPlane(allowing(("RetainPublish", "topic/*")))
        with pytest.raises(Forbidden):
            await plane.call("Publish", DEVICE, topic="lamp/data", retain=True)

    async def test_a_sender_learns_no_more_of_wrong_topics_than_others(self) -> None:
        plane = DataPlane(allowing())
        with pytest.raises(InvalidRequest):
            await plane.call("Publish", DEVICE, topic="a/+")


async def test_what_is_published_can_be_traced(plane: DataPlane) -> None:
    await plane.call("Publish", topic="a/b")
    assert [(event.kind, event.status, event.topic) for event in plane.events] == [("publish", "success", "a/b")]


async def test_it_is_answered_when_it_is_on_disk(plane: DataPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = await plane.device().accepted("receiver", clean_start=False)
    await receiver.subscribe(("a", 1))
    receiver.lose()
    await plane.broker.journal.settled()
    commit, held = plane.broker.journal._backlogs.commit, asyncio.Event()

    async def hold(*changes: Any) -> None:
        await held.wait()
        await commit(*changes)

    monkeypatch.setattr(plane.broker.journal._backlogs, "commit", hold)
    publishing = asyncio.create_task(plane.call("Publish", topic="a", qos=1))
    await asyncio.sleep(0.01)
    assert not publishing.done()
    held.set()
    assert (await publishing)["message"] == "OK"


async def test_it_is_not_answered_well_when_it_is_not(
    plane: DataPlane, data: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(plane.broker.journal._backlogs, "commit", fail)
    with pytest.raises(ClientError) as caught:
        await data.call("publish", topic="a", payload=b"x", retain=True)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


async def test_a_rule_gets_what_is_published_to_it(plane: DataPlane) -> None:
    """Basic Ingest; the policy is asked for the full topic."""
    plane = DataPlane(allowing(("Publish", "topic/$aws/rules/named/*")))
    rules = Remembering()
    plane.broker.router.reserve("$aws/rules/", rules)
    await plane.call("Publish", DEVICE, topic="$aws/rules/named/a/b", payload=b"{}")
    with pytest.raises(Forbidden):
        await plane.call("Publish", DEVICE, topic="$aws/rules/other/a/b")
    assert [message.topic for message in rules.messages] == ["$aws/rules/named/a/b"]
    assert plane.published == []


async def test_a_device_over_the_wire() -> None:
    """Developer guide, "HTTPS": slashes as they are, and answers that the model does not tell of."""
    plane = DataPlane(allowing(("Publish", "topic/a/b")))
    properties = base64.b64encode(b'[{"k": "v"}]').decode()
    headers = {"host": "x", "x-amz-mqtt5-user-properties": properties}
    async with serving(plane.apis, "iot-data", CERTIFICATE) as served:
        taken = await send(served.port, Request("POST", "/topics/a/b", "qos=1&contentType=x", headers, b"hello"))
        refused = await send(served.port, Request("POST", "/topics/a/c", "", headers))
    assert (taken.status, taken.json) == (200, {"message": "OK", "traceId": taken.headers["x-amzn-requestid"]})
    trace_id = refused.headers["x-amzn-requestid"]
    assert (refused.status, refused.json) == (403, {"message": "Forbidden", "traceId": trace_id})
    assert [event.detail for event in plane.events if event.status == "denied"] == [{"traceId": trace_id}]
    [message] = plane.published
    assert (message.payload, message.qos, message.properties) == (
        b"hello",
        1,
        MessageProperties(content_type="x", user_properties=(("k", "v"),)),
    )


@pytest.mark.parametrize(
    ("path", "topic"),
    [
        ("a/b", "a/b"),
        ("a%2Fb", "a/b"),
        ("a/b/", "a/b/"),
        ("a%2F%2Fb", "a//b"),
        ("%2Fa", "/a"),
        ("a%20b%25+", None),
        ("a%20b%25%C3%A9", "a b%é"),
        ("a%2Bb", None),
        ("%23", None),
        ("a%00", None),
        ("a%FF", None),
        ("a/b/c/d/e/f/g/h", "a/b/c/d/e/f/g/h"),
        ("a/b/c/d/e/f/g/h/i", None),
        ("a" * 256, "a" * 256),
        ("a" * 257, None),
        ("$aws/rules/r/" + "a" * 256, "$aws/rules/r/" + "a" * 256),
    ],
)
async def test_topics_in_paths(path: str, topic: str | None) -> None:
    """As they are or percent-encoded; the bounds are those of MQTT, and of AWS (General Reference, quotas)."""
    plane = DataPlane(allowing(("Publish", "topic/*")))
    ingested = Remembering()
    plane.broker.router.reserve("$aws/rules/", ingested)
    async with serving(plane.apis, "iot-data", CERTIFICATE) as served:
        answer = await send(served.port, Request("POST", f"/topics/{path}", "", {"host": "x"}))
    assert [message.topic for message in (*plane.published, *ingested.messages)] == ([topic] if topic else [])
    assert answer.status == (200 if topic else 400), answer
    assert set(answer.json) >= {"message", "traceId"}


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("qos=2", {}),
        ("qos=-1", {}),
        ("qos=one", {}),
        ("retain=perhaps", {}),
        ("messageExpiry=-1", {}),
        ("messageExpiry=soon", {}),
        ("responseTopic=a/%2B", {}),
        ("responseTopic=", {}),
        ("contentType=" + "x" * 257, {}),
        ("contentType=%FF", {}),
        ("", {"x-amz-mqtt5-correlation-data": "!"}),
        ("", {"x-amz-mqtt5-correlation-data": base64.b64encode(bytes(8193)).decode()}),
        ("", {"x-amz-mqtt5-payload-format-indicator": "TEXT"}),
        ("", {"x-amz-mqtt5-user-properties": "!"}),
        ("", {"x-amz-mqtt5-user-properties": base64.b64encode(b"[").decode()}),
        ("", {"x-amz-mqtt5-user-properties": base64.b64encode(b'[{"k": 1}]').decode()}),
        ("", {"x-amz-mqtt5-user-properties": base64.b64encode(rb'[{"k": "\ud800"}]').decode()}),
        ("", {"x-amz-mqtt5-user-properties": base64.b64encode(rb'"[{\"k\": \"\\ud800\"}]"').decode()}),
        ("", {"x-amz-mqtt5-user-properties": base64.b64encode(b'[{"k": "\xff"}]').decode()}),
        ("", {"x-amz-mqtt5-user-properties": base64.b64encode(rb'[{"k\u0000": ""}]').decode()}),
        ("", {"x-amz-mqtt5-user-properties": base64.b64encode(b'[{"k": "%s"}]' % (b"v" * 8192)).decode()}),
    ],
)
async def test_extras_that_cannot_be(query: str, headers: dict[str, str]) -> None:
    plane = DataPlane(allowing(("Publish", "topic/*")))
    async with serving(plane.apis, "iot-data", CERTIFICATE) as served:
        answer = await send(served.port, Request("POST", "/topics/a", query, {"host": "x"} | headers))
    assert (answer.status, plane.published) == (400, []), answer
    assert answer.json["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/topics/a/b", 405),
        ("PUT", "/things/lamp/shadow", 405),
        ("POST", "/retainedMessage/a", 405),
        ("POST", "/topics", 404),
        ("POST", "/topics/", 404),
        ("GET", "/elsewhere", 404),
    ],
)
async def test_other_methods_and_paths(plane: DataPlane, method: str, path: str, status: int) -> None:
    """MethodNotAllowedException is among the errors of each operation in the model."""
    async with serving(plane.apis, "iot-data", CERTIFICATE) as served:
        answer = await send(served.port, Request(method, path, "", {"host": "x"}))
    assert answer.status == status
    assert set(answer.json) >= {"message", "traceId"}


@pytest.mark.parametrize(("asked", "kept"), [(0, 1), (1, 1), (604_800, 604_800), (10**20, 604_800)])
async def test_expiries_are_clamped(plane: DataPlane, asked: int, kept: int) -> None:
    """General Reference, quotas: 1 to 604 800 seconds."""
    await plane.call("Publish", topic="a", messageExpiry=asked)
    assert plane.published[0].expires_at == plane.clock.time() + kept


@pytest.mark.parametrize("limits", [Limits.AWS, Limits.OPEN])
async def test_nothing_is_retained_for_a_rule(limits: Limits) -> None:
    plane, rules = DataPlane(limits=limits), Remembering()
    plane.broker.router.reserve("$aws/rules/", rules)
    with pytest.raises(InvalidRequest, match="no message is retained on '\\$aws/rules/named/x'"):
        await plane.call("Publish", topic="$aws/rules/named/x", retain=True)
    assert rules.messages == []
