"""The roles of functions: a handler signs with keys of its function's role, and may do what the role's policies allow.

While the account has neither a role nor a user (`RoleRights`), functions name roles that were made elsewhere, or up;
they get the root's own key then.
"""

from fogbank.clock import Clock
from fogbank.errors import Forbidden
from fogbank.identity.access_keys import AccessKeys
from fogbank.identity.iam.errors import AccessDenied
from fogbank.identity.iam.role_rights import RoleRights
from fogbank.identity.iam.sts import Sts, Wish
from fogbank.ports import RoleCredentials

LAMBDA = "lambda.amazonaws.com"
SECONDS = 12 * 3600
"""How long keys hold, where the role allows it: handlers that live longer are started anew."""
MARGIN = 15 * 60
"""Seconds before its keys end that a handler is given no more events: none runs longer."""
_SESSION_NAME = 64


class ExecutionRoles:
    """Implements `ports.ExecutionRoles`."""

    def __init__(self, sts: Sts, rights: RoleRights, keys: AccessKeys, clock: Clock) -> None:
        self._sts = sts
        self._rights = rights
        self._keys = keys
        self._clock = clock

    async def check(self, role_arn: str, function_arn: str) -> None:
        """Raise Forbidden, with the reason, where Lambda may not assume the role for that function."""
        if not await self._rights.trusted():
            try:
                await self._sts.trusting_service(LAMBDA, _wish(role_arn, function_arn), function_arn)
            except AccessDenied as denied:
                raise Forbidden(denied.message) from None

    async def credentials(self, role_arn: str, function_arn: str) -> RoleCredentials:
        """Keys of the role for a handler that is about to start. Raises Forbidden as `check`."""
        if await self._rights.trusted():
            root = self._keys.first
            return RoleCredentials(root.id, root.secret)
        try:
            opened = await self._sts.for_service(LAMBDA, _wish(role_arn, function_arn), source=function_arn)
        except AccessDenied as denied:
            raise Forbidden(denied.message) from None
        session = opened.session
        return RoleCredentials(session.key_id, session.secret, opened.token, session.expires)

    def hold(self, credentials: RoleCredentials) -> bool:
        """Whether keys that were given out may go on being used: the root's end with the first role or user."""
        if credentials.expires is None:
            return self._rights.still_trusted
        return self._clock.time() < credentials.expires - MARGIN


def _wish(role_arn: str, function_arn: str) -> Wish:
    """The session is named after the function, as AWS does."""
    return Wish(role_arn=role_arn, name=function_arn.split(":")[6][:_SESSION_NAME], duration=SECONDS)
