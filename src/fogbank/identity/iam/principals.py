"""Users and sessions on a connection or behind a request: who they are, and what they may do while they are there.

Each gets a store of its own, known here as long as anybody holds it: where a user or role changes, the identities of
all who are connected as it are told of.
"""

import logging
from collections.abc import Sequence
from weakref import WeakSet

import msgspec

from fogbank.arns import Arns
from fogbank.awswire.timestamps import to_second
from fogbank.clock import Clock
from fogbank.identity.access_keys import AccessKeyRecord, AccessKeys
from fogbank.identity.iam.changes import Changes, Touched
from fogbank.identity.iam.policies import Policies
from fogbank.identity.iam.records import Role, User
from fogbank.identity.iam.roles import Roles
from fogbank.identity.iam.seal import Session
from fogbank.identity.iam.users import Users
from fogbank.ports import Grant, Identity, PolicyDocument, PrincipalListener

log = logging.getLogger(__name__)

SESSION_POLICY = "session policy"
"""What `PolicyDocument.limit` says of it."""

_ALL_RIGHTS = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
_NO_RIGHTS = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}'

Variables = dict[str, str | Sequence[str]]


class Household:
    """All that is known of users, roles and their keys, for those who ask who somebody is."""

    def __init__(
        self,
        users: Users,
        roles: Roles,
        policies: Policies,
        keys: AccessKeys,
        changes: Changes,
        arns: Arns,
        clock: Clock,
    ) -> None:
        self.users = users
        self.roles = roles
        self.policies = policies
        self.keys = keys
        self.arns = arns
        self.clock = clock
        self._live: WeakSet[IamPrincipals] = WeakSet()
        self._listeners: list[PrincipalListener] = []
        changes.watch(self._tell)

    def watch(self, listener: PrincipalListener) -> None:
        """Await `listener` with the identities whose rights or status change, before the call is answered."""
        self._listeners.append(listener)

    def enter(self, principals: "IamPrincipals") -> None:
        """Tell of changes as long as anybody holds `principals`."""
        self._live.add(principals)

    async def _tell(self, touched: Touched) -> None:
        ids = frozenset(one.identity.id for one in list(self._live) if one.holder_id in touched)
        for listener in self._listeners if ids else ():
            try:
                await listener(ids)
            except Exception:
                log.exception("a watcher of principals failed; the change itself is stored")


class IamPrincipals:
    """The PrincipalStore of one connection or request: a user by an access key, or a session."""

    def __init__(self, household: Household, by: AccessKeyRecord | Session, holder: User | Role | None) -> None:
        """`holder` is None for a session of the root."""
        self._household = household
        self._by = by
        self._id = "" if holder is None else holder.id
        self.identity = self._identify(holder)
        household.enter(self)

    @property
    def holder_id(self) -> str:
        """The ID of the user or role."""
        return self._id

    @property
    def session(self) -> Session | None:
        """None: it signs with an access key of its own."""
        return self._by if isinstance(self._by, Session) else None

    async def identify(self, certificate: bytes) -> Identity:
        """A certificate has no say here."""
        return self.identity

    async def recheck(self, identity: Identity) -> Identity:
        """The identity as it stands: its key deactivated in the meantime, its session over, its role gone."""
        if why := await self._why_not():
            return msgspec.structs.replace(self.identity, active=False, reason=why)
        return self.identity

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        """All policies of the user or role, and those that bound its session."""
        by = self._by
        if await self._why_not():
            return Grant()
        bounds = await self._bounds(by) if isinstance(by, Session) else ()
        holder = await self._holder()
        if isinstance(holder, User):
            return Grant((*await self._household.users.documents(holder), *bounds))
        if isinstance(holder, Role):
            return Grant((*await self._household.roles.documents(holder), *bounds))
        return Grant((PolicyDocument("all rights of the root", _ALL_RIGHTS), *bounds))

    def watch(self, listener: PrincipalListener) -> None:
        """Whoever watches the household hears of this one too."""

    async def _why_not(self) -> str:
        by, household = self._by, self._household
        if isinstance(by, AccessKeyRecord):
            if household.keys.record(by.id) is None:
                return f"access key {by.id} is no longer active"
        elif household.clock.time() >= by.expires:
            return "the session has expired"
        elif not by.holder_id:
            return "" if household.keys.get(by.holder) is not None else f"access key {by.holder} is no longer active"
        holder = await self._holder()
        return "" if holder is not None and holder.id == self._id else "the user or role is no longer there"

    async def _holder(self) -> User | Role | None:
        by = self._by
        if isinstance(by, AccessKeyRecord):
            return await self._household.users.find(by.user or "")
        if by.name is not None:
            return await self._household.roles.find(by.holder)
        return await self._household.users.find(by.holder) if by.holder_id else None

    async def _bounds(self, session: Session) -> tuple[PolicyDocument, ...]:
        """A policy that is gone in the meantime allows nothing."""
        found = [] if session.policy is None else [PolicyDocument(SESSION_POLICY, session.policy, SESSION_POLICY)]
        for reference in session.policies:
            one = await self._household.policies.document(reference, SESSION_POLICY)
            found.append(one or PolicyDocument(reference, _NO_RIGHTS, SESSION_POLICY))
        return tuple(found)

    # --- what it is called ------------------------------------------------------------------------------------------

    def _identify(self, holder: User | Role | None) -> Identity:
        by, arns = self._by, self._household.arns
        prefix = f"arn:{arns.partition}:iam::{arns.account}"
        variables: Variables = {"aws:PrincipalAccount": arns.account} | _moment(self._household.clock.time())
        if isinstance(by, Session):
            variables["aws:TokenIssueTime"] = to_second(by.issued)
            variables |= {f"aws:PrincipalTag/{key}": value for key, value in by.tags.items()}
            variables |= by.context
            if by.source_identity is not None:
                variables["aws:SourceIdentity"] = by.source_identity
        if holder is not None:
            variables = {f"aws:PrincipalTag/{key}": value for key, value in holder.tags.items()} | variables
        if isinstance(holder, Role) and isinstance(by, Session):
            variables |= {"aws:PrincipalArn": self._household.roles.arn(holder), "aws:PrincipalType": "AssumedRole"}
            variables["aws:userid"] = id_ = f"{holder.id}:{by.name}"
            arn = f"arn:{arns.partition}:sts::{arns.account}:assumed-role/{holder.name}/{by.name}"
        elif isinstance(holder, User):
            arn, id_ = self._household.users.arn(holder), holder.id
            variables |= {"aws:PrincipalArn": arn, "aws:PrincipalType": "User", "aws:userid": id_}
            variables["aws:username"] = holder.name
        else:
            arn, id_ = f"{prefix}:root", arns.account
            variables |= {"aws:PrincipalArn": arn, "aws:PrincipalType": "Account", "aws:userid": id_}
        return Identity(id_, arn, active=True, attributes=variables)


def _moment(now: float) -> Variables:
    """When it was asked who it is: of a request the moment, of a connection that of its beginning."""
    return {"aws:CurrentTime": to_second(now), "aws:EpochTime": str(int(now))}
