"""Who may call what: the root everything, users and sessions what their policies allow.

A handler of the pipeline, between reading a request and serving it. The data plane is not asked here: its API modules
hold their calls against policies by themselves (`device_rights`), IAM's of users as they do IoT's of devices, because
what they need is known only there (whether a message is retained, for one).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from fogbank.arns import Arns
from fogbank.awswire.routes import DEVICE_SERVICES
from fogbank.gateway.authentication import ARRIVAL
from fogbank.gateway.call import Caller
from fogbank.gateway.exchange import Exchange
from fogbank.gateway.resources import EVERYTHING, RESOURCE_TAG, Resources, roles_in
from fogbank.identity.iam.iam import Iam
from fogbank.identity.iam.rights import Rights
from fogbank.policy.variables import Values

FREE = frozenset({("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")})
"""Operations that need no right (STS API reference)."""
BY_TRUST = frozenset({("sts", "AssumeRole")})
"""Operations that the trust policy of the role decides on too, which is seen to where it is known."""

_PASSED_TO: Mapping[str, str] = {"iot": "iot.amazonaws.com", "lambda": "lambda.amazonaws.com"}
_PASSED_BY_OPERATION: Mapping[str, str] = {
    "CreateRoleAlias": "credentials.iot.amazonaws.com",
    "UpdateRoleAlias": "credentials.iot.amazonaws.com",
}
PASS_ROLE = "iam:PassRole"  # noqa: S105

TagsOf = Callable[[str], Awaitable[Mapping[str, str]]]


async def _untagged(arn: str) -> Mapping[str, str]:
    """Where nothing has tags."""
    return {}


class AccessControl:
    """Holds calls of the control plane against the policies of those who make them."""

    def __init__(self, iam: Iam, arns: Arns, tags: TagsOf = _untagged) -> None:
        """`tags` tells those of IoT's resources, for the condition keys `aws:ResourceTag/...`."""
        self._region = arns.region
        self._tags = tags
        self._resources = Resources(arns, iam)

    async def authorise(self, exchange: Exchange) -> None:
        """Raise AccessDenied where the caller may not do this."""
        caller, service = exchange.caller, exchange.service
        assert service is not None, "route comes first"
        name, operation = service.name, exchange.route.operation.name
        if caller.device is None or name in DEVICE_SERVICES or (name, operation) in FREE | BY_TRUST:
            return
        rights = await _rights(caller)
        asked = await self._resources.asked(name, operation, exchange.params, caller.arn)
        context = {**self._circumstances(exchange), **asked.context}
        await self._check(rights, asked.action, asked.resources, context)
        to = _PASSED_BY_OPERATION.get(operation) or _PASSED_TO.get(name)
        if to is not None:
            passing = {**self._circumstances(exchange), "iam:PassedToService": to}
            rights.check(PASS_ROLE, dict.fromkeys(roles_in(exchange.params)), passing)

    async def allow(self, exchange: Exchange, action: str) -> None:
        """Raise AccessDenied where the user or session may not do `action` on anything: a page of our own."""
        (await _rights(exchange.caller)).check(action, EVERYTHING, self._circumstances(exchange))

    async def pass_roles(self, caller: Caller, roles: Iterable[str], service: str) -> None:
        """Raise AccessDenied where the caller may not pass these roles to a service (`iot.amazonaws.com`).

        For roles that no member of the request names: those in SQL.
        """
        if caller.device is not None:
            (await _rights(caller)).check(PASS_ROLE, dict.fromkeys(roles), {"iam:PassedToService": service})

    async def allow_to(self, caller: Caller, action: str, *resources: str) -> None:
        """Raise AccessDenied where the caller may not do `action`, which an operation does in the caller's name."""
        if caller.device is not None:
            await self._check(await _rights(caller), action, resources, {})

    async def _check(self, rights: Rights, action: str, resources: Iterable[str], context: Values) -> None:
        """Each resource with its tags. Raises AccessDenied."""
        for resource in resources:
            tags = {f"{RESOURCE_TAG}{key}": value for key, value in (await self._tags(resource)).items()}
            rights.check(action, (resource,), {**context, **tags})

    def _circumstances(self, exchange: Exchange) -> Values:
        """Condition keys of how a request has come."""
        by_tls = exchange.scope.get("state", {}).get(ARRIVAL) is not None
        claim = exchange.claim
        return {
            "aws:SecureTransport": "true" if by_tls else "false",
            "aws:RequestedRegion": self._region if claim is None else claim.region,
            "aws:UserAgent": exchange.request.headers.get("user-agent", ""),
        }


async def _rights(caller: Caller) -> Rights:
    assert caller.device is not None, "the root is not asked"
    assert caller.principals is not None, "certificates open the data plane alone"
    return await Rights.of(caller.device, caller.principals, caller.source_ip)
