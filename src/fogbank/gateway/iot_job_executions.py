"""IoT's operations on executions of jobs, from the wire to the jobs service and back."""

from collections.abc import Mapping
from typing import Any

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.gateway.call import Call, Members, operation
from fogbank.jobs.answers import seconds_left
from fogbank.jobs.records import Execution
from fogbank.jobs.service import JobService
from fogbank.jobs.states import ExecutionStatus
from fogbank.storage.paging import Paging


class IotJobExecutionsApi:
    """DescribeJobExecution to DeleteJobExecution of botocore's `iot` model."""

    def __init__(self, service: JobService, arns: Arns, clock: Clock) -> None:
        self._executions = service.executions
        self._arns = arns
        self._clock = clock

    @operation("iot", "DescribeJobExecution")
    async def describe_job_execution(self, call: Call) -> Members:
        params = call.params
        execution = await self._executions.describe(params["thingName"], params["jobId"], params.get("executionNumber"))
        return {
            "execution": {
                "jobId": execution.job,
                "status": execution.status.value,
                "forceCanceled": execution.forced,
                "statusDetails": {"detailsMap": dict(execution.details)},
                "thingArn": self._arns.iot("thing", execution.thing),
                **_times(execution),
                "executionNumber": execution.number,
                "versionNumber": execution.version,
                "approximateSecondsBeforeTimedOut": seconds_left(execution, self._clock.time()),
            }
        }

    @operation("iot", "ListJobExecutionsForJob")
    async def list_job_executions_for_job(self, call: Call) -> Members:
        page = await self._executions.of_job(call.params["jobId"], _status(call.params), _paging(call.params))
        summaries = [
            {"thingArn": self._arns.iot("thing", one.thing), "jobExecutionSummary": _summary(one)} for one in page.items
        ]
        return {"executionSummaries": summaries, "nextToken": page.next}

    @operation("iot", "ListJobExecutionsForThing")
    async def list_job_executions_for_thing(self, call: Call) -> Members:
        page = await self._executions.of_thing(
            call.params["thingName"],
            _paging(call.params),
            status=_status(call.params),
            job=call.params.get("jobId"),
            namespace=call.params.get("namespaceId"),
        )
        summaries = [{"jobId": one.job, "jobExecutionSummary": _summary(one)} for one in page.items]
        return {"executionSummaries": summaries, "nextToken": page.next}

    @operation("iot", "CancelJobExecution")
    async def cancel_job_execution(self, call: Call) -> Members:
        await self._executions.cancel(
            call.params["thingName"],
            call.params["jobId"],
            force=bool(call.params.get("force")),
            expected_version=call.params.get("expectedVersion"),
            details=call.params.get("statusDetails"),
        )
        return {}

    @operation("iot", "DeleteJobExecution")
    async def delete_job_execution(self, call: Call) -> Members:
        thing, job, number = call.params["thingName"], call.params["jobId"], call.params["executionNumber"]
        namespace = call.params.get("namespaceId")
        await self._executions.delete(thing, job, number, force=bool(call.params.get("force")), namespace=namespace)
        return {}


def _summary(execution: Execution) -> Members:
    return {
        "status": execution.status.value,
        **_times(execution),
        "executionNumber": execution.number,
        "retryAttempt": execution.attempt,
    }


def _times(execution: Execution) -> Members:
    return {"queuedAt": execution.queued, "startedAt": execution.started, "lastUpdatedAt": execution.updated}


def _status(params: Mapping[str, Any]) -> ExecutionStatus | None:
    """The gateway has checked the value against the model's enumeration."""
    status = params.get("status")
    return None if status is None else ExecutionStatus(status)


def _paging(params: Mapping[str, Any]) -> Paging:
    return Paging(params.get("nextToken"), params.get("maxResults"))
