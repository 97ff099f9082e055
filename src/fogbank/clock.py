"""Time as a port, so that every test which waits can say how long in no time at all."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the services know of time. The real one is `SystemClock`; tests use `fogbank.testing.FakeClock`."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""
        ...


class SystemClock:
    """The machine's own clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def milliseconds(clock: Clock) -> int:
    """The epoch in milliseconds, the unit of AWS's lifecycle events and of SQL's `timestamp()`."""
    return int(clock.time() * 1000)
