"""Whatever happens to executions, in whatever order: what is derived from them is what a count of them says."""

import asyncio
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.jobs.bench import Bench

from fogbank.errors import ServiceError

THINGS = [f"t{number}" for number in range(1, 5)]
JOBS = ["j1", "j2", "j3"]

one_of = st.sampled_from
happenings = st.one_of(
    st.tuples(st.just("create"), one_of(JOBS), st.booleans(), st.integers(0, 2)),
    st.tuples(
        st.just("update"),
        one_of(THINGS),
        one_of(JOBS),
        one_of(["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"]),
        one_of([None, -1, 1, 3]),
    ),
    st.tuples(st.just("start"), one_of(THINGS)),
    st.tuples(st.just("cancel"), one_of(JOBS), st.booleans()),
    st.tuples(st.just("cancel one"), one_of(THINGS), one_of(JOBS), st.booleans()),
    st.tuples(st.just("delete"), one_of(JOBS), st.booleans()),
    st.tuples(st.just("delete one"), one_of(THINGS), one_of(JOBS), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("join"), one_of(THINGS)),
    st.tuples(st.just("leave"), one_of(THINGS)),
    st.tuples(st.just("wait"), one_of([1, 60, 90, 200])),
    st.tuples(st.just("kill")),
)


async def happen(bench: Bench, what: tuple[Any, ...]) -> None:
    service = bench.service
    match what:
        case ("create", job, continuous, retries):
            retry = {"criteriaList": [{"failureType": "ALL", "numberOfRetries": retries}]}
            criteria = {
                "failureType": "REJECTED",
                "action": "CANCEL",
                "thresholdPercentage": 50,
                "minNumberOfExecutedThings": 2,
            }
            await bench.create(
                job,
                "g",
                "t4",
                targetSelection="CONTINUOUS" if continuous else "SNAPSHOT",
                jobExecutionsRetryConfig=retry,
                jobExecutionsRolloutConfig={"maximumPerMinute": 3},
                timeoutConfig={"inProgressTimeoutInMinutes": 2},
                abortConfig={"criteriaList": [criteria]},
            )
        case ("update", thing, job, status, minutes):
            await bench.update(thing, job, status, stepTimeoutInMinutes=minutes)
        case ("start", thing):
            await bench.ask(f"{thing}/jobs/start-next")
        case ("cancel", job, force):
            await service.jobs.cancel(job, force=force)
        case ("cancel one", thing, job, force):
            await service.executions.cancel(thing, job, force=force)
        case ("delete", job, force):
            await service.jobs.delete(job, force=force)
        case ("delete one", thing, job, number, force):
            await service.executions.delete(thing, job, number, force=force)
        case ("join", thing):
            bench.fleet.groups["g"].setdefault(thing, bench.clock.time())
            bench.fleet.tell(thing)
        case ("leave", thing):
            bench.fleet.groups["g"].pop(thing, None)
            bench.fleet.tell(thing)
        case ("wait", seconds):
            await bench.clock.advance(seconds)
        case ("kill",):
            await bench.restart()


async def check(bench: Bench) -> None:
    records = bench.service.records
    executions = [one.value for one in await records.executions.scan()]
    jobs = {one.key: one.value for one in await records.jobs.scan()}
    for job in jobs:
        counted = Counter(one.status.value for one in executions if one.job == job and one.current)
        assert await bench.counts(job) == counted
    assert {one.job for one in executions} <= jobs.keys()
    pending = sorted(one.place for one in executions if one.status.pending)
    assert [one.key for one in await records.pending.scan()] == pending
    assert all(one.current for one in executions if one.status.pending)
    timers = sorted(one.key for one in executions if one.status.pending and one.due is not None)
    assert sorted(one.value.execution for one in await records.agenda.scan() if one.value.execution) == timers
    census = await records.census.get("jobs")
    numbered = {} if census is None else {status: count for status, count in census.value.jobs.items() if count}
    assert numbered == Counter(job.status.value for job in jobs.values())
    for one_job in jobs.values():
        current = [one for one in executions if one.job == one_job.id and one.current]
        if one_job.status.value == "COMPLETED":
            assert not any(one.status.pending for one in current)
        if one_job.status.value == "CANCELED":
            assert not any(one.status.value == "QUEUED" for one in current)
        if one_job.follows:
            members = {*bench.fleet.groups["g"], "t4"}
            assert not any(one.thing in members for one in current if one.status.value == "REMOVED")
            assert not any(one.thing not in members for one in current if one.status.pending)


@given(st.lists(happenings, max_size=25))
@settings(max_examples=60)
def test_counts_lists_and_timers_are_those_of_the_executions(what: list[tuple[Any, ...]]) -> None:
    async def story() -> None:
        bench = Bench()
        await bench.start()
        for one in what:
            try:
                await happen(bench, one)
            except ServiceError:
                pass
            await bench.settle()
            await check(bench)
        await bench.close()

    asyncio.run(story())
