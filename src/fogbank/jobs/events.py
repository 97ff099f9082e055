"""What `$aws/events/job...` tells of jobs and their executions (developer guide, events-jobs)."""

import uuid
from collections.abc import Mapping
from typing import Any

from fogbank.arns import Arns
from fogbank.jobs.ledger import Unit
from fogbank.jobs.records import Execution, Job, JobEvent, Progress
from fogbank.jobs.states import ExecutionStatus
from fogbank.ports import EventSink, EventType

_ENDS = (
    ExecutionStatus.CANCELED,
    ExecutionStatus.REJECTED,
    ExecutionStatus.FAILED,
    ExecutionStatus.REMOVED,
    ExecutionStatus.SUCCEEDED,
)
_COUNTS: Mapping[ExecutionStatus, str] = {
    ExecutionStatus.CANCELED: "numberOfCanceledThings",
    ExecutionStatus.SUCCEEDED: "numberOfSucceededThings",
    ExecutionStatus.FAILED: "numberOfFailedThings",
    ExecutionStatus.REJECTED: "numberOfRejectedThings",
    ExecutionStatus.QUEUED: "numberOfQueuedThings",
    ExecutionStatus.IN_PROGRESS: "numberOfInProgressThings",
    ExecutionStatus.REMOVED: "numberOfRemovedThings",
    ExecutionStatus.TIMED_OUT: "numberOfTimedOutThings",
}


def process_details(progress: Progress, statuses: tuple[ExecutionStatus, ...] = tuple(_COUNTS)) -> dict[str, int]:
    """How many things are where, by the API's names."""
    return {_COUNTS[status]: progress.count(status) for status in statuses}


class JobEvents:
    """Puts events together and lets them go out with the change they tell of, where anybody wants them."""

    def __init__(self, sink: EventSink, arns: Arns) -> None:
        self._sink = sink
        self._arns = arns

    async def of_job(self, unit: Unit, operation: str, job: Job, progress: Progress | None = None) -> None:
        """`completed`, `canceled`, `deleted`, `cancellation_in_progress` or `deletion_in_progress`."""
        if not await self._sink.enabled(EventType.JOB):
            return
        document: dict[str, Any] = {
            **_head("JOB", unit.now, operation),
            "jobId": job.id,
            "status": operation.upper(),
            "targetSelection": job.selection.value,
            "targets": [self._arns.iot(target.kind, target.name) for target in job.targets],
            "description": job.description or "",
            "createdAt": int(job.created * 1000),
            "lastUpdatedAt": int(job.updated * 1000),
        }
        if job.completed is not None:
            document["completedAt"] = int(job.completed * 1000)
        if operation == "completed" and progress is not None:
            document["jobProcessDetails"] = process_details(progress, _ENDS)
        if job.comment is not None:
            document["comment"] = job.comment
        unit.events.append(JobEvent("JOB", f"$aws/events/job/{job.id}/{operation}", document))

    async def of_execution(self, unit: Unit, operation: str, execution: Execution) -> None:
        """`succeeded`, `failed`, `rejected`, `canceled`, `timed_out`, `removed` or `deleted`."""
        if not await self._sink.enabled(EventType.JOB_EXECUTION):
            return
        document = {
            **_head("JOB_EXECUTION", unit.now, operation),
            "jobId": execution.job,
            "thingArn": self._arns.iot("thing", execution.thing),
            "status": operation.upper(),
            "statusDetails": dict(execution.details),
        }
        topic = f"$aws/events/jobExecution/{execution.job}/{operation}"
        unit.events.append(JobEvent("JOB_EXECUTION", topic, document))


def _head(type_: str, now: float, operation: str) -> dict[str, Any]:
    return {"eventType": type_, "eventId": str(uuid.uuid4()), "timestamp": int(now), "operation": operation}
