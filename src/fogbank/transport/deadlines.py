"""Transports that have a limited time for something, and a bound on how many there are at once.

Where there are too many, the oldest goes. One timer serves them all.
"""

import asyncio
import resource
from collections import OrderedDict
from typing import cast

PACE = 0.25
"""The least time between two looks at who is overdue, as a part of the patience."""
MOST = 4096
"""How many there may be at once; never more than a quarter of the descriptors that the process may have."""


class Deadlines:
    """Who has how much time left, oldest first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int | None = None) -> None:
        self._loop = loop
        self._most = _bound() if most is None else most
        self._due: OrderedDict[asyncio.BaseTransport, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, transport: object) -> bool:
        return transport in self._due

    @property
    def patience(self) -> float:
        """Seconds that each has."""
        raise NotImplementedError

    def enter(self, transport: asyncio.BaseTransport) -> None:
        """From now on it has `patience`; whoever is in already gets it anew."""
        self._due[transport] = self._loop.time() + self.patience
        self._due.move_to_end(transport)
        if len(self._due) > self._most:
            self.displaced()
            abort(self._due.popitem(last=False)[0])
        if self._timer is None:
            self._timer = self._loop.call_later(self.patience, self._sweep)

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """It is done, or gone."""
        self._due.pop(transport, None)

    def close(self) -> None:
        """End them all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._due:
            abort(self._due.popitem()[0])

    def expired(self, transport: asyncio.BaseTransport) -> None:
        """Its time is over."""
        abort(transport)

    def displaced(self) -> None:
        """There are too many: the oldest is about to go."""

    def swept(self, overdue: int) -> None:
        """So many have just been ended, for their time was over."""

    def _sweep(self) -> None:
        self._timer = None
        now = self._loop.time()
        overdue = 0
        while self._due and next(iter(self._due.values())) <= now:
            self.expired(self._due.popitem(last=False)[0])
            overdue += 1
        self.swept(overdue)
        if self._due:
            soonest = next(iter(self._due.values())) - now
            self._timer = self._loop.call_later(max(soonest, PACE * self.patience), self._sweep)


def abort(transport: asyncio.BaseTransport) -> None:
    """End it now."""
    cast(asyncio.Transport, transport).abort()  # uvloop's transports do not inherit from asyncio's


def _bound() -> int:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if descriptors == resource.RLIM_INFINITY else min(MOST, descriptors // 4)
