"""Messages whose statement has to wait for answers of the world: a bounded line, evaluated side by side.

Whatever order the answers come in, outcomes are handed on in the order of the messages; so one that waits long holds up
the later ones of its rule, for as long as the functions' time limits let it, and nothing else.
"""

from collections import deque
from collections.abc import Callable

from fogbank.message import Message
from fogbank.sql import Answers, Event, Outcome, Query
from fogbank.tasks import Tasks

MAX_WAITING = 1000
"""Messages of one rule that wait for answers, or for those before them; beyond that the newest is lost."""
MAX_WAITING_BYTES = 8 * 1024 * 1024
"""Payloads among them."""
WORKERS = 16
"""Messages of one rule for which answers are waited for at once."""


class Question:
    """One message, and what its evaluation came to."""

    __slots__ = ("answers", "error", "event", "message", "outcome", "row")

    def __init__(self, message: Message, event: Event, answers: Answers, row: int = 0) -> None:
        """`row` is where the message is kept on disk; 0: it is not."""
        self.message = message
        self.event = event
        self.answers = answers
        self.row = row
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        """Set where the evaluation raised, which is a fault of ours."""


class Asking:
    """The line of one rule. An idle line has no task."""

    def __init__(self, query: Query, settle: Callable[[Question], None], tasks: Tasks, name: str) -> None:
        """`settle` is told of each message, in their order; it must not raise."""
        self._query = query
        self._settle = settle
        self._tasks = tasks
        self._name = name
        self._waiting: deque[Question] = deque()
        self._ordered: deque[Question] = deque()
        self._bytes = 0
        self._workers = 0

    def has_room(self, size: int) -> bool:
        """Whether at most half as many wait as may with so many bytes more, or nobody does at all."""
        if not self._ordered:
            return True
        return len(self._ordered) < MAX_WAITING // 2 and self._bytes + size <= MAX_WAITING_BYTES // 2

    def put(self, question: Question) -> bool:
        """Take a message; False where too many wait already."""
        size = len(question.message.payload)
        if len(self._ordered) >= MAX_WAITING or (self._ordered and self._bytes + size > MAX_WAITING_BYTES):
            return False
        self._bytes += size
        self._waiting.append(question)
        self._ordered.append(question)
        if self._workers < WORKERS:
            self._workers += 1
            self._tasks.start(self._work(), f"{self._name}.asking")
        return True

    async def _work(self) -> None:
        try:
            while self._waiting:
                question = self._waiting.popleft()
                try:
                    question.outcome = await self._query.evaluate_asking(question.event, question.answers)
                except Exception as error:
                    question.error = error
                self._release()
        finally:
            self._workers -= 1

    def _release(self) -> None:
        """Hand on all that are done and have nobody before them."""
        ordered = self._ordered
        while ordered and (ordered[0].outcome is not None or ordered[0].error is not None):
            question = ordered.popleft()
            self._bytes -= len(question.message.payload)
            self._settle(question)
