"""What devices are told of executions, in the shapes of the developer guide's page jobs-api. Pure.

Times are whole seconds since the epoch. Over MQTT a job document is JSON within JSON, over HTTP a text.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from fogbank.errors import ServiceError
from fogbank.jobs.errors import error_code
from fogbank.jobs.records import Execution
from fogbank.jobs.states import ExecutionStatus

LISTED = 10
"""Executions in a notification."""

Document = dict[str, Any]


def summary(execution: Execution) -> Document:
    """A JobExecutionSummary."""
    return {
        "jobId": execution.job,
        "queuedAt": int(execution.queued),
        **({} if execution.started is None else {"startedAt": int(execution.started)}),
        "lastUpdatedAt": int(execution.updated),
        "versionNumber": execution.version,
        "executionNumber": execution.number,
    }


def whole(execution: Execution, now: float, job_document: str | msgspec.Raw | None) -> Document:
    """A JobExecution."""
    document = {"jobId": execution.job, "status": execution.status.value, **summary(execution)}
    if execution.details:
        document["statusDetails"] = dict(execution.details)
    if (left := seconds_left(execution, now)) is not None:
        document["approximateSecondsBeforeTimedOut"] = left
    if job_document is not None:
        document["jobDocument"] = job_document
    return document


def state(execution: Execution) -> Document:
    """A JobExecutionState."""
    return {
        "status": execution.status.value,
        "statusDetails": dict(execution.details),
        "versionNumber": execution.version,
    }


def seconds_left(execution: Execution, now: float) -> int | None:
    """Until it times out."""
    return None if execution.due is None or not execution.status.pending else max(0, int(execution.due - now))


def listing(pending: Sequence[Execution]) -> tuple[list[Document], list[Document]]:
    """Summaries of what is in progress, and of what is queued."""
    return (
        [summary(one) for one in pending if one.status is ExecutionStatus.IN_PROGRESS],
        [summary(one) for one in pending if one.status is ExecutionStatus.QUEUED],
    )


def notify(pending: Sequence[Execution], now: float) -> bytes:
    """The list of what a thing has to do, of at most `LISTED` executions."""
    in_progress, queued = listing(pending[:LISTED])
    named = {"IN_PROGRESS": in_progress, "QUEUED": queued}
    return _encode(now, None, {"jobs": {status: listed for status, listed in named.items() if listed}})


def notify_next(execution: Document | None, now: float) -> bytes:
    """The first of them; without a member where there is none."""
    return _encode(now, None, {} if execution is None else {"execution": execution})


def accepted(document: Document, now: float, token: str | None) -> bytes:
    """The answer to a request."""
    return _encode(now, token, document)


def rejected(error: ServiceError, now: float, token: str | None) -> bytes:
    """A refusal. The execution's state stands in it where the error brings one."""
    about = {"executionState": error.members["executionState"]} if "executionState" in error.members else {}
    return _encode(now, token, {"code": error_code(error), "message": error.message, **about})


def _encode(now: float, token: str | None, document: Document) -> bytes:
    about = {} if token is None else {"clientToken": token}
    return msgspec.json.encode({**about, "timestamp": int(now), **document})
