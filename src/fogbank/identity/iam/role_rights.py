"""What roles may do when a service acts in their name: the roles of rule actions.

AWS assumes the role and signs with its session; here the two questions that this comes to are asked directly, before
each action: does the role's trust policy let the service assume it, and do the role's policies allow the action. What a
role comes to is remembered until anything in IAM changes, since rules ask thousands of times a second.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import Forbidden
from fogbank.identity.iam.changes import Changes
from fogbank.identity.iam.records import Role
from fogbank.identity.iam.roles import Roles
from fogbank.policy import Asker, BoundPolicies, PolicySet, TrustPolicy

IOT = "iot.amazonaws.com"
_REMEMBERED = 1024

Context = dict[str, str | Sequence[str]]


class _Known(msgspec.Struct, frozen=True):
    trust: TrustPolicy
    policies: BoundPolicies


class RoleRights:
    """Implements `ports.RoleRights` for one service."""

    def __init__(self, roles: Roles, changes: Changes, arns: Arns, clock: Clock, service: str = IOT) -> None:
        self._roles = roles
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._asker = Asker("Service", (service,))
        self._known: dict[str, _Known] = {}
        self._count = changes.count

    async def check(self, role_arn: str, action: str, resource: str, *, source: str | None = None) -> None:
        """Raise Forbidden, with the reason, where the role may not do `action` on the ARN `resource`."""
        known = await self._find(role_arn)
        context = self._moment()
        asked: Context = context | {"aws:SourceAccount": self._arns.account}
        if source is not None:
            asked["aws:SourceArn"] = source
        trust = known.trust.decide(self._asker, asked)
        if not trust.allowed:
            raise _unable(role_arn, trust.reason)
        decision = known.policies.decide(action, resource, context)
        if not decision.allowed:
            raise Forbidden(f"Role {role_arn} is not authorized to perform {action}: {decision.reason}")

    async def _find(self, role_arn: str) -> _Known:
        while True:
            count = self._changes.count
            if count != self._count:
                self._known.clear()
                self._count = count
            known = self._known.get(role_arn)
            if known is not None:
                return known
            known = await self._read(role_arn)
            if count == self._changes.count:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[role_arn] = known
                return known

    async def _read(self, role_arn: str) -> _Known:
        role = await self._roles.by_arn(role_arn)
        if role is None:
            raise _unable(role_arn, "there is no such role in this account; create it with iam:CreateRole")
        policies = PolicySet.compile(await self._roles.documents(role)).bind(self._variables(role))
        return _Known(TrustPolicy.parse(role.trust), policies)

    def _variables(self, role: Role) -> Context:
        tags = {f"aws:PrincipalTag/{key}": value for key, value in role.tags.items()}
        return {
            **tags,
            "aws:PrincipalArn": self._roles.arn(role),
            "aws:PrincipalAccount": self._arns.account,
            "aws:PrincipalType": "AssumedRole",
        }

    def _moment(self) -> Context:
        now = self._clock.time()
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"aws:CurrentTime": moment, "aws:EpochTime": str(int(now))}


def _unable(role_arn: str, why: str) -> Forbidden:
    return Forbidden(f"Unable to assume role {role_arn}: {why}")
