from datetime import UTC, datetime
from typing import Any

import pytest
from tests.jobs.bench import Bench

from fogbank.jobs.configs import written_time
from fogbank.jobs.lifecycle import STEP
from fogbank.jobs.limits import KEPT_DAYS

CONTINUOUS: dict[str, Any] = {"targetSelection": "CONTINUOUS"}
THINGS = ("t1", "t2", "t3")


def fleet_of(bench: Bench, count: int, group: str = "gl") -> list[str]:
    """A group with so many things."""
    names = [f"x{number:05}" for number in range(count)]
    bench.fleet.things.update(names)
    bench.fleet.groups[group] = dict.fromkeys(names, 0.0)
    return names


async def test_a_snapshot_completes_when_every_thing_has_ended(bench: Bench) -> None:
    await bench.create("job", "g", "t9")
    assert await bench.counts("job") == {"QUEUED": 4}
    for thing, status in (("t1", "SUCCEEDED"), ("t2", "FAILED"), ("t3", "REJECTED")):
        await bench.update(thing, "job", status)
    assert await bench.job_status("job") == "IN_PROGRESS"
    await bench.service.executions.cancel("t9", "job")
    await bench.settle()
    assert await bench.job_status("job") == "COMPLETED"
    assert await bench.counts("job") == {"SUCCEEDED": 1, "FAILED": 1, "REJECTED": 1, "CANCELED": 1}
    completed = next(document for topic, document in bench.events.told if topic == "$aws/events/job/job/completed")
    assert completed["jobProcessDetails"] == {
        "numberOfCanceledThings": 1,
        "numberOfRejectedThings": 1,
        "numberOfFailedThings": 1,
        "numberOfRemovedThings": 0,
        "numberOfSucceededThings": 1,
    }


async def test_a_snapshot_of_nobody_is_complete(bench: Bench) -> None:
    bench.fleet.groups["gempty"] = {}
    await bench.create("job", "gempty")
    assert await bench.job_status("job") == "COMPLETED"


async def test_a_thing_that_is_a_target_twice_gets_the_job_once(bench: Bench) -> None:
    await bench.create("job", "t1", "g", "t2")
    assert await bench.counts("job") == {"QUEUED": 3}


async def test_a_snapshot_is_not_for_those_who_join_while_it_rolls_out(bench: Bench) -> None:
    names = fleet_of(bench, STEP * 2)
    bench.fleet.groups["gl"][names[-1]] = bench.clock.time() + 1
    await bench.create("job", "gl")
    assert await bench.counts("job") == {"QUEUED": STEP * 2 - 1}


async def test_many_things_take_many_commits(bench: Bench) -> None:
    fleet_of(bench, STEP * 5 + 1)
    await bench.create("job", "gl")
    assert await bench.counts("job") == {"QUEUED": STEP * 5 + 1}
    _, progress = await bench.service.jobs.describe("job")
    assert progress.rolled_out
    assert progress.notified == STEP * 5 + 1
    assert len({topic for topic, _ in bench.told.since(0) if topic.endswith("notify-next")}) == STEP * 5 + 1


async def test_a_rollout_keeps_to_its_rate(bench: Bench) -> None:
    fleet_of(bench, 25)
    await bench.create("job", "gl", jobExecutionsRolloutConfig={"maximumPerMinute": 10})
    for made in (10, 20, 25):
        assert await bench.counts("job") == {"QUEUED": made}
        await bench.clock.advance(59)
        assert await bench.counts("job") == {"QUEUED": made}
        await bench.clock.advance(1)
    assert await bench.counts("job") == {"QUEUED": 25}


async def test_an_exponential_rollout_grows(bench: Bench) -> None:
    fleet_of(bench, 30)
    rate = {
        "baseRatePerMinute": 2,
        "incrementFactor": 2,
        "rateIncreaseCriteria": {"numberOfNotifiedThings": 4},
    }
    await bench.create("job", "gl", jobExecutionsRolloutConfig={"maximumPerMinute": 6, "exponentialRate": rate})
    made = []
    for _ in range(8):
        made.append((await bench.counts("job"))["QUEUED"])
        await bench.clock.advance(60)
    assert made == [2, 6, 12, 18, 24, 30, 30, 30], "it is quicker from the very thing on that it is to be quicker after"


async def test_a_killed_server_goes_on_rolling_out(bench: Bench) -> None:
    fleet_of(bench, 25)
    await bench.create("job", "gl", jobExecutionsRolloutConfig={"maximumPerMinute": 10})
    await bench.restart()
    assert await bench.counts("job") == {"QUEUED": 10}, "the minute is not over"
    await bench.clock.advance(60)
    assert await bench.counts("job") == {"QUEUED": 20}


async def test_a_cancelled_job_cancels_what_is_queued(bench: Bench) -> None:
    await bench.create("job", "g")
    await bench.update("t1", "job", "IN_PROGRESS")
    await bench.service.jobs.cancel("job", reason_code="WHY", comment="because")
    await bench.settle()
    assert await bench.statuses("job", THINGS) == ["IN_PROGRESS", "CANCELED", "CANCELED"]
    assert await bench.job_status("job") == "CANCELED"
    assert (await bench.update("t1", "job", "SUCCEEDED"))[0] == "accepted", "who has begun may go on"
    assert [topic for topic in bench.events.topics() if topic.startswith("$aws/events/job/")] == [
        "$aws/events/job/job/cancellation_in_progress",
        "$aws/events/job/job/canceled",
    ]


async def test_force_cancels_what_is_in_progress_too(bench: Bench) -> None:
    await bench.create("job", "g")
    await bench.update("t1", "job", "IN_PROGRESS")
    await bench.service.jobs.cancel("job", force=True)
    await bench.settle()
    assert await bench.counts("job") == {"CANCELED": 3}
    assert (await bench.service.executions.describe("t1", "job")).forced
    assert (await bench.update("t1", "job", "SUCCEEDED"))[1]["code"] == "InvalidStateTransition"


async def test_a_large_job_is_cancelled_and_deleted_in_steps(bench: Bench) -> None:
    fleet_of(bench, STEP * 3 + 1)
    await bench.create("job", "gl")
    before = bench.documents.commits  # type: ignore[attr-defined]
    await bench.service.jobs.cancel("job")
    await bench.settle()
    assert await bench.counts("job") == {"CANCELED": STEP * 3 + 1}
    assert bench.documents.commits - before >= 4  # type: ignore[attr-defined]
    await bench.service.jobs.delete("job")
    await bench.settle()
    assert await bench.service.records.jobs.scan() == []
    assert await bench.service.records.executions.scan() == []
    assert await bench.service.records.agenda.scan() == []
    assert "$aws/events/job/job/deleted" in bench.events.topics()


async def test_a_server_that_is_killed_while_it_cancels_goes_on(bench: Bench) -> None:
    fleet_of(bench, STEP * 3)
    await bench.create("job", "gl")
    await bench.service.jobs.cancel("job")  # its first step; the others are booked
    await bench.restart()
    assert await bench.counts("job") == {"CANCELED": STEP * 3}


@pytest.mark.parametrize(
    ("failures", "aborted"),
    [(("FAILED",), False), (("FAILED", "FAILED"), False), (("FAILED", "SUCCEEDED", "FAILED"), True)],
)
async def test_too_many_failures_abort_a_job(bench: Bench, failures: tuple[str, ...], aborted: bool) -> None:
    criteria = {"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": 60, "minNumberOfExecutedThings": 3}
    await bench.create("job", "g", "t4", "t5", abortConfig={"criteriaList": [criteria]})
    await bench.update("t5", "job", "IN_PROGRESS")
    for thing, status in zip(THINGS, failures, strict=False):
        await bench.update(thing, "job", status)
    job, _ = await bench.service.jobs.describe("job")
    assert (job.status.value == "CANCELED") is aborted
    assert await bench.statuses("job", ("t4", "t5")) == ["CANCELED" if aborted else "QUEUED", "IN_PROGRESS"]
    if aborted:
        assert job.reason_code == "ABORT_CRITERIA_MET"
        assert any("aborted" in event.reason for event in bench.traced)


async def test_a_failure_is_tried_again_as_often_as_configured(bench: Bench) -> None:
    retry = {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 2}]}
    await bench.create("job", "t1", jobExecutionsRetryConfig=retry)
    for attempt in range(3):
        execution = await bench.service.executions.describe("t1", "job")
        assert (execution.number, execution.attempt, execution.status.value) == (attempt + 1, attempt, "QUEUED")
        await bench.update("t1", "job", "FAILED")
    assert await bench.status("t1", "job") == "FAILED"
    assert await bench.counts("job") == {"FAILED": 1}
    assert await bench.job_status("job") == "COMPLETED"
    assert [await bench.status("t1", "job", number) for number in (1, 2, 3)] == ["FAILED"] * 3


async def test_a_rejection_is_not_tried_again(bench: Bench) -> None:
    retry = {"criteriaList": [{"failureType": "ALL", "numberOfRetries": 2}]}
    await bench.create("job", "t1", jobExecutionsRetryConfig=retry)
    await bench.update("t1", "job", "REJECTED")
    assert await bench.status("t1", "job") == "REJECTED"


async def test_an_execution_times_out(bench: Bench) -> None:
    await bench.create("job", "g", timeoutConfig={"inProgressTimeoutInMinutes": 10})
    await bench.clock.advance(3600)
    assert await bench.counts("job") == {"QUEUED": 3}, "what is queued has no timer"
    await bench.update("t1", "job", "IN_PROGRESS")
    await bench.clock.advance(300)
    await bench.update("t1", "job", "IN_PROGRESS")  # which does not set the timer back
    _, answer = await bench.ask("t1/jobs/job/get")
    assert answer["execution"]["approximateSecondsBeforeTimedOut"] == 300
    await bench.clock.advance(299)
    assert await bench.status("t1", "job") == "IN_PROGRESS"
    await bench.clock.advance(1)
    assert await bench.status("t1", "job") == "TIMED_OUT"
    assert "$aws/events/jobExecution/job/timed_out" in bench.events.topics()
    assert (await bench.update("t1", "job", "SUCCEEDED"))[1]["code"] == "InvalidStateTransition"
    assert any("timed out" in event.reason for event in bench.traced)


async def test_it_times_out_though_the_server_was_away(bench: Bench) -> None:
    await bench.create("job", "t1", timeoutConfig={"inProgressTimeoutInMinutes": 10})
    await bench.update("t1", "job", "IN_PROGRESS")
    await bench.close()
    await bench.clock.advance(3600)
    await bench.restart()
    assert await bench.status("t1", "job") == "TIMED_OUT"


async def test_what_times_out_is_tried_again(bench: Bench) -> None:
    retry = {"criteriaList": [{"failureType": "TIMED_OUT", "numberOfRetries": 1}]}
    timeout = {"inProgressTimeoutInMinutes": 1}
    await bench.create("job", "t1", jobExecutionsRetryConfig=retry, timeoutConfig=timeout)
    for _ in range(2):
        await bench.update("t1", "job", "IN_PROGRESS")
        await bench.clock.advance(60)
    assert [await bench.status("t1", "job", number) for number in (1, 2)] == ["TIMED_OUT", "TIMED_OUT"]
    assert await bench.job_status("job") == "COMPLETED"


async def test_a_step_has_a_timer_of_its_own(bench: Bench) -> None:
    await bench.create("job", "t1", timeoutConfig={"inProgressTimeoutInMinutes": 10})
    await bench.ask("t1/jobs/start-next", stepTimeoutInMinutes=2)
    await bench.clock.advance(60)
    await bench.update("t1", "job", "IN_PROGRESS", stepTimeoutInMinutes=5)  # in place of the first
    await bench.clock.advance(299)
    assert await bench.status("t1", "job") == "IN_PROGRESS"
    await bench.update("t1", "job", "IN_PROGRESS", stepTimeoutInMinutes=-1)
    await bench.clock.advance(600 - 360)
    assert await bench.status("t1", "job") == "IN_PROGRESS"
    await bench.update("t1", "job", "IN_PROGRESS", stepTimeoutInMinutes=100)  # the whole is bounded still
    await bench.clock.advance(1)
    assert await bench.status("t1", "job") == "TIMED_OUT"


async def test_a_scheduled_job_begins_in_time(bench: Bench) -> None:
    starts = written_time(bench.clock.time() + 7200)
    await bench.create("job", "g", schedulingConfig={"startTime": starts})
    assert await bench.job_status("job") == "SCHEDULED"
    assert await bench.counts("job") == {}
    await bench.clock.advance(7100)
    assert await bench.job_status("job") == "SCHEDULED"
    await bench.restart()
    await bench.clock.advance(100)
    assert await bench.job_status("job") == "IN_PROGRESS"
    assert await bench.counts("job") == {"QUEUED": 3}


@pytest.mark.parametrize(
    ("behavior", "status", "executions"),
    [
        (None, "IN_PROGRESS", ["IN_PROGRESS", "QUEUED", "QUEUED"]),
        ("STOP_ROLLOUT", "IN_PROGRESS", ["IN_PROGRESS", "QUEUED", "QUEUED"]),
        ("CANCEL", "CANCELED", ["IN_PROGRESS", "CANCELED", "CANCELED"]),
        ("FORCE_CANCEL", "CANCELED", ["CANCELED", "CANCELED", "CANCELED"]),
    ],
)
async def test_a_job_ends_as_it_is_told(bench: Bench, behavior: str | None, status: str, executions: list[str]) -> None:
    scheduling = {"endTime": written_time(bench.clock.time() + 3600)} | ({"endBehavior": behavior} if behavior else {})
    await bench.create("job", "g", **CONTINUOUS, schedulingConfig=scheduling)
    await bench.update("t1", "job", "IN_PROGRESS")
    await bench.clock.advance(3600)
    assert (await bench.job_status("job"), await bench.statuses("job", THINGS)) == (status, executions)
    bench.fleet.groups["g"]["t7"] = bench.clock.time()
    bench.fleet.tell("t7")
    await bench.settle()
    assert sum((await bench.counts("job")).values()) == 3, "nobody is given it any more"
    if status == "IN_PROGRESS":
        for thing in THINGS:
            await bench.update(thing, "job", "SUCCEEDED")
        assert await bench.job_status("job") == "COMPLETED"


async def test_outside_its_windows_a_job_waits(bench: Bench) -> None:
    now = datetime.fromtimestamp(bench.clock.time(), UTC)
    window = {"startTime": f"cron(0 {(now.hour + 2) % 24} * * ? *)", "durationInMinutes": 60}
    await bench.create("job", "g", **CONTINUOUS, schedulingConfig={"maintenanceWindows": [window]})
    assert await bench.counts("job") == {}
    await bench.clock.advance(3600 - now.minute * 60)
    assert await bench.counts("job") == {}
    await bench.clock.advance(3600)
    assert await bench.counts("job") == {"QUEUED": 3}


async def test_a_job_that_has_ended_is_kept_for_two_years(bench: Bench) -> None:
    await bench.create("job", "t1")
    await bench.update("t1", "job", "SUCCEEDED")
    await bench.clock.advance((KEPT_DAYS - 1) * 86_400)
    assert await bench.job_status("job") == "COMPLETED"
    await bench.clock.advance(86_401)
    assert await bench.service.records.jobs.scan() == []
    assert await bench.service.records.executions.scan() == []
