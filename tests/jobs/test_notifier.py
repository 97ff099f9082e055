import asyncio
from typing import Any

from tests.jobs.bench import Bench

from fogbank.jobs.notifier import QUEUED
from fogbank.message import Message


def shape(document: dict[str, Any]) -> Any:
    """What a notification is about: job IDs by status, or the ID of the next."""
    if "jobs" in document:
        return {status: [one["jobId"] for one in listed] for status, listed in document["jobs"].items()}
    return document["execution"]["jobId"] if "execution" in document else None


async def test_the_worked_sequence_of_the_guide(bench: Bench) -> None:
    """Developer guide, jobs-comm-notifications: which change is told on which topic."""
    told: list[tuple[str, Any]] = []

    def new() -> list[tuple[str, Any]]:
        found = [(topic, shape(document)) for topic, document in bench.told.since(len(told))]
        told.extend(found)
        return [(topic.removeprefix("t1/jobs/"), about) for topic, about in found]

    await bench.create("job1", "t1")
    assert new() == [("notify", {"QUEUED": ["job1"]}), ("notify-next", "job1")]
    await bench.clock.advance(1)
    await bench.create("job2", "t1")
    assert new() == [("notify", {"QUEUED": ["job1", "job2"]})]
    await bench.update("t1", "job1", "IN_PROGRESS")
    assert new() == []
    await bench.clock.advance(1)
    await bench.create("job3", "t1")
    assert new() == [("notify", {"IN_PROGRESS": ["job1"], "QUEUED": ["job2", "job3"]})]
    await bench.update("t1", "job1", "SUCCEEDED")
    assert new() == [("notify", {"QUEUED": ["job2", "job3"]}), ("notify-next", "job2")]
    await bench.update("t1", "job3", "IN_PROGRESS")
    assert new() == [("notify-next", "job3")]
    await bench.update("t1", "job2", "REJECTED")
    assert new() == [("notify", {"IN_PROGRESS": ["job3"]})]
    await bench.service.executions.delete("t1", "job3", 1, force=True)
    await bench.settle()
    assert new() == [("notify", {}), ("notify-next", None)]


async def test_the_documents(bench: Bench) -> None:
    await bench.create("job1", "t1")
    now = int(bench.clock.time())
    summary = {"jobId": "job1", "queuedAt": now, "lastUpdatedAt": now, "versionNumber": 1, "executionNumber": 1}
    assert bench.told.since(0) == [
        ("t1/jobs/notify", {"timestamp": now, "jobs": {"QUEUED": [summary]}}),
        (
            "t1/jobs/notify-next",
            {"timestamp": now, "execution": {**summary, "status": "QUEUED", "jobDocument": {"operation": "reboot"}}},
        ),
    ]


async def test_at_most_ten_are_listed(bench: Bench) -> None:
    for number in range(12):
        await bench.create(f"job{number:02}", "t1")
        await bench.clock.advance(1)
    _, document = bench.told.since(0)[-1]
    assert shape(document) == {"QUEUED": [f"job{number:02}" for number in range(10)]}


async def test_what_a_killed_server_has_not_told_is_told_by_the_next(bench: Bench) -> None:
    outgoing = bench.service.records.outgoing

    async def forgetful(key: str, _: object) -> None:
        """A server that is killed after its commit."""

    bench.service.ledger._tell = forgetful
    await bench.create("job1", "t1")
    assert bench.told == []
    assert len(await outgoing.scan()) == 1
    await bench.restart()
    assert [topic for topic, _ in bench.told.since(0)] == ["t1/jobs/notify", "t1/jobs/notify-next"]
    assert await outgoing.scan() == [], "what has been told is deleted soon"


async def test_a_server_that_ends_in_order_leaves_nothing_to_tell() -> None:
    bench = Bench()
    await bench.start()
    outgoing = bench.service.records.outgoing
    asked = asyncio.ensure_future(bench.create("job1", "g"))
    await asyncio.sleep(0)
    await bench.close()
    assert await outgoing.scan() == []
    assert len([topic for topic, _ in bench.told.since(0) if topic.endswith("notify-next")]) == 3
    await asked


async def test_what_nobody_can_be_told_does_not_stop_the_rest(bench: Bench) -> None:
    publish = bench.told.publish

    async def broken(message: Message) -> None:
        if "/t1/" in message.topic:
            raise ConnectionError("nobody there")
        await publish(message)

    bench.told.publish = broken  # type: ignore[method-assign]
    await bench.create("job1", "g")
    assert {topic for topic, _ in bench.told.since(0) if topic.endswith("notify")} == {
        "t2/jobs/notify",
        "t3/jobs/notify",
    }
    assert await bench.service.records.outgoing.scan() == []


async def test_at_rest_nothing_is_written(bench: Bench) -> None:
    await bench.create("job1", "g")
    before = bench.documents.commits  # type: ignore[attr-defined]
    await bench.settle()
    assert bench.documents.commits == before  # type: ignore[attr-defined]


async def test_the_ledger_waits_for_messages_that_do_not_get_out(bench: Bench) -> None:
    """Else what is to be told would fill the memory."""
    out = asyncio.Event()
    publish = bench.told.publish

    async def slow(message: Message) -> None:
        await out.wait()
        await publish(message)

    bench.told.publish = slow  # type: ignore[method-assign]
    made = []
    for number in range(3 * QUEUED):
        made.append(asyncio.ensure_future(bench.create(f"job{number}", "t1")))
        await bench.settle()
    assert len(await bench.service.records.jobs.scan()) <= QUEUED + 2
    out.set()
    await asyncio.gather(*made)
    assert len(await bench.service.records.jobs.scan()) == 3 * QUEUED
