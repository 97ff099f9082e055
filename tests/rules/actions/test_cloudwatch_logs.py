"""The action `cloudwatchLogs`, against moto."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.ports import OutboundError

Aws = Callable[[str], Any]


@pytest.fixture
def group(aws: Aws) -> str:
    name = f"/rules/{uuid4()}"
    aws("logs").create_log_group(logGroupName=name)
    return name


def logs(group: str, **more: Any) -> dict[str, Any]:
    return {"cloudwatchLogs": {"logGroupName": group, "roleArn": ROLE, **more}}


def events(aws: Aws, group: str) -> list[tuple[int, str]]:
    found = aws("logs").filter_log_events(logGroupName=group)["events"]
    return [(event["timestamp"], event["message"]) for event in found]


async def test_the_event_that_is_logged(bench: Workbench, aws: Aws, group: str) -> None:
    bench.rule(logs(group), sql="SELECT a FROM '#'")
    before = int(time.time() * 1000)
    assert await bench.send({"a": 1, "b": 2}) == []
    [(timestamp, message)] = events(aws, group)
    assert message == '{"a":1}'
    assert before <= timestamp <= int(time.time() * 1000)


async def test_in_batch_mode_every_element_is_an_event(bench: Workbench, aws: Aws, group: str) -> None:
    now = int(time.time() * 1000)
    bench.rule(logs(group, batchMode=True), sql="SELECT VALUE events FROM '#'")
    rows = [{"timestamp": now, "message": "later"}, {"timestamp": now - 1000, "message": "sooner"}]
    assert await bench.send({"events": rows}) == []
    assert sorted(events(aws, group)) == [(now - 1000, "sooner"), (now, "later")]


@pytest.mark.parametrize("payload", [b"{}", b"[1]", b'[{"timestamp":"x","message":"m"}]', b'[{"timestamp":1}]'])
async def test_batch_mode_needs_events(recorded: Workbench, payload: bytes) -> None:
    recorded.rule(logs("g", batchMode=True))
    [failed] = await recorded.send(payload)
    assert "must be an array of objects with timestamp and message" in failed


async def test_a_group_that_is_not_there(bench: Workbench, group: str) -> None:
    bench.rule(logs(group + "-gone"))
    [failed] = await bench.send({})
    assert "ResourceNotFoundException" in failed


async def test_a_stream_is_made_once_and_by_whoever_is_first(recorded: Workbench) -> None:
    missing = OutboundError("no stream", code="ResourceNotFoundException", status=400)
    recorded.aws.answers["PutLogEvents"] = [missing, {}]
    recorded.aws.answers["CreateLogStream"] = [
        OutboundError("exists", code="ResourceAlreadyExistsException", status=400)
    ]
    recorded.rule(logs("g"))
    assert await recorded.send("one") == []
    assert await recorded.send("two") == []
    assert recorded.aws.operations == ["logs:PutLogEvents", "logs:CreateLogStream", *["logs:PutLogEvents"] * 2]


async def test_events_that_are_too_old_or_too_new_fail_their_messages(recorded: Workbench) -> None:
    """The answer's indexes are those of the events as they were sent: in the order of time."""
    recorded.aws.answers["PutLogEvents"] = [
        {"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}}
    ]
    recorded.rule(logs("g", batchMode=True))
    event = [{"timestamp": at, "message": "m"} for at in (3000, 2000, 1000)]
    failures = await recorded.send(*([one] for one in event))
    assert [failure.partition("was ")[2][:28] for failure in failures] == [
        "the log event is too far in ",
        "the log event is too old (Se",
    ]
    assert recorded.counters.success == 1
    [(_, params)] = recorded.aws.calls
    assert [one["timestamp"] for one in params["logEvents"]] == [1000, 2000, 3000]
