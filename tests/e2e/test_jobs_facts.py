"""Jobs from outside, by what AWS's guide says of them: jobs-comm-notifications, jobs-mqtt-api, iot-jobs-lifecycle,
events-jobs, and the exceptions of the control plane's API."""

import json
from typing import Any

import pytest
from awscrt import mqtt
from botocore.exceptions import ClientError
from tests.e2e.conftest import Connect
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.inbox import PATIENCE, eventually

DOCUMENT = {"operation": "reboot", "list": [1]}


class Worker:
    """A thing's device, and the operator who gives it jobs."""

    def __init__(self, app: App, device: SdkDevice, thing: str) -> None:
        self.app = app
        self.thing = thing
        self._device = device
        self._prefix = f"$aws/things/{thing}/jobs"
        for below in (f"{self._prefix}/#", "$aws/events/job/+/+", "$aws/events/jobExecution/+/+"):
            device.subscribe(below)

    def create(self, *jobs: str, **params: Any) -> None:
        targets = [self.app.arn(f"thing/{self.thing}")]
        for job in jobs:
            self.app.iot.create_job(**{"jobId": job, "targets": targets, "document": json.dumps(DOCUMENT), **params})

    def ask(self, below: str, payload: dict[str, Any] | bytes, answer: str = "accepted") -> Any:
        body = json.dumps(payload) if isinstance(payload, dict) else payload
        self._device.connection.publish(f"{self._prefix}/{below}", body, mqtt.QoS.AT_LEAST_ONCE)[0].result(PATIENCE)
        told = self._device.take(f"{self._prefix}/{below}/{answer}")
        assert told.pop("timestamp") > 0
        return told

    def notified(self) -> dict[str, list[tuple[str, int]]]:
        """What `notify` lists: by status the jobs with their versions."""
        jobs = self._device.take(f"{self._prefix}/notify")["jobs"]
        return {status: [(one["jobId"], one["versionNumber"]) for one in some] for status, some in jobs.items()}

    def next(self) -> tuple[str, str] | None:
        """What `notify-next` names: a job and the status of its execution."""
        execution = self._device.take(f"{self._prefix}/notify-next").get("execution")
        if execution is not None:
            assert execution["jobDocument"] == DOCUMENT
        return None if execution is None else (execution["jobId"], execution["status"])

    def event(self, topic: str) -> Any:
        return self._device.take(f"$aws/events/{topic}")

    def silent(self) -> bool:
        waiting = self._device.messages.waiting()
        return not [one for one in waiting if one.topic.rsplit("/", 1)[1] in ("notify", "notify-next")]


@pytest.fixture
def worker(app: App, connect: Connect, name: str) -> Worker:
    device = connect(app.create_thing(name, app.policy(("iot:*", "*"))))
    return Worker(app, device, name)


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_the_guides_sequence_of_notifications(worker: Worker, name: str) -> None:
    """jobs-comm-notifications, its worked example from the first job to none."""
    job1, job2, job3 = (f"{name}-{number}" for number in (1, 2, 3))
    worker.create(job1)
    assert worker.notified() == {"QUEUED": [(job1, 1)]}
    assert worker.next() == (job1, "QUEUED")
    worker.create(job2)
    assert worker.notified() == {"QUEUED": [(job1, 1), (job2, 1)]}
    worker.ask(f"{job1}/update", {"status": "IN_PROGRESS"})
    assert worker.silent()
    worker.create(job3)
    assert worker.notified() == {"IN_PROGRESS": [(job1, 2)], "QUEUED": [(job2, 1), (job3, 1)]}
    worker.ask(f"{job1}/update", {"status": "SUCCEEDED"})
    assert worker.notified() == {"QUEUED": [(job2, 1), (job3, 1)]}
    assert worker.next() == (job2, "QUEUED")
    worker.ask(f"{job3}/update", {"status": "IN_PROGRESS"})
    assert worker.next() == (job3, "IN_PROGRESS")
    worker.ask(f"{job2}/update", {"status": "REJECTED"})
    assert worker.notified() == {"IN_PROGRESS": [(job3, 2)]}
    worker.app.iot.delete_job_execution(jobId=job3, thingName=name, executionNumber=1, force=True)
    assert worker.notified() == {}
    assert worker.next() is None
    assert worker.silent()


def test_the_four_operations_of_a_device(worker: Worker, name: str) -> None:
    token = {"clientToken": "c"}
    assert worker.ask("get", token) == {"inProgressJobs": [], "queuedJobs": [], **token}
    assert worker.ask("start-next", token) == token
    assert worker.ask("$next/get", token) == token
    worker.create(name)
    [summary] = worker.ask("get", {})["queuedJobs"]
    assert set(summary) == {"jobId", "queuedAt", "lastUpdatedAt", "versionNumber", "executionNumber"}
    execution = worker.ask("$next/get", token)["execution"]
    assert execution == {**summary, "status": "QUEUED", "jobDocument": DOCUMENT}
    asked = {"executionNumber": 1, "includeJobDocument": False}
    assert worker.ask(f"{name}/get", asked)["execution"] == {**summary, "status": "QUEUED"}
    started = worker.ask("start-next", {"statusDetails": {"step": "one"}, "stepTimeoutInMinutes": 5})["execution"]
    assert (started["status"], started["versionNumber"], started["statusDetails"]) == (
        "IN_PROGRESS",
        2,
        {"step": "one"},
    )
    assert 290 <= started["approximateSecondsBeforeTimedOut"] <= 300
    again = worker.ask("start-next", {"statusDetails": {"step": "two"}})["execution"]
    assert again["statusDetails"] == {"step": "one"}, "what is in progress already stays as it is"
    both = {"includeJobExecutionState": True, "includeJobDocument": True}
    updated = worker.ask(f"{name}/update", {"status": "IN_PROGRESS", "expectedVersion": "2", **both})
    state = {"status": "IN_PROGRESS", "statusDetails": {"step": "one"}, "versionNumber": 3}
    assert updated == {"executionState": state, "jobDocument": DOCUMENT}
    assert worker.ask(f"{name}/update", {"status": "SUCCEEDED", "stepTimeoutInMinutes": -1}) == {}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"{", "InvalidJson"),
        (b"[]", "InvalidJson"),
        ({}, "InvalidRequest"),
        ({"status": "DONE"}, "InvalidRequest"),
        ({"status": "QUEUED"}, "InvalidStateTransition"),
        ({"status": "TIMED_OUT"}, "InvalidStateTransition"),
        ({"status": "REMOVED"}, "InvalidStateTransition"),
        ({"status": "IN_PROGRESS", "expectedVersion": 7}, "VersionMismatch"),
        ({"status": "IN_PROGRESS", "executionNumber": 7}, "ResourceNotFound"),
        ({"status": "IN_PROGRESS", "statusDetails": {"a b": "x"}}, "InvalidRequest"),
        ({"status": "IN_PROGRESS", "statusDetails": {"a": "x" * 1025}}, "InvalidRequest"),
        ({"status": "IN_PROGRESS", "statusDetails": {"a": 1}}, "InvalidRequest"),
        ({"status": "IN_PROGRESS", "statusDetails": {f"k{number}": "x" for number in range(11)}}, "InvalidRequest"),
        ({"status": "IN_PROGRESS", "stepTimeoutInMinutes": 0}, "InvalidRequest"),
        ({"status": "IN_PROGRESS", "stepTimeoutInMinutes": 10081}, "InvalidRequest"),
        ({"status": "IN_PROGRESS", "clientToken": "x" * 65}, "InvalidRequest"),
    ],
)
def test_what_a_device_is_refused(worker: Worker, name: str, payload: Any, code: str) -> None:
    worker.create(name)
    told = worker.ask(f"{name}/update", payload, "rejected")
    assert told["code"] == code
    assert told["message"]
    state = {"status": "QUEUED", "statusDetails": {}, "versionNumber": 1}
    with_state = code in ("InvalidStateTransition", "VersionMismatch")
    assert told.get("executionState") == (state if with_state else None)
    assert worker.ask(f"{name}/get", {})["execution"]["versionNumber"] == 1


def test_an_end_is_an_end(worker: Worker, name: str) -> None:
    worker.create(name)
    worker.ask(f"{name}/update", {"status": "FAILED", "statusDetails": {"why": "x"}})
    late = worker.ask(f"{name}/update", {"status": "SUCCEEDED"}, "rejected")
    assert (late["code"], late["executionState"]["status"]) == ("InvalidStateTransition", "FAILED")
    assert worker.ask(f"{name}/get", {"clientToken": "c"}, "rejected")["code"] == "TerminalStateReached"
    assert worker.ask("other/get", {}, "rejected")["code"] == "ResourceNotFound"


def test_events(worker: Worker, name: str) -> None:
    """events-jobs."""
    worker.app.iot.update_event_configurations(
        eventConfigurations={"JOB": {"Enabled": True}, "JOB_EXECUTION": {"Enabled": True}}
    )
    arn = worker.app.arn(f"thing/{name}")
    worker.create(name, description="about")
    worker.ask(f"{name}/update", {"status": "SUCCEEDED", "statusDetails": {"took": "1"}})
    execution = worker.event(f"jobExecution/{name}/succeeded")
    assert execution.pop("eventId")
    assert execution.pop("timestamp") > 0
    assert execution == {
        "eventType": "JOB_EXECUTION",
        "operation": "succeeded",
        "jobId": name,
        "thingArn": arn,
        "status": "SUCCEEDED",
        "statusDetails": {"took": "1"},
    }
    job = worker.event(f"job/{name}/completed")
    assert (job["eventType"], job["status"], job["targets"]) == ("JOB", "COMPLETED", [arn])
    assert (job["targetSelection"], job["description"]) == ("SNAPSHOT", "about")
    assert job["jobProcessDetails"]["numberOfSucceededThings"] == 1
    assert job["createdAt"] <= job["completedAt"] == job["lastUpdatedAt"]
    worker.app.iot.delete_job(jobId=name)
    for operation in ("deletion_in_progress", "deleted"):
        assert worker.event(f"job/{name}/{operation}")["status"] == operation.upper()
    worker.create(f"{name}-2")
    worker.app.iot.cancel_job(jobId=f"{name}-2", comment="no need")
    for operation in ("cancellation_in_progress", "canceled"):
        assert worker.event(f"job/{name}-2/{operation}")["comment"] == "no need"


@pytest.mark.parametrize(
    ("params", "refused"),
    [
        ({"jobId": "a b"}, "InvalidRequestException"),
        ({"jobId": "x" * 65}, "InvalidRequestException"),
        ({"targets": ["arn:aws:iot:us-east-1:123456789012:thing/nobody"]}, "ResourceNotFoundException"),
        ({"targets": ["arn:aws:iot:us-east-1:123456789012:thinggroup/none"]}, "ResourceNotFoundException"),
        ({"targets": ["lamp"]}, "InvalidRequestException"),
        ({"document": "{"}, "InvalidRequestException"),
        ({"document": json.dumps("x" * 32768)}, "InvalidRequestException"),
        ({"timeoutConfig": {"inProgressTimeoutInMinutes": 10081}}, "InvalidRequestException"),
        ({"jobExecutionsRolloutConfig": {"maximumPerMinute": 1001}}, "InvalidRequestException"),
        (
            {
                "jobExecutionsRetryConfig": {
                    "criteriaList": [
                        {"failureType": "FAILED", "numberOfRetries": 6},
                        {"failureType": "TIMED_OUT", "numberOfRetries": 5},
                    ]
                }
            },
            "InvalidRequestException",
        ),
        ({"schedulingConfig": {"startTime": "tomorrow"}}, "InvalidRequestException"),
        ({"description": "x" * 2029}, "InvalidRequestException"),
    ],
)
def test_jobs_that_cannot_be(worker: Worker, name: str, params: dict[str, Any], refused: str) -> None:
    with pytest.raises(ClientError) as error:
        worker.create(name, **params)
    assert code(error) == refused
    with pytest.raises(worker.app.iot.exceptions.ResourceNotFoundException):
        worker.app.iot.describe_job(jobId=name)


def test_what_may_be_canceled_and_deleted(worker: Worker, name: str) -> None:
    iot = worker.app.iot
    other = f"{name}-other"
    iot.create_thing(thingName=other)
    targets = [worker.app.arn(f"thing/{thing}") for thing in (name, other)]
    worker.create(name, targets=targets)
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException):
        worker.create(name)
    worker.ask("start-next", {})
    here, there = {"jobId": name, "thingName": name}, {"jobId": name, "thingName": other}
    for refused, call, params in (
        ("InvalidStateTransitionException", iot.delete_job, {"jobId": name}),
        ("InvalidStateTransitionException", iot.cancel_job_execution, here),
        ("InvalidStateTransitionException", iot.delete_job_execution, {**here, "executionNumber": 1}),
        ("VersionConflictException", iot.cancel_job_execution, {**there, "expectedVersion": 7}),
        ("InvalidRequestException", iot.associate_targets_with_job, {"jobId": name, "targets": targets}),
        ("InvalidRequestException", iot.cancel_job, {"jobId": name, "reasonCode": "no reason"}),
        ("ResourceNotFoundException", iot.cancel_job, {"jobId": f"no-{name}"}),
        ("ResourceNotFoundException", iot.describe_job_execution, {**here, "executionNumber": 2}),
    ):
        with pytest.raises(ClientError) as error:
            call(**params)
        assert code(error) == refused, (call, params)
    iot.cancel_job(jobId=name, reasonCode="NO_NEED", comment="c")
    job = iot.describe_job(jobId=name)["job"]
    assert (job["status"], job["reasonCode"], job["comment"]) == ("CANCELED", "NO_NEED", "c")
    counts = {key: value for key, value in job["jobProcessDetails"].items() if value}
    assert counts == {"numberOfCanceledThings": 1, "numberOfInProgressThings": 1}
    with pytest.raises(iot.exceptions.InvalidStateTransitionException):
        iot.cancel_job_execution(**there)
    iot.cancel_job_execution(**here, force=True, statusDetails={"why": "x"})
    execution = iot.describe_job_execution(**here)["execution"]
    assert (execution["status"], execution["forceCanceled"]) == ("CANCELED", True)
    assert execution["statusDetails"] == {"detailsMap": {"why": "x"}}
    iot.delete_job(jobId=name)

    def is_there() -> bool:
        return name in [job["jobId"] for job in iot.list_jobs(maxResults=250)["jobs"]]

    eventually("the job to be gone", is_there, lambda there: not there)


def test_lists_go_page_by_page(worker: Worker, name: str) -> None:
    iot = worker.app.iot
    jobs = [f"{name}-{number}" for number in range(7)]
    worker.create(*jobs)
    for list_, member, params in (
        (iot.list_job_executions_for_thing, "executionSummaries", {"thingName": name}),
        (iot.list_jobs, "jobs", {"status": "IN_PROGRESS"}),
    ):
        found: list[str] = []
        asked: dict[str, Any] = {**params, "maxResults": 3}
        while True:
            page = list_(**asked)
            assert len(page[member]) <= 3
            found += [one["jobId"] for one in page[member]]
            if "nextToken" not in page:
                break
            asked["nextToken"] = page["nextToken"]
        assert sorted(set(found) & set(jobs)) == jobs
        assert len(found) == len(set(found))
        with pytest.raises(iot.exceptions.InvalidRequestException):
            list_(**params, nextToken="x")
