"""Jobs, their executions and templates over HTTP, with boto3 in front."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.gateway.served import Served, serving
from tests.gateway.toy import ARNS
from tests.jobs.bench import DOCUMENT, Bench

from fogbank.gateway.iot_job_executions import IotJobExecutionsApi
from fogbank.gateway.iot_job_templates import IotJobTemplatesApi
from fogbank.gateway.iot_jobs import IotJobsApi

THING = ARNS.iot("thing", "t1")
GROUP = ARNS.iot("thinggroup", "g")
EVERYTHING: dict[str, Any] = {
    "description": "what it is for",
    "presignedUrlConfig": {"roleArn": "arn:aws:iam::123456789012:role/jobs", "expiresInSec": 120},
    "jobExecutionsRolloutConfig": {
        "maximumPerMinute": 100,
        "exponentialRate": {
            "baseRatePerMinute": 50,
            "incrementFactor": 1.5,
            "rateIncreaseCriteria": {"numberOfSucceededThings": 10},
        },
    },
    "abortConfig": {
        "criteriaList": [
            {
                "failureType": "FAILED",
                "action": "CANCEL",
                "thresholdPercentage": 10.5,
                "minNumberOfExecutedThings": 20,
            }
        ]
    },
    "timeoutConfig": {"inProgressTimeoutInMinutes": 10},
    "jobExecutionsRetryConfig": {
        "criteriaList": [
            {"failureType": "FAILED", "numberOfRetries": 3},
            {"failureType": "TIMED_OUT", "numberOfRetries": 2},
        ]
    },
}


class Place(Bench):
    """A bench with the ARNs that the toy gateway has."""

    arns = ARNS


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Place()
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def iot(bench: Bench) -> AsyncIterator[Served]:
    service = bench.service
    apis = [
        IotJobsApi(service, bench.clock),
        IotJobExecutionsApi(service, ARNS, bench.clock),
        IotJobTemplatesApi(service),
    ]
    async with serving(apis) as served:
        yield served


async def refused(iot: Served, operation: str, **params: Any) -> str:
    with pytest.raises(ClientError) as refusal:
        await iot.call(operation, **params)
    return str(refusal.value.response["Error"]["Code"])


async def test_a_job_is_described_as_it_was_made(iot: Served) -> None:
    made = await iot.call(
        "create_job", jobId="job", targets=[THING, GROUP], document=DOCUMENT, namespaceId="ns", **EVERYTHING
    )
    assert made == {"jobArn": ARNS.iot("job", "job"), "jobId": "job", "description": "what it is for"}
    job = (await iot.call("describe_job", jobId="job"))["job"]
    assert {name: job[name] for name in EVERYTHING} == EVERYTHING
    assert (job["status"], job["targetSelection"], job["namespaceId"]) == ("IN_PROGRESS", "SNAPSHOT", "ns")
    assert (job["targets"], job["forceCanceled"], job["isConcurrent"]) == ([THING, GROUP], False, False)
    assert job["jobProcessDetails"]["numberOfQueuedThings"] == 3
    assert "processingTargets" not in job["jobProcessDetails"]
    assert "schedulingConfig" not in job
    assert (await iot.call("get_job_document", jobId="job"))["document"] == DOCUMENT


async def test_an_end_behavior_without_an_end_is_kept_and_does_nothing(iot: Served) -> None:
    """API reference, SchedulingConfig: "If endTime is not selected when creating the job, it does not apply"."""
    scheduling = {"endBehavior": "FORCE_CANCEL"}
    await iot.call("create_job", jobId="job", targets=[THING], document=DOCUMENT, schedulingConfig=scheduling)
    job = (await iot.call("describe_job", jobId="job"))["job"]
    assert (job["schedulingConfig"], job["status"]) == (scheduling, "IN_PROGRESS")


async def test_what_is_rolled_out_still_is_told(iot: Served) -> None:
    await iot.call(
        "create_job",
        jobId="job",
        targets=[THING, GROUP],
        document=DOCUMENT,
        jobExecutionsRolloutConfig={"maximumPerMinute": 1},
    )
    job = (await iot.call("describe_job", jobId="job"))["job"]
    assert job["jobProcessDetails"]["processingTargets"] == [GROUP]
    assert job["isConcurrent"]


async def test_lists_are_filtered_and_come_in_pages(iot: Served) -> None:
    for number in range(5):
        target = GROUP if number % 2 else THING
        selection = "CONTINUOUS" if number < 3 else "SNAPSHOT"
        await iot.call(
            "create_job", jobId=f"job{number}", targets=[target], document=DOCUMENT, targetSelection=selection
        )
    await iot.call("cancel_job", jobId="job0", reasonCode="WHY_1", comment="because")

    async def listed(**wanted: Any) -> list[str]:
        return [job["jobId"] for job in (await iot.call("list_jobs", **wanted))["jobs"]]

    assert await listed() == [f"job{number}" for number in range(5)]
    assert await listed(status="CANCELED") == ["job0"]
    assert await listed(targetSelection="SNAPSHOT") == ["job3", "job4"]
    assert await listed(thingGroupName="g") == ["job1", "job3"]
    assert await listed(thingGroupId="id-of-g", status="IN_PROGRESS") == ["job1", "job3"]
    assert await listed(namespaceId="none") == []
    first = await iot.call("list_jobs", maxResults=3)
    rest = await iot.call("list_jobs", nextToken=first["nextToken"])
    assert [job["jobId"] for job in first["jobs"] + rest["jobs"]] == [f"job{number}" for number in range(5)]
    assert "nextToken" not in rest
    assert await refused(iot, "list_jobs", nextToken=first["nextToken"], status="CANCELED") == "InvalidRequestException"
    canceled = (await iot.call("describe_job", jobId="job0"))["job"]
    assert (canceled["reasonCode"], canceled["comment"]) == ("WHY_1", "because")


async def test_executions(iot: Served, bench: Bench) -> None:
    await iot.call("create_job", jobId="job", targets=[GROUP], document=DOCUMENT)
    await iot.call("create_job", jobId="other", targets=[THING], document=DOCUMENT, namespaceId="ns")
    await bench.update("t1", "job", "IN_PROGRESS", statusDetails={"a": "b"})
    described = await iot.call("describe_job_execution", jobId="job", thingName="t1", executionNumber=1)
    execution = described["execution"]
    assert (execution["status"], execution["thingArn"]) == ("IN_PROGRESS", THING)
    assert (execution["versionNumber"], execution["executionNumber"]) == (2, 1)
    assert execution["statusDetails"] == {"detailsMap": {"a": "b"}}

    of_job = await iot.call("list_job_executions_for_job", jobId="job", status="QUEUED")
    assert [one["thingArn"].rpartition("/")[2] for one in of_job["executionSummaries"]] == ["t2", "t3"]
    assert of_job["executionSummaries"][0]["jobExecutionSummary"]["retryAttempt"] == 0
    page = await iot.call("list_job_executions_for_job", jobId="job", maxResults=2)
    rest = await iot.call("list_job_executions_for_job", jobId="job", nextToken=page["nextToken"])
    assert (len(page["executionSummaries"]), len(rest["executionSummaries"])) == (2, 1)

    async def of_thing(**wanted: Any) -> list[str]:
        answer = await iot.call("list_job_executions_for_thing", thingName="t1", **wanted)
        return [one["jobId"] for one in answer["executionSummaries"]]

    assert await of_thing() == ["job", "other"]
    assert await of_thing(status="QUEUED") == ["other"]
    assert await of_thing(jobId="job") == ["job"]
    assert await of_thing(namespaceId="ns") == ["other"]

    about = {"jobId": "job", "thingName": "t1"}
    assert await refused(iot, "cancel_job_execution", **about) == "InvalidStateTransitionException"
    assert await refused(iot, "delete_job_execution", **about, executionNumber=1) == "InvalidStateTransitionException"
    wrong = {"executionNumber": 1, "force": True, "namespaceId": "elsewhere"}
    assert await refused(iot, "delete_job_execution", **about, **wrong) == "ResourceNotFoundException"
    assert await refused(iot, "cancel_job_execution", **about, force=True, expectedVersion=1) == (
        "VersionConflictException"
    )
    await iot.call("cancel_job_execution", **about, force=True, expectedVersion=2, statusDetails={"why": "so"})
    execution = (await iot.call("describe_job_execution", **about))["execution"]
    assert (execution["status"], execution["forceCanceled"]) == ("CANCELED", True)
    assert execution["statusDetails"] == {"detailsMap": {"why": "so"}}
    assert await refused(iot, "cancel_job_execution", **about, force=True) == "InvalidStateTransitionException"
    await iot.call("delete_job_execution", **about, executionNumber=1)
    assert await refused(iot, "describe_job_execution", **about) == "ResourceNotFoundException"
    assert await refused(iot, "delete_job_execution", **about, executionNumber=1) == "ResourceNotFoundException"


async def test_templates(iot: Served) -> None:
    windows = [{"startTime": "cron(0 3 * * ? *)", "durationInMinutes": 60}]
    made = await iot.call(
        "create_job_template", jobTemplateId="tpl", document=DOCUMENT, maintenanceWindows=windows, **EVERYTHING
    )
    assert made == {"jobTemplateArn": ARNS.iot("jobtemplate", "tpl"), "jobTemplateId": "tpl"}
    template = await iot.call("describe_job_template", jobTemplateId="tpl")
    assert {name: template[name] for name in EVERYTHING} == EVERYTHING
    assert (template["document"], template["maintenanceWindows"]) == (DOCUMENT, windows)
    assert await refused(iot, "create_job_template", jobTemplateId="tpl", document=DOCUMENT, description="again") == (
        "ConflictException"
    )

    arn = made["jobTemplateArn"]
    assert await refused(iot, "create_job", jobId="job", targets=[GROUP], jobTemplateArn=arn) == (
        "InvalidRequestException"
    ), "windows are for continuous jobs"
    await iot.call(
        "create_job",
        jobId="job",
        targets=[GROUP],
        jobTemplateArn=arn,
        targetSelection="CONTINUOUS",
        timeoutConfig={"inProgressTimeoutInMinutes": 99},
    )
    job = (await iot.call("describe_job", jobId="job"))["job"]
    assert job["timeoutConfig"] == {"inProgressTimeoutInMinutes": 99}, "what the job says itself counts"
    assert job["abortConfig"] == EVERYTHING["abortConfig"]
    assert (job["jobTemplateArn"], job["schedulingConfig"]) == (arn, {"maintenanceWindows": windows})
    assert len(job["scheduledJobRollouts"]) == 7
    assert job["scheduledJobRollouts"][0]["startTime"].endswith("03:00")
    assert (await iot.call("get_job_document", jobId="job"))["document"] == DOCUMENT

    await iot.call("create_job_template", jobTemplateId="of-job", jobArn=ARNS.iot("job", "job"), description="copy")
    copy = await iot.call("describe_job_template", jobTemplateId="of-job")
    assert (copy["document"], copy["timeoutConfig"]) == (DOCUMENT, {"inProgressTimeoutInMinutes": 99})
    assert copy["maintenanceWindows"] == windows
    listed = await iot.call("list_job_templates", maxResults=1)
    assert [one["jobTemplateId"] for one in listed["jobTemplates"]] == ["of-job"]
    await iot.call("delete_job_template", jobTemplateId="tpl")
    for operation in ("describe_job_template", "delete_job_template"):
        assert await refused(iot, operation, jobTemplateId="tpl") == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"targets": []}, "InvalidRequestException"),
        ({"targets": ["t1"]}, "InvalidRequestException"),
        ({"targets": ["arn:aws:iot:us-east-1:999999999999:thing/t1"]}, "InvalidRequestException"),
        ({"targets": [ARNS.iot("thing", "nobody")]}, "ResourceNotFoundException"),
        ({"targets": [ARNS.iot("thinggroup", "nobodies")]}, "ResourceNotFoundException"),
        ({"jobId": "a b"}, "InvalidRequestException"),
        ({"jobId": "x" * 65}, "InvalidRequestException"),
        ({"document": "{"}, "InvalidRequestException"),
        ({"document": "[" * 5000}, "InvalidRequestException"),
        ({"document": '"' + "x" * 32_768 + '"'}, "InvalidRequestException"),
        ({"documentSource": "https://s3.us-east-1.amazonaws.com/b/k"}, "InvalidRequestException"),
        ({"document": None}, "InvalidRequestException"),
        ({"document": None, "documentSource": "https://example.com/b/k"}, "InvalidRequestException"),
        ({"document": None, "jobTemplateArn": "arn:aws:iot:us-east-1::jobtemplate/AWS-Reboot:1.0"}, "InvalidRequest"),
        ({"document": None, "jobTemplateArn": ARNS.iot("jobtemplate", "none")}, "ResourceNotFoundException"),
        ({"documentParameters": {"a": "b"}}, "InvalidRequestException"),
        ({"jobExecutionsRolloutConfig": {"maximumPerMinute": 1001}}, "InvalidRequestException"),
        ({"timeoutConfig": {"inProgressTimeoutInMinutes": 0}}, "InvalidRequestException"),
        ({"timeoutConfig": {"inProgressTimeoutInMinutes": 10_081}}, "InvalidRequestException"),
        (
            {"jobExecutionsRetryConfig": {"criteriaList": [{"failureType": "ALL", "numberOfRetries": 11}]}},
            "InvalidRequestException",
        ),
        ({"schedulingConfig": {"startTime": "tomorrow"}}, "InvalidRequestException"),
        ({"schedulingConfig": {"startTime": "2001-01-01 00:00"}}, "InvalidRequestException"),
        ({"presignedUrlConfig": {"expiresInSec": 59}}, "InvalidRequestException"),
        ({"targetSelection": "ALL"}, "InvalidRequestException"),
        ({"targets": [ARNS.iot("thing", f"many{number}") for number in range(101)]}, "LimitExceededException"),
    ],
)
async def test_what_create_job_refuses(iot: Served, bench: Bench, params: dict[str, Any], code: str) -> None:
    bench.fleet.things.update(f"many{number}" for number in range(101))
    asked = {"jobId": "job", "targets": [THING], "document": DOCUMENT, **params}
    refusal = await refused(iot, "create_job", **{name: value for name, value in asked.items() if value is not None})
    assert refusal.startswith(code)
    assert (await iot.call("list_jobs"))["jobs"] == []


async def test_what_a_job_s_state_refuses(iot: Served, bench: Bench) -> None:
    await iot.call("create_job", jobId="job", targets=[THING], document=DOCUMENT)
    again = await refused(iot, "create_job", jobId="job", targets=[THING], document=DOCUMENT)
    assert again == "ResourceAlreadyExistsException"
    assert await refused(iot, "delete_job", jobId="job") == "InvalidStateTransitionException"
    assert await refused(iot, "associate_targets_with_job", jobId="job", targets=[GROUP]) == "InvalidRequestException"
    assert await refused(iot, "delete_job", jobId="job", force=True, namespaceId="x") == "ResourceNotFoundException"
    retry = {"criteriaList": [{"failureType": "ALL", "numberOfRetries": 1}]}
    assert await refused(iot, "update_job", jobId="job", jobExecutionsRetryConfig=retry) == "InvalidRequestException"
    await iot.call("cancel_job", jobId="job")
    assert await refused(iot, "cancel_job", jobId="job") == "InvalidRequestException"
    assert await refused(iot, "update_job", jobId="job", description="x") == "InvalidRequestException"
    await iot.call("delete_job", jobId="job")
    for operation in ("describe_job", "cancel_job", "delete_job", "get_job_document", "list_job_executions_for_job"):
        assert await refused(iot, operation, jobId="job") == "ResourceNotFoundException"


async def test_an_update_counts_for_what_begins_after_it(iot: Served, bench: Bench) -> None:
    await iot.call("create_job", jobId="job", targets=[GROUP], document=DOCUMENT, **EVERYTHING)
    await bench.update("t1", "job", "IN_PROGRESS")
    none = {"criteriaList": [{"failureType": "ALL", "numberOfRetries": 0}]}
    timeout = {"inProgressTimeoutInMinutes": 1}
    await iot.call("update_job", jobId="job", description="new", timeoutConfig=timeout, jobExecutionsRetryConfig=none)
    await bench.update("t2", "job", "IN_PROGRESS")
    await bench.clock.advance(60)
    assert await bench.statuses("job", ("t1", "t2")) == ["IN_PROGRESS", "TIMED_OUT"]
    job = (await iot.call("describe_job", jobId="job"))["job"]
    assert (job["description"], job["abortConfig"]) == ("new", EVERYTHING["abortConfig"])
