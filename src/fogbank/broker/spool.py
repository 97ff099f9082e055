"""What messages owe besides their delivery to clients: the actions of rules, above all.

It is entered into the journal while a message is delivered, and so the message is not acknowledged before this is on
disk. What is done before its commit begins never touches the disk.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fogbank.broker.journal import Journal
from fogbank.ports import Backlog, Backlogs

PREFIX = "spool:"
"""Before the names of the owners: sessions and groups have backlogs as well."""


class Spool:
    """Port Spool."""

    def __init__(self, journal: Journal, backlogs: Backlogs) -> None:
        self._journal = journal
        self._backlogs = backlogs
        self._last: dict[str, int] = {}
        """The highest numbers, by owner. Those of owners that were dropped are remembered: some of their work may still
        be under way, and must not be taken for what comes after it."""
        self._left: dict[str, int] = {}

    def load(self, waiting: dict[str, Backlog]) -> None:
        """Take what belongs here out of all that waits on disk."""
        for owner in [owner for owner in waiting if owner.startswith(PREFIX)]:
            self._left[owner.removeprefix(PREFIX)] = waiting.pop(owner).last
        self._last.update(self._left)

    @property
    def left(self) -> Mapping[str, int]:
        return MappingProxyType(self._left)

    def keep(self, owner: str, body: Callable[[], bytes]) -> int:
        number = self._last.get(owner, 0) + 1
        self._last[owner] = number
        self._journal.keep_body(PREFIX + owner, number, body)
        return number

    def done(self, owner: str, number: int) -> None:
        self._journal.discard(PREFIX + owner, number)

    def drop(self, owner: str) -> None:
        self._journal.discard_all(PREFIX + owner)

    async def read(self, owner: str, *, after: int = 0, limit: int | None = None) -> list[tuple[int, bytes]]:
        return await self._backlogs.read(PREFIX + owner, after=after, limit=limit)

    async def settled(self) -> None:
        await self._journal.settled()
