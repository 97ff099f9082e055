"""What names mean while an expression is evaluated."""

from collections.abc import Callable
from typing import TypeAlias

from fogbank.sql.event import Event
from fogbank.sql.values import Value
from fogbank.sql.version import Version


class Scope:
    """The message, and where names are looked up: `element` is the payload, or a nested SELECT's current element."""

    __slots__ = ("element", "event", "outer", "variables", "version")

    def __init__(
        self,
        event: Event,
        version: Version,
        element: Value,
        variables: dict[str, Value],
        outer: "Scope | None" = None,
    ) -> None:
        self.event = event
        self.version = version
        self.element = element
        self.variables = variables
        self.outer = outer

    def within(self, element: Value) -> "Scope":
        """The scope of a nested SELECT at `element`."""
        return Scope(self.event, self.version, element, self.variables, self)


Evaluate: TypeAlias = Callable[[Scope], Value]
"""A compiled expression."""
