"""Jobs, their executions and templates, and the device's side over HTTPS, as boto3 sees them."""

import json
import time
from typing import Any

import pytest

DOCUMENT = json.dumps({"operation": "reboot"})


def tell(iot: Any, plane: Any) -> None:
    """`plane` is the client of iot-jobs-data."""
    arns = [iot.create_thing(thingName=name)["thingArn"] for name in ("robot-1", "robot-2", "robot-3")]
    _templates(iot)
    job = iot.create_job(jobId="reboot", targets=arns[:2], document=DOCUMENT, targetSelection="SNAPSHOT")
    assert job["jobArn"].endswith(":job/reboot")
    iot.update_job(jobId="reboot", description="once a year")
    assert iot.get_job_document(jobId="reboot")["document"] == DOCUMENT
    assert [one["jobId"] for one in iot.list_jobs()["jobs"]] == ["reboot"]
    assert _count(iot, "reboot", 2) == ["robot-1", "robot-2"]
    _device(plane)
    _executions(iot)
    _continuous(iot, arns)
    assert iot.describe_job(jobId="reboot")["job"]["status"] == "COMPLETED"
    iot.cancel_job(jobId="forever")
    assert iot.describe_job(jobId="forever")["job"]["status"] == "CANCELED"
    for id_ in ("reboot", "forever"):
        iot.delete_job(jobId=id_, force=True)
    for name in ("robot-1", "robot-2", "robot-3"):
        iot.delete_thing(thingName=name)


def _templates(iot: Any) -> None:
    iot.create_job_template(jobTemplateId="restart", document=DOCUMENT, description="turn it off and on again")
    assert iot.describe_job_template(jobTemplateId="restart")["document"] == DOCUMENT
    assert [one["jobTemplateId"] for one in iot.list_job_templates()["jobTemplates"]] == ["restart"]
    iot.delete_job_template(jobTemplateId="restart")
    assert iot.list_job_templates()["jobTemplates"] == []


def _device(plane: Any) -> None:
    """What robot-1 does of the job."""
    [queued] = plane.get_pending_job_executions(thingName="robot-1")["queuedJobs"]
    assert queued["jobId"] == "reboot"
    begun = plane.start_next_pending_job_execution(thingName="robot-1", statusDetails={"step": "1"})["execution"]
    assert (begun["status"], begun["jobDocument"]) == ("IN_PROGRESS", DOCUMENT)
    described = plane.describe_job_execution(thingName="robot-1", jobId="$next")["execution"]
    assert described["statusDetails"] == {"step": "1"}
    plane.update_job_execution(thingName="robot-1", jobId="reboot", status="SUCCEEDED")
    assert plane.get_pending_job_executions(thingName="robot-1")["queuedJobs"] == []


def _executions(iot: Any) -> None:
    done = iot.describe_job_execution(jobId="reboot", thingName="robot-1")["execution"]
    assert (done["status"], done["executionNumber"]) == ("SUCCEEDED", 1)
    [listed] = iot.list_job_executions_for_thing(thingName="robot-2")["executionSummaries"]
    assert (listed["jobId"], listed["jobExecutionSummary"]["status"]) == ("reboot", "QUEUED")
    iot.cancel_job_execution(jobId="reboot", thingName="robot-2")
    iot.delete_job_execution(jobId="reboot", thingName="robot-2", executionNumber=1)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_job_execution(jobId="reboot", thingName="robot-2")


def _continuous(iot: Any, arns: list[str]) -> None:
    iot.create_job(jobId="forever", targets=arns[:1], document=DOCUMENT, targetSelection="CONTINUOUS")
    iot.associate_targets_with_job(jobId="forever", targets=arns[2:])
    assert _count(iot, "forever", 2) == ["robot-1", "robot-3"]


def _count(iot: Any, job: str, wanted: int) -> list[str]:
    """The things that have been given the job, once there are as many as wanted: that happens in the background."""
    while True:
        found = iot.list_job_executions_for_job(jobId=job)["executionSummaries"]
        if len(found) >= wanted:
            return [one["thingArn"].rpartition("/")[2] for one in found]
        time.sleep(0.01)
