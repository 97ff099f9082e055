"""Bulk registration: a template carried out for every line of a file (developer guide, bulk-provisioning).

One task at a time runs, as at AWS; those that a kill interrupts go on where they were. The file comes from S3, or is
handed over with the request, which AWS does not know and a shell likes.
"""

import uuid
from collections.abc import Sequence

import msgspec

from fogbank.clock import Clock
from fogbank.errors import Forbidden, InvalidRequest, ResourceNotFound
from fogbank.ports import AwsServices, Blobs, Documents, RoleRights
from fogbank.registry.constraints import Constraint
from fogbank.registry.provisioning.bulk_run import BulkRun
from fogbank.registry.provisioning.input_file import PART, Cutter
from fogbank.registry.provisioning.input_object import InputObject
from fogbank.registry.provisioning.provisioner import Provisioner
from fogbank.registry.provisioning.tasks import Part, RegistrationTask, TaskRecords
from fogbank.registry.provisioning.template import Template, TemplateKind
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Page, Paging
from fogbank.tasks import Tasks

KEPT = 100
"""Tasks that are remembered, with their reports. AWS documents no number."""
UPLOADED = "fogbank-upload"
"""The bucket that tasks name whose file was handed over."""
TASK_ID = Constraint("taskId", r"[0-9a-zA-Z-]+", 40)
BUCKET = Constraint("inputFileBucket", r"[a-zA-Z0-9._-]+", 256, 3)
KEY = Constraint("inputFileKey", r"[a-zA-Z0-9!_.*'()-\/]+", 1024)


class Progress(msgspec.Struct, frozen=True):
    """A task, and how far it is at this moment."""

    task: RegistrationTask
    succeeded: int
    failed: int
    percentage: int


class BulkRegistrations:
    """The registration tasks of the account."""

    def __init__(
        self,
        documents: Documents,
        blobs: Blobs,
        provisioner: Provisioner,
        aws: AwsServices,
        clock: Clock,
        *,
        partition: str = "aws",
        rights: RoleRights | None = None,
    ) -> None:
        self._records = TaskRecords(documents)
        self._blobs = blobs
        self._provisioner = provisioner
        self._aws = aws
        self._clock = clock
        self._partition = partition
        self._rights = rights
        self._source = InputObject(aws, blobs, clock)
        self._tasks = Tasks("registration")
        self._claimed = False
        """Whether somebody is starting a task at this moment."""
        self._run: BulkRun | None = None

    async def resume(self) -> None:
        """Go on with what was interrupted. Call it once, when everything is up."""
        for stored in await self._records.tasks.find("open", "yes"):
            run = self._make(stored)
            if stored.value.status.ended:
                await run.clear()
            else:
                self._begin(run)

    async def close(self) -> None:
        """Interrupt what runs; the next start goes on with it."""
        await self._tasks.close()

    async def start(self, template: str, *, bucket: str, key: str, role_arn: str) -> str:
        """Register the things of an object in S3; the task's ID. Raises InvalidRequest."""
        Template.parse(template, TemplateKind.REGISTRATION)
        BUCKET.check(bucket)
        KEY.check(key)
        if (obstacle := self._aws.obstacle("s3")) is not None:
            raise InvalidRequest(f"The input file is in S3, which cannot be reached: {obstacle}")
        if self._rights is not None:
            try:
                await self._rights.check(role_arn, "s3:GetObject", f"arn:{self._partition}:s3:::{bucket}/{key}")
            except Forbidden as error:
                raise InvalidRequest(error.message) from error
        return await self._start(self._new(template, bucket, key, role_arn), None)

    async def start_with(self, template: str, content: bytes, *, role_arn: str | None = None) -> str:
        """Register the things of a file that is given; the task's ID. Raises InvalidRequest."""
        Template.parse(template, TemplateKind.REGISTRATION)
        task = self._new(template, UPLOADED, "lines", role_arn)
        return await self._start(msgspec.structs.replace(task, size=len(content), fetched=True), content)

    async def describe(self, id_: str) -> Progress:
        """Raises ResourceNotFound, InvalidRequest."""
        run, task = self._run, await self._task(id_)
        if run is not None and run.task.id == id_ and not run.task.status.ended:
            now = run.task
            return Progress(now, now.succeeded + run.succeeded, now.failed + run.failed, run.percentage)
        return Progress(task, task.succeeded, task.failed, task.percentage())

    async def page(self, paging: Paging, status: str | None = None) -> Page[str]:
        """IDs of tasks, of one status where that is given. Raises InvalidRequest."""

        async def read(after: str, limit: int) -> list[Stored[RegistrationTask]]:
            if status is None:
                return await self._records.tasks.scan(after=after, limit=limit)
            return await self._records.tasks.find("status", status, after=after, limit=limit)

        page = await paging.page(f"registration tasks {status}", read)
        return Page([one.key for one in page.items], page.next)

    async def stop(self, id_: str) -> None:
        """Let a task end; what it has registered stays. Raises ResourceNotFound, InvalidRequest."""
        task = await self._task(id_)
        run = self._run
        if run is None or run.task.id != id_ or run.task.status.ended:
            raise InvalidRequest(f"Registration task {id_} is {task.status.value} and cannot be stopped")
        await run.stop()

    async def reports(self, id_: str, *, errors: bool) -> Sequence[str]:
        """The digests of a task's reports, in the order of its lines. Raises ResourceNotFound, InvalidRequest."""
        task = await self._task(id_)
        return task.errors if errors else task.results

    async def report(self, digest: str) -> bytes | None:
        """What a report says: a JSON document for each line of the file that it is about."""
        return await self._blobs.get(digest)

    async def _start(self, task: RegistrationTask, content: bytes | None) -> str:
        if self._claimed or (self._run is not None and self._run.task.open):
            raise InvalidRequest("A registration task is in progress: one can run at a time")
        self._claimed = True
        try:
            await self._forget_oldest()
            parts = () if content is None else await self._stored_parts(content)
            task = msgspec.structs.replace(task, parts=parts)
            version = await self._records.write(task, 0)
            self._begin(self._make(Stored(task.id, version, task)))
        finally:
            self._claimed = False
        return task.id

    async def _stored_parts(self, content: bytes) -> tuple[Part, ...]:
        cutter = Cutter()
        parts: list[Part] = []
        for at in range(0, len(content), PART):
            for lines, part in cutter.feed(content[at : at + PART]):
                parts.append(msgspec.structs.replace(part, digest=await self._blobs.put(lines)))
        for lines, part in cutter.end():
            parts.append(msgspec.structs.replace(part, digest=await self._blobs.put(lines)))
        return tuple(parts)

    def _new(self, template: str, bucket: str, key: str, role_arn: str | None) -> RegistrationTask:
        now = self._clock.time()
        return RegistrationTask(
            id=str(uuid.uuid4()),
            template=template,
            bucket=bucket,
            key=key,
            role_arn=role_arn,
            created=now,
            modified=now,
        )

    def _make(self, stored: Stored[RegistrationTask]) -> BulkRun:
        return BulkRun(stored, self._records, self._blobs, self._provisioner, self._source, self._clock)

    def _begin(self, run: BulkRun) -> None:
        self._run = run
        self._tasks.start(run.run(), run.task.id)

    async def _task(self, id_: str) -> RegistrationTask:
        found = await self._records.tasks.get(TASK_ID.check(id_))
        if found is None:
            raise ResourceNotFound(f"Registration task {id_} not found")
        return found.value

    async def _forget_oldest(self) -> None:
        """Make room for another task: remove the oldest, and the reports that are no other task's.

        Done while nothing runs that could make the same report again.
        """
        tasks = sorted((one.value for one in await self._records.tasks.scan()), key=lambda one: one.created)
        gone = tasks[: max(0, len(tasks) - KEPT + 1)]
        kept = {digest for one in tasks if one not in gone for digest in (*one.results, *one.errors)}
        for task in gone:
            for digest in {*task.results, *task.errors} - kept:
                await self._blobs.delete(digest)
            await self._records.tasks.delete(task.id)
