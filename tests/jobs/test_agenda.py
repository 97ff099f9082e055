from tests.jobs.bench import Bench

from fogbank.jobs.records import Appointment
from fogbank.ports import StorageError


async def test_what_is_due_waits_for_the_disk(bench: Bench) -> None:
    await bench.create("job", "t1", timeoutConfig={"inProgressTimeoutInMinutes": 1})
    await bench.update("t1", "job", "IN_PROGRESS")
    bench.documents.failure = StorageError("disk full")  # type: ignore[attr-defined]
    await bench.clock.advance(60)
    bench.documents.failure = None  # type: ignore[attr-defined]
    await bench.settle()
    assert await bench.status("t1", "job") == "IN_PROGRESS"
    await bench.clock.advance(10)
    assert await bench.status("t1", "job") == "TIMED_OUT"


async def test_an_earlier_appointment_is_kept_first(bench: Bench) -> None:
    await bench.create("slow", "t1", timeoutConfig={"inProgressTimeoutInMinutes": 100})
    await bench.create("quick", "t2", timeoutConfig={"inProgressTimeoutInMinutes": 1})
    await bench.update("t1", "slow", "IN_PROGRESS")
    await bench.update("t2", "quick", "IN_PROGRESS")
    await bench.clock.advance(60)
    assert [await bench.status("t1", "slow"), await bench.status("t2", "quick")] == ["IN_PROGRESS", "TIMED_OUT"]


async def test_what_ends_in_time_leaves_no_appointment(bench: Bench) -> None:
    await bench.create("job", "t1", "t2", timeoutConfig={"inProgressTimeoutInMinutes": 1})
    await bench.update("t1", "job", "IN_PROGRESS", stepTimeoutInMinutes=1)
    assert len(await bench.service.records.agenda.scan()) == 1
    await bench.update("t1", "job", "SUCCEEDED")
    assert await bench.service.records.agenda.scan() == []


async def test_an_appointment_with_somebody_who_is_gone(bench: Bench) -> None:
    gone = Appointment(bench.clock.time() + 5, "no-job"), Appointment(bench.clock.time() + 5, "no-job", "t1/no-job/1")
    for one in gone:
        await bench.service.records.agenda.put(one.key, one)
    await bench.restart()
    await bench.clock.advance(10)
    assert await bench.service.records.agenda.scan() == []
