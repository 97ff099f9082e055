"""Has done what the process before owed when it ended.

It begins when everything that actions may reach is up, and works beside the messages that come meanwhile: a dead target
holds up neither. What is left of a rule is submitted in its order, as long as less than half of the queue is taken, so
that what comes has room as well; it is read from disk in small parts, for there may be very much of it.

What a rule owes that is disabled, or that cannot be compiled any more, waits until the rule runs again. What is owed by
rules that are gone is dropped.
"""

import logging
from collections.abc import Collection
from typing import Protocol

import msgspec

from fogbank.clock import Clock
from fogbank.ports import Spool
from fogbank.rules.spool import Row
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

PAGE = 64
"""Rows that are read at a time: in memory some ten megabytes, where payloads are as large as AWS allows."""

PAUSE = 0.05
"""Seconds between two looks whether a rule has room for more."""


class Debtor(Protocol):
    """A rule that runs."""

    def has_room(self, size: int) -> bool:
        """Whether its actions can take a message of so many bytes, and more after it."""
        ...

    def resume(self, row: Row, number: int) -> None:
        """Do what is owed for a message; the row is told to be done when it is."""
        ...


class Recovery:
    """Knows what is left, and who is to do it."""

    def __init__(self, spool: Spool, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self._tasks = Tasks("rules-recovery")
        self._left: dict[str, int] = {}
        """The highest numbers of what nobody does yet, by rule."""
        self._debtors: dict[str, Debtor] = {}
        """Those that run and have something left, before `begin`."""
        self._begun = False

    def load(self, rules: Collection[str]) -> None:
        """Look what is left. `rules` are all there are."""
        for name, last in self._spool.left.items():
            if name in rules:
                self._left[name] = last
            else:
                self._spool.drop(name)

    def runs(self, name: str, debtor: Debtor) -> None:
        """A rule runs, in a new definition perhaps. What an earlier one has begun to do, that one does to the end."""
        if name in self._left:
            self._debtors[name] = debtor
            if self._begun:
                self._start(name)

    def stands_by(self, name: str) -> None:
        """A rule does not run any more."""
        self._debtors.pop(name, None)

    def gone(self, name: str) -> None:
        """A rule was deleted."""
        self.stands_by(name)
        self._left.pop(name, None)
        self._spool.drop(name)

    def begin(self) -> None:
        """All is up that actions may want to reach."""
        self._begun = True
        for name in list(self._debtors):
            self._start(name)

    async def close(self) -> None:
        """Leave the rest to the next process."""
        await self._tasks.close()

    def _start(self, name: str) -> None:
        self._tasks.start(self._recover(name, self._debtors.pop(name), self._left.pop(name)), name)

    async def _recover(self, name: str, debtor: Debtor, last: int) -> None:
        count = number = 0
        while rows := await self._spool.read(name, after=number, limit=PAGE):
            for number, body in rows:
                if number > last:
                    break
                row = self._decode(name, number, body)
                if row is not None:
                    while not debtor.has_room(2 * len(body)):
                        await self._clock.sleep(PAUSE)
                    debtor.resume(row, number)
                    count += 1
            if number >= last:
                break
        log.info("rule %s: the actions for %d messages that were under way before the start are done anew", name, count)

    def _decode(self, name: str, number: int, body: bytes) -> Row | None:
        try:
            return msgspec.msgpack.decode(body, type=Row)
        except msgspec.DecodeError as error:
            log.error("rule %s: a message that was under way before the start cannot be read: %s", name, error)
            self._spool.done(name, number)
            return None
