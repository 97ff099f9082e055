"""What is to be done at a time: on disk, in the order of time, done by one task.

An appointment is deleted in the same commit that does what it asks for, so that it is done once, and is not lost where
the server is killed: then it is late.
"""

import asyncio
import logging

from fogbank.clock import Clock
from fogbank.errors import ServiceError
from fogbank.jobs.ledger import Ledger, Unit, Work
from fogbank.jobs.lifecycle import Lifecycle
from fogbank.jobs.records import Appointment, Records
from fogbank.ports import StorageError
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

AT_ONCE = 64
"""Appointments that are handed to the ledger together."""
LATER = 10.0
"""Seconds until the next try where the disk refuses."""


class Agenda:
    """Keeps appointments."""

    def __init__(self, records: Records, ledger: Ledger, lifecycle: Lifecycle, clock: Clock) -> None:
        self._records = records
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._clock = clock
        self._tasks = Tasks("jobs")
        self._changed = asyncio.Event()
        ledger.watch(records.agenda, self._changed.set)

    def start(self) -> None:
        """Begin with what is due."""
        self._tasks.start(self._run(), "agenda")

    async def close(self) -> None:
        """Keep no more of them until the next start."""
        await self._tasks.close()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                wait = await self._do_due()
            except (ServiceError, StorageError) as error:
                log.warning("jobs wait: %s", error)
                wait = LATER
            except Exception:
                log.exception("an appointment of jobs failed; next try in %d s", LATER)
                wait = LATER
            if wait != 0:
                await self._rest(wait)

    async def _do_due(self) -> float | None:
        """Do what is due. Seconds until the next appointment; None: there is none."""
        now = self._clock.time()
        first = await self._records.agenda.scan(limit=1)
        if not first or first[0].value.due > now:
            return first[0].value.due - now if first else None
        found = await self._records.agenda.scan(limit=AT_ONCE)
        due = [one.value for one in found if one.value.due <= now]
        kept = await asyncio.gather(*(self._ledger.run(self._keeping(one)) for one in due), return_exceptions=True)
        for problem in kept:
            if isinstance(problem, BaseException):
                raise problem
        return 0

    def _keeping(self, appointment: Appointment) -> Work[None]:
        async def keep(unit: Unit) -> None:
            if await unit.get(self._records.agenda, appointment.key) is None:
                return
            unit.delete(self._records.agenda, appointment.key)
            if appointment.execution:
                await self._lifecycle.expired(unit, appointment.execution)
            else:
                await self._lifecycle.step(unit, appointment.job)

        return keep

    async def _rest(self, seconds: float | None) -> None:
        """Until something is written to the agenda, or for so long."""
        if seconds is None:
            await self._changed.wait()
            return
        alarm = self._tasks.start(self._ring(seconds), "alarm")
        try:
            await self._changed.wait()
        finally:
            alarm.cancel()

    async def _ring(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._changed.set()
