"""What is not seen over HTTP (tests/gateway/test_iot_jobs.py): tags, quotas, many callers at once."""

import asyncio

import msgspec
import pytest
from tests.jobs.bench import DOCUMENT, Bench

from fogbank.errors import LimitExceeded, ResourceAlreadyExists
from fogbank.jobs.lifecycle import STEP
from fogbank.ports import StorageError


async def test_tags_come_and_go_with_the_job_and_the_template(bench: Bench) -> None:
    target = bench.arns.iot("thing", "t1")
    about = {"jobId": "job", "targets": [target], "document": DOCUMENT}
    await bench.service.jobs.create(about, {"site": "north"})
    await bench.service.templates.create(
        {"jobTemplateId": "tpl", "description": "x", "document": DOCUMENT}, {"site": "south"}
    )
    tagged = [record.key for record in await bench.documents.scan("tags")]
    assert tagged == [bench.arns.iot("job", "job"), bench.arns.iot("jobtemplate", "tpl")]
    await bench.service.jobs.delete("job", force=True)
    await bench.service.templates.delete("tpl")
    await bench.settle()
    assert await bench.documents.scan("tags") == []


async def test_only_so_many_jobs_are_active(bench: Bench) -> None:
    bench.limits = msgspec.structs.replace(bench.limits, active_jobs=2)
    await bench.restart()
    await bench.create("job1", "t1")
    await bench.create("job2", "t1")
    with pytest.raises(LimitExceeded, match="2 active jobs"):
        await bench.create("job3", "t1")
    await bench.update("t1", "job1", "SUCCEEDED")  # which completes it
    await bench.create("job3", "t1")


async def test_only_so_many_jobs_are_deleted_at_a_time(bench: Bench) -> None:
    bench.limits = msgspec.structs.replace(bench.limits, deletions=1)
    await bench.restart()
    names = [f"x{number:03}" for number in range(STEP * 2)]
    bench.fleet.things.update(names)
    bench.fleet.groups["gl"] = dict.fromkeys(names, 0.0)
    await bench.create("large", "gl")
    await bench.create("small", "t1")
    await bench.service.jobs.delete("large", force=True)
    with pytest.raises(LimitExceeded, match="1 jobs being deleted"):
        await bench.service.jobs.delete("small", force=True)
    await bench.settle()
    await bench.service.jobs.delete("small", force=True)


async def test_of_many_who_make_one_job_one_does(bench: Bench) -> None:
    made = await asyncio.gather(*(bench.create("job", "g") for _ in range(20)), return_exceptions=True)
    assert sum(one is None for one in made) == 1
    assert sum(isinstance(one, ResourceAlreadyExists) for one in made) == 19
    assert await bench.counts("job") == {"QUEUED": 3}


async def test_a_job_that_cannot_be_stored_is_not_there(bench: Bench) -> None:
    bench.documents.failure = StorageError("disk full")  # type: ignore[attr-defined]
    with pytest.raises(StorageError):
        await bench.create("job", "g")
    bench.documents.failure = None  # type: ignore[attr-defined]
    await bench.settle()
    assert bench.told == []
    await bench.create("job", "g")
    assert await bench.counts("job") == {"QUEUED": 3}
