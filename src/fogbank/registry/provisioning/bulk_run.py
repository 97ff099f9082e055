"""Carries one bulk registration on, from wherever it stands: fetch the file, do its parts, write the reports.

A device and the receipt for its line are one batch, so that after a kill no line is done twice and none is left out.
When all lines of a part have their receipts, these become two reports, and the task steps on to the next part.

Lines are started one per turn of the event loop, so that devices which talk meanwhile wait for one of them at most; as
many as `WORKERS` wait for the store together, which is what makes group commits worth while.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec

from fogbank.clock import Clock
from fogbank.errors import InternalFailure, InvalidRequest, ServiceError
from fogbank.ports import Blobs, Put, StorageError
from fogbank.registry.provisioning.input_file import Line, lines_of
from fogbank.registry.provisioning.input_object import InputObject, Unfetched
from fogbank.registry.provisioning.provisioner import Provisioned, Provisioner
from fogbank.registry.provisioning.tasks import (
    Receipt,
    RegistrationTask,
    TaskRecords,
    TaskStatus,
    receipt_key,
    receipts_prefix,
)
from fogbank.registry.provisioning.template import Template, TemplateKind
from fogbank.storage.collection import Stored

log = logging.getLogger(__name__)

Change = Callable[[RegistrationTask], RegistrationTask]

WORKERS = 24
LONGEST_MESSAGE = 2048
"""Characters (API model, ErrorMessage)."""


class BulkRun:
    """One task while it runs. `task` is how far it is; `succeeded`, `failed` and `bytes` count on from there."""

    def __init__(
        self,
        stored: Stored[RegistrationTask],
        records: TaskRecords,
        blobs: Blobs,
        provisioner: Provisioner,
        source: InputObject,
        clock: Clock,
    ) -> None:
        self._stored = stored
        self._records = records
        self._blobs = blobs
        self._provisioner = provisioner
        self._source = source
        self._clock = clock
        self._turn = asyncio.Lock()
        self._storing = asyncio.Lock()
        self._stopping = stored.value.status is TaskStatus.CANCELLING
        self.succeeded = self.failed = self.bytes = 0

    @property
    def task(self) -> RegistrationTask:
        return self._stored.value

    @property
    def percentage(self) -> int:
        """How far it is at this moment."""
        return self.task.percentage(self.bytes)

    async def run(self) -> None:
        """Carry the task on to its end. What the store fails of stays as it is, for the next start to go on with."""
        try:
            template = Template.parse(self.task.template, TemplateKind.REGISTRATION)
            await self._fetch()
            while not self._stopping and self.task.done < len(self.task.parts):
                await self._part(template)
        except (Unfetched, InvalidRequest) as error:
            await self._report(status=TaskStatus.FAILED, message=str(error)[:LONGEST_MESSAGE])
        else:
            whole = self.task.fetched and self.task.done == len(self.task.parts)
            await self._report(status=TaskStatus.COMPLETED if whole else TaskStatus.CANCELLED)
        await self.clear()

    async def stop(self) -> None:
        """Let the task end at the next line. On return that is durable."""
        self._stopping = True
        status = TaskStatus.CANCELLING
        await self._store(lambda task: task if task.status.ended else msgspec.structs.replace(task, status=status))

    async def clear(self) -> None:
        """Remove the input of a task that has ended."""
        for digest in {part.digest for part in self.task.parts}:
            await self._blobs.delete(digest)
        await self._store(lambda task: msgspec.structs.replace(task, parts=()))

    async def _fetch(self) -> None:
        if self.task.fetched:
            return
        async for found in self._source.fetch(self.task):
            news = {name: getattr(found, name) for name in ("size", "etag", "fetched", "parts")}
            await self._store(partial(msgspec.structs.replace, **news))
            if self._stopping:
                return

    async def _part(self, template: Template) -> None:
        task = self.task
        part = task.parts[task.done]
        content = await self._blobs.get(part.digest)
        if content is None:
            raise Unfetched(f"Lines {part.first} and on of the input file are no longer in the data directory")
        done = {one.value.line: one.value for one in await self._records.receipts.scan(prefix=receipts_prefix(task.id))}
        lines = list(lines_of(content, part))
        for line in lines:
            if (receipt := done.get(line.number)) is not None:
                self._count(line, receipt)
        left = iter([line for line in lines if line.number not in done])
        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(self._work(template, left))
        if not self._stopping:
            await self._report(done=1)

    async def _work(self, template: Template, lines: Iterator[Line]) -> None:
        for line in lines:
            async with self._turn:
                await asyncio.sleep(0)
            if self._stopping:
                return
            self._count(line, await self._line(template, line))

    async def _line(self, template: Template, line: Line) -> Receipt:
        """Register the thing of a line. Whatever goes wrong with it, the next one has its turn."""
        made: list[Receipt] = []

        def along(provisioned: Provisioned) -> list[Put]:
            made[:] = [
                Receipt(
                    line=line.number,
                    offset=line.offset,
                    certificate_pem=provisioned.certificate_pem,
                    arns=provisioned.resource_arns,
                )
            ]
            return [self._putting(made[0])]

        try:
            parameters = line.parameters()
            await self._provisioner.provision(template, parameters, role_arn=self.task.role_arn, along=along)
            return made[0]
        except StorageError:
            raise
        except ServiceError as error:
            failure = error
        except Exception:
            log.exception("line %d of registration task %s could not be registered", line.number, self.task.id)
            failure = InternalFailure("An internal failure occurred.")
        message = failure.message[:LONGEST_MESSAGE]
        receipt = Receipt(line=line.number, offset=line.offset, code=failure.code, message=message)
        await self._records.receipts.put(receipt_key(self.task.id, line.number), receipt)
        return receipt

    def _putting(self, receipt: Receipt) -> Put:
        return self._records.receipts.putting(receipt_key(self.task.id, receipt.line), receipt)

    def _count(self, line: Line, receipt: Receipt) -> None:
        self.bytes += len(line.text) + 1
        if receipt.code is None:
            self.succeeded += 1
        else:
            self.failed += 1

    async def _report(self, *, done: int = 0, status: TaskStatus | None = None, message: str | None = None) -> None:
        """Turn the receipts there are into reports, and step on by `done` parts."""
        receipts = await self._records.receipts.scan(prefix=receipts_prefix(self.task.id))
        results = [one.value for one in receipts if one.value.code is None]
        errors = [one.value for one in receipts if one.value.code is not None]
        reports = await self._kept(results), await self._kept(errors)

        def step(task: RegistrationTask) -> RegistrationTask:
            finished = sum(part.size for part in task.parts[: task.done + done])
            return msgspec.structs.replace(
                task,
                done=task.done + done,
                bytes=finished if done else task.bytes + self.bytes,
                status=status or task.status,
                message=message,
                succeeded=task.succeeded + len(results),
                failed=task.failed + len(errors),
                results=(*task.results, *reports[0]),
                errors=(*task.errors, *reports[1]),
            )

        await self._store(step, [one.key for one in receipts])
        self.succeeded = self.failed = self.bytes = 0

    async def _kept(self, receipts: list[Receipt]) -> list[str]:
        return [await self._blobs.put(b"".join(one.report for one in receipts))] if receipts else []

    async def _store(
        self, change: Callable[[RegistrationTask], RegistrationTask], receipts: Sequence[str] = ()
    ) -> None:
        """Store how far the task is; `receipts` are the keys of those that have gone into reports.

        One at a time, since a caller may stop the task while it steps on.
        """
        async with self._storing:
            task = msgspec.structs.replace(change(self.task), modified=self._clock.time())
            version = await self._records.write(task, self._stored.version, receipts)
            self._stored = Stored(task.id, version, task)
