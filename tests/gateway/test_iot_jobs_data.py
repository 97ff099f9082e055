"""The data plane of jobs over HTTP; what it answers is tested at its root (tests/jobs/test_device.py)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.gateway.served import Served, serving
from tests.jobs.bench import DOCUMENT, Bench

from fogbank.errors import Forbidden
from fogbank.gateway.call import Call
from fogbank.gateway.device_rights import DeviceRights
from fogbank.gateway.iot_jobs_data import IotJobsDataApi


class Rights(DeviceRights):
    """Remembers what it was asked, and may refuse."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.refuse = False

    async def check(self, call: Call, resource: str, name: str = "", **_: Any) -> None:
        self.asked.append((call.operation, resource, name))
        if self.refuse:
            raise Forbidden("Forbidden")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def rights() -> Rights:
    return Rights()


@pytest.fixture
async def jobs(bench: Bench, rights: Rights) -> AsyncIterator[Served]:
    async with serving([IotJobsDataApi(bench.service, rights, bench.clock)], "iot-jobs-data") as served:
        yield served


async def test_the_four_operations(jobs: Served, bench: Bench, rights: Rights) -> None:
    await bench.create("job", "t1")
    now = int(bench.clock.time())
    summary = {"jobId": "job", "queuedAt": now, "lastUpdatedAt": now, "versionNumber": 1, "executionNumber": 1}
    pending = await jobs.call("get_pending_job_executions", thingName="t1")
    assert pending == {"inProgressJobs": [], "queuedJobs": [summary]}
    started = await jobs.call("start_next_pending_job_execution", thingName="t1", stepTimeoutInMinutes=5)
    execution = {
        **summary,
        "thingName": "t1",
        "status": "IN_PROGRESS",
        "startedAt": now,
        "versionNumber": 2,
        "jobDocument": DOCUMENT,
        "approximateSecondsBeforeTimedOut": 300,
    }
    assert started == {"execution": execution}
    assert await jobs.call("describe_job_execution", thingName="t1", jobId="$next") == {"execution": execution}
    bare = await jobs.call("describe_job_execution", thingName="t1", jobId="job", includeJobDocument=False)
    assert "jobDocument" not in bare["execution"]
    updated = await jobs.call(
        "update_job_execution",
        thingName="t1",
        jobId="job",
        status="SUCCEEDED",
        statusDetails={"a": "b"},
        expectedVersion=2,
        includeJobExecutionState=True,
        includeJobDocument=True,
    )
    state = {"status": "SUCCEEDED", "statusDetails": {"a": "b"}, "versionNumber": 3}
    assert updated == {"executionState": state, "jobDocument": DOCUMENT}
    assert await jobs.call("start_next_pending_job_execution", thingName="t1") == {}
    assert rights.asked[0] == ("GetPendingJobExecutions", "thing", "t1")
    assert {(resource, name) for _, resource, name in rights.asked} == {("thing", "t1")}
    assert bench.room.answers == [], "who asks over HTTP is answered there"


@pytest.mark.parametrize(
    ("operation", "params", "code", "status"),
    [
        ("get_pending_job_executions", {"thingName": "nobody"}, "ResourceNotFoundException", 404),
        ("describe_job_execution", {"thingName": "t1", "jobId": "none"}, "ResourceNotFoundException", 404),
        ("describe_job_execution", {"thingName": "t1", "jobId": "job"}, "TerminalStateException", 410),
        (
            "update_job_execution",
            {"thingName": "t1", "jobId": "job", "status": "FAILED"},
            "InvalidStateTransitionException",
            409,
        ),
        (
            "update_job_execution",
            {"thingName": "t1", "jobId": "job", "status": "FAILED", "expectedVersion": 9},
            "InvalidStateTransitionException",
            409,
        ),
        (
            "update_job_execution",
            {"thingName": "t2", "jobId": "job", "status": "FAILED", "stepTimeoutInMinutes": 0},
            "InvalidRequestException",
            400,
        ),
        ("update_job_execution", {"thingName": "t2", "jobId": "job", "status": "?"}, "InvalidRequestException", 400),
    ],
)
async def test_refusals(
    jobs: Served, bench: Bench, operation: str, params: dict[str, Any], code: str, status: int
) -> None:
    await bench.create("job", "t1", "t2")
    await bench.update("t1", "job", "SUCCEEDED")
    with pytest.raises(ClientError) as refusal:
        await jobs.call(operation, **params)
    assert refusal.value.response["Error"]["Code"] == code
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


async def test_a_device_without_the_right_learns_nothing(jobs: Served, bench: Bench, rights: Rights) -> None:
    await bench.create("job", "t1")
    rights.refuse = True
    with pytest.raises(ClientError) as refusal:
        await jobs.call("start_next_pending_job_execution", thingName="t1")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert await bench.status("t1", "job") == "QUEUED"
