"""What roles may do when a service acts in their name: the roles of rule actions.

AWS assumes the role and signs with its session; here the two questions that this comes to are asked directly, before
each action: does the role's trust policy let the service assume it, and do the role's policies allow the action. What a
role comes to is remembered until anything in IAM changes, since rules ask thousands of times a second.

While the account has neither a role nor a user there is nobody but the root, whose rules name roles that were made
elsewhere, or up. Then they do what they are told, unless `strict`. With the first role or user, all roles count.
"""

from collections.abc import Sequence

import msgspec

from fogbank.arns import Arns
from fogbank.awswire.timestamps import to_second
from fogbank.clock import Clock
from fogbank.errors import Forbidden
from fogbank.identity.iam.changes import Changes
from fogbank.identity.iam.records import Role
from fogbank.identity.iam.roles import Roles
from fogbank.identity.iam.users import Users
from fogbank.policy import Asker, BoundPolicies, PolicySet, Trust, TrustPolicy

IOT = "iot.amazonaws.com"
_REMEMBERED = 1024
_REMEMBERED_ASKED = 4096
_TIMES = ("aws:currenttime", "aws:epochtime")

Context = dict[str, str | Sequence[str]]


class _Known(msgspec.Struct, frozen=True):
    """What a role comes to."""

    trust: TrustPolicy
    trusted: Trust | None
    """What the trust policy always says; None: that depends on who asks when."""
    policies: BoundPolicies
    timed: bool
    """Whether policies look at the time."""


class RoleRights:
    """Implements `ports.RoleRights` for one service."""

    def __init__(
        self,
        roles: Roles,
        users: Users,
        changes: Changes,
        arns: Arns,
        clock: Clock,
        *,
        strict: bool = False,
        service: str = IOT,
    ) -> None:
        self._roles = roles
        self._users = users
        self._strict = strict
        self._unused: bool | None = None
        """Whether the account has neither roles nor users; None: it must be looked up."""
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._asker = Asker("Service", (service,))
        self._known: dict[str, _Known] = {}
        self._allowed: set[tuple[str, str, str]] = set()
        """Roles, actions and resources of which the answer was yes, and will be until something changes."""
        self._count = changes.count

    async def check(self, role_arn: str, action: str, resource: str, *, source: str | None = None) -> None:
        """Raise Forbidden, with the reason, where the role may not do `action` on the ARN `resource`."""
        self._look_out()
        asked = (role_arn, action, resource)
        if asked in self._allowed or await self.trusted():
            return
        known = await self._find(role_arn)
        trust = known.trusted or known.trust.decide(self._asker, self._asked(source))
        if not trust.allowed:
            raise _unable(role_arn, trust.reason)
        decision = known.policies.decide(action, resource, self._moment() if known.timed else None)
        if not decision.allowed:
            raise Forbidden(f"Role {role_arn} is not authorized to perform {action}: {decision.reason}")
        # Nothing has been awaited since the role was found as it is now: so this holds for `_count`, too.
        if known.trusted is not None and not known.timed:
            if len(self._allowed) >= _REMEMBERED_ASKED:
                self._allowed.clear()
            self._allowed.add(asked)

    async def trusted(self) -> bool:
        """Whether all roles are taken for good, since there is nobody but the root."""
        return not self._strict and await self._is_unused()

    @property
    def still_trusted(self) -> bool:
        """Whether `trusted` was found to be so, and nothing has changed since."""
        self._look_out()
        return not self._strict and self._unused is True

    def _look_out(self) -> int:
        """Forget what was known before a change; how many there have been."""
        count = self._changes.count
        if count != self._count:
            self._known.clear()
            self._allowed.clear()
            self._unused = None
            self._count = count
        return count

    async def _is_unused(self) -> bool:
        while True:
            count = self._look_out()
            if self._unused is not None:
                return self._unused
            unused = not await self._roles.all() and not await self._users.all()
            if count == self._changes.count:
                self._unused = unused

    async def _find(self, role_arn: str) -> _Known:
        while True:
            count = self._look_out()
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
        documents = await self._roles.documents(role)
        policies = PolicySet.compile(documents).bind(self._variables(role))
        trust = TrustPolicy.parse(role.trust)
        trusted = None if trust.references else trust.decide(self._asker, {})
        timed = any(word in one.document.lower() for one in documents for word in _TIMES)
        return _Known(trust, trusted, policies, timed)

    def _variables(self, role: Role) -> Context:
        tags = {f"aws:PrincipalTag/{key}": value for key, value in role.tags.items()}
        return {
            **tags,
            "aws:PrincipalArn": self._roles.arn(role),
            "aws:PrincipalAccount": self._arns.account,
            "aws:PrincipalType": "AssumedRole",
        }

    def _asked(self, source: str | None) -> Context:
        context = self._moment() | {"aws:SourceAccount": self._arns.account}
        return context if source is None else context | {"aws:SourceArn": source}

    def _moment(self) -> Context:
        now = self._clock.time()
        return {"aws:CurrentTime": to_second(now), "aws:EpochTime": str(int(now))}


def _unable(role_arn: str, why: str) -> Forbidden:
    return Forbidden(f"Unable to assume role {role_arn}: {why}")
