"""Jobs, by AWS's own clients: boto3 for the operator, the IoT Device SDK's iotjobs client for the device."""

import http.client
import json
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import awsiot
import boto3
import pytest
from awscrt import mqtt, mqtt_request_response
from awsiot import iotjobs
from botocore.config import Config
from tests.e2e.conftest import Connect
from tests.e2e.sdk import SdkDevice
from tests.outbound.moto_server import moto

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import PATIENCE, Inbox, eventually
from fogbank.cli.demo.server import Server
from fogbank.cli.demo.trace import TraceStream
from fogbank.ready import Ready

__all__ = ["moto"]  # a fixture

ONCE = mqtt.QoS.AT_LEAST_ONCE


@pytest.fixture
def worker(app: App, name: str) -> Credentials:
    """A thing that may do its jobs, over MQTT and HTTPS (developer guide, iot-jobs-security)."""
    jobs = f"$aws/things/{name}/jobs/*"
    return app.create_thing(
        name,
        app.policy(
            ("iot:Connect", f"client/{name}"),
            ("iot:Publish", f"topic/{jobs}"),
            ("iot:Subscribe", f"topicfilter/{jobs}"),
            ("iot:Receive", f"topic/{jobs}"),
            ("iot:GetPendingJobExecutions", f"thing/{name}"),
            ("iot:StartNextPendingJobExecution", f"thing/{name}"),
            ("iot:UpdateJobExecution", f"thing/{name}"),
        ),
    )


def create(app: App, job: str, *things: str, **params: Any) -> None:
    targets = [app.arn(f"thing/{thing}") for thing in things]
    app.iot.create_job(**{"jobId": job, "targets": targets, "document": '{"operation": "reboot"}', **params})


def status(app: App, job: str, thing: str) -> str:
    return str(app.iot.describe_job_execution(jobId=job, thingName=thing)["execution"]["status"])


def test_the_sdk_is_told_of_a_job_and_does_it(app: App, worker: Credentials, connect: Connect, name: str) -> None:
    client = iotjobs.IotJobsClient(connect(worker).connection)
    told: Inbox[Any] = Inbox()
    thing = {"thing_name": name}
    for subscribe, request in (
        (
            client.subscribe_to_next_job_execution_changed_events,
            iotjobs.NextJobExecutionChangedSubscriptionRequest(**thing),
        ),
        (
            client.subscribe_to_start_next_pending_job_execution_accepted,
            iotjobs.StartNextPendingJobExecutionSubscriptionRequest(**thing),
        ),
        (
            client.subscribe_to_update_job_execution_accepted,
            iotjobs.UpdateJobExecutionSubscriptionRequest(**thing, job_id=name),
        ),
        (
            client.subscribe_to_update_job_execution_rejected,
            iotjobs.UpdateJobExecutionSubscriptionRequest(**thing, job_id=name),
        ),
    ):
        subscribe(request, ONCE, told.put)[0].result(PATIENCE)

    create(app, name, name)
    changed = told.take("the next job", lambda one: isinstance(one, iotjobs.NextJobExecutionChangedEvent))
    assert (changed.execution.job_id, changed.execution.job_document) == (name, {"operation": "reboot"})

    client.publish_start_next_pending_job_execution(iotjobs.StartNextPendingJobExecutionRequest(**thing), ONCE)
    started = told.take("it to start", lambda one: isinstance(one, iotjobs.StartNextJobExecutionResponse))
    assert (started.execution.status, started.execution.version_number) == ("IN_PROGRESS", 2)

    stale = iotjobs.UpdateJobExecutionRequest(**thing, job_id=name, status="SUCCEEDED", expected_version=1)
    client.publish_update_job_execution(stale, ONCE)
    refusal = told.take("a refusal", lambda one: isinstance(one, iotjobs.RejectedError))
    assert (refusal.code, refusal.execution_state.version_number) == ("VersionMismatch", 2)

    done = iotjobs.UpdateJobExecutionRequest(
        **thing, job_id=name, status="SUCCEEDED", expected_version=2, status_details={"took": "1 s"}
    )
    client.publish_update_job_execution(done, ONCE)
    told.take("the end", lambda one: isinstance(one, iotjobs.UpdateJobExecutionResponse))
    nothing = told.take("no next job", lambda one: isinstance(one, iotjobs.NextJobExecutionChangedEvent))
    assert nothing.execution is None

    job = app.iot.describe_job(jobId=name)["job"]
    assert (job["status"], job["jobProcessDetails"]["numberOfSucceededThings"]) == ("COMPLETED", 1)
    execution = app.iot.describe_job_execution(jobId=name, thingName=name)["execution"]
    assert execution["statusDetails"] == {"detailsMap": {"took": "1 s"}}
    assert execution["versionNumber"] == 3


def test_the_second_generation_of_the_sdk(app: App, worker: Credentials, connect: Connect, name: str) -> None:
    """Its requests are answered by futures, its refusals are exceptions, and what changes comes as a stream."""
    options = mqtt_request_response.ClientOptions(2, 2, 10)
    client = iotjobs.IotJobsClientV2(connect(worker).connection, options)
    changes: Inbox[Any] = Inbox()
    ready = threading.Event()
    stream = client.create_next_job_execution_changed_stream(
        iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=name),
        awsiot.ServiceStreamOptions(
            incoming_event_listener=changes.put, subscription_status_listener=lambda _: ready.set()
        ),
    )
    stream.open()
    assert ready.wait(PATIENCE)
    create(app, name, name)
    assert changes.take("the job").execution.job_id == name
    pending = client.get_pending_job_executions(iotjobs.GetPendingJobExecutionsRequest(thing_name=name))
    assert [one.job_id for one in pending.result(PATIENCE).queued_jobs] == [name]
    started = client.start_next_pending_job_execution(iotjobs.StartNextPendingJobExecutionRequest(thing_name=name))
    assert started.result(PATIENCE).execution.status == "IN_PROGRESS"
    done = iotjobs.UpdateJobExecutionRequest(thing_name=name, job_id=name, status="SUCCEEDED")
    client.update_job_execution(done).result(PATIENCE)
    with pytest.raises(awsiot.V2ServiceException) as refusal:
        client.update_job_execution(done).result(PATIENCE)
    assert refusal.value.modeled_error.code == "InvalidStateTransition"
    assert status(app, name, name) == "SUCCEEDED"


def test_an_answer_comes_without_a_subscription_and_to_nobody_else(
    app: App, worker: Credentials, connect: Connect, watcher: SdkDevice, name: str
) -> None:
    watcher.subscribe(f"$aws/things/{name}/jobs/#")
    device = connect(worker)
    create(app, name, name)
    watcher.take(f"$aws/things/{name}/jobs/notify-next")
    device.publish(f"$aws/things/{name}/jobs/$next/get", {"clientToken": f"0:{name}"})
    answer = device.take(f"$aws/things/{name}/jobs/$next/get/accepted")
    assert (answer["execution"]["jobId"], answer["clientToken"]) == (name, f"0:{name}")
    device.publish(f"$aws/things/{name}/jobs/{name}/update", {"status": "REJECTED"})
    device.take(f"$aws/things/{name}/jobs/{name}/update/accepted")
    watcher.take(f"$aws/things/{name}/jobs/notify-next")
    assert not any(message.topic.endswith("accepted") for message in watcher.messages.waiting())


def test_the_data_plane_by_boto3(app: App, where: Ready, name: str) -> None:
    data = boto3.Session(where.access_key_id, where.secret_access_key, region_name=where.region).client(
        "iot-jobs-data", endpoint_url=where.api, config=Config(proxies={})
    )
    app.iot.create_thing(thingName=name)
    create(app, name, name)
    pending = data.get_pending_job_executions(thingName=name)
    assert [one["jobId"] for one in pending["queuedJobs"]] == [name]
    started = data.start_next_pending_job_execution(thingName=name, statusDetails={"step": "1"})["execution"]
    assert (started["thingName"], started["jobDocument"]) == (name, '{"operation": "reboot"}')
    assert data.describe_job_execution(thingName=name, jobId="$next")["execution"]["status"] == "IN_PROGRESS"
    ended = data.update_job_execution(thingName=name, jobId=name, status="FAILED", includeJobExecutionState=True)
    assert ended["executionState"] == {"status": "FAILED", "statusDetails": {"step": "1"}, "versionNumber": 3}
    with pytest.raises(data.exceptions.TerminalStateException):
        data.describe_job_execution(thingName=name, jobId=name)
    with pytest.raises(data.exceptions.InvalidStateTransitionException):
        data.update_job_execution(thingName=name, jobId=name, status="SUCCEEDED")
    with pytest.raises(data.exceptions.ResourceNotFoundException):
        data.get_pending_job_executions(thingName=f"no-{name}")
    data.close()


def test_a_device_with_a_certificate_and_no_mqtt(app: App, where: Ready, worker: Credentials, name: str) -> None:
    context = ssl.create_default_context(cafile=where.ca_file)
    context.load_cert_chain(worker.certificate, worker.key)

    def ask(method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPSConnection(where.https.host, where.https.port, context=context, timeout=10)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or "{}")
        finally:
            connection.close()

    create(app, name, name)
    assert [one["jobId"] for one in ask("GET", f"/things/{name}/jobs")[1]["queuedJobs"]] == [name]
    assert ask("PUT", f"/things/{name}/jobs/$next", "{}")[1]["execution"]["status"] == "IN_PROGRESS"
    assert ask("GET", f"/things/{name}/jobs/{name}")[0] == 403, "its policy does not allow iot:DescribeJobExecution"
    assert ask("POST", f"/things/{name}/jobs/{name}", '{"status": "SUCCEEDED"}') == (200, {})
    assert status(app, name, name) == "SUCCEEDED"


def test_events_and_reasons(app: App, watcher: SdkDevice, trace: TraceStream, name: str) -> None:
    app.iot.update_event_configurations(
        eventConfigurations={"JOB": {"Enabled": True}, "JOB_EXECUTION": {"Enabled": True}}
    )
    watcher.subscribe(f"$aws/events/job/{name}/#", f"$aws/events/jobExecution/{name}/#")
    app.iot.create_thing(thingName=name)
    criteria = {"failureType": "ALL", "action": "CANCEL", "thresholdPercentage": 50, "minNumberOfExecutedThings": 1}
    app.iot.create_thing(thingName=f"{name}-2")
    create(app, name, name, f"{name}-2", abortConfig={"criteriaList": [criteria]})
    watcher.publish(f"$aws/things/{name}/jobs/{name}/update", {"status": "REJECTED"})
    assert watcher.take(f"$aws/events/jobExecution/{name}/rejected")["thingArn"] == app.arn(f"thing/{name}")
    assert watcher.take(f"$aws/events/jobExecution/{name}/canceled")["thingArn"] == app.arn(f"thing/{name}-2")
    assert watcher.take(f"$aws/events/job/{name}/canceled")["status"] == "CANCELED"
    trace.events.take("why", lambda event: event.kind == "job" and "Job aborted" in event.reason)


def test_a_continuous_job_follows_its_group(app: App, name: str) -> None:
    group = app.iot.create_thing_group(thingGroupName=name)["thingGroupArn"]
    child = f"{name}-child"
    app.iot.create_thing_group(thingGroupName=child, parentGroupName=name)
    document = '{"operation": "reboot"}'
    app.iot.create_job(jobId=name, targets=[group], document=document, targetSelection="CONTINUOUS")
    app.iot.create_thing(thingName=name)
    app.iot.add_thing_to_thing_group(thingName=name, thingGroupName=child)

    def count(status: str) -> int:
        return int(app.iot.describe_job(jobId=name)["job"]["jobProcessDetails"][f"numberOf{status}Things"])

    eventually("queued", lambda: count("Queued"), lambda queued: queued == 1)
    app.iot.remove_thing_from_thing_group(thingName=name, thingGroupName=child)
    eventually("removed", lambda: count("Removed"), lambda removed: removed == 1)
    [listed] = app.iot.list_jobs(thingGroupName=name)["jobs"]
    assert listed["jobId"] == name


def test_jobs_and_templates_are_tagged(app: App, name: str) -> None:
    app.iot.create_thing(thingName=name)
    tags = [{"Key": "site", "Value": "north"}]
    create(app, name, name, tags=tags)
    template = app.iot.create_job_template(
        jobTemplateId=name, jobArn=app.arn(f"job/{name}"), description="as before", tags=tags
    )
    for arn in (app.arn(f"job/{name}"), template["jobTemplateArn"]):
        assert app.iot.list_tags_for_resource(resourceArn=arn)["tags"] == tags
    app.iot.delete_job(jobId=name, force=True)
    eventually("gone", lambda: app.iot.list_jobs(), lambda jobs: all(job["jobId"] != name for job in jobs["jobs"]))
    with pytest.raises(app.iot.exceptions.ResourceNotFoundException):
        app.iot.list_tags_for_resource(resourceArn=app.arn(f"job/{name}"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A platform of the test's own."""
    server = Server(tmp_path / "data", tmp_path / "server.log", "--limits", "open")
    yield server
    assert server.stop() == 0, "\n".join(server.log_tail())


def test_a_rollout_survives_kills(server: Server, tmp_path: Path) -> None:
    """Killed again and again while it rolls out: in the end everything has been queued, and once."""
    things = [f"t{number:03}" for number in range(400)]
    app = App(server.start(), tmp_path)
    group = app.iot.create_thing_group(thingGroupName="all")["thingGroupArn"]
    for thing in things:
        app.iot.create_thing(thingName=thing)
        app.iot.add_thing_to_thing_group(thingName=thing, thingGroupName="all")
    app.iot.create_job(jobId="job", targets=[group], document='{"operation": "reboot"}')
    for pause in (0.0, 0.01, 0.03):
        time.sleep(pause)
        server.stop(signal.SIGKILL)
        app = App(server.start(), tmp_path)
    eventually(
        "all to be queued",
        lambda: app.iot.describe_job(jobId="job")["job"]["jobProcessDetails"]["numberOfQueuedThings"],
        lambda queued: queued == len(things),
    )
    pages = app.iot.get_paginator("list_job_executions_for_job").paginate(jobId="job")
    listed = [one["thingArn"].rpartition("/")[2] for page in pages for one in page["executionSummaries"]]
    assert listed == things


def test_documents_and_firmware_come_from_s3(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document is read from a bucket, and its placeholder becomes a URL that the device can read the file by."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    s3 = boto3.client("s3", endpoint_url=moto, region_name="us-east-1", config=Config(proxies={}))
    s3.create_bucket(Bucket="firmware")
    s3.put_object(Bucket="firmware", Key="v1 final.bin", Body=b"the very bytes")
    placeholder = "${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/v1%20final.bin}"
    s3.put_object(Bucket="firmware", Key="job.json", Body=json.dumps({"get": placeholder}).encode())
    server = Server(tmp_path / "data", tmp_path / "server.log")
    try:
        where = server.start()
        app = App(where, tmp_path)
        app.iot.create_thing(thingName="t")
        source = "https://s3.us-east-1.amazonaws.com/firmware/"
        role = {"roleArn": "arn:aws:iam::123456789012:role/jobs"}
        about = {"jobId": "job", "targets": [app.arn("thing/t")], "presignedUrlConfig": role}
        with pytest.raises(app.iot.exceptions.InvalidRequestException, match="NoSuchKey"):
            app.iot.create_job(**about, documentSource=f"{source}none.json")
        app.iot.create_job(**about, documentSource=f"{source}job.json")
        assert json.loads(app.iot.get_job_document(jobId="job")["document"]) == {"get": placeholder}
        data = boto3.Session(where.access_key_id, where.secret_access_key, region_name=where.region).client(
            "iot-jobs-data", endpoint_url=where.api, config=Config(proxies={})
        )
        document = json.loads(data.start_next_pending_job_execution(thingName="t")["execution"]["jobDocument"])
        data.close()
        with urlopen(document["get"], timeout=10) as answer:
            assert answer.read() == b"the very bytes"
    finally:
        s3.close()
        assert server.stop() == 0, "\n".join(server.log_tail())
