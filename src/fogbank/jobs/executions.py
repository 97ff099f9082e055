"""What a change of an execution changes with it: the thing's list of what is pending, its timer, the job's counts, and
what is told of it. Every execution comes, moves on and goes through `replace`."""

import msgspec

from fogbank.jobs.events import JobEvents
from fogbank.jobs.ledger import Unit
from fogbank.jobs.records import Appointment, Entry, Execution, Records, attempts_prefix, execution_key
from fogbank.jobs.states import ExecutionStatus

MOST_ATTEMPTS = 10_000
"""Of a thing at a job, retries and returns to a group included: a bound for one read."""


class Executions:
    """Works on units of the ledger."""

    def __init__(self, records: Records, events: JobEvents) -> None:
        self._records = records
        self._events = events

    async def current(self, unit: Unit, thing: str, job: str) -> Execution | None:
        """The thing's present attempt at a job."""
        found = await unit.scan(self._records.executions, attempts_prefix(thing, job), MOST_ATTEMPTS)
        return found[-1][1] if found else None

    async def numbered(self, unit: Unit, thing: str, job: str, number: int) -> Execution | None:
        """The attempt with a number."""
        return await unit.get(self._records.executions, execution_key(thing, job, number))

    async def first(self, unit: Unit, thing: str) -> Execution | None:
        """The execution that is the thing's next to do, or that it does."""
        pending = await self.pending(unit, thing, 1)
        return pending[0] if pending else None

    async def pending(self, unit: Unit, thing: str, limit: int) -> list[Execution]:
        """What the thing has to do: what is in progress, then what is queued, each by the time of queueing."""
        found = []
        for _, entry in await unit.scan(self._records.pending, f"{thing}/", limit):
            execution = await unit.get(self._records.executions, entry.execution)
            assert execution is not None, "entries and executions are written together"
            found.append(execution)
        return found

    async def enqueue(self, unit: Unit, thing: str, job: str, before: Execution | None = None) -> Execution:
        """Queue a thing's first attempt at a job, or the one after `before`, which is no retry of it."""
        number = 1 if before is None else before.number + 1
        execution = Execution(
            thing=thing, job=job, number=number, status=ExecutionStatus.QUEUED, queued=unit.now, updated=unit.now
        )
        if before is not None:
            await self.replace(unit, before, msgspec.structs.replace(before, current=False))
        await self.replace(unit, None, execution)
        return execution

    async def retry(self, unit: Unit, failed: Execution) -> Execution:
        """Queue another attempt after one that failed."""
        reason = failed.status.value
        again = Execution(
            thing=failed.thing,
            job=failed.job,
            number=failed.number + 1,
            status=ExecutionStatus.QUEUED,
            queued=unit.now,
            updated=unit.now,
            attempt=failed.attempt + 1,
            retried={**failed.retried, reason: failed.retried.get(reason, 0) + 1},
        )
        await self.replace(unit, failed, msgspec.structs.replace(failed, current=False))
        await self.replace(unit, None, again)
        return again

    async def replace(self, unit: Unit, before: Execution | None, after: Execution | None) -> None:
        """Write `after` in place of `before`: None where there was none, or is to be none."""
        one = after or before
        assert one is not None, "something changes"
        first = await self.first(unit, one.thing)
        self._move_entry(unit, before, after)
        self._move_timer(unit, before, after)
        await self._count(unit, one.job, before, after)
        if after is None:
            unit.delete(self._records.executions, one.key)
        else:
            unit.put(self._records.executions, one.key, after)
        now_first = await self.first(unit, one.thing)
        unit.notify(
            one.thing,
            listed=_pending(before) != _pending(after),
            next_=(first and first.key) != (now_first and now_first.key),
        )
        if after is None:
            await self._events.of_execution(unit, "deleted", one)
        elif not after.status.pending and (before is None or before.status is not after.status):
            await self._events.of_execution(unit, after.status.value.lower(), after)

    def _move_entry(self, unit: Unit, before: Execution | None, after: Execution | None) -> None:
        if before is not None and before.status.pending:
            unit.delete(self._records.pending, before.place)
        if after is not None and after.status.pending:
            unit.put(self._records.pending, after.place, Entry(after.key))

    def _move_timer(self, unit: Unit, before: Execution | None, after: Execution | None) -> None:
        was, is_ = _timer(before), _timer(after)
        if was == is_:
            return
        if was is not None:
            unit.delete(self._records.agenda, was.key)
        if is_ is not None:
            unit.put(self._records.agenda, is_.key, is_)

    async def _count(self, unit: Unit, job: str, before: Execution | None, after: Execution | None) -> None:
        was, is_ = _counted(before), _counted(after)
        if was == is_:
            return
        progress = await unit.get(self._records.progress, job)
        if progress is None:  # the job is on its way out
            return
        counts = dict(progress.counts)
        if was is not None:
            counts[was] = counts.get(was, 0) - 1
        if is_ is not None:
            counts[is_] = counts.get(is_, 0) + 1
        kept = {status: count for status, count in counts.items() if count}
        unit.put(self._records.progress, job, msgspec.structs.replace(progress, counts=kept))


def _pending(execution: Execution | None) -> bool:
    return execution is not None and execution.status.pending


def _counted(execution: Execution | None) -> str | None:
    return execution.status.value if execution is not None and execution.current else None


def _timer(execution: Execution | None) -> Appointment | None:
    due = None if execution is None or not execution.status.pending else execution.due
    return None if execution is None or due is None else Appointment(due, execution.job, execution.key)
