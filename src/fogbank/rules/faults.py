"""A log that tells of a fault when it begins and of its end, and not of each message in between."""

import logging


class Faults:
    """The present faults of one rule, by what is at fault.

    A rule may see ten thousand messages a second; a dead target must cost one line, not ten thousand.
    """

    def __init__(self, log: logging.Logger, rule: str) -> None:
        self._log = log
        self._rule = rule
        self._present: set[str] = set()

    def report(self, what: str, reason: str, error: BaseException | None = None) -> None:
        """Log that `what` of the rule failed, unless that is known already. `error` adds its traceback."""
        if what not in self._present:
            self._present.add(what)
            self._log.warning("rule %s: %s: %s", self._rule, what, reason, exc_info=error)

    def clear(self, what: str) -> None:
        """Log that `what` works again, if it was at fault."""
        if what in self._present:
            self._present.discard(what)
            self._log.info("rule %s: %s: works again", self._rule, what)
