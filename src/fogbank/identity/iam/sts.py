"""Sessions: temporary keys for roles (AssumeRole), and for users and the root themselves (GetSessionToken)."""

import logging
from collections.abc import Mapping

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.identity.access_keys import AccessKeys
from fogbank.identity.iam import ids
from fogbank.identity.iam.errors import AccessDenied, PackedPolicyTooLarge, ValidationError
from fogbank.identity.iam.policies import Policies
from fogbank.identity.iam.principals import IamPrincipals
from fogbank.identity.iam.records import Role
from fogbank.identity.iam.rights import Rights, denied
from fogbank.identity.iam.roles import Roles
from fogbank.identity.iam.seal import Seal, Session
from fogbank.identity.iam.texts import check_permissions, size_of
from fogbank.identity.signer import root_identity
from fogbank.policy import Asker, TrustPolicy
from fogbank.policy.trust import ASSUME_ROLE
from fogbank.policy.variables import Values
from fogbank.ports import Identity, PrincipalStore

log = logging.getLogger(__name__)

SESSION = 3600
"""Seconds of a role's session where nothing else is asked for, and at most of one that a session asks for."""
USER_SESSION = 43_200
ROOT_SESSION = 3600
PACKED = 2048
"""Characters of session policies, and of tags, that fit into a token (STS API reference, PackedPolicySize)."""
_MOST_TAGS = 50


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller of AssumeRole asks for."""

    role_arn: str
    name: str
    """Of the session."""
    duration: int = SESSION
    policy: str | None = None
    """A document that bounds the session."""
    policy_arns: tuple[str, ...] = ()
    external_id: str | None = None
    tags: Mapping[str, str] = {}
    source_identity: str | None = None

    @property
    def context(self) -> Values:
        """The condition keys of the request."""
        context: dict[str, str | tuple[str, ...]] = {"sts:RoleSessionName": self.name}
        if self.external_id is not None:
            context["sts:ExternalId"] = self.external_id
        if self.source_identity is not None:
            context["sts:SourceIdentity"] = self.source_identity
        context |= {f"aws:RequestTag/{key}": value for key, value in self.tags.items()}
        return context | {"aws:TagKeys": tuple(self.tags)} if self.tags else context

    @property
    def actions(self) -> tuple[str, ...]:
        """All that must be allowed."""
        tag = ("sts:TagSession",) if self.tags else ()
        source = ("sts:SetSourceIdentity",) if self.source_identity is not None else ()
        return (ASSUME_ROLE, *tag, *source)


class Opened(msgspec.Struct, frozen=True):
    """A session that was just begun."""

    session: Session
    token: str
    arn: str = ""
    id: str = ""
    """`AROA...:name`"""
    packed: int | None = None
    """How much of the room for policies and tags is taken, in percent."""


class Sts:
    """Begins sessions. Callers are identities with the stores that know their rights; of the root the store is None."""

    def __init__(
        self, roles: Roles, policies: Policies, keys: AccessKeys, seal: Seal, arns: Arns, clock: Clock
    ) -> None:
        self._roles = roles
        self._policies = policies
        self._keys = keys
        self._seal = seal
        self._arns = arns
        self._clock = clock

    async def assume_role(
        self, caller: Identity | None, principals: PrincipalStore | None, wish: Wish, source_ip: str | None = None
    ) -> Opened:
        """Begin a session of a role. Raises AccessDenied, ValidationError, MalformedPolicyDocument, ...

        Unlike AWS's, the root may assume roles too, where they trust the account: its key is the one that everybody
        starts with here.
        """
        identity = caller or root_identity(self._arns, "")
        role = await self._trusting(identity, principals, wish, source_ip)
        if wish.duration > role.max_session:
            raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        if isinstance(principals, IamPrincipals) and principals.session is not None and wish.duration > SESSION:
            raise ValidationError(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
            )
        packed = await self._packed(wish)
        policies = tuple([(await self._policies.holding(arn))[0] for arn in wish.policy_arns])
        return self._open(role, wish, wish.duration, policies=policies, packed=packed)

    async def for_service(
        self, service: str, wish: Wish, *, source: str, context: Mapping[str, str] | None = None
    ) -> Opened:
        """Begin a session of a role for a service that hands it on (`credentials.iot.amazonaws.com`).

        `source` is the ARN of the resource on whose behalf it does that, which trust policies may ask for; `context`
        are policy variables of the session. The role's own bound on the duration binds, too. Raises AccessDenied.
        """
        role = await self.trusting_service(service, wish, source)
        return self._open(role, wish, min(wish.duration, role.max_session), dict(context or {}))

    async def trusting_service(self, service: str, wish: Wish, source: str) -> Role:
        """The role, if it lets the service assume it. Raises AccessDenied with the reason."""
        role = await self._roles.by_arn(wish.role_arn)
        asker = Asker("Service", (service,))
        asked = {**wish.context, "aws:SourceArn": source, "aws:SourceAccount": self._arns.account}
        trust = None if role is None else TrustPolicy.parse(role.trust).decide(asker, asked)
        if role is None or trust is None or not trust.allowed:
            why = "there is no such role in this account" if trust is None else trust.reason
            raise AccessDenied(f"{service} is not able to assume role {wish.role_arn}: {why}")
        return role

    async def session_token(
        self, key_id: str, caller: Identity | None, principals: PrincipalStore | None, duration: int | None
    ) -> Opened:
        """Begin a session of the caller itself, whose access key is `key_id`. Raises AccessDenied."""
        if caller is None:
            if self._keys.get(key_id) is None:
                raise AccessDenied("Cannot call GetSessionToken with session credentials")
            holder, holder_id = key_id, ""
            seconds = min(duration or ROOT_SESSION, ROOT_SESSION)
        else:
            if not isinstance(principals, IamPrincipals) or principals.session is not None:
                raise AccessDenied("Cannot call GetSessionToken with session credentials")
            holder, holder_id = str(caller.attributes["aws:username"]), caller.id
            seconds = duration or USER_SESSION
        now = self._clock.time()
        session = Session(
            key_id=ids.new_key_id(ids.SESSION_KEY),
            secret=ids.new_secret(),
            holder=holder,
            holder_id=holder_id,
            issued=now,
            expires=float(int(now) + seconds),
        )
        return Opened(session, self._seal.close(session))

    def _open(
        self,
        role: Role,
        wish: Wish,
        duration: int,
        context: dict[str, str] | None = None,
        *,
        policies: tuple[str, ...] = (),
        packed: int | None = None,
    ) -> Opened:
        now = self._clock.time()
        session = Session(
            key_id=ids.new_key_id(ids.SESSION_KEY),
            secret=ids.new_secret(),
            holder=role.name,
            holder_id=role.id,
            name=wish.name,
            issued=now,
            expires=float(int(now) + duration),
            policy=wish.policy,
            policies=policies,
            tags=dict(wish.tags),
            source_identity=wish.source_identity,
            context=context or {},
        )
        arn = f"arn:{self._arns.partition}:sts::{self._arns.account}:assumed-role/{role.name}/{wish.name}"
        return Opened(session, self._seal.close(session), arn, f"{role.id}:{wish.name}", packed)

    # --- checks -----------------------------------------------------------------------------------------------------

    async def _trusting(
        self, identity: Identity, principals: PrincipalStore | None, wish: Wish, source_ip: str | None
    ) -> Role:
        """The role, if it and the caller's own policies let the caller assume it. Raises AccessDenied.

        What the trust policy says in detail is for the log: it may hold the external ID that the caller ought to know.
        """
        role = await self._roles.by_arn(wish.role_arn)
        rights = None if principals is None else await Rights.of(identity, principals, source_ip)
        for action in wish.actions:
            why = self._why_not(role, identity, rights, wish, source_ip, action)
            if why:
                log.info("%s may not do %s on %s: %s", identity.arn, action, wish.role_arn, why)
                told = f"because {why}" if principals is None else ""
                raise denied(identity, action, wish.role_arn, told)
        assert role is not None, "nobody may assume a role that there is not"
        return role

    def _why_not(
        self,
        role: Role | None,
        identity: Identity,
        rights: Rights | None,
        wish: Wish,
        source_ip: str | None,
        action: str,
    ) -> str | None:
        if role is None:
            return "there is no such role"
        own = str(identity.attributes["aws:PrincipalArn"])
        names = tuple(dict.fromkeys((identity.arn, own)))
        asker = Asker("AWS", names, self._arns.account, self._arns.partition)
        context = {**identity.attributes, **wish.context}
        if source_ip is not None:
            context["aws:SourceIp"] = source_ip
        trust = TrustPolicy.parse(role.trust).decide(asker, context, action)
        if not trust.allowed:
            return trust.reason
        if rights is None:
            return None
        return rights.why_not(action, wish.role_arn, wish.context, given=not trust.delegated)

    async def _packed(self, wish: Wish) -> int | None:
        """How full the token is, in percent. Raises MalformedPolicyDocument, PackedPolicyTooLarge."""
        if wish.policy is not None:
            check_permissions(wish.policy)
        if len(wish.tags) > _MOST_TAGS:
            raise ValidationError(f"A session has at most {_MOST_TAGS} tags.")
        if wish.policy is None and not wish.policy_arns and not wish.tags:
            return None
        text = size_of(wish.policy or "") + sum(map(len, wish.policy_arns))
        tags = sum(len(key) + len(value) for key, value in wish.tags.items())
        percent = -(-100 * max(text, tags // 4) // PACKED)
        if percent > 100:
            raise PackedPolicyTooLarge(
                f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
            )
        return percent
