"""Rules tried out on messages: what is said, and that nothing is done."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from tests.rules.actions.workbench import Anywhere, RecordingHttp, RecordingKafka
from tests.rules.conftest import FUNCTION, ROLE, Platform
from tests.rules.test_outside import World

from fogbank.errors import Forbidden, InvalidRequest
from fogbank.ports import InvocationResult, InvocationType, ServiceCaller
from fogbank.rules.actions.base import Outside
from fogbank.rules.outside import Answering
from fogbank.rules.rehearsal import Rehearsal, Report, Trial, shown
from fogbank.sql import MqttProperties

ARN = "arn:aws:iot:us-east-1:123456789012:"
TO_OUT: dict[str, Any] = {"republish": {"topic": "out/${topic(2)}", "roleArn": ROLE}}


class DryInvoker:
    """An invoker that is only ever asked whether it would."""

    def __init__(self) -> None:
        self.callers: list[ServiceCaller | None] = []
        self.refusal: Forbidden | None = None

    async def invoke(self, function: str, payload: bytes, **options: Any) -> InvocationResult:
        assert options["type_"] is InvocationType.DRY_RUN
        self.callers.append(options["caller"])
        if self.refusal is not None:
            raise self.refusal
        return InvocationResult(204)


class Stage:
    """A platform whose rules reach recorders, and what tries them out."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.world = World()
        self.aws, self.http, self.kafka, self.urls = self.world.aws, RecordingHttp(), RecordingKafka(), Anywhere()
        self.invoker = DryInvoker()
        world = self.world
        platform.engine._outside = Outside(self.aws, self.http, self.kafka, self.urls, world)
        platform.engine._answering = Answering(
            world, world, world.registry, world.aws, world, platform.arns, platform.clock
        )
        self.rehearsal = Rehearsal(self.invoker, platform.arns, platform.clock)

    async def run(self, topic: str, payload: str = "", *, name: str = "r", **more: Any) -> Report:
        trial = Trial(topic=topic, payload=payload, **more)
        return await self.rehearsal.run(await self.platform.rules.compiled(name), trial)

    @property
    def done(self) -> list[Any]:
        """All that was done."""
        return [*self.platform.router.published, *self.aws.calls, *self.http.requests, *self.kafka.sent]


@pytest.fixture
def stage(platform: Platform) -> Stage:
    return Stage(platform)


async def test_a_rule_that_fires(stage: Stage) -> None:
    await stage.platform.create("r", "SELECT *, topic(2) AS room FROM 'room/+' WHERE celsius > 40", TO_OUT)
    report = await stage.run("room/attic", '{"celsius": 41}')
    assert (report.rule, report.enabled, report.topic_filter) == ("r", True, "room/+")
    assert (report.matches, report.fires, report.failed, report.why) == (True, True, False, "celsius > 40 was true")
    assert bytes(report.output) == b'{"celsius":41,"room":"attic"}'
    [part] = report.actions
    assert (part.action, part.target, part.resource) == ("republish", "out/${topic(2)}", "out/attic")
    assert (part.role, part.needs) == (ROLE, f"iot:Publish on {ARN}topic/out/attic")
    assert part.request["topic"] == "out/attic"
    assert bytes(part.request["payload"]) == bytes(report.output)
    assert part.problem is None
    assert stage.world.checked == [(ROLE, "iot:Publish", f"{ARN}topic/out/attic", f"{ARN}rule/r")]
    assert stage.done == []
    assert stage.platform.engine.counters["r"].matched == 0


async def test_where_says_what_was_on_each_side(stage: Stage) -> None:
    await stage.platform.create("r", "SELECT * FROM 'room/+' WHERE celsius > 40", TO_OUT)
    report = await stage.run("room/attic", '{"celsius": 4}')
    assert (report.matches, report.fires, report.actions) == (True, False, ())
    assert report.why == "celsius > 40 was not true: celsius is 4"


@pytest.mark.parametrize(
    ("sql", "topic", "why"),
    [
        ("SELECT * FROM 'room/+'", "room/a/b", "FROM 'room/+' does not match the topic room/a/b"),
        ("SELECT *", "room/a", "no FROM: messages reach it by Basic Ingest alone, at $aws/rules/r/..."),
        ("SELECT * FROM '#'", "$aws/rules/other/a", "Basic Ingest to the rule 'other' reaches no other"),
    ],
)
async def test_from(stage: Stage, sql: str, topic: str, why: str) -> None:
    await stage.platform.create("r", sql, TO_OUT)
    report = await stage.run(topic, "{}")
    assert (report.matches, report.fires) == (False, False)
    assert why in report.why


async def test_basic_ingest(stage: Stage) -> None:
    await stage.platform.create("r", "SELECT topic() AS t FROM 'elsewhere'", TO_OUT)
    report = await stage.run("$aws/rules/r/a/b", "{}")
    assert report.matches
    assert bytes(report.output) == b'{"t":"a/b"}'


async def test_a_rule_that_is_disabled(stage: Stage) -> None:
    await stage.platform.create("r", "SELECT * FROM 't'", TO_OUT, ruleDisabled=True)
    report = await stage.run("t", "{}")
    assert (report.enabled, report.fires) == (False, True)


async def test_an_action_whose_service_has_no_endpoint(stage: Stage) -> None:
    stage.aws.missing = "there is no endpoint for sqs: set AWS_ENDPOINT_URL_SQS"
    await stage.platform.create("r", "SELECT * FROM 't'", {"sqs": {"queueUrl": "http://q/1/a", "roleArn": ROLE}})
    [part] = (await stage.run("t", "{}")).actions
    assert part.problem == stage.aws.missing
    assert stage.done == []


async def test_a_role_that_may_not(stage: Stage) -> None:
    stage.world.denied["iot:Publish"] = "no policy allows it"
    await stage.platform.create("r", "SELECT * FROM 't/+'", TO_OUT)
    [part] = (await stage.run("t/1", "{}")).actions
    assert part.problem == "no policy allows it"


async def test_a_function_that_does_not_let_the_rule(stage: Stage) -> None:
    await stage.platform.create("r", "SELECT * FROM 't'", {"lambda": {"functionArn": f"{FUNCTION}f"}})
    [part] = (await stage.run("t", '{"a": 1}')).actions
    assert (part.problem, bytes(part.request), part.needs) == (None, b'{"a":1}', None)
    assert stage.invoker.callers == [ServiceCaller("iot.amazonaws.com", f"{ARN}rule/r", "123456789012")]
    stage.invoker.refusal = Forbidden("no resource-based policy allows it")
    [part] = (await stage.run("t", "{}")).actions
    assert part.problem == "no resource-based policy allows it"


async def test_a_template_that_cannot_be_filled_in(stage: Stage) -> None:
    await stage.platform.create("r", "SELECT * FROM '#'", {"republish": {"topic": "${a}", "roleArn": ROLE}})
    [part] = (await stage.run("t", '{"a": "x/#"}')).actions
    assert part.request is None
    assert "cannot republish" in str(part.problem)


async def test_what_it_reads_of_the_world_it_reads(stage: Stage) -> None:
    await stage.platform.create("r", f"SELECT get_thing_shadow('lamp', '{ROLE}').state AS s FROM 't/+'", TO_OUT)
    report = await stage.run("t/1", "{}")
    assert bytes(report.output) == b'{"s":{"desired":{"on":true}}}'


async def test_no_function_is_invoked_for_the_statement(stage: Stage) -> None:
    await stage.platform.create("r", f"SELECT aws_lambda('{FUNCTION}f', {{}}).score AS s FROM 't/+'", TO_OUT)
    report = await stage.run("t/1", "{}")
    assert (report.fires, report.failed) == (False, True)
    assert "a dry run invokes no function" in report.why
    report = await stage.run("t/1", "{}", outside={"aws_lambda": msgspec.Raw(b'{"score": 3}')})
    assert bytes(report.output) == b'{"s":3}'
    assert stage.world.calls == []


async def test_answers_that_are_said_go_before_those_of_the_world(stage: Stage) -> None:
    await stage.platform.create("r", f"SELECT get_thing_shadow('lamp', '{ROLE}').state AS s FROM 't/+'", TO_OUT)
    report = await stage.run("t/1", "{}", outside={"get_thing_shadow": msgspec.Raw(b'{"state": 1}')})
    assert bytes(report.output) == b'{"s":1}'
    assert stage.world.checked[0][1] == "iot:Publish"


async def test_all_that_sql_sees_of_a_message_can_be_said(stage: Stage) -> None:
    await stage.platform.create(
        "r",
        "SELECT clientid() AS c, principal() AS p, sourceip() AS i, get_mqtt_property('content_type') AS t FROM 't'",
        TO_OUT,
    )
    report = await stage.run(
        "t", "{}", client_id="c1", principal="p1", source_ip="192.0.2.1", mqtt=MqttProperties(content_type="x/y")
    )
    assert bytes(report.output) == b'{"c":"c1","p":"p1","i":"192.0.2.1","t":"x/y"}'


@pytest.mark.parametrize(
    ("payload", "output"),
    [(b"text", "text"), (b"\xff", {"base64": "/w=="}), (b"[1,\n2]", b"[1, 2]")],
)
async def test_payloads_of_all_kinds(stage: Stage, payload: bytes, output: Any) -> None:
    await stage.platform.create("r", "SELECT * FROM 't'")
    report = await stage.run("t", payload_base64=base64.b64encode(payload).decode())
    assert (bytes(report.output) if isinstance(output, bytes) else report.output) == output


async def test_what_is_no_base64_is_refused(stage: Stage) -> None:
    await stage.platform.create("r", "SELECT * FROM 't'")
    with pytest.raises(InvalidRequest, match="payloadBase64"):
        await stage.run("t", payload_base64="?")


def test_what_says_nothing_is_not_shown() -> None:
    assert shown(MqttProperties(content_type="x")) == {"content_type": "x"}
    assert shown({"a": (b"\xff", None)}) == {"a": [{"base64": "/w=="}, None]}
