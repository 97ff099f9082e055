from typing import Any

import msgspec
from tests.jobs.bench import Bench

from fogbank.jobs.subscriber import SHARE
from fogbank.message import Message, Origin
from fogbank.ports import StorageError

GET = "$aws/things/t1/jobs/get"


def ask(bench: Bench, count: int = 1, client: str | None = "c", payload: bytes = b"", **more: Any) -> None:
    for _ in range(count):
        bench.room.deliver(Message(GET, payload, origin=Origin("principal", client), **more))


async def test_a_will_asks_for_nothing(bench: Bench) -> None:
    ask(bench, will=True)
    await bench.settle()
    assert bench.room.answers == []
    assert bench.traced[-1].status == "skipped"


async def test_a_topic_that_asks_for_nothing_there_is(bench: Bench) -> None:
    """Developer guide, jobs-api: ErrorCode."""
    origin = Origin("principal", "c")
    for below in ("jobs/bogus", "jobs/get/accepted", "jobs/notify"):
        bench.room.deliver(Message(f"$aws/things/t1/{below}", b'{"clientToken": "a"}', origin=origin))
    bench.room.deliver(Message("$aws/things/t1/jobs/bogus", b"", origin=origin, will=True))
    [(topic, answer)] = bench.room.answers
    assert (topic, answer["code"], answer["clientToken"]) == ("t1/jobs/bogus/rejected", "InvalidTopic", "a")


async def test_who_came_over_no_connection_gets_no_answer(bench: Bench) -> None:
    ask(bench, client=None)
    await bench.settle()
    assert bench.room.answers == []
    assert bench.traced[-1].reason == "the answer was not sent: nobody asked"


async def test_what_a_device_asks_is_done_in_its_order(bench: Bench) -> None:
    """FreeRTOS's agent ends a job and asks for the next in one breath."""
    await bench.create("job1", "t1")
    await bench.create("job2", "t1")
    origin = Origin("principal", "c")
    bench.room.deliver(Message("$aws/things/t1/jobs/job1/update", b'{"status": "SUCCEEDED"}', origin=origin))
    bench.room.deliver(Message("$aws/things/t1/jobs/$next/get", b"", origin=origin))
    await bench.settle()
    [(_, _), (topic, answer)] = bench.room.answers
    assert topic == "t1/jobs/$next/get/accepted"
    assert answer["execution"]["jobId"] == "job2"


async def test_too_many_at_once_are_rejected(bench: Bench) -> None:
    ask(bench, 11)
    assert [answer["code"] for _, answer in bench.room.answers] == ["RequestThrottled"]
    await bench.settle()
    assert len(bench.room.answers) == 11
    ask(bench)
    await bench.settle()
    assert "inProgressJobs" in bench.room.answers[-1][1]


async def test_of_those_who_were_answered_nothing_stays_in_memory(bench: Bench) -> None:
    for number in range(30):
        ask(bench, client=f"client{number}", payload=b"{" if number % 3 == 0 else b"")
    await bench.settle()
    assert len(bench.room.answers) == 30
    subscriber = bench.service._subscriber
    assert (subscriber._in_flight, subscriber._pending_of, subscriber._pending_bytes) == ({}, {}, 0)


async def test_the_memory_of_what_waits_is_bounded(bench: Bench) -> None:
    bench.limits = msgspec.structs.replace(bench.limits, pending_bytes=SHARE * 3000, in_flight=None)
    await bench.close()
    await bench.restart()
    ask(bench, 5)
    assert sum("dropped" in event.reason for event in bench.traced) == 4
    await bench.settle()
    assert len(bench.room.answers) == 1
    ask(bench)
    await bench.settle()
    assert len(bench.room.answers) == 2


async def test_a_disk_that_refuses(bench: Bench) -> None:
    await bench.create("job1", "t1")
    bench.documents.failure = StorageError("no space left")  # type: ignore[attr-defined]
    kind, answer = await bench.update("t1", "job1", "SUCCEEDED")
    assert (kind, answer["code"]) == ("rejected", "InternalError")
    told = len(bench.told)
    bench.documents.failure = None  # type: ignore[attr-defined]
    await bench.settle()
    assert await bench.status("t1", "job1") == "QUEUED"
    assert len(bench.told) == told, "nobody is told of what is not on disk"
    assert (await bench.update("t1", "job1", "SUCCEEDED"))[0] == "accepted"


async def test_a_refusal_says_why_in_the_trace(bench: Bench) -> None:
    await bench.create("job1", "t1")
    await bench.update("t1", "job1", "IN_PROGRESS", expectedVersion=7)
    event = bench.traced[-1]
    assert (event.kind, event.status, event.topic) == ("job", "failure", "$aws/things/t1/jobs/job1/update")
    assert event.reason == "VersionMismatch: The execution of job job1 on t1 is at version 1, expected 7"
