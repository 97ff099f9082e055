"""The data plane of jobs: what a thing asks of its own executions. One function behind HTTP and MQTT alike.

Each operation makes a piece of work for the ledger, reads included: who updates an execution and then asks for the
next one gets that which follows the update.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.errors import ResourceNotFound
from fogbank.jobs import answers
from fogbank.jobs.documents import JobDocuments
from fogbank.jobs.errors import InvalidStateTransition, TerminalState, VersionMismatch
from fogbank.jobs.executions import Executions
from fogbank.jobs.ledger import Unit, Work
from fogbank.jobs.lifecycle import Lifecycle
from fogbank.jobs.records import Execution, Job, Records
from fogbank.jobs.requests import DISCARD, Describe, StartNext, Update, read_describe, read_start_next, read_update
from fogbank.jobs.states import DEVICE_TRANSITIONS, ExecutionStatus
from fogbank.jobs.topics import NEXT, Operation, RequestTopic
from fogbank.ports import Fleet

MINUTE = 60.0
MOST_LISTED = 1000
"""Executions in the answer to GetPendingJobExecutions, whose API has no pages: our own bound."""


class Reply(msgspec.Struct, frozen=True):
    """What a request came to: members of the answer, and the execution whose document is to go with it."""

    members: answers.Document
    execution: Execution | None = None
    """Of a describing answer: it is written as a whole, at the time of the answer."""
    job: Job | None = None
    document: str | None = None


class DeviceJobs:
    """The four operations of `iot-jobs-data`."""

    def __init__(
        self,
        records: Records,
        executions: Executions,
        lifecycle: Lifecycle,
        documents: JobDocuments,
        fleet: Fleet,
    ) -> None:
        self._records = records
        self._executions = executions
        self._lifecycle = lifecycle
        self._documents = documents
        self._fleet = fleet

    def work(self, asked: RequestTopic, members: Mapping[str, Any]) -> Work[Reply]:
        """The piece of work that a request asks for. Raises InvalidRequest.

        The work raises ResourceNotFound, InvalidStateTransition, VersionMismatch, TerminalState.
        """
        asked.check()
        thing = asked.thing
        match asked.operation:
            case Operation.GET_PENDING:
                return lambda unit: self._get_pending(unit, thing)
            case Operation.START_NEXT:
                start = read_start_next(members)
                return lambda unit: self._start_next(unit, thing, start)
            case Operation.DESCRIBE:
                describe = read_describe(members)
                return lambda unit: self._describe(unit, thing, asked.job, describe)
            case Operation.UPDATE:
                update = read_update(members)
                return lambda unit: self._update(unit, thing, asked.job, update)

    async def answer(self, reply: Reply, now: float, *, embedded: bool) -> answers.Document:
        """The members of an answer, with the document as a device gets it: JSON where `embedded`, else a text."""
        shown: str | msgspec.Raw | None = None
        if reply.document is not None and reply.execution is not None:
            ready = await self._documents.for_device(reply.document, reply.job, reply.execution)
            shown = msgspec.Raw(ready.encode()) if embedded else ready
        if "execution" in reply.members and reply.execution is not None:
            return {**reply.members, "execution": answers.whole(reply.execution, now, shown)}
        return reply.members if shown is None else {**reply.members, "jobDocument": shown}

    async def _get_pending(self, unit: Unit, thing: str) -> Reply:
        await self._check_thing(thing)
        in_progress, queued = answers.listing(await self._executions.pending(unit, thing, MOST_LISTED))
        return Reply({"inProgressJobs": in_progress, "queuedJobs": queued})

    async def _start_next(self, unit: Unit, thing: str, asked: StartNext) -> Reply:
        await self._check_thing(thing)
        execution = await self._executions.first(unit, thing)
        if execution is None:
            return Reply({})
        if execution.status is ExecutionStatus.QUEUED:
            started = await self._started(unit, execution)
            started = _timed(started, asked.step_timeout, unit.now)
            if asked.details is not None:
                started = msgspec.structs.replace(started, details=asked.details)
            execution = await self._lifecycle.change(unit, execution, started)
        return await self._whole(unit, execution, include_document=True)

    async def _describe(self, unit: Unit, thing: str, job: str, asked: Describe) -> Reply:
        await self._check_thing(thing)
        if job == NEXT:
            first = await self._executions.first(unit, thing)
            if first is None or asked.number not in (None, first.number):
                return Reply({})
            return await self._whole(unit, first, include_document=asked.include_document)
        execution = await self._existing(unit, thing, job, asked.number)
        if not execution.status.pending:
            raise TerminalState(
                f"The execution of job {job} on {thing} has ended: it is {execution.status.value}",
            )
        return await self._whole(unit, execution, include_document=asked.include_document)

    async def _update(self, unit: Unit, thing: str, job: str, asked: Update) -> Reply:
        await self._check_thing(thing)
        before = await self._existing(unit, thing, job, asked.number)
        if asked.expected_version not in (None, before.version):
            raise VersionMismatch(
                f"The execution of job {job} on {thing} is at version {before.version}, expected"
                f" {asked.expected_version}",
                executionState=answers.state(before),
            )
        if asked.status not in DEVICE_TRANSITIONS.get(before.status, ()):
            raise InvalidStateTransition(
                f"The execution of job {job} on {thing} is {before.status.value} and cannot become"
                f" {asked.status.value}",
                executionState=answers.state(before),
            )
        after = await self._lifecycle.change(unit, before, await self._moved(unit, before, asked))
        members = {"executionState": answers.state(after)} if asked.include_state else {}
        text = await self._text(unit, job) if asked.include_document else None
        return Reply(members, after, await unit.get(self._records.jobs, job), text)

    async def _moved(self, unit: Unit, before: Execution, asked: Update) -> Execution:
        """The execution as the update makes it."""
        if before.status is ExecutionStatus.QUEUED:
            after = await self._started(unit, before)
        else:
            after = msgspec.structs.replace(before, updated=unit.now, version=before.version + 1)
        after = msgspec.structs.replace(
            after, status=asked.status, details=before.details if asked.details is None else asked.details
        )
        return _timed(after, asked.step_timeout, unit.now)

    async def _started(self, unit: Unit, execution: Execution) -> Execution:
        """A queued execution as it is when its thing begins with it. The timer begins with it, and is not set back."""
        job = await unit.get(self._records.jobs, execution.job)
        timeout = None if job is None or job.timeout is None else job.timeout.in_progress_timeout_in_minutes
        return msgspec.structs.replace(
            execution,
            status=ExecutionStatus.IN_PROGRESS,
            started=unit.now,
            updated=unit.now,
            version=execution.version + 1,
            progress_due=None if timeout is None else unit.now + timeout * MINUTE,
        )

    async def _whole(self, unit: Unit, execution: Execution, *, include_document: bool) -> Reply:
        text = await self._text(unit, execution.job) if include_document else None
        return Reply({"execution": {}}, execution, await unit.get(self._records.jobs, execution.job), text)

    async def _text(self, unit: Unit, job: str) -> str | None:
        found = await unit.get(self._records.texts, job)
        return None if found is None else found.text

    async def _existing(self, unit: Unit, thing: str, job: str, number: int | None) -> Execution:
        if number is None:
            found = await self._executions.current(unit, thing, job)
        else:
            found = await self._executions.numbered(unit, thing, job, number)
        if found is None:
            raise ResourceNotFound(f"There is no execution of job {job} on thing {thing}")
        return found

    async def _check_thing(self, thing: str) -> None:
        if not await self._fleet.exists(thing):
            raise ResourceNotFound(f"Thing {thing} does not exist")


def _timed(execution: Execution, minutes: int | None, now: float) -> Execution:
    """With the step timer set anew, taken away, or as it was; one that has ended has none."""
    if not execution.status.pending or minutes == DISCARD:
        return msgspec.structs.replace(execution, step_due=None)
    if minutes is None:
        return execution
    return msgspec.structs.replace(execution, step_due=now + minutes * MINUTE)
