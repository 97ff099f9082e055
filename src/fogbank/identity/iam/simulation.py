"""What policies would say: SimulatePrincipalPolicy and SimulateCustomPolicy.

It asks the code that decides on real requests, so that what it says is what would happen.
"""

from collections.abc import Iterable, Sequence

import msgspec

from fogbank.identity.iam.errors import InvalidInput, NoSuchEntity
from fogbank.identity.iam.holders import BOUNDARY
from fogbank.identity.iam.roles import Roles
from fogbank.identity.iam.texts import check_permissions
from fogbank.identity.iam.users import Users
from fogbank.policy import BoundPolicies, PolicySet
from fogbank.policy.variables import Values
from fogbank.ports import PolicyDocument


class Outcome(msgspec.Struct, frozen=True):
    """What one action on one resource comes to."""

    action: str
    resource: str
    decision: str
    """`allowed`, `explicitDeny` or `implicitDeny`."""
    policies: tuple[str, ...]
    """Those that had a say."""
    missing: tuple[str, ...]
    """Condition keys and variables that they look at and that were not given."""
    within_boundary: bool | None = None
    """Whether the permissions boundary allows it; None: there is none."""


class Simulator:
    """Answers for those who are there, and for policies that are handed in."""

    def __init__(self, users: Users, roles: Roles) -> None:
        self._users = users
        self._roles = roles

    async def held_by(self, arn: str) -> tuple[PolicyDocument, ...]:
        """The policies of the user or role of that ARN. Raises NoSuchEntity."""
        name = arn.rpartition("/")[2]
        user = await self._users.find(name)
        if user is not None and self._users.arn(user) == arn:
            return await self._users.documents(user)
        role = await self._roles.by_arn(arn)
        if role is None:
            raise NoSuchEntity(f"There is no user or role {arn}.")
        return await self._roles.documents(role)


def handed_in(texts: Iterable[str], member: str, limit: str | None = None) -> tuple[PolicyDocument, ...]:
    """Policies that are not stored, named by where they stand. Raises MalformedPolicyDocument."""
    found = [PolicyDocument(f"{member}.{number}", text, limit) for number, text in enumerate(texts, start=1)]
    for one in found:
        check_permissions(one.document)
    return tuple(found)


def simulate(
    documents: Sequence[PolicyDocument], actions: Sequence[str], resources: Sequence[str], context: Values
) -> list[Outcome]:
    """Each action on each resource. Raises InvalidInput where an action is none."""
    for action in actions:
        if ":" not in action:
            raise InvalidInput(f"Invalid action: {action}; write it as service:action")
    giving = [one for one in documents if one.limit is None]
    limits = [PolicyDocument(one.name, one.document) for one in documents if one.limit == BOUNDARY]
    bound = PolicySet.compile(giving).bind(context)
    boundary = PolicySet.compile(limits).bind(context) if limits else None
    return [_outcome(bound, boundary, action, resource) for action in actions for resource in resources]


def _outcome(bound: BoundPolicies, boundary: BoundPolicies | None, action: str, resource: str) -> Outcome:
    asked = [bound] if boundary is None else [bound, boundary]
    decisions = [one.decide(action, resource) for one in asked]
    denied = any(not one.allowed and one.statement is not None for one in decisions)
    allowed = all(one.allowed for one in decisions)
    verdicts = [entry for one in asked for entry in one.verdicts(action, resource).items()]
    return Outcome(
        action,
        resource,
        "explicitDeny" if denied else "allowed" if allowed else "implicitDeny",
        tuple(name for name, effect in verdicts if effect is not None),
        tuple(dict.fromkeys(name for one in asked for name in one.absent(action))),
        None if boundary is None else decisions[1].allowed,
    )
