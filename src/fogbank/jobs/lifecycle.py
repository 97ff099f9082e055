"""How a job goes from one state to the next, and what it does to its executions on the way.

Whatever may be about many things is done in steps: each is one piece of work for the ledger, about so many things as
do not hold up others, and books the next one in the agenda. A server that is killed between two steps does the next
one when it is back; within a step there is no between.
"""

from collections.abc import Awaitable, Callable

import msgspec

from fogbank.jobs.criteria import may_retry, rate, reason_to_abort
from fogbank.jobs.events import JobEvents
from fogbank.jobs.executions import Executions
from fogbank.jobs.ledger import Unit
from fogbank.jobs.limits import KEPT_DAYS, JobLimits
from fogbank.jobs.records import Appointment, Census, Execution, Job, Progress, Records, state_entry
from fogbank.jobs.states import PENDING, ExecutionStatus, JobStatus, TargetSelection
from fogbank.jobs.windows import is_open, upcoming
from fogbank.ports import Delete, Fleet, FleetMember
from fogbank.trace import Trace

STEP = 32
"""Executions that one step makes, cancels or deletes: a few milliseconds' work."""
LOOKED_AT = 256
"""Members of a group that one step looks at, most of whom may have the job already."""
MINUTE = 60.0
ABORTED = "ABORT_CRITERIA_MET"
"""The reason code of a job that was aborted. UNVERIFIED: AWS sets one, and does not document which."""
ENDED = "END_TIME_REACHED"
"""The reason code of a job that was cancelled by its end behavior. UNVERIFIED."""

CENSUS = "jobs"
"""The key of the one census."""

DeleteTags = Callable[[str], Delete]


class Lifecycle:
    """Works on units of the ledger."""

    def __init__(
        self,
        records: Records,
        executions: Executions,
        events: JobEvents,
        fleet: Fleet,
        limits: JobLimits,
        trace: Trace,
        delete_tags: DeleteTags,
    ) -> None:
        """`delete_tags` makes the write that removes the tags of the job with an ID."""
        self._records = records
        self._executions = executions
        self._events = events
        self._fleet = fleet
        self._limits = limits
        self._trace = trace
        self._delete_tags = delete_tags
        self._steps: dict[JobStatus, Callable[[Unit, Job], Awaitable[None]]] = {
            JobStatus.SCHEDULED: self._begin,
            JobStatus.IN_PROGRESS: self._go_on,
            JobStatus.CANCELED: self._sweep,
            JobStatus.COMPLETED: self._expire,
            JobStatus.DELETION_IN_PROGRESS: self._delete,
        }

    async def step(self, unit: Unit, job_id: str) -> None:
        """Do what the job has to do now, or a part of it, and book what comes next."""
        job = await unit.get(self._records.jobs, job_id)
        if job is not None:
            await self._steps[job.status](unit, job)

    async def write(self, unit: Unit, before: Job | None, after: Job | None) -> None:
        """Write a job in place of another, of which there is none when it is made, nor when it is deleted."""
        one = after or before
        assert one is not None, "something changes"
        if after is None:
            unit.delete(self._records.jobs, one.id)
        else:
            unit.put(self._records.jobs, one.id, after)
        was, is_ = (None if job is None else job.status.value for job in (before, after))
        if was == is_:
            return
        census = await unit.get(self._records.census, CENSUS) or Census()
        counts = dict(census.jobs)
        for status, change in ((was, -1), (is_, 1)):
            if status is not None:
                counts[status] = counts.get(status, 0) + change
        unit.put(self._records.census, CENSUS, Census(counts))

    async def number(self, unit: Unit, *statuses: JobStatus) -> int:
        """How many jobs are in one of these."""
        census = await unit.get(self._records.census, CENSUS) or Census()
        return sum(census.jobs.get(status.value, 0) for status in statuses)

    def book(self, unit: Unit, job: str, due: float) -> None:
        """Let the job's next step be at a time."""
        appointment = Appointment(due, job)
        unit.put(self._records.agenda, appointment.key, appointment)

    # --- from the outside ---

    async def cancel(
        self, unit: Unit, job: Job, *, force: bool, reason_code: str | None = None, comment: str | None = None
    ) -> Job:
        """Cancel a job: what is queued, and with `force` what is in progress too. The job as it is then."""
        canceled = msgspec.structs.replace(
            job,
            status=JobStatus.CANCELED,
            updated=unit.now,
            completed=unit.now,
            forced=force,
            reason_code=reason_code,
            comment=comment,
        )
        await self.write(unit, job, canceled)
        await self._events.of_job(unit, "cancellation_in_progress", canceled)
        await self.step(unit, job.id)
        return canceled

    async def delete(self, unit: Unit, job: Job) -> None:
        """Begin to delete a job."""
        leaving = msgspec.structs.replace(job, status=JobStatus.DELETION_IN_PROGRESS, updated=unit.now)
        await self.write(unit, job, leaving)
        await self._events.of_job(unit, "deletion_in_progress", leaving)
        await self.step(unit, job.id)

    async def give(self, unit: Unit, job: Job, thing: str) -> bool:
        """Queue the job for a thing that is to have it, or to try it again, and whose turn it is; whether it was."""
        before = await self._executions.current(unit, thing, job.id)
        if before is None or before.status is ExecutionStatus.REMOVED:
            await self._executions.enqueue(unit, thing, job.id, before)
        elif may_retry(job.retry, before) and before.current:
            await self._executions.retry(unit, before)
        else:
            return False
        return True

    async def postpone(self, unit: Unit, job: Job) -> None:
        """Outside its windows a job is given to nobody. When the next one begins, its targets are gone through anew."""
        await self._change_progress(unit, job.id, rolled_out=False, target=0, after="")
        for begins in upcoming(job.windows, unit.now, 1):
            self.book(unit, job.id, begins)

    async def change(self, unit: Unit, before: Execution, after: Execution) -> Execution:
        """Move an execution on; then the next attempt, the abort or the end of the job, where that is due.

        Returns `after`, or what has become of it.
        """
        job = await unit.get(self._records.jobs, after.job)
        await self._executions.replace(unit, before, after)
        if after.status.pending:
            return after
        if job is not None and job.status is JobStatus.IN_PROGRESS and not job.closed and may_retry(job.retry, after):
            if is_open(job.windows, unit.now):
                await self._executions.retry(unit, after)
            else:
                await self.postpone(unit, job)
        await self.settle(unit, after.job)
        return after

    async def settle(self, unit: Unit, job_id: str) -> None:
        """Abort or complete a job whose numbers say so."""
        job = await unit.get(self._records.jobs, job_id)
        if job is None or job.status is not JobStatus.IN_PROGRESS:
            return
        progress = await self.progress(unit, job_id)
        if (criteria := reason_to_abort(job.abort, progress)) is not None:
            comment = (
                f"Job aborted: at least {criteria.threshold_percentage:g}% of the executions ended in"
                f" {criteria.failure_type} after {criteria.min_number_of_executed_things} or more"
            )
            self._trace.emit("job", "failure", name=job_id, reason=comment)
            await self.cancel(unit, job, force=False, reason_code=ABORTED, comment=comment)
            return
        given_to_all = job.closed or (job.selection is TargetSelection.SNAPSHOT and progress.rolled_out)
        if given_to_all and not progress.count(*PENDING):
            await self._complete(unit, job, progress)

    async def expired(self, unit: Unit, key: str) -> None:
        """An execution's timer has run out. Whoever moved the execution on has taken its appointment away."""
        execution = await unit.get(self._records.executions, key)
        if execution is None or not execution.status.pending:
            return
        which = "step" if execution.due == execution.step_due else "inProgressTimeoutInMinutes"
        self._trace.emit(
            "job", "failure", name=execution.job, reason=f"{execution.thing} timed out: its {which} timer ran out"
        )
        after = msgspec.structs.replace(
            execution, status=ExecutionStatus.TIMED_OUT, updated=unit.now, version=execution.version + 1
        )
        await self.change(unit, execution, after)

    async def progress(self, unit: Unit, job_id: str) -> Progress:
        """How far a job has come."""
        return await unit.get(self._records.progress, job_id) or Progress()

    async def _change_progress(self, unit: Unit, job_id: str, **fields: object) -> None:
        progress = await self.progress(unit, job_id)
        unit.put(self._records.progress, job_id, msgspec.structs.replace(progress, **fields))

    # --- steps ---

    async def _begin(self, unit: Unit, job: Job) -> None:
        starts = None if job.scheduling is None else job.scheduling.starts
        if starts is not None and starts > unit.now:
            self.book(unit, job.id, starts)
            return
        begun = msgspec.structs.replace(job, status=JobStatus.IN_PROGRESS, updated=unit.now)
        await self.write(unit, job, begun)
        ends = None if job.scheduling is None else job.scheduling.ends
        if ends is not None:
            self.book(unit, job.id, ends)
        await self._go_on(unit, begun)

    async def _go_on(self, unit: Unit, job: Job) -> None:
        ends = None if job.scheduling is None else job.scheduling.ends
        if ends is not None and ends <= unit.now and not job.closed:
            await self._end(unit, job)
            return
        progress = await self.progress(unit, job.id)
        if not progress.rolled_out and not is_open(job.windows, unit.now):
            for begins in upcoming(job.windows, unit.now, 1):
                self.book(unit, job.id, begins)
            return
        if not progress.rolled_out:
            await self._roll_out(unit, job, progress)
        await self.settle(unit, job.id)

    async def _end(self, unit: Unit, job: Job) -> None:
        assert job.scheduling is not None, "only a scheduled job ends"
        behavior = job.scheduling.end_behavior or "STOP_ROLLOUT"
        if behavior != "STOP_ROLLOUT":
            comment = f"The job reached its endTime; its endBehavior is {behavior}"
            await self.cancel(unit, job, force=behavior == "FORCE_CANCEL", reason_code=ENDED, comment=comment)
            return
        closed = msgspec.structs.replace(job, closed=True, updated=unit.now)
        await self.write(unit, job, closed)
        await self._change_progress(unit, job.id, rolled_out=True)
        await self.settle(unit, job.id)

    async def _roll_out(self, unit: Unit, job: Job, progress: Progress) -> None:
        if unit.now >= progress.minute + MINUTE:
            progress = msgspec.structs.replace(progress, minute=unit.now, in_minute=0)
        pace = rate(job.rollout, progress, self._limits.rollout_per_minute)
        room = STEP if pace is None else min(STEP, pace - progress.in_minute)
        if room <= 0:
            unit.put(self._records.progress, job.id, progress)
            self.book(unit, job.id, progress.minute + MINUTE)
            return
        made, looked = 0, 0
        while made < room and looked < LOOKED_AT and progress.target < len(job.targets):
            asked = room - made
            members = await self._members(job, progress, asked)
            for member in members:
                made += await self._give(unit, job, member)
            looked += max(len(members), 1)
            if len(members) < asked or job.targets[progress.target].kind == "thing":
                progress = msgspec.structs.replace(progress, target=progress.target + 1, after="")
            else:
                progress = msgspec.structs.replace(progress, after=members[-1].cursor)
        counts = (await self.progress(unit, job.id)).counts
        done = progress.target >= len(job.targets)
        progress = msgspec.structs.replace(
            progress,
            counts=counts,
            notified=progress.notified + made,
            in_minute=progress.in_minute + made,
            rolled_out=done,
        )
        unit.put(self._records.progress, job.id, progress)
        if not done:
            self.book(unit, job.id, unit.now)

    async def _members(self, job: Job, progress: Progress, limit: int) -> list[FleetMember]:
        target = job.targets[progress.target]
        if target.kind == "thing":
            return [FleetMember(target.name, 0.0, "")] if await self._fleet.exists(target.name) else []
        return await self._fleet.members(target.name, after=progress.after, limit=limit)

    async def _give(self, unit: Unit, job: Job, member: FleetMember) -> bool:
        """Give the job to a member that the rollout has come to; whether it got it."""
        if job.selection is TargetSelection.SNAPSHOT and member.since > job.created:
            return False
        return await self.give(unit, job, member.thing)

    async def _complete(self, unit: Unit, job: Job, progress: Progress) -> None:
        completed = msgspec.structs.replace(job, status=JobStatus.COMPLETED, updated=unit.now, completed=unit.now)
        await self.write(unit, job, completed)
        self.book(unit, job.id, _kept_until(completed))
        await self._events.of_job(unit, "completed", completed, progress)

    async def _sweep(self, unit: Unit, job: Job) -> None:
        """Cancel what a cancelled job has left."""
        progress = await self.progress(unit, job.id)
        if progress.swept:
            await self._expire(unit, job)
            return
        statuses = (ExecutionStatus.QUEUED, ExecutionStatus.IN_PROGRESS) if job.forced else (ExecutionStatus.QUEUED,)
        room = STEP
        for status in statuses:
            for stored in await self._records.executions.find("state", state_entry(job.id, status), limit=room):
                execution = await unit.get(self._records.executions, stored.key)
                room -= 1
                if execution is not None and execution.status is status:
                    await self._executions.replace(unit, execution, canceled(execution, unit.now, forced=job.forced))
        if (await self.progress(unit, job.id)).count(*statuses):
            self.book(unit, job.id, unit.now)
            return
        await self._change_progress(unit, job.id, swept=True)
        self.book(unit, job.id, _kept_until(job))
        await self._events.of_job(unit, "canceled", job)

    async def _expire(self, unit: Unit, job: Job) -> None:
        """Delete a job that ended long ago."""
        if _kept_until(job) <= unit.now:
            await self.delete(unit, job)
        else:
            self.book(unit, job.id, _kept_until(job))

    async def _delete(self, unit: Unit, job: Job) -> None:
        """Delete a job's executions, then the job. What pieces of work before in the same batch have made is not found
        yet, but counted."""
        found = await self._records.executions.find("job", job.id, limit=STEP)
        for stored in found:
            execution = await unit.get(self._records.executions, stored.key)
            if execution is not None:
                await self._executions.replace(unit, execution, None)
        if len(found) == STEP or (await self.progress(unit, job.id)).counts:
            self.book(unit, job.id, unit.now)
            return
        await self.write(unit, job, None)
        unit.delete(self._records.agenda, Appointment(_kept_until(job), job.id).key)
        unit.delete(self._records.texts, job.id)
        unit.delete(self._records.progress, job.id)
        unit.beside.append(self._delete_tags(job.id))
        await self._events.of_job(unit, "deleted", job)


def _kept_until(job: Job) -> float:
    """When a job that has ended is deleted."""
    return (job.completed or job.updated) + KEPT_DAYS * 86_400


def canceled(execution: Execution, now: float, *, forced: bool) -> Execution:
    """An execution as it is when it is cancelled."""
    return msgspec.structs.replace(
        execution, status=ExecutionStatus.CANCELED, updated=now, version=execution.version + 1, forced=forced
    )
