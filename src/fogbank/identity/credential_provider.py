"""The credential provider: a certificate for temporary keys of a role (developer guide, authorizing-direct-aws).

What must be so: the certificate's IoT policies allow `iot:AssumeRoleWithCertificate` on the role alias, the thing that
the device names is attached to its certificate, and the role trusts `credentials.iot.amazonaws.com`. Whoever is refused
is told no more than that; why is for the log and the trace.
"""

import logging

from fogbank.arns import Arns
from fogbank.awswire.timestamps import to_second
from fogbank.errors import Forbidden
from fogbank.identity.iam.errors import AccessDenied
from fogbank.identity.iam.sts import Opened, Sts, Wish
from fogbank.identity.role_aliases import RoleAliases
from fogbank.policy import PolicySet, connection_variables
from fogbank.ports import Identity, PrincipalStore, ThingContext
from fogbank.trace import Trace

log = logging.getLogger(__name__)

SERVICE = "credentials.iot.amazonaws.com"
ACTION = "iot:AssumeRoleWithCertificate"
_SESSION_NAME = 64
"""Characters of a session's name, which is the certificate ID: just as many."""


class CredentialProvider:
    """Gives devices sessions of roles."""

    def __init__(self, aliases: RoleAliases, sts: Sts, principals: PrincipalStore, arns: Arns, trace: Trace) -> None:
        """`principals` knows the rights of client certificates."""
        self._aliases = aliases
        self._sts = sts
        self._principals = principals
        self._arns = arns
        self._trace = trace

    async def credentials(
        self,
        device: Identity,
        alias: str,
        *,
        thing: str | None = None,
        source_ip: str | None = None,
        server_name: str | None = None,
    ) -> Opened:
        """A session of the alias's role. `thing`: as whom the device asks. Raises Forbidden, ResourceNotFound.

        The policy variables `credentials-iot:ThingName`, `ThingTypeName` and `AwsCertificateId` then say who it is.
        """
        grant = await self._principals.grant(device, thing)
        standing = grant.thing if grant.thing is not None and grant.thing.name == thing else None
        if thing is not None and (standing is None or not standing.attached):
            raise self._refused(device, alias, f"thing {thing} is not attached to the certificate")
        arn = self._aliases.arn(alias)
        variables = connection_variables(
            device, client_id=thing, thing=standing, source_ip=source_ip, domain_name=server_name
        )
        decision = PolicySet.compile(grant.policies).bind(variables).decide(ACTION, arn)
        if not decision.allowed:
            raise self._refused(device, alias, decision.reason)
        found = await self._aliases.get(alias)
        wish = Wish(role_arn=found.role_arn, name=device.id[:_SESSION_NAME], duration=found.duration)
        try:
            opened = await self._sts.for_service(SERVICE, wish, source=arn, context=_context(device, standing))
        except AccessDenied as denied:
            raise self._refused(device, alias, denied.message) from None
        self._trace.emit(
            "credentials",
            "success",
            name=alias,
            principal=device.id,
            reason=f"until {to_second(opened.session.expires)}",
        )
        return opened

    def _refused(self, device: Identity, alias: str, reason: str) -> Forbidden:
        log.info("no credentials of role alias %s for %s: %s", alias, device.id, reason)
        self._trace.emit("credentials", "denied", name=alias, principal=device.id, reason=reason)
        return Forbidden("Access Denied")


def _context(device: Identity, thing: ThingContext | None) -> dict[str, str]:
    context = {"credentials-iot:AwsCertificateId": device.id}
    if thing is not None:
        context["credentials-iot:ThingName"] = thing.name
        if thing.type_name is not None:
            context["credentials-iot:ThingTypeName"] = thing.type_name
    return context
