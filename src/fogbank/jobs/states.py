"""The states of jobs and of their executions, and what may follow what (developer guide, iot-jobs-lifecycle)."""

import enum
from collections.abc import Mapping


class JobStatus(enum.Enum):
    """Where a job is. COMPLETED and CANCELED are final; DELETION_IN_PROGRESS ends with the job."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    DELETION_IN_PROGRESS = "DELETION_IN_PROGRESS"


LIVE = frozenset({JobStatus.SCHEDULED, JobStatus.IN_PROGRESS})
"""Jobs that count against the quota of active ones."""


class TargetSelection(enum.Enum):
    """Whether a job is for the things that its targets hold now, or also for those that will join them."""

    SNAPSHOT = "SNAPSHOT"
    CONTINUOUS = "CONTINUOUS"


class ExecutionStatus(enum.Enum):
    """Where the execution of a job on one thing is."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    REJECTED = "REJECTED"
    REMOVED = "REMOVED"
    CANCELED = "CANCELED"

    @property
    def pending(self) -> bool:
        """Whether the thing still has something to do."""
        return self in PENDING


PENDING = frozenset({ExecutionStatus.QUEUED, ExecutionStatus.IN_PROGRESS})

_BY_DEVICE = frozenset(
    {ExecutionStatus.IN_PROGRESS, ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.REJECTED}
)

DEVICE_TRANSITIONS: Mapping[ExecutionStatus, frozenset[ExecutionStatus]] = {
    ExecutionStatus.QUEUED: _BY_DEVICE,  # straight to an end, too: UNVERIFIED
    ExecutionStatus.IN_PROGRESS: _BY_DEVICE,
}
"""What a device may make of an execution; nothing of one that has ended. The other states are the platform's to set."""

EXECUTED = frozenset(
    {ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT, ExecutionStatus.REJECTED}
)
"""Ends that a thing came to by itself: what criteria to abort a job are reckoned by."""

RETRYABLE = frozenset({ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT})
