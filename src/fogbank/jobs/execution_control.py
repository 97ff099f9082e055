"""The control plane of executions: what operators see and do of single things' attempts at a job."""

from collections.abc import Mapping

import msgspec

from fogbank.errors import ResourceNotFound, VersionConflict
from fogbank.jobs.errors import InvalidStateTransition
from fogbank.jobs.executions import Executions
from fogbank.jobs.ledger import Ledger, Unit
from fogbank.jobs.lifecycle import Lifecycle, canceled
from fogbank.jobs.records import Execution, Records, attempts_prefix, state_entry
from fogbank.jobs.requests import check_details
from fogbank.jobs.states import ExecutionStatus
from fogbank.ports import Fleet
from fogbank.storage.collection import Stored
from fogbank.storage.paging import LARGEST_PAGE, Page, Paging, filtered
from fogbank.trace import Trace


class ExecutionControl:
    """DescribeJobExecution to DeleteJobExecution of the `iot` API."""

    def __init__(
        self,
        records: Records,
        ledger: Ledger,
        executions: Executions,
        lifecycle: Lifecycle,
        fleet: Fleet,
        trace: Trace,
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._executions = executions
        self._lifecycle = lifecycle
        self._fleet = fleet
        self._trace = trace

    async def describe(self, thing: str, job: str, number: int | None = None) -> Execution:
        """The present attempt, or the one with a number. Raises ResourceNotFound."""
        return await self._ledger.run(lambda unit: self._existing(unit, thing, job, number))

    async def of_job(self, job: str, status: ExecutionStatus | None, paging: Paging) -> Page[Execution]:
        """All attempts at a job, in the order of things. Raises ResourceNotFound, InvalidRequest."""
        if await self._records.jobs.get(job) is None:
            raise ResourceNotFound(f"Job {job} does not exist")
        index, value = ("job", job) if status is None else ("state", state_entry(job, status))

        async def read(after: str, limit: int) -> list[Stored[Execution]]:
            return await self._records.executions.find(index, value, after=after, limit=limit)

        return await paging.values(f"executions of {value}", read, default=LARGEST_PAGE)

    async def of_thing(
        self,
        thing: str,
        paging: Paging,
        *,
        status: ExecutionStatus | None = None,
        job: str | None = None,
        namespace: str | None = None,
    ) -> Page[Execution]:
        """All attempts of a thing, in the order of jobs. Raises ResourceNotFound, InvalidRequest."""
        if not await self._fleet.exists(thing):
            raise ResourceNotFound(f"Thing {thing} does not exist")
        prefix = f"{thing}/" if job is None else attempts_prefix(thing, job)
        wanted = None
        if namespace is not None:
            wanted = {one.key for one in await self._records.jobs.find("namespace", namespace)}

        async def read(after: str, limit: int) -> list[Stored[Execution]]:
            return await self._records.executions.scan(prefix=prefix, after=after, limit=limit)

        def match(execution: Execution) -> bool:
            return status in (None, execution.status) and (wanted is None or execution.job in wanted)

        scope = f"executions of {prefix} {status} {namespace}"
        return await paging.values(scope, filtered(read, match), default=LARGEST_PAGE)

    async def cancel(
        self,
        thing: str,
        job: str,
        *,
        force: bool = False,
        expected_version: int | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Cancel what is queued, and with `force` what is in progress.

        Raises ResourceNotFound, InvalidStateTransition, VersionConflict, InvalidRequest.
        """
        if details is not None:
            check_details(details)

        async def cancel(unit: Unit) -> None:
            before = await self._existing(unit, thing, job, None)
            if expected_version not in (None, before.version):
                raise VersionConflict(
                    f"The execution of job {job} on {thing} is at version {before.version}, expected {expected_version}"
                )
            if not before.status.pending or (before.status is ExecutionStatus.IN_PROGRESS and not force):
                raise InvalidStateTransition(
                    f"The execution of job {job} on {thing} is {before.status.value} and cannot be canceled"
                    f"{' without force' if before.status.pending else ''}"
                )
            after = canceled(before, unit.now, forced=force)
            if details is not None:
                after = msgspec.structs.replace(after, details=dict(details))
            self._trace.emit("job", "success", name=job, reason=f"the execution on {thing} was canceled by an operator")
            await self._lifecycle.change(unit, before, after)

        await self._ledger.run(cancel)

    async def delete(
        self, thing: str, job: str, number: int, *, force: bool = False, namespace: str | None = None
    ) -> None:
        """Delete an attempt that is queued or has ended, or any with `force`.

        Raises ResourceNotFound, InvalidStateTransition.
        """

        async def delete(unit: Unit) -> None:
            execution = await self._existing(unit, thing, job, number)
            of_job = await unit.get(self._records.jobs, job)
            if namespace is not None and (of_job is None or of_job.namespace != namespace):
                raise ResourceNotFound(f"Job {job} does not exist in namespace {namespace}")
            if execution.status is ExecutionStatus.IN_PROGRESS and not force:
                raise InvalidStateTransition(
                    f"The execution of job {job} on {thing} is IN_PROGRESS and cannot be deleted without force"
                )
            await self._executions.replace(unit, execution, None)
            await self._lifecycle.settle(unit, job)

        await self._ledger.run(delete)

    async def _existing(self, unit: Unit, thing: str, job: str, number: int | None) -> Execution:
        if number is None:
            found = await self._executions.current(unit, thing, job)
        else:
            found = await self._executions.numbered(unit, thing, job, number)
        if found is None:
            which = "" if number is None else f" with the number {number}"
            raise ResourceNotFound(f"There is no execution{which} of job {job} on thing {thing}")
        return found
