"""Queue, workers, retries and the error action of one rule."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from fogbank.errors import Forbidden, ResourceNotFound, ServiceUnavailable, Throttling
from fogbank.message import Message, Origin
from fogbank.ports import StorageError
from fogbank.rules.actions.base import RETRY_DELAYS
from fogbank.rules.counters import ActionCounters
from fogbank.rules.lane import MAX_WAITING, MAX_WAITING_BYTES, WORKERS

if TYPE_CHECKING:
    from tests.rules.conftest import Platform

Action = dict[str, Any]
TRIES = len(RETRY_DELAYS) + 1


@pytest.mark.parametrize("error", [ServiceUnavailable("busy"), Throttling("too fast"), StorageError("disk full")])
async def test_what_may_pass_is_tried_again_with_pauses(
    platform: Platform, invoke: Callable[[str], Action], error: Exception
) -> None:
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    platform.invoker.fail("f", *[error] * (TRIES - 1))
    await platform.send("t", {"a": 1})
    assert platform.invoker.tries == 1
    await platform.clock.advance(RETRY_DELAYS[0])
    assert platform.invoker.tries == 2
    assert platform.invoker.calls == []
    await platform.clock.advance(RETRY_DELAYS[1])
    assert platform.invoker.events == [{"a": 1}]
    assert (platform.engine.counters["r"].success, platform.engine.counters["r"].failure) == (1, 0)


async def test_it_is_given_up_after_the_last_try(platform: Platform, invoke: Callable[[str], Action]) -> None:
    platform.watch()
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    platform.invoker.fail("f", *[ServiceUnavailable("busy")] * 99)
    await platform.send("t", {})
    await platform.clock.advance(3600)
    assert platform.invoker.tries == TRIES
    assert platform.engine.counters["r"].failure == 1
    [event] = [event for event in platform.traced if event.kind == "action"]
    assert event.status == "failure"
    assert event.duration_ms == pytest.approx(sum(RETRY_DELAYS) * 1000)


@pytest.mark.parametrize("error", [Forbidden("no permission"), ResourceNotFound("Function not found")])
async def test_what_will_not_pass_is_tried_once(
    platform: Platform, invoke: Callable[[str], Action], error: Exception
) -> None:
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    platform.invoker.fail("f", *[error] * 99)
    await platform.send("t", {})
    await platform.clock.advance(3600)
    assert platform.invoker.tries == 1


async def test_the_error_action_is_told_once_of_all_failures(
    platform: Platform, invoke: Callable[[str], Action], republish: Callable[..., Action]
) -> None:
    """Developer Guide, "Error handling (error action)": the message format."""
    platform.watch()
    await platform.create(
        "r",
        "SELECT a FROM 'x/+'",
        invoke("gone"),
        invoke("works"),
        republish("bad/${wild}"),
        errorAction=invoke("undertaker"),
    )
    platform.invoker.fail("gone", ResourceNotFound("Function not found: gone"))
    await platform.send("x/y", {"a": 1, "wild": "#"}, client_id="lamp")
    [works, told] = platform.invoker.events
    assert works == {"a": 1}
    assert UUID(told.pop("cloudwatchTraceId"))
    [gone, bad] = told.pop("failures")
    assert told == {
        "ruleName": "r",
        "topic": "x/y",
        "clientId": "lamp",
        "base64OriginalPayload": b64encode(b'{"a":1,"wild":"#"}').decode(),
    }
    assert gone == {
        "failedAction": "LambdaAction",
        "failedResource": "arn:aws:lambda:us-east-1:123456789012:function:gone",
        "errorMessage": "Failed to invoke lambda function. Received Server error from Lambda. "
        "The error code is 404: Function not found: gone",
    }
    assert bad["failedAction"] == "RepublishAction"
    assert bad["failedResource"] == "bad/#"
    assert "wildcard" in bad["errorMessage"]
    counters = platform.engine.counters["r"]
    assert (counters.success, counters.failure, counters.error_action_success) == (1, 2, 1)
    assert counters.actions == {
        "lambda": ActionCounters(success=1, failure=1, error_action_success=1),
        "republish": ActionCounters(failure=1),
    }
    assert platform.stories("action")[-1][:2] == ("r/errorAction/lambda", "success")


async def test_templates_of_the_error_action_see_the_original_message(
    platform: Platform, invoke: Callable[[str], Action], republish: Callable[..., Action]
) -> None:
    await platform.create("r", "SELECT a FROM 'x/+'", invoke("f"), errorAction=republish("failed/${topic(2)}/${kind}"))
    platform.invoker.fail("f", Forbidden("no"))
    await platform.send("x/y", {"a": 1, "kind": "k"}, client_id=None)
    failed = platform.router.published[-1]
    assert failed.topic == "failed/y/k"
    assert b'"clientId":"n/a"' in failed.payload


async def test_a_failing_error_action_is_counted_and_ends_there(
    platform: Platform, invoke: Callable[[str], Action]
) -> None:
    await platform.create("r", "SELECT * FROM 't'", invoke("f"), errorAction=invoke("g"))
    platform.invoker.fail("f", Forbidden("no"))
    platform.invoker.fail("g", Forbidden("no"))
    await platform.send("t", {})
    assert platform.engine.counters["r"].error_action_failure == 1
    assert platform.invoker.calls == []


async def test_no_error_action_where_all_went_well(platform: Platform, invoke: Callable[[str], Action]) -> None:
    await platform.create("r", "SELECT * FROM 't' WHERE a = 1", invoke("f"), errorAction=invoke("g"))
    await platform.send("t", {"a": 1})
    await platform.send("t", {"a": 2})
    assert [call.function[-1] for call in platform.invoker.calls] == ["f"]


async def test_a_full_queue_drops_the_newest_and_says_so_once(
    platform: Platform, invoke: Callable[[str], Action], caplog: pytest.LogCaptureFixture
) -> None:
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    platform.invoker.hold("f")
    await _flood(platform, WORKERS)
    await platform.clock.advance(0)
    await _flood(platform, MAX_WAITING)
    assert platform.engine.counters["r"].throttled == 0
    platform.watch()
    await _flood(platform, 3)
    assert platform.engine.counters["r"].throttled == 3
    assert caplog.text.count("queue full") == 1
    assert [(status, reason[:10]) for _, status, reason in platform.stories("rule")] == [("failure", "queue full")] * 3


async def test_the_queue_is_bounded_in_bytes_too(platform: Platform, invoke: Callable[[str], Action]) -> None:
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    message = Message("t", b'{"a":"' + b"x" * 100_000 + b'"}')
    fits = MAX_WAITING_BYTES // (2 * len(message.payload))
    for round_ in (1, 2):
        for _ in range(fits + 1):
            await platform.router.publish(message)
        await platform.engine.drain()
        assert platform.engine.counters["r"].success == round_ * fits
        assert platform.engine.counters["r"].throttled == round_


async def test_firings_start_in_their_order(platform: Platform, republish: Callable[..., Action]) -> None:
    await platform.create("r", "SELECT n FROM 't'", republish("u"))
    await _flood(platform, 100)
    await platform.engine.drain()
    assert [message.payload for message in platform.router.published[100:]] == [b'{"n":%d}' % n for n in range(100)]


async def test_a_fault_is_logged_when_it_begins_and_when_it_ends(
    platform: Platform, invoke: Callable[[str], Action], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    platform.invoker.fail("f", *[Forbidden("no permission")] * 3)
    for _ in range(5):
        await platform.send("t", {})
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None), ("INFO", None)]
    assert "no permission" in caplog.messages[0]
    assert caplog.messages[1].endswith("works again")


async def test_an_error_nobody_foresaw_is_a_failure_with_its_traceback(
    platform: Platform, invoke: Callable[[str], Action], caplog: pytest.LogCaptureFixture
) -> None:
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    platform.invoker.fail("f", ZeroDivisionError("oops"))
    await platform.send("t", {})
    assert platform.engine.counters["r"].failure == 1
    [record] = caplog.records
    assert record.exc_info is not None


async def test_a_rule_without_actions_fires_and_does_nothing(platform: Platform) -> None:
    await platform.create("r", "SELECT * FROM 't'")
    await platform.send("t", {})
    counters = platform.engine.counters["r"]
    assert (counters.matched, counters.fired, counters.success) == (1, 1, 0)


async def _flood(platform: Platform, count: int) -> None:
    for number in range(count):
        await platform.router.publish(Message("t", b'{"n":%d}' % number, origin=Origin()))


async def test_a_full_queue_of_one_action_holds_back_no_other(
    platform: Platform, invoke: Callable[[str], Action], republish: Callable[..., Action]
) -> None:
    """The error action is told of the messages that the full one lost, as of any other failure."""
    await platform.create("r", "SELECT * FROM 't'", invoke("f"), republish("u"), errorAction=invoke("undertaker"))
    platform.invoker.hold("f")
    await _flood(platform, WORKERS)
    await platform.clock.advance(0)
    for _ in range(10):
        await _flood(platform, MAX_WAITING // 10)
        await platform.clock.advance(50)
    await _flood(platform, 2)
    await platform.clock.advance(1)
    counters = platform.engine.counters["r"]
    assert counters.actions["republish"].success == WORKERS + MAX_WAITING + 2
    assert (counters.throttled, counters.actions["lambda"].failure, counters.error_action_success) == (2, 2, 2)
    assert "queue full" in platform.invoker.events[0]["failures"][0]["errorMessage"]
