"""Who answers what statements ask, from a message to the output: the platform itself, and services of AWS."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from tests.rules.actions.workbench import RecordingAws
from tests.rules.conftest import FUNCTION, ROLE, Platform

from fogbank.errors import Forbidden, InvalidRequest, ResourceNotFound
from fogbank.ports import InvocationResult, InvocationType, OutboundError, ServiceCaller
from fogbank.rules import asking as lines
from fogbank.rules.outside import KEPT, Answering

ARN = "arn:aws:iot:us-east-1:123456789012:"
TO_OUT: dict[str, Any] = {"republish": {"topic": "out", "roleArn": ROLE}}


class World:
    """All who answer. `denied` has the actions that no role may do."""

    def __init__(self) -> None:
        self.shadows: dict[tuple[str, str | None], bytes] = {("lamp", None): b'{"state": {"desired": {"on": true}}}'}
        self.aws = RecordingAws()
        self.denied: dict[str, str] = {}
        self.checked: list[tuple[str, str, str, str | None]] = []
        self.result = InvocationResult(200, b'{"score": 1.50}')
        self.calls: list[tuple[str, bytes, ServiceCaller | None]] = []
        self.hanging = False

    async def get(self, thing: str, name: str | None = None) -> bytes:
        try:
            return self.shadows[thing, name]
        except KeyError:
            raise ResourceNotFound(f"No shadow exists with name: {thing!r}") from None

    async def registry(self, operation: str, thing: str) -> bytes:
        return msgspec.json.encode({"thingName": thing, "asked": operation})

    async def check(self, role_arn: str, action: str, resource: str, *, source: str | None = None) -> None:
        self.checked.append((role_arn, action, resource, source))
        if action in self.denied:
            raise Forbidden(self.denied[action])

    async def invoke(
        self,
        function: str,
        payload: bytes,
        *,
        type_: InvocationType = InvocationType.REQUEST_RESPONSE,
        qualifier: str | None = None,
        caller: ServiceCaller | None = None,
        client_context: str | None = None,
        log_tail: bool = False,
    ) -> InvocationResult:
        assert type_ is InvocationType.REQUEST_RESPONSE
        self.calls.append((function, payload, caller))
        if self.hanging:
            await asyncio.Event().wait()
        return self.result


@pytest.fixture
def world() -> World:
    return World()


@pytest_asyncio.fixture
async def asking(world: World) -> AsyncIterator[Platform]:
    """A platform whose rules may ask; no role is checked but for the functions."""
    platform = Platform()
    answering = Answering(world, world, world.registry, world.aws, world, platform.arns, platform.clock)
    platform.engine._answering = answering
    platform.watch()
    yield platform
    await platform.engine.close()
    await answering.close()


async def said(platform: Platform, expression: str, payload: Any = None, **more: Any) -> Any:
    """What `SELECT {expression} AS x` comes to; the reason where it does not fire."""
    await platform.create("r", f"SELECT {expression} AS x FROM 't'", TO_OUT, **more)
    await platform.send("t", {} if payload is None else payload)
    found = [message.payload for message in platform.router.published if message.topic == "out"]
    if not found:
        return platform.stories("rule")[-1][2]
    return msgspec.json.decode(found[-1]).get("x")


async def test_shadows(asking: Platform, world: World) -> None:
    world.shadows["lamp", "other"] = b'{"state": {}, "version": 7}'
    assert await said(asking, f"get_thing_shadow('lamp', '{ROLE}').state.desired.on") is True
    assert world.checked == [(ROLE, "iot:GetThingShadow", f"{ARN}thing/lamp", f"{ARN}rule/r")]
    await asking.rules.delete("r")
    assert await said(asking, f"get_thing_shadow('lamp', 'other', '{ROLE}').version") == 7
    assert world.checked[-1][2] == f"{ARN}thing/lamp/other"


async def test_the_registry(asking: Platform, world: World) -> None:
    answer = await said(asking, f"get_registry_data('DescribeThing', clientid(), '{ROLE}')")
    assert answer == {"thingName": "c1", "asked": "DescribeThing"}
    assert world.checked == [(ROLE, "iot:DescribeThing", f"{ARN}thing/c1", f"{ARN}rule/r")]


async def test_functions_are_invoked_as_the_rule(asking: Platform, world: World) -> None:
    """Developer Guide, "aws_lambda": iot.amazonaws.com, the rule's ARN and the account are the caller."""
    assert await said(asking, f"aws_lambda('{FUNCTION}f', {{'in': n}}).score", {"n": 2}) == 1.5
    caller = ServiceCaller("iot.amazonaws.com", f"{ARN}rule/r", "123456789012")
    assert world.calls == [(f"{FUNCTION}f", b'{"in":2}', caller)]
    assert world.checked == []


async def test_a_function_that_fails_is_a_reason(asking: Platform, world: World) -> None:
    world.result = InvocationResult(200, b'{"errorMessage": "no"}', function_error="Unhandled")
    reason = await said(asking, f"aws_lambda('{FUNCTION}f', {{}})")
    assert reason == f'aws_lambda() failed: {FUNCTION}f failed (Unhandled): {{"errorMessage": "no"}}'


async def test_a_function_has_two_seconds(asking: Platform, world: World, caplog: pytest.LogCaptureFixture) -> None:
    """AWS IoT quotas: 2000 ms."""
    world.hanging = True
    await asking.create("r", f"SELECT aws_lambda('{FUNCTION}f', {{}}) AS x FROM 't'", TO_OUT)
    await asking.send("t", {})
    await asking.clock.advance(1.99)
    assert asking.stories("rule") == []
    await asking.clock.advance(0.01)
    told = f"aws_lambda() failed: {FUNCTION}f did not answer within 2000 ms"
    assert asking.stories("rule") == [("r", "failure", told)]
    assert caplog.text.count(told) == 1
    counters = asking.engine.counters["r"]
    assert (counters.matched, counters.broken, counters.fired) == (1, 1, 0)


async def test_tables(asking: Platform, world: World) -> None:
    world.aws.answers["GetItem"] = [{"Item": {"id": {"S": "7"}, "n": {"N": "1.50"}, "b": {"B": b"\x00"}}}]
    assert await said(asking, f"get_dynamodb('t', 'id', id, '{ROLE}')", {"id": "7"}) == {
        "id": "7",
        "n": 1.5,
        "b": base64.b64encode(b"\x00").decode(),
    }
    assert world.aws.calls == [("dynamodb:GetItem", {"TableName": "t", "Key": {"id": {"S": "7"}}})]
    assert world.checked[0][1:3] == ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:123456789012:table/t")


async def test_secrets_are_kept_and_roles_asked_every_time(asking: Platform, world: World) -> None:
    """Developer Guide, "get_secret": kept up to 15 minutes."""
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:door-AbCdEf"
    world.aws.answers["GetSecretValue"] = [{"ARN": arn, "SecretString": '{"key": "k1"}'}]
    assert await said(asking, f"get_secret('door', 'SecretString', 'key', '{ROLE}')") == "k1"
    await asking.send("t", {})
    assert world.aws.operations == ["secretsmanager:GetSecretValue"]
    assert [(action, resource) for _, action, resource, _ in world.checked] == [
        ("secretsmanager:GetSecretValue", arn)
    ] * 2
    await asking.clock.advance(KEPT)
    await asking.send("t", {})
    assert len(world.aws.calls) == 2
    world.denied["secretsmanager:GetSecretValue"] = "no policy allows it"
    await asking.send("t", {})
    assert asking.stories("rule")[-1][1:] == ("failure", "get_secret() failed: no policy allows it")


async def test_predictions(asking: Platform, world: World) -> None:
    world.aws.answers["Predict"] = [{"Prediction": {"predictedLabel": "1"}}]
    world.aws.endpoint = "http://ml"
    answer = await said(asking, f"machinelearning_predict('m', '{ROLE}', {{'a': 1}}).predictedLabel")
    assert answer == "1"
    [(operation, params)] = world.aws.calls
    assert operation == "machinelearning:Predict"
    assert params == {"MLModelId": "m", "Record": {"a": "1"}, "PredictEndpoint": "http://ml"}
    assert world.checked[0][2] == "arn:aws:machinelearning:us-east-1:123456789012:mlmodel/m"


async def test_what_a_role_may_not_is_a_reason(asking: Platform, world: World) -> None:
    world.denied["iot:GetThingShadow"] = f"Unable to assume role {ROLE}: there is none"
    reason = await said(asking, f"get_thing_shadow('lamp', '{ROLE}')")
    assert reason == f"get_thing_shadow() failed: Unable to assume role {ROLE}: there is none"
    assert asking.engine.counters["r"].failure == 0


async def test_an_error_action_is_not_told(asking: Platform) -> None:
    """Developer Guide, "Error handling": error actions are for actions, not for statements."""
    action = {"republish": {"topic": "errors", "roleArn": ROLE}}
    await said(asking, f"get_thing_shadow('nothing', '{ROLE}')", errorAction=action)
    assert [message.topic for message in asking.router.published] == ["t"]


async def test_get_or_default_guards_a_call(asking: Platform) -> None:
    assert await said(asking, f"get_or_default(get_thing_shadow('nothing', '{ROLE}').version, 0)") == 0


async def test_templates_ask_too(asking: Platform) -> None:
    topic = f"state/${{get_thing_shadow('lamp', '{ROLE}').state.desired.on}}"
    await asking.create("r", "SELECT * FROM 't'", {"republish": {"topic": topic, "roleArn": ROLE}})
    await asking.send("t", {})
    assert [message.topic for message in asking.router.published] == ["t", "state/true"]


async def test_one_message_asks_nothing_twice(asking: Platform, world: World) -> None:
    call = f"get_thing_shadow('lamp', '{ROLE}').state.desired.on"
    await asking.create(
        "r",
        f"SELECT {call} AS a FROM 't' WHERE {call}",
        {"republish": {"topic": f"on/${{{call}}}", "roleArn": ROLE}},
    )
    await asking.send("t", {})
    assert [message.topic for message in asking.router.published] == ["t", "on/true"]
    assert len(world.checked) == 1


async def test_where_that_is_not_true_is_explained_with_the_answer(asking: Platform) -> None:
    await asking.create(
        "r", f"SELECT * FROM 't' WHERE get_thing_shadow('lamp', '{ROLE}').state.desired.on = false", TO_OUT
    )
    await asking.send("t", {})
    [(_, status, reason)] = asking.stories("rule")
    assert status == "skipped"
    assert reason.endswith(".state.desired.on is true")


async def test_a_service_without_an_endpoint_is_warned_of_and_fails_loudly(
    asking: Platform, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.aws.missing = "there is no endpoint for dynamodb: set AWS_ENDPOINT_URL_DYNAMODB"
    reason = await said(asking, f"get_dynamodb('t', 'id', '1', '{ROLE}')")
    assert f"rule r: get_dynamodb() will fail for each message: {world.aws.missing}" in caplog.text
    assert asking.stories("rule")[0][1:] == (
        "failure",
        f"get_dynamodb() will fail for each message: {world.aws.missing}",
    )
    assert reason == f"get_dynamodb() failed: {world.aws.missing}"


async def test_a_service_that_fails_is_a_reason(asking: Platform, world: World) -> None:
    world.aws.answers["GetItem"] = [OutboundError("Requested resource not found", code="ResourceNotFoundException")]
    assert (
        await said(asking, f"get_dynamodb('t', 'id', '1', '{ROLE}')")
        == "get_dynamodb() failed: Requested resource not found"
    )


async def test_too_many_that_wait_are_lost_and_told(
    asking: Platform, world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS counts them as RuleMessageThrottled."""
    monkeypatch.setattr(lines, "MAX_WAITING", 2)
    world.hanging = True
    await asking.create("r", f"SELECT aws_lambda('{FUNCTION}f', {{}}) AS x FROM 't'", TO_OUT)
    for _ in range(4):
        await asking.send("t", {})
    counters = asking.engine.counters["r"]
    assert (counters.matched, counters.throttled) == (4, 2)
    assert [status for _, status, _ in asking.stories("rule")] == ["failure", "failure"]
    assert caplog.text.count("too many messages wait for what the statement asks") == 1


async def test_order_is_kept_however_long_each_answer_takes(asking: Platform, world: World) -> None:
    """The first asks a function, which hangs until its time is up; the second a shadow."""
    world.hanging = True
    await asking.create(
        "r",
        f"SELECT n, get_or_default(CASE n WHEN 1 THEN aws_lambda('{FUNCTION}f', {{}}) ELSE 0 END, 0) AS x FROM 't'",
        TO_OUT,
    )
    await asking.send("t", {"n": 1})
    await asking.send("t", {"n": 2})
    assert [message.topic for message in asking.router.published] == ["t", "t"]
    await asking.clock.advance(2)
    out = [message.payload for message in asking.router.published if message.topic == "out"]
    assert out == [b'{"n":1,"x":0}', b'{"n":2,"x":0}']


async def test_without_anybody_to_ask_such_a_rule_is_refused(platform: Platform) -> None:
    with pytest.raises(InvalidRequest, match="get_thing_shadow"):
        await platform.create("r", f"SELECT get_thing_shadow('a', '{ROLE}') AS x FROM 't'", TO_OUT)


async def test_objects(asking: Platform, world: World) -> None:
    """Developer Guide, "decode": descriptors are read from S3, without a role, and kept."""
    outside = asking.engine._answering
    assert outside is not None
    world.aws.answers["GetObject"] = [{"Body": b"descriptors"}]
    rule = outside.to(f"{ARN}rule/r")
    assert [await rule.object("b", "k"), await rule.object("b", "k")] == [b"descriptors"] * 2
    assert world.aws.calls == [("s3:GetObject", {"Bucket": "b", "Key": "k"})]
    world.aws.answers["GetObject"] = [{"Body": bytes(1024 * 1024)}]
    with pytest.raises(Exception, match="s3://b/large has 1048576 bytes"):
        await rule.object("b", "large")
    assert world.checked == []
