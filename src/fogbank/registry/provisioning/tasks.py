"""What is kept of bulk registrations: a task each, and a receipt for each line until its part of the file is done."""

import enum
from collections.abc import Iterable, Mapping

import msgspec

from fogbank.ports import Documents
from fogbank.storage.collection import Collection, Indexes


class TaskStatus(enum.Enum):
    """How far a task is (API model, Status)."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    """Also where lines have failed: that is counted."""
    FAILED = "Failed"
    """The file could not be read."""
    CANCELLED = "Cancelled"
    CANCELLING = "Cancelling"

    @property
    def ended(self) -> bool:
        return self not in (TaskStatus.IN_PROGRESS, TaskStatus.CANCELLING)


class Part(msgspec.Struct, frozen=True):
    """Lines of the input file that are next to one another, kept as a blob."""

    digest: str
    first: int
    """The number of its first line, from 1."""
    offset: int
    """Where that begins in the file, in bytes."""
    size: int


class RegistrationTask(msgspec.Struct, frozen=True, kw_only=True):
    """A file of parameters that a template is carried out for, line by line. Times are seconds since the epoch."""

    id: str
    template: str
    bucket: str
    key: str
    role_arn: str | None
    created: float
    modified: float
    status: TaskStatus = TaskStatus.IN_PROGRESS
    message: str | None = None
    size: int = 0
    """Bytes of the file."""
    etag: str | None = None
    """Of the object that is being fetched."""
    fetched: bool = False
    """Whether all of the file is here."""
    parts: tuple[Part, ...] = ()
    """Of the file, as far as it is here; none once the task has ended."""
    done: int = 0
    """How many of them are done."""
    bytes: int = 0
    """Of the lines that are done, as counted below."""
    succeeded: int = 0
    failed: int = 0
    results: tuple[str, ...] = ()
    """Reports on them, as blobs."""
    errors: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether there is anything left to be done or cleared away."""
        return not self.status.ended or bool(self.parts)

    def percentage(self, further: int = 0) -> int:
        """Of the file's bytes, those whose lines are done, and `further` ones; all only once everything is."""
        if self.status is TaskStatus.COMPLETED:
            return 100
        return min(99, 100 * (self.bytes + further) // self.size) if self.size else 0


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a line; stored in one batch with that, so that no line is ever carried out twice."""

    line: int
    offset: int
    certificate_pem: str | None = None
    arns: Mapping[str, str] = {}
    code: str | None = None
    """The error's, where it failed."""
    message: str = ""

    @property
    def report(self) -> bytes:
        """A line of the task's reports."""
        where = {"lineNumber": self.line, "offset": self.offset}
        if self.code is not None:
            return msgspec.json.encode({**where, "errorCode": self.code, "errorMessage": self.message}) + b"\n"
        response = {"CertificatePem": self.certificate_pem, "ResourceArns": self.arns}
        return msgspec.json.encode({**where, "response": response}) + b"\n"


class TaskRecords:
    """The collections of bulk registration."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.tasks = Collection(documents, "registration-task", RegistrationTask, indexes=_task_indexes)
        self.receipts = Collection(documents, "registration-receipt", Receipt)

    async def write(self, task: RegistrationTask, version: int, receipts: Iterable[str] = ()) -> int:
        """Store a task over the one at `version`, and remove receipts that it has done with; its new version.

        Raises StaleVersion.
        """
        written, *_ = await self._documents.commit(
            self.tasks.putting(task.id, task, expect=version), *(self.receipts.deleting(key) for key in receipts)
        )
        return written


def receipts_prefix(task: str) -> str:
    """The key range of a task's receipts."""
    return f"{task}/"


def receipt_key(task: str, line: int) -> str:
    """Keys ascend with lines."""
    return f"{receipts_prefix(task)}{line:012}"


def _task_indexes(task: RegistrationTask) -> Indexes:
    return {"status": (task.status.value,), "open": ("yes",) if task.open else ()}
