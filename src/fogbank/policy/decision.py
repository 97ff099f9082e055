"""What an evaluation comes to."""

from collections.abc import Callable

import msgspec


class StatementRef(msgspec.Struct, frozen=True):
    """Which statement decided. `number` counts from 1."""

    policy: str
    number: int
    sid: str | None = None

    @property
    def short(self) -> str:
        """Its name where it goes without saying whose it is."""
        return f"statement {self.number}" if self.sid is None else f"statement {self.number} ({self.sid!r})"

    def __str__(self) -> str:
        return f"{self.short} of policy {self.policy!r}"


class Decision:
    """Whether a request is allowed, and why. The reason is put into words only when somebody reads it."""

    __slots__ = ("_reason", "allowed", "statement")

    def __init__(self, allowed: bool, reason: str | Callable[[], str], statement: StatementRef | None = None) -> None:
        self.allowed = allowed
        self.statement = statement
        """The statement that allowed or denied; None where none did."""
        self._reason = reason

    @property
    def reason(self) -> str:
        """A sentence for a person."""
        return self._reason if isinstance(self._reason, str) else self._reason()

    def __repr__(self) -> str:
        return f"Decision(allowed={self.allowed}, reason={self.reason!r}, statement={self.statement!r})"
