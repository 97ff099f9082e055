"""The shadow service's rates: requests a second to one shadow, and to all shadows of the account.

They are counted by windows of a second, from the first request after the last window's end on: two additions a request,
and nothing to be kept of shadows that are quiet. Where rates do not bind, the windows are longer, so that who restarts
a device or runs a suite of tests is not told off, and a shadow that passes its rate is named in the log, once.
"""

import logging

from fogbank.clock import Clock
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.topics import ShadowId

log = logging.getLogger(__name__)

FORGIVEN = 5
"""Seconds of a window where rates do not bind."""
NAMED = 10
"""Shadows that are named in the log; a load test is not to fill it."""


class ShadowRates:
    """Counts requests. With `--limits open` it counts nothing."""

    def __init__(self, limits: ShadowLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._seconds = 1 if limits.rates_bind else FORGIVEN
        self._most = None if limits.rate is None else limits.rate * self._seconds
        self._most_of_all = limits.account_rate * self._seconds
        self._since = clock.monotonic()
        self._counts: dict[ShadowId, int] = {}
        self._count = 0
        self._named: set[ShadowId | None] = set()

    def admit(self, shadow: ShadowId) -> bool:
        """Count a request; whether it is to be served."""
        if self._most is None:
            return True
        now = self._clock.monotonic()
        if now - self._since >= self._seconds:
            self._since = now
            self._counts.clear()
            self._count = 0
        self._count += 1
        self._counts[shadow] = count = self._counts.get(shadow, 0) + 1
        if count > self._most:
            return self._passed(shadow, f"shadow {shadow}", self._limits.rate or 0)
        if self._count > self._most_of_all:
            return self._passed(None, "all shadows together", self._limits.account_rate)
        return True

    def _passed(self, shadow: ShadowId | None, who: str, rate: int) -> bool:
        binds = self._limits.rates_bind
        if shadow not in self._named and len(self._named) < NAMED:
            self._named.add(shadow)
            fate = "the excess is refused" if binds else "with AWS IoT the excess is refused"
            log.warning("%s: more than %d requests a second; %s", who, rate, fate)
        return not binds
