"""What the world has answered so far, and how an evaluation that needs more of it comes to its end."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from fogbank.errors import FogbankError
from fogbank.sql.event import CHANCE, Chance
from fogbank.sql.outside.errors import OutsideFailed
from fogbank.sql.outside.requests import Request
from fogbank.sql.outside.services import Outside
from fogbank.sql.version import Version

T = TypeVar("T")

MAX_REQUESTS: Final = 100
"""Different requests that one rule may make for one message. A call in a nested SELECT is made for every element."""


class Pending(Exception):
    """A closure needs the answer to `request`, which has not been asked yet. Never leaves this package."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.request = request


class Known(Protocol):
    """What closures see of the world."""

    worked: int
    """Work that nested SELECTs have caused so far; see `scope.MAX_WORK`."""

    @property
    def chance(self) -> Chance:
        """Where `newuuid()` and `rand()` get theirs from."""
        ...

    def to(self, request: Request) -> Any:
        """The answer as a value; `OutsideFailed` where there is none to be had, `Pending` where nobody has asked."""
        ...


class Answers:
    """What the world answered for one message of one rule: its statement and its templates ask nothing twice.

    That goes for equal arguments; `aws_lambda` with other input is another call. Evaluations that run beside each other
    may still ask the same at the same time. Answers are read, never changed.
    """

    def __init__(self, outside: Outside, version: Version, chance: Chance = CHANCE) -> None:
        self.chance = chance
        self.worked = 0
        self._outside = outside
        self._version = version
        self._known: dict[Request, Any] = {}

    def to(self, request: Request) -> Any:
        """The answer to what has been asked already; see `Known`."""
        if request not in self._known:
            raise Pending(request)
        answer = self._known[request]
        if isinstance(answer, OutsideFailed):
            raise answer.with_traceback(None)
        return answer

    async def complete(self, evaluate: Callable[[Known], T]) -> T:
        """What `evaluate` returns once all it needs is known. It is called again after each answer.

        Chance is the same in all of these turns: an argument that holds a `newuuid()` would else never be answered.
        """
        drawn = _Drawn(self)
        while True:
            drawn.rewind()
            try:
                return evaluate(drawn)
            except Pending as pending:
                await self._ask(pending.request)

    async def _ask(self, request: Request) -> None:
        if len(self._known) >= MAX_REQUESTS:
            raise OutsideFailed(f"{request.function}(): one message may cause {MAX_REQUESTS} calls, and has")
        try:
            answer = await request.ask(self._outside)
            self._known[request] = request.read(answer, self._version)
        except FogbankError as error:
            self._known[request] = _failure(request, error)


class _Drawn:
    """Answers, with what chance gave in the first turn given again in the next ones."""

    def __init__(self, answers: Answers) -> None:
        self.to = answers.to
        self.chance = Chance(lambda: self._draw(answers.chance.uuid), lambda: self._draw(answers.chance.fraction))
        self.worked = 0
        self._given: list[Any] = []
        self._next = 0

    def rewind(self) -> None:
        self._next = 0

    def _draw(self, draw: Callable[[], Any]) -> Any:
        if self._next == len(self._given):
            self._given.append(draw())
        self._next += 1
        return self._given[self._next - 1]


class CannedAnswers:
    """Answers given beforehand, one for each function whatever it is asked: for trying out statements.

    Each is the body that the service would send.
    """

    def __init__(self, answers: Mapping[str, bytes], version: Version, chance: Chance = CHANCE) -> None:
        self.chance = chance
        self.worked = 0
        self._answers = answers
        self._version = version

    def to(self, request: Request) -> Any:
        """The answer that was given for the function."""
        try:
            if request.function not in self._answers:
                raise OutsideFailed("no answer was given for it")
            return request.read(self._answers[request.function], self._version)
        except OutsideFailed as error:
            raise _failure(request, error) from None


def _failure(request: Request, error: FogbankError) -> OutsideFailed:
    failed = OutsideFailed(f"{request.function}() failed: {error}")
    failed.__cause__ = error
    return failed
