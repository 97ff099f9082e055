"""Trust policies: whether a role lets somebody assume it.

A statement that names a user or a session gives it the right by itself. One that names the account only lets the
account's own policies decide (IAM user guide, reference_policies_evaluation-logic): `Trust.delegated`.
"""

from functools import lru_cache

import msgspec

from fogbank.policy.document import Document, Effect, Statement, parse_trust
from fogbank.policy.principals import Asker
from fogbank.policy.variables import Values, Variables

ASSUME_ROLE = "sts:AssumeRole"


class Trust(msgspec.Struct, frozen=True):
    """What a trust policy says to somebody."""

    allowed: bool
    reason: str
    """A clause for a person."""
    delegated: bool = False
    """Allowed only where the asker's own policies allow it too."""


class TrustPolicy:
    """The trust policy of a role."""

    def __init__(self, document: Document) -> None:
        self._document = document

    @staticmethod
    def parse(text: str) -> "TrustPolicy":
        """A text met before is not parsed again. Raises MalformedPolicy."""
        return _parsed(text)

    @property
    def references(self) -> list[str]:
        """The condition keys and variables that it looks at."""
        return [name for statement in self._document.statements for name in statement.references]

    def decide(self, asker: Asker, context: Values, action: str = ASSUME_ROLE) -> Trust:
        """Whether `asker` may assume the role; `context` has the condition keys of the request."""
        variables, folded = Variables(context), action.lower()
        met = [one for one in self._document.statements if one.actions.match(folded) and _about(one, asker)]
        holding = [one for one in met if all(condition.holds(variables) for condition in one.conditions)]
        for one in holding:
            if one.effect is Effect.DENY:
                return Trust(False, f"statement {one.number} of its trust policy denies {action} to {asker.names[0]}")
        allowing = [one for one in holding if one.effect is Effect.ALLOW]
        if not allowing:
            return Trust(False, _missing(met, asker, action))
        direct = any(one.principals is not None and one.principals.name(asker) for one in allowing)
        return Trust(True, f"statement {allowing[0].number} of its trust policy allows it", delegated=not direct)


@lru_cache(maxsize=256)
def _parsed(text: str) -> TrustPolicy:
    return TrustPolicy(parse_trust(text))


def _about(statement: Statement, asker: Asker) -> bool:
    return statement.principals is not None and statement.principals.match(asker)


def _missing(met: list[Statement], asker: Asker, action: str) -> str:
    for one in met:
        if one.effect is Effect.ALLOW:
            failing = " and ".join(str(condition) for condition in one.conditions)
            return f"statement {one.number} of its trust policy allows it only where {failing}"
    return f"its trust policy does not allow {action} to {asker.names[0]}"
