"""What jobs keep. Names, not ARNs, are stored, as in the registry; times are seconds since the epoch.

A job is several documents, by how often each changes: what it is (`Job`), its text (`JobText`), and how far it has
come (`Progress`), which every step of every execution rewrites and which is small therefore.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from fogbank.jobs.configs import (
    AbortConfig,
    PresignedUrlConfig,
    RetryConfig,
    RolloutConfig,
    SchedulingConfig,
    TimeoutConfig,
)
from fogbank.jobs.states import ExecutionStatus, JobStatus, TargetSelection
from fogbank.jobs.windows import MaintenanceWindow
from fogbank.ports import Documents
from fogbank.storage.collection import Collection, Indexes

TargetKind = Literal["thing", "thinggroup"]


class Target(msgspec.Struct, frozen=True):
    """A thing, or all the things of a group and of the groups below it. The kind is the one in its ARN."""

    kind: TargetKind
    name: str
    id: str | None = None
    """Of a group: one that is made again under the same name is another."""


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job."""

    id: str
    targets: tuple[Target, ...]
    selection: TargetSelection
    status: JobStatus
    created: float
    updated: float
    completed: float | None = None
    description: str | None = None
    document_source: str | None = None
    presigned: PresignedUrlConfig | None = None
    rollout: RolloutConfig | None = None
    abort: AbortConfig | None = None
    timeout: TimeoutConfig | None = None
    retry: RetryConfig | None = None
    scheduling: SchedulingConfig | None = None
    namespace: str | None = None
    template: str | None = None
    """The ARN as given."""
    packages: tuple[str, ...] = ()
    forced: bool = False
    """Whether it was cancelled with `force`."""
    reason_code: str | None = None
    comment: str | None = None
    closed: bool = False
    """Past its end: nobody is given it any more."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Those it is for."""
        return tuple(target.name for target in self.targets if target.kind == "thinggroup")

    @property
    def follows(self) -> bool:
        """Whether things that join or leave its groups matter to it."""
        continuous = self.selection is TargetSelection.CONTINUOUS
        return continuous and self.status is JobStatus.IN_PROGRESS and not self.closed

    @property
    def windows(self) -> tuple[MaintenanceWindow, ...]:
        return () if self.scheduling is None else self.scheduling.maintenance_windows


class JobText(msgspec.Struct, frozen=True):
    """A job document, as it was given: JSON."""

    text: str


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a job has come."""

    counts: Mapping[str, int] = {}
    """Things by the status of their present execution."""
    target: int = 0
    """The target that is being rolled out; those before are done."""
    after: str = ""
    """Where in that target to go on, as `ports.Fleet` says it."""
    notified: int = 0
    """Executions made so far by the rollout."""
    minute: float = 0.0
    """When the present minute of the rollout began."""
    in_minute: int = 0
    """Executions made in it."""
    rolled_out: bool = False
    swept: bool = False
    """Of a cancelled job: everything that is to be cancelled is."""

    def count(self, *statuses: ExecutionStatus) -> int:
        """How many things are in one of these."""
        return sum(self.counts.get(status.value, 0) for status in statuses)


class Execution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt of one thing at a job."""

    thing: str
    job: str
    number: int
    status: ExecutionStatus
    queued: float
    updated: float
    started: float | None = None
    version: int = 1
    details: Mapping[str, str] = {}
    forced: bool = False
    """Whether it was cancelled while in progress."""
    attempt: int = 0
    """How many attempts came before, as retries count."""
    retried: Mapping[str, int] = {}
    """Those by what they failed of."""
    current: bool = True
    """Whether it is the thing's present one: an attempt that failed and is tried again is not."""
    progress_due: float | None = None
    """When it times out."""
    step_due: float | None = None
    """When the step that the device is at does."""

    @property
    def key(self) -> str:
        return execution_key(self.thing, self.job, self.number)

    @property
    def place(self) -> str:
        """The key in the thing's list of what is pending: what is in progress first, then by the time of queueing."""
        rank = 0 if self.status is ExecutionStatus.IN_PROGRESS else 1
        return f"{self.thing}/{rank}{_instant(self.queued)}/{self.job}/{self.number:010d}"

    @property
    def due(self) -> float | None:
        """The earlier of its two timers."""
        return min((due for due in (self.progress_due, self.step_due) if due is not None), default=None)


class Census(msgspec.Struct, frozen=True):
    """How many jobs there are in each status: what quotas are held against."""

    jobs: Mapping[str, int] = {}


class Entry(msgspec.Struct, frozen=True):
    """A line in a thing's list of pending executions."""

    execution: str
    """The key."""


class Appointment(msgspec.Struct, frozen=True):
    """Something to do at a time: a job's next step, or to look whether an execution has timed out."""

    due: float
    job: str
    execution: str = ""
    """The key; empty for the job's own."""

    @property
    def key(self) -> str:
        return f"{_instant(self.due)}/{self.job}/{self.execution}"


class Notice(msgspec.Struct, frozen=True):
    """What a thing is to be told."""

    thing: str
    listed: bool
    """An execution has come into the list of pending ones, or has left it."""
    next: bool
    """Another one is the first of them."""


class JobEvent(msgspec.Struct, frozen=True):
    """What `$aws/events/...` is to be told."""

    category: Literal["JOB", "JOB_EXECUTION"]
    topic: str
    document: dict[str, Any]


class Outgoing(msgspec.Struct, frozen=True):
    """What one commit is to tell, on disk until it has been told."""

    notices: tuple[Notice, ...] = ()
    events: tuple[JobEvent, ...] = ()


class Template(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What jobs may be made from."""

    id: str
    description: str
    document: str
    document_source: str | None = None
    created: float
    presigned: PresignedUrlConfig | None = None
    rollout: RolloutConfig | None = None
    abort: AbortConfig | None = None
    timeout: TimeoutConfig | None = None
    retry: RetryConfig | None = None
    windows: tuple[MaintenanceWindow, ...] = ()
    packages: tuple[str, ...] = ()


def _instant(seconds: float) -> str:
    """For keys in the order of time, to the millisecond. The end is rounded up, so that nothing is done too early."""
    return f"{math.ceil(seconds * 1000):015d}"


def execution_key(thing: str, job: str, number: int) -> str:
    """Attempts of a thing at a job are neighbours, in their order."""
    return f"{attempts_prefix(thing, job)}{number:010d}"


def attempts_prefix(thing: str, job: str) -> str:
    """The key range of a thing's attempts at a job."""
    return f"{thing}/{job}/"


def state_entry(job: str, status: ExecutionStatus) -> str:
    """The index entry of a job's executions in one status."""
    return f"{job} {status.value}"


class Records:
    """The collections of jobs."""

    def __init__(self, documents: Documents) -> None:
        self.jobs = Collection(documents, "job", Job, indexes=_job_indexes)
        self.texts = Collection(documents, "job-text", JobText)
        self.progress = Collection(documents, "job-progress", Progress)
        self.executions = Collection(documents, "job-execution", Execution, indexes=_execution_indexes)
        self.pending = Collection(documents, "job-pending", Entry)
        self.agenda = Collection(documents, "job-agenda", Appointment)
        self.outgoing = Collection(documents, "job-outgoing", Outgoing)
        self.census = Collection(documents, "job-census", Census)
        self.templates = Collection(documents, "job-template", Template)


def _job_indexes(job: Job) -> Indexes:
    """`follower` by the names of the groups of jobs that follow them, and "" for all of those jobs."""
    return {
        "status": (job.status.value,),
        "namespace": () if job.namespace is None else (job.namespace,),
        "follower": ("", *job.groups) if job.follows else (),
    }


def _execution_indexes(execution: Execution) -> Indexes:
    return {"job": (execution.job,), "state": (state_entry(execution.job, execution.status),)}
