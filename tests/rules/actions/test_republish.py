"""The action `republish`: which parameters it takes, and where it publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.rules.actions.workbench import Workbench

from fogbank.errors import InvalidRequest, ServiceUnavailable
from fogbank.message import Message, MessageProperties
from fogbank.ports import StorageError
from fogbank.rules.actions.base import Firing, Need
from fogbank.rules.actions.republish import MAX_HOPS
from fogbank.rules.errors import SqlParse
from fogbank.sql import Event
from fogbank.testing import FakeClock

if TYPE_CHECKING:
    from tests.rules.conftest import Platform

Action = dict[str, Any]
ROLE = "arn:aws:iam::123456789012:role/path/republisher"


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("plain/topic", "plain/topic"),
        ("${topic()}/again", "t/lamp/again"),
        ("$$aws/things/${topic(2)}/shadow/update", "$aws/things/lamp/shadow/update"),
        ("$$aws/things/${name}/shadow/name/x/update", "$aws/things/n/shadow/name/x/update"),
        ("price/$5", "price/$5"),
    ],
)
async def test_where_it_publishes(
    platform: Platform, republish: Callable[..., Action], topic: str, expected: str
) -> None:
    await platform.create("r", "SELECT * FROM 't/+'", republish(topic))
    await platform.send("t/lamp", {"name": "n"})
    assert platform.router.published[-1].topic == expected
    assert platform.router.published[-1].qos == 0


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"to": "$aws/things/victim/shadow/update"}, "reserved"),
        ({"to": "$$aws/things/victim/shadow/update"}, "reserved"),
        ({"to": "a/+"}, "wildcard"),
        ({"to": ""}, "empty"),
        ({}, "empty"),
    ],
)
async def test_a_payload_cannot_choose_a_topic_that_the_rule_does_not_allow(
    platform: Platform, republish: Callable[..., Action], payload: dict[str, str], told: str
) -> None:
    platform.watch()
    await platform.create("r", "SELECT * FROM 't'", republish("${to}"))
    await platform.send("t", payload)
    [(name, status, reason)] = platform.stories("action")
    assert (name, status) == ("r/republish", "failure")
    assert told in reason
    assert len(platform.router.published) == 1


async def test_topics_of_jobs_are_refused_when_the_message_leads_there(
    platform: Platform, republish: Callable[..., Action]
) -> None:
    platform.watch()
    await platform.create("r", "SELECT * FROM 't'", republish("$$aws/things/lamp/${to}"))
    await platform.send("t", {"to": "jobs/start-next"})
    assert "belongs to jobs" in platform.stories("action")[0][2]


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"topic": "a"}, "roleArn"),
        ({"roleArn": ROLE}, "topic"),
        ({"topic": "a", "roleArn": "role"}, "'role' is not the ARN of a role"),
        ({"topic": "a", "roleArn": ROLE, "qos": 2}, "qos must be 0 or 1"),
        ({"topic": "a", "roleArn": ROLE, "qos": "1"}, "qos"),
        ({"topic": "a", "roleArn": ROLE, "headers": {"encoding": "x"}}, "encoding"),
        ({"topic": "a", "roleArn": ROLE, "retain": True}, "retain"),
        ({"topic": "", "roleArn": ROLE}, "empty"),
        ({"topic": "a/#", "roleArn": ROLE}, "wildcard"),
        ({"topic": "$aws/things/x/shadow/update", "roleArn": ROLE}, "reserved"),
        ({"topic": "$$aws/things/x/jobs/get", "roleArn": ROLE}, "belongs to jobs"),
        ({"topic": "$$aws/events/certificates/registered/x", "roleArn": ROLE}, "the platform alone publishes"),
    ],
)
async def test_parameters_that_are_refused(platform: Platform, parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        await platform.create("r", "SELECT * FROM 't'", {"republish": parameters})


async def test_a_wrong_template_is_refused(platform: Platform, republish: Callable[..., Action]) -> None:
    with pytest.raises(SqlParse, match="topic"):
        await platform.create("r", "SELECT * FROM 't'", republish("a/${topic(}"))


@pytest.mark.parametrize(("hops", "passes"), [(0, True), (MAX_HOPS - 1, True), (MAX_HOPS, False), (10_000, False)])
async def test_the_bound_of_a_chain(
    platform: Platform, republish: Callable[..., Action], hops: int, passes: bool
) -> None:
    await platform.create("r", "SELECT * FROM 't'", republish("u"))
    await platform.send("t", {}, hops=hops)
    assert [message.topic for message in platform.router.published] == (["t", "u"] if passes else ["t"])


def _republish(topic: str, *, qos: int = 0, **headers: Any) -> Action:
    return {"republish": {"topic": topic, "roleArn": ROLE, "qos": qos, "headers": headers}}


async def test_headers_go_along(recorded: Workbench) -> None:
    """Developer Guide, "Republish" rule action: headers, each with templates."""
    recorded.rule(
        _republish(
            "u",
            payloadFormatIndicator="UTF8_DATA",
            contentType="application/${kind}",
            responseTopic="answers/${topic(2)}",
            correlationData="${encode('id-7', 'base64')}",
            messageExpiry="${ttl}",
            userProperties=[{"key": "k", "value": "${topic(2)}"}, {"key": "${kind}", "value": "2"}],
        )
    )
    assert await recorded.send({"kind": "json", "ttl": 60}) == []
    [message] = recorded.publisher.published
    assert message.properties == MessageProperties(
        payload_format=1,
        content_type="application/json",
        response_topic="answers/lamp",
        correlation_data=b"id-7",
        user_properties=(("k", "lamp"), ("json", "2")),
    )
    assert message.expires_at == recorded.clock.time() + 60


async def test_headers_that_are_empty_are_left_out(recorded: Workbench) -> None:
    recorded.rule(_republish("u", contentType="${missing}", messageExpiry="${missing}", correlationData="${missing}"))
    recorded.rule(_republish("u"))
    assert await recorded.send({}) == []
    [message] = recorded.publisher.published
    assert (message.properties, message.expires_at) == (MessageProperties(), None)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"payloadFormatIndicator": "${v}"}, "payloadFormatIndicator must be one of"),
        ({"responseTopic": "${v}/#"}, "responseTopic: the topic name"),
        ({"correlationData": "${v}!"}, "correlationData is not base64"),
        ({"messageExpiry": "${v}"}, "messageExpiry must be a number of seconds, it is 'x'"),
        ({"messageExpiry": "-1"}, "messageExpiry"),
        ({"messageExpiry": "99999999999"}, "messageExpiry"),
    ],
)
async def test_headers_that_mqtt_cannot_carry(recorded: Workbench, headers: dict[str, Any], told: str) -> None:
    recorded.rule(_republish("u", **headers))
    [failed] = await recorded.send({"v": "x"})
    assert told in failed
    assert recorded.publisher.published == []


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"payloadFormatIndicator": "TEXT"}, "payloadFormatIndicator must be one of"),
        ({"userProperties": [{"key": "k", "value": "v"}] * 101}, "100 userProperties"),
        ({"userProperties": [{"key": "k"}]}, "value"),
    ],
)
def test_headers_that_are_refused(recorded: Workbench, headers: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        recorded.compile(_republish("u", **headers))


class Picky:
    """Port Publisher: messages to topics in `errors` fail of these, as often as they are listed."""

    def __init__(self, errors: dict[str, list[Exception]]) -> None:
        self.errors = errors
        self.published: list[str] = []
        self.waiting = 0
        self.most_waiting = 0

    async def publish(self, message: Message) -> None:
        if pending := self.errors.get(message.topic):
            raise pending.pop(0)
        self.published.append(message.topic)
        if message.qos:
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
            await asyncio.sleep(0)
            self.waiting -= 1


@pytest.mark.parametrize("qos", [0, 1])
async def test_messages_keep_their_order_and_fail_each_for_itself(qos: int) -> None:
    """A failure that passes is tried again alone; what was published once is not published a second time."""
    clock = FakeClock()
    picky = Picky(
        {"u/3": [ServiceUnavailable("full")], "u/70": [StorageError("disk full")] * 3, "u/80": [RuntimeError("oops")]}
    )
    bench = Workbench(clock=clock)
    bench.publisher = cast(Any, picky)
    bench.rule(_republish("u/${n}", qos=qos))
    sent = asyncio.create_task(bench.send(*({"n": number} for number in range(200))))
    while not sent.done():
        await clock.advance(1)
    assert await sent == [
        "cannot republish: RuntimeError('oops')",
        "cannot republish: disk full",
    ]
    expected = [f"u/{number}" for number in range(200) if number not in (3, 70, 80)]
    assert [topic for topic in picky.published if topic != "u/3"] == expected
    assert picky.published.count("u/3") == 1


async def test_messages_that_wait_for_the_disk_wait_together() -> None:
    picky = Picky({})
    bench = Workbench()
    bench.publisher = cast(Any, picky)
    bench.rule(_republish("u/${n}", qos=1))
    assert await bench.send(*({"n": number} for number in range(64))) == []
    assert picky.most_waiting == 64


async def test_the_right_that_its_role_needs(recorded: Workbench) -> None:
    action = recorded.rule(_republish("u"))
    message = Message("t", b"{}")
    plan = action.plan(Firing(message, Event(topic="t", payload=b"{}"), b"{}"))
    assert plan.need == Need("iot:Publish", "arn:aws:iot:us-east-1:123456789012:topic/u")
