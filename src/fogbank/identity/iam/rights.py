"""Whether a user or session may do something to some resources, in AWS's words where it may not."""

import logging
from collections.abc import Iterable

from fogbank.identity.iam.errors import AccessDenied
from fogbank.identity.iam.holders import BOUNDARY
from fogbank.identity.iam.principals import SESSION_POLICY
from fogbank.policy import Decision, PolicySet, connection_variables
from fogbank.policy.variables import Values
from fogbank.ports import Grant, Identity, PolicyDocument, PrincipalStore

log = logging.getLogger(__name__)

IDENTITY = "identity-based policy"
_KINDS = (None, SESSION_POLICY, BOUNDARY)
_NAMES = {None: IDENTITY, SESSION_POLICY: SESSION_POLICY, BOUNDARY: BOUNDARY}


class Rights:
    """What somebody may do, as of one moment."""

    def __init__(self, identity: Identity, grant: Grant, source_ip: str | None = None) -> None:
        self._identity = identity
        variables = connection_variables(identity, source_ip=source_ip)
        self._bound = {
            kind: PolicySet.compile(_plain(one for one in grant.policies if one.limit == kind)).bind(variables)
            for kind in _KINDS
            if kind is None or any(one.limit == kind for one in grant.policies)
        }

    @staticmethod
    async def of(identity: Identity, principals: PrincipalStore, source_ip: str | None = None) -> "Rights":
        """As they stand now."""
        return Rights(identity, await principals.grant(identity, None), source_ip)

    def why_not(self, action: str, resource: str, context: Values | None = None, *, given: bool = False) -> str | None:
        """Why not, as a clause; None: it is allowed. `given`: the right is given elsewhere, and only bounded here.

        An explicit denial anywhere comes first, then what gives rights, then what bounds them (IAM user guide,
        "Policy evaluation logic").
        """
        decisions = {kind: bound.decide(action, resource, context) for kind, bound in self._bound.items()}
        for kind, decision in decisions.items():
            if _denied(decision):
                return f"with an explicit deny in a{'n' if kind is None else ''} {_NAMES[kind]}"
        for kind, decision in decisions.items():
            if not decision.allowed and not (given and kind is None):
                return f"because no {_NAMES[kind]} allows the {action} action"
        return None

    def check(self, action: str, resources: Iterable[str], context: Values | None = None) -> None:
        """Raise AccessDenied for the first resource on which the action is not allowed. The log tells which statement
        it was, or which was missing, which is nobody else's business."""
        for resource in resources:
            if why := self.why_not(action, resource, context):
                decisions = [bound.decide(action, resource, context) for bound in self._bound.values()]
                reasons = "; ".join(one.reason for one in decisions if not one.allowed)
                log.info("%s may not do %s: %s", self._identity.arn, action, reasons)
                raise denied(self._identity, action, resource, why)


def denied(identity: Identity, action: str, resource: str, why: str = "") -> AccessDenied:
    """AWS's text (IAM user guide, "Troubleshoot access denied error messages"); `why` is a clause."""
    text = f"User: {identity.arn} is not authorized to perform: {action} on resource: {resource}"
    return AccessDenied(f"{text} {why}" if why else text)


def _plain(documents: Iterable[PolicyDocument]) -> list[PolicyDocument]:
    return [PolicyDocument(one.name, one.document) for one in documents]


def _denied(decision: Decision) -> bool:
    return not decision.allowed and decision.statement is not None
