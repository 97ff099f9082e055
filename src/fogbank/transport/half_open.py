"""Connections that have not said anything whole yet: a deadline for each, and a bound on how many there are.

A flood of connections that never finish their handshake, or send a request a byte a minute, must cost neither the
memory nor the descriptors that those need who have something to say. Where there are too many, the oldest goes: who is
honest is done within a moment.
"""

import asyncio
import logging

from fogbank.transport.deadlines import Deadlines

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds for a TLS handshake, and again for an MQTT CONNECT or the head of an HTTP request."""


class HalfOpen(Deadlines):
    """Who is half-open. A flood of connections must not become one of the log: each look makes a line or two."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int | None = None) -> None:
        super().__init__(loop, most)
        self._displaced = 0

    @property
    def patience(self) -> float:
        return PATIENCE

    def displaced(self) -> None:
        self._displaced += 1

    def swept(self, overdue: int) -> None:
        if overdue:
            log.info("%d connections ended that had said nothing whole within %g seconds", overdue, PATIENCE)
        if self._displaced:
            log.warning("%d connections ended: more than %d were half-open", self._displaced, self._most)
            self._displaced = 0
