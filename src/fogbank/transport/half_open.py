"""Connections that have not said anything whole yet: a deadline for each, and a bound on how many there are.

A flood of connections that never finish their handshake, or send a request a byte a minute, must cost neither the
memory nor the descriptors that those need who have something to say. Where there are too many, the oldest goes: who is
honest is done within a moment.
"""

import asyncio
import logging
import resource
from collections import OrderedDict
from typing import cast

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds for a TLS handshake, and again for an MQTT CONNECT or the head of an HTTP request."""
MOST = 4096
"""How many may be half-open at once; never more than a quarter of the descriptors that the process may have."""
PACE = 0.25
"""The least time between two looks at who is overdue, as a part of `PATIENCE`."""


class HalfOpen:
    """Who is half-open, oldest first. One timer serves them all."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int | None = None) -> None:
        self._loop = loop
        self._most = _bound() if most is None else most
        self._due: OrderedDict[asyncio.BaseTransport, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._displaced = 0

    def __len__(self) -> int:
        return len(self._due)

    def enter(self, transport: asyncio.BaseTransport) -> None:
        """From now on it has `PATIENCE`; whoever is in already gets it anew."""
        self._due[transport] = self._loop.time() + PATIENCE
        self._due.move_to_end(transport)
        if len(self._due) > self._most:
            self._displaced += 1
            _abort(self._due.popitem(last=False)[0])
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self._sweep)

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """It has said something, or is gone."""
        self._due.pop(transport, None)

    def close(self) -> None:
        """End them all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._due:
            _abort(self._due.popitem()[0])

    def _sweep(self) -> None:
        self._timer = None
        now = self._loop.time()
        overdue = 0
        while self._due and next(iter(self._due.values())) <= now:
            _abort(self._due.popitem(last=False)[0])
            overdue += 1
        self._tell(overdue)
        if self._due:
            soonest = next(iter(self._due.values())) - now
            self._timer = self._loop.call_later(max(soonest, PACE * PATIENCE), self._sweep)

    def _tell(self, overdue: int) -> None:
        """One line however many there were: a flood of connections must not become one of the log."""
        if overdue:
            log.info("%d connections ended that had said nothing whole within %g seconds", overdue, PATIENCE)
        if self._displaced:
            log.warning("%d connections ended: more than %d were half-open", self._displaced, self._most)
            self._displaced = 0


def _abort(transport: asyncio.BaseTransport) -> None:
    cast(asyncio.Transport, transport).abort()  # uvloop's transports do not inherit from asyncio's


def _bound() -> int:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if descriptors == resource.RLIM_INFINITY else min(MOST, descriptors // 4)
