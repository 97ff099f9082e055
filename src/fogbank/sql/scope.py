"""What names mean while an expression is evaluated."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from fogbank.sql.event import Chance, Event
from fogbank.sql.values import Value
from fogbank.sql.version import Version

if TYPE_CHECKING:
    from fogbank.sql.outside.answers import Known

NO_VARIABLES: Final[Mapping[str, Value]] = {}

MAX_WORK: Final = 2_000_000
"""Units of work that nested SELECTs may cause for one message, about a tenth of a microsecond each.

They multiply: one within the other, or an IN within one, looks at every pair of elements, and a payload of 128 KB has
room for a billion pairs. Meanwhile the messages of all others would wait.
"""


class TooMuchWork(Exception):
    """The statement takes more work for this message than it may. Never leaves the package."""


class Scope:
    """The message, and where names are looked up: `element` is the payload, or a nested SELECT's current element."""

    __slots__ = ("element", "event", "known", "outer", "variables", "version", "worked")

    def __init__(
        self,
        event: Event,
        version: Version,
        element: Value,
        variables: Mapping[str, Value] = NO_VARIABLES,
        known: "Known | None" = None,
        outer: "Scope | None" = None,
    ) -> None:
        self.event = event
        self.version = version
        self.element = element
        self.variables = variables
        self.known = known
        """What the world has answered; None where nobody can be asked."""
        self.outer = outer
        self.worked = 0

    @property
    def chance(self) -> Chance:
        """Where `newuuid()` and `rand()` get theirs from."""
        return self.event.chance if self.known is None else self.known.chance

    def work(self, units: int) -> None:
        """Account for work within a nested SELECT, or raise `TooMuchWork`."""
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        # An evaluation that asks the world runs in turns, and has one account for all of them.
        account = scope if scope.known is None else scope.known
        account.worked += units
        if account.worked > MAX_WORK:
            raise TooMuchWork

    def within(self, element: Value) -> "Scope":
        """The scope of a nested SELECT at `element`."""
        return Scope(self.event, self.version, element, self.variables, self.known, self)


Evaluate: TypeAlias = Callable[[Scope], Value]
"""A compiled expression."""
