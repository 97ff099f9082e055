"""Continuous jobs follow their groups: things that join are given the job, things that leave lose it.

The registry tells which things have changed; each is then held against the jobs that follow groups. What happened
while nobody listened (a server killed in between, more changes than there is room for) is found by going through the
groups and the pending executions of those jobs once.
"""

import asyncio
import logging
from collections.abc import Mapping

import msgspec

from fogbank.clock import Clock
from fogbank.jobs.executions import Executions
from fogbank.jobs.ledger import Ledger, Unit
from fogbank.jobs.lifecycle import Lifecycle
from fogbank.jobs.records import Execution, Job, Records, state_entry
from fogbank.jobs.states import PENDING, ExecutionStatus, JobStatus
from fogbank.jobs.windows import is_open
from fogbank.ports import Fleet
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

MOST_WAITING = 50_000
"""Things whose change has not been looked at yet; with more, all that matter are looked at."""
PAGE = 200
LATER = 10.0
"""Seconds until the next try where something fails."""


class Followers:
    """Keeps executions in step with the registry."""

    def __init__(
        self,
        records: Records,
        ledger: Ledger,
        executions: Executions,
        lifecycle: Lifecycle,
        fleet: Fleet,
        clock: Clock,
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._executions = executions
        self._lifecycle = lifecycle
        self._fleet = fleet
        self._clock = clock
        self._waiting: dict[str, None] = {}
        self._all = True
        self._tasks = Tasks("jobs")
        self._started = False
        self._running = False

    def start(self) -> None:
        """Begin with what happened while nobody listened."""
        self._started = True
        self._fleet.watch(self.changed)
        self._wake()

    def changed(self, things: frozenset[str]) -> None:
        """Look at these things soon."""
        if len(self._waiting) + len(things) > MOST_WAITING:
            self._waiting.clear()
            self._all = True
        else:
            self._waiting |= dict.fromkeys(things)
        self._wake()

    async def close(self) -> None:
        """Look no further; the next start does."""
        self._started = False
        await self._tasks.close()

    def _wake(self) -> None:
        if self._started and not self._running:
            self._running = True
            self._tasks.start(self._run(), "followers")

    async def _run(self) -> None:
        try:
            while self._all or self._waiting:
                await self._look()
        finally:
            self._running = False

    async def _look(self) -> None:
        try:
            if self._all:
                self._all = False
                await self._look_at_all()
            while self._waiting:
                thing = next(iter(self._waiting))
                del self._waiting[thing]
                await self._look_at(thing)
        except Exception:
            log.exception("jobs cannot follow their groups; next try in %d s", LATER)
            self._all = True
            await self._clock.sleep(LATER)

    async def _look_at_all(self) -> None:
        after = ""
        while jobs := await self._records.jobs.find("follower", "", after=after, limit=PAGE):
            after = jobs[-1].key
            for job in jobs:
                for group in job.value.groups:
                    cursor = ""
                    while members := await self._fleet.members(group, after=cursor, limit=PAGE):
                        cursor = members[-1].cursor
                        for member in members:
                            await self._look_at(member.thing)
        after = ""
        while jobs := await self._records.jobs.find("status", JobStatus.IN_PROGRESS.value, after=after, limit=PAGE):
            after = jobs[-1].key
            for job in jobs:
                await self._look_at_pending(job.key)

    async def _look_at_pending(self, job: str) -> None:
        for status in PENDING:
            after = ""
            entry = state_entry(job, status)
            while found := await self._records.executions.find("state", entry, after=after, limit=PAGE):
                after = found[-1].key
                for stored in found:
                    await self._look_at(stored.value.thing)

    async def _look_at(self, thing: str) -> None:
        """Hold a thing against what is stored first: nearly always there is nothing to change."""
        following = await self._following(thing)
        pending = await self._records.pending.scan(prefix=f"{thing}/", limit=1)
        if following or pending:
            await self._ledger.run(lambda unit: self._settle(unit, thing))
        else:
            await asyncio.sleep(0)  # reads do not wait for anything, and there may be thousands of things

    async def _following(self, thing: str) -> dict[str, float]:
        """The continuous jobs that are for one of the thing's groups, by ID, and since when it is in that group."""
        found: dict[str, float] = {}
        for group, since in (await self._fleet.groups_of(thing)).items():
            for stored in await self._records.jobs.find("follower", group):
                found[stored.key] = max(since, found.get(stored.key, since))
        return found

    async def _settle(self, unit: Unit, thing: str) -> None:
        following = await self._following(thing)
        exists = await self._fleet.exists(thing)
        for execution in await self._executions.pending(unit, thing, PAGE):
            job = await unit.get(self._records.jobs, execution.job)
            if not exists or (job is not None and self._has_left(job, thing, following)):
                await self._lifecycle.change(unit, execution, _removed(execution, unit.now))
        for job_id, since in following.items() if exists else ():
            job = await unit.get(self._records.jobs, job_id)
            if job is not None and job.follows:
                await self._give(unit, job, thing, since)

    async def _give(self, unit: Unit, job: Job, thing: str, since: float) -> None:
        """Who has joined is given the job at once, whatever the rate; who was there before, when the rollout comes."""
        before = await self._executions.current(unit, thing, job.id)
        if before is not None and before.status is not ExecutionStatus.REMOVED:
            return
        progress = await self._lifecycle.progress(unit, job.id)
        if not is_open(job.windows, unit.now):
            await self._lifecycle.postpone(unit, job)
        elif progress.rolled_out or since >= job.created or before is not None:
            await self._lifecycle.give(unit, job, thing)

    @staticmethod
    def _has_left(job: Job, thing: str, following: Mapping[str, float]) -> bool:
        named = any(target.kind == "thing" and target.name == thing for target in job.targets)
        return job.follows and not named and job.id not in following


def _removed(execution: Execution, now: float) -> Execution:
    return msgspec.structs.replace(
        execution, status=ExecutionStatus.REMOVED, updated=now, version=execution.version + 1
    )
