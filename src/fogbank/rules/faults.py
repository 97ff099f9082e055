"""A log that tells of a fault when it begins and of its end, and not of each message in between."""

import logging

from fogbank.clock import Clock

QUIET = 60.0
"""Seconds after a fault was told in which its coming and going is not told again."""


class Faults:
    """The present faults of one rule, by what is at fault.

    A rule may see ten thousand messages a second; a dead target must cost one line, not ten thousand, and neither must
    a device whose every second message is a bad one.
    """

    def __init__(self, log: logging.Logger, rule: str, clock: Clock | None = None) -> None:
        """Without a `clock` every beginning and every end is told, however soon after the last one."""
        self._log = log
        self._rule = rule
        self._clock = clock
        self._present: set[str] = set()
        self._untold: set[str] = set()
        self._told: dict[str, float] = {}

    def report(self, what: str, reason: str, error: BaseException | None = None) -> None:
        """Log that `what` of the rule failed, unless that is known already. `error` adds its traceback."""
        if what in self._present and what not in self._untold:
            return
        self._present.add(what)
        if self._clock is not None:
            now = self._clock.monotonic()
            if now - self._told.get(what, -QUIET) < QUIET:
                self._untold.add(what)
                return
            self._untold.discard(what)
            self._told[what] = now
        self._log.warning("rule %s: %s: %s", self._rule, what, reason, exc_info=error)

    def clear(self, what: str) -> None:
        """Log that `what` works again, if it was at fault."""
        if what in self._present:
            self._present.discard(what)
            if what not in self._untold:
                self._log.info("rule %s: %s: works again", self._rule, what)
            self._untold.discard(what)
