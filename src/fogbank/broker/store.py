"""A persistent session's messages on disk, and which of them are in memory as well.

A run that is owed to the session is a row on disk, and rows are numbered. Those up to `loaded` are in memory, in the
session's queue or on their way to the client; those after it, up to `last`, are on disk alone and are read when their
turn comes: a session that is away costs no memory, however much waits for it.

A row goes when all its messages have arrived, so that after a crash some that did may come again, which QoS 1 allows.
QoS 2 does not, and its rows hold one message each. When such a message is given its packet identifier, its row moves to
a number before those of all that wait, and after those of all that moved before it. So after a crash those rows are
read first, and their identifiers are known before any other message could be given one of them. They have a count of
their own: their first numbers may be given again, where nothing waits any more when the server starts.
"""

from fogbank.broker.journal import Journal
from fogbank.broker.runs import Row, Run
from fogbank.ports import Backlog, Backlogs

WAITING, SENT, RELEASED = range(3)
"""Steps of the delivery of a QoS 2 message; those of QoS 1 are always WAITING."""

ON_THE_WAY = 1 << 62
"""By how much lower the numbers of rows are that are SENT or RELEASED. These and the others begin at 1."""


class Store:
    """What is kept for one owner: a session, or a group of shared subscriptions."""

    __slots__ = ("_backlogs", "_journal", "_moved", "last", "loaded", "messages", "owner", "size")

    def __init__(self, owner: str, journal: Journal, backlogs: Backlogs, backlog: Backlog | None = None) -> None:
        self.owner = owner
        self.messages = 0 if backlog is None else backlog.messages
        """How many have not arrived."""
        self.size = 0 if backlog is None else backlog.size
        self.last = 0 if backlog is None else max(0, backlog.last)
        self.loaded = 0 if backlog is None else -ON_THE_WAY
        self._moved = 0
        """How many rows have moved, counted from the oldest that is there; known once those on disk have been read."""
        self._journal = journal
        self._backlogs = backlogs

    @property
    def behind(self) -> bool:
        """Whether messages are on disk alone."""
        return self.loaded < self.last

    def keep(self, run: Run, *, in_memory: bool) -> Run:
        """Enter a run into the journal; the run with its row."""
        self.last += 1
        run = run.kept_in(Row(self.last, run.count, run.count))
        self.messages += run.count
        self.size += len(run.frames)
        self._journal.keep(self.owner, self.last, run)
        if in_memory:
            self.loaded = self.last
        return run

    def progress(self, run: Run, step: int) -> None:
        """A QoS 2 message has come a step further; to be durable before the client is told."""
        row = run.row
        assert row is not None
        if row.number > 0:
            self._journal.discard(self.owner, row.number)
            self._moved += 1
            row.number = self._moved - ON_THE_WAY
        self._journal.replace(self.owner, row.number, run.encode(step))

    def done(self, run: Run, count: int) -> None:
        """`count` more messages of a run have arrived, or are not wanted any more."""
        row = run.row
        if row is not None:
            self.messages -= count
            self.size = self.size - count * run.size if self.messages else 0  # rows found on disk took more than that
            row.remaining -= count
            if not row.remaining:
                self._journal.discard(self.owner, row.number)

    async def read(self, limit: int) -> tuple[list[tuple[int, Run]], int]:
        """The next runs from disk, each with its step, and what `loaded` is once they have been taken into memory."""
        last = self.last
        rows = await self._backlogs.read(self.owner, after=self.loaded, limit=limit)
        if not rows:
            await self._journal.settled()  # what has come since then is not to be found yet
            rows = await self._backlogs.read(self.owner, after=self.loaded, limit=limit)
        for number, _ in rows:
            if number < 0:
                self._moved = max(self._moved, number + ON_THE_WAY)
        # without any, what is missing was discarded, or could not be written
        return [Run.decode(number, body) for number, body in rows], rows[-1][0] if rows else last

    def end(self) -> None:
        """The owner is gone."""
        self._journal.discard_all(self.owner)
