"""What devices ask, over the topics; HTTP goes the same way (tests/gateway/test_iot_jobs_data.py)."""

import asyncio
from typing import Any

import pytest
from tests.jobs.bench import Bench

from fogbank.jobs.topics import RequestTopic, parse_request_topic
from fogbank.message import Message, Origin


def parse(topic: str) -> RequestTopic:
    asked = parse_request_topic(topic)
    assert asked is not None
    return asked


async def test_what_is_pending(bench: Bench) -> None:
    await bench.create("job1", "t1")
    await bench.clock.advance(1)
    await bench.create("job2", "t1")
    await bench.update("t1", "job2", "IN_PROGRESS")
    now = int(bench.clock.time())
    kind, answer = await bench.ask("t1/jobs/get", clientToken="abc")
    assert kind == "accepted"
    first = {"jobId": "job1", "queuedAt": now - 1, "lastUpdatedAt": now - 1, "versionNumber": 1, "executionNumber": 1}
    second = {**first, "jobId": "job2", "queuedAt": now, "lastUpdatedAt": now, "startedAt": now, "versionNumber": 2}
    assert answer == {"clientToken": "abc", "timestamp": now, "inProgressJobs": [second], "queuedJobs": [first]}


async def test_to_start_the_next(bench: Bench) -> None:
    assert await bench.ask("t1/jobs/start-next") == ("accepted", {"timestamp": int(bench.clock.time())})
    await bench.create("job1", "t1")
    now = int(bench.clock.time())
    _, answer = await bench.ask("t1/jobs/start-next", statusDetails={"step": "1"})
    started = {
        "jobId": "job1",
        "status": "IN_PROGRESS",
        "statusDetails": {"step": "1"},
        "queuedAt": now,
        "startedAt": now,
        "lastUpdatedAt": now,
        "versionNumber": 2,
        "executionNumber": 1,
        "jobDocument": {"operation": "reboot"},
    }
    assert answer == {"timestamp": now, "execution": started}
    _, again = await bench.ask("t1/jobs/start-next", statusDetails={"step": "2"})
    assert again["execution"] == started, "what is in progress is not touched"


async def test_to_describe_one_and_the_next(bench: Bench) -> None:
    assert await bench.ask("t1/jobs/$next/get") == ("accepted", {"timestamp": int(bench.clock.time())})
    await bench.create("job1", "t1")
    _, by_id = await bench.ask("t1/jobs/job1/get")
    _, next_ = await bench.ask("t1/jobs/$next/get")
    assert by_id == next_
    assert by_id["execution"]["jobDocument"] == {"operation": "reboot"}
    _, bare = await bench.ask("t1/jobs/job1/get", includeJobDocument=False, executionNumber="1")
    assert "jobDocument" not in bare["execution"]
    await bench.update("t1", "job1", "SUCCEEDED")
    kind, refusal = await bench.ask("t1/jobs/job1/get")
    assert (kind, refusal["code"]) == ("rejected", "TerminalStateReached")


async def test_an_update_answers_what_it_is_asked_for(bench: Bench) -> None:
    await bench.create("job1", "t1")
    now = int(bench.clock.time())
    assert await bench.update("t1", "job1", "IN_PROGRESS") == ("accepted", {"timestamp": now})
    _, answer = await bench.update(
        "t1",
        "job1",
        "SUCCEEDED",
        statusDetails={"a": "b"},
        expectedVersion="2",
        executionNumber=1,
        includeJobExecutionState=True,
        includeJobDocument=True,
        clientToken="x",
    )
    state = {"status": "SUCCEEDED", "statusDetails": {"a": "b"}, "versionNumber": 3}
    document = {"operation": "reboot"}
    assert answer == {"clientToken": "x", "timestamp": now, "executionState": state, "jobDocument": document}


async def test_details_stay_where_they_are_not_given(bench: Bench) -> None:
    await bench.create("job1", "t1")
    await bench.update("t1", "job1", "IN_PROGRESS", statusDetails={"a": "b"})
    _, answer = await bench.update("t1", "job1", "IN_PROGRESS", includeJobExecutionState=True)
    assert answer["executionState"]["statusDetails"] == {"a": "b"}


@pytest.mark.parametrize("before", ["QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED", "CANCELED"])
@pytest.mark.parametrize(
    "after", ["QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "REMOVED", "CANCELED"]
)
async def test_what_may_follow_what(bench: Bench, before: str, after: str) -> None:
    await bench.create("job1", "t1")
    if before == "CANCELED":
        await bench.service.executions.cancel("t1", "job1")
    elif before != "QUEUED":
        await bench.update("t1", "job1", before)
    kind, answer = await bench.update("t1", "job1", after)
    allowed = before in ("QUEUED", "IN_PROGRESS") and after in ("IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED")
    assert kind == ("accepted" if allowed else "rejected")
    assert await bench.status("t1", "job1") == (after if allowed else before)
    if not allowed:
        assert answer["code"] == "InvalidStateTransition"
        assert answer["executionState"]["status"] == before


async def test_of_two_writers_one_wins(bench: Bench) -> None:
    await bench.create("job1", "t1")
    for client in ("a", "b"):
        payload = b'{"status": "IN_PROGRESS", "expectedVersion": 1, "clientToken": "%s"}' % client.encode()
        topic = "$aws/things/t1/jobs/job1/update"
        bench.room.deliver(Message(topic, payload, origin=Origin("principal", client)))
    await bench.settle()
    assert sorted(topic.rpartition("/")[2] for topic, _ in bench.room.answers) == ["accepted", "rejected"]
    [refusal] = [answer for topic, answer in bench.room.answers if topic.endswith("rejected")]
    assert refusal["code"] == "VersionMismatch"
    assert refusal["executionState"] == {"status": "IN_PROGRESS", "statusDetails": {}, "versionNumber": 2}


async def test_a_hundred_writers_lose_no_update(bench: Bench) -> None:
    await bench.create("job1", "t1")
    work = [
        bench.service.ledger.run(
            bench.service.device.work(
                parse("$aws/things/t1/jobs/job1/update"), {"status": "IN_PROGRESS", "statusDetails": {"n": str(number)}}
            )
        )
        for number in range(100)
    ]
    await asyncio.gather(*work)
    assert (await bench.service.executions.describe("t1", "job1")).version == 101


@pytest.mark.parametrize(
    ("topic", "payload", "code"),
    [
        ("t1/jobs/job1/update", b"{", "InvalidJson"),
        ("t1/jobs/job1/update", b"[]", "InvalidJson"),
        ("t1/jobs/job1/update", b"\xff", "InvalidJson"),
        ("t1/jobs/job1/update", b"[" * 2000, "InvalidJson"),
        ("t1/jobs/job1/update", b"{}", "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "DONE"}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": 1}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "expectedVersion": 1.5}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "expectedVersion": true}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "includeJobDocument": 1}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "clientToken": "%s"}' % (b"x" * 65), "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "statusDetails": []}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "statusDetails": {"a b": "c"}}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "statusDetails": {"a": 1}}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "statusDetails": {"a": ""}}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "statusDetails": {"a": "\\u0000"}}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "stepTimeoutInMinutes": 0}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "stepTimeoutInMinutes": 10081}', "InvalidRequest"),
        ("t1/jobs/job1/update", b'{"status": "FAILED", "executionNumber": 2}', "ResourceNotFound"),
        ("t1/jobs/no-job/update", b'{"status": "FAILED"}', "ResourceNotFound"),
        ("t1/jobs/$next/update", b'{"status": "FAILED"}', "InvalidRequest"),
        ("t1/jobs/job 1/update", b'{"status": "FAILED"}', "InvalidRequest"),
        ("t 1/jobs/get", b"", "InvalidRequest"),
        ("nobody/jobs/get", b"", "ResourceNotFound"),
        ("t1/jobs/get", b"x" * (128 * 1024 + 1), "InvalidRequest"),
    ],
)
async def test_bad_input(bench: Bench, topic: str, payload: bytes, code: str) -> None:
    await bench.create("job1", "t1")
    bench.room.deliver(Message(f"$aws/things/{topic}", payload, origin=Origin("principal", "c")))
    await bench.settle()
    [(answered, document)] = bench.room.answers
    assert (answered, document["code"]) == (f"{topic}/rejected", code)
    assert await bench.status("t1", "job1") == "QUEUED"


async def test_eleven_details_are_too_many(bench: Bench) -> None:
    await bench.create("job1", "t1")
    details: dict[str, Any] = {f"d{number}": "x" for number in range(11)}
    assert (await bench.update("t1", "job1", "FAILED", statusDetails=details))[1]["code"] == "InvalidRequest"
    del details["d0"]
    assert (await bench.update("t1", "job1", "FAILED", statusDetails=details))[0] == "accepted"
