from datetime import UTC, datetime
from typing import Any

from tests.jobs.bench import Bench

CONTINUOUS: dict[str, Any] = {"targetSelection": "CONTINUOUS"}


async def join(bench: Bench, thing: str, group: str = "g") -> None:
    bench.fleet.groups[group][thing] = bench.clock.time()
    bench.fleet.tell(thing)
    await bench.settle()


async def leave(bench: Bench, thing: str, group: str = "g") -> None:
    del bench.fleet.groups[group][thing]
    bench.fleet.tell(thing)
    await bench.settle()


async def test_who_joins_is_given_the_job_at_once(bench: Bench) -> None:
    await bench.create("job", "g", **CONTINUOUS, jobExecutionsRolloutConfig={"maximumPerMinute": 3})
    await join(bench, "t7")
    assert await bench.counts("job") == {"QUEUED": 4}
    assert any(topic == "t7/jobs/notify-next" for topic, _ in bench.told.since(0))


async def test_a_continuous_job_goes_on_when_all_are_done(bench: Bench) -> None:
    await bench.create("job", "g", **CONTINUOUS)
    for thing in ("t1", "t2", "t3"):
        await bench.update(thing, "job", "SUCCEEDED")
    assert await bench.job_status("job") == "IN_PROGRESS"
    await join(bench, "t7")
    assert await bench.status("t7", "job") == "QUEUED"


async def test_who_leaves_loses_it_and_who_returns_begins_anew(bench: Bench) -> None:
    retry = {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 1}]}
    await bench.create("job", "g", **CONTINUOUS, jobExecutionsRetryConfig=retry)
    await bench.update("t1", "job", "FAILED")
    await leave(bench, "t1")
    assert await bench.status("t1", "job") == "REMOVED"
    assert await bench.counts("job") == {"REMOVED": 1, "QUEUED": 2}
    assert "$aws/events/jobExecution/job/removed" in bench.events.topics()
    await join(bench, "t1")
    execution = await bench.service.executions.describe("t1", "job")
    assert (execution.number, execution.attempt, execution.status.value) == (3, 0, "QUEUED")
    assert await bench.counts("job") == {"QUEUED": 3}


async def test_what_has_ended_stays_as_it_ended(bench: Bench) -> None:
    await bench.create("job", "g", **CONTINUOUS)
    await bench.update("t1", "job", "SUCCEEDED")
    await leave(bench, "t1")
    await join(bench, "t1")
    assert await bench.counts("job") == {"SUCCEEDED": 1, "QUEUED": 2}


async def test_a_thing_that_is_a_target_itself_may_leave_the_group(bench: Bench) -> None:
    await bench.create("job", "g", "t1", **CONTINUOUS)
    await leave(bench, "t1")
    assert await bench.status("t1", "job") == "QUEUED"


async def test_a_snapshot_follows_nobody(bench: Bench) -> None:
    await bench.create("job", "g")
    await join(bench, "t7")
    await leave(bench, "t1")
    assert await bench.counts("job") == {"QUEUED": 3}


async def test_a_thing_that_is_deleted_is_removed_from_all_jobs(bench: Bench) -> None:
    await bench.create("job", "t8", "t9")
    bench.fleet.things.remove("t8")
    bench.fleet.tell("t8")
    await bench.settle()
    assert await bench.counts("job") == {"REMOVED": 1, "QUEUED": 1}
    await bench.update("t9", "job", "SUCCEEDED")
    assert await bench.job_status("job") == "COMPLETED"


async def test_what_happened_while_the_server_was_away_is_found(bench: Bench) -> None:
    await bench.create("job", "g", **CONTINUOUS)
    await bench.close()
    bench.fleet.groups["g"]["t7"] = bench.clock.time()
    del bench.fleet.groups["g"]["t1"]
    await bench.restart()
    assert await bench.statuses("job", ("t1", "t2", "t7")) == ["REMOVED", "QUEUED", "QUEUED"]


async def test_more_changes_than_there_is_room_for(bench: Bench) -> None:
    await bench.create("job", "g", **CONTINUOUS)
    bench.fleet.groups["g"]["t7"] = bench.clock.time()
    bench.fleet.tell(*(f"other{number}" for number in range(60_000)))
    await bench.settle()
    assert await bench.status("t7", "job") == "QUEUED"


async def test_a_further_group_is_followed_too(bench: Bench) -> None:
    bench.fleet.groups["g2"] = {"t5": 0.0}
    await bench.create("job", "g", **CONTINUOUS)
    await bench.service.jobs.associate("job", ["arn:aws:iot:eu-west-1:123456789012:thinggroup/g2"], comment="more")
    await bench.settle()
    assert await bench.status("t5", "job") == "QUEUED"
    await join(bench, "t6", "g2")
    assert await bench.counts("job") == {"QUEUED": 5}


async def test_a_killed_server_does_not_hurry_a_rollout(bench: Bench) -> None:
    await bench.create("job", "g", **CONTINUOUS, jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    bench.fleet.tell("t1", "t2", "t3")
    await bench.restart()
    assert await bench.counts("job") == {"QUEUED": 1}
    await bench.clock.advance(1)
    await join(bench, "t7")
    assert await bench.statuses("job", ("t1", "t7")) == ["QUEUED", "QUEUED"], "who joins does not wait"
    await bench.clock.advance(120)
    assert await bench.counts("job") == {"QUEUED": 4}


async def test_outside_its_windows_nobody_is_given_a_job(bench: Bench) -> None:
    now = datetime.fromtimestamp(bench.clock.time(), UTC)
    window = {"startTime": f"cron(0 {(now.hour + 1) % 24} * * ? *)", "durationInMinutes": 60}
    retry = {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 1}]}
    scheduling = {"maintenanceWindows": [window]}
    await bench.create("job", "g", **CONTINUOUS, schedulingConfig=scheduling, jobExecutionsRetryConfig=retry)
    await bench.clock.advance(3600)
    assert await bench.counts("job") == {"QUEUED": 3}
    await bench.clock.advance(3600)
    await bench.update("t1", "job", "FAILED")
    await join(bench, "t7")
    await leave(bench, "t2")
    assert await bench.counts("job") == {"FAILED": 1, "REMOVED": 1, "QUEUED": 1}
    await bench.clock.advance(86_400 - 3600)
    assert await bench.counts("job") == {"QUEUED": 3, "REMOVED": 1}
    assert (await bench.service.executions.describe("t1", "job")).attempt == 1
