"""Who asks: an access key by its signature, or a device by its client certificate.

It happens in two steps around the reading of the body. `claim` turns away, by the headers alone, whoever cannot be
right: no signature, an unknown key, another region, an old signature, a certificate that is not active. `authenticate`
then proves the signature, over the body too.
"""

from collections.abc import Awaitable, Callable

from fogbank.arns import Arns
from fogbank.awswire.errors import MissingAuthenticationToken, UnrecognizedClient
from fogbank.awswire.sigv4 import Verifier, read_claim
from fogbank.clock import Clock
from fogbank.errors import Forbidden
from fogbank.gateway.call import Caller
from fogbank.gateway.exchange import Exchange
from fogbank.ports import Identity
from fogbank.settings import AccessKey

IDENTITY = "fogbank.identity"
"""Under this name the transport puts the TLS connection's Identity into the ASGI scope's `state`."""

AccessKeys = Callable[[str], AccessKey | None]
Recheck = Callable[[Identity], Awaitable[Identity]]


class Authenticator:
    """Two handlers of the pipeline: `claim` before the body is read, `authenticate` after."""

    def __init__(self, arns: Arns, clock: Clock, access_keys: AccessKeys, recheck: Recheck | None) -> None:
        self._arns = arns
        self._clock = clock
        self._access_keys = access_keys
        self._recheck = recheck
        self._verifier = Verifier(arns.region)

    async def claim(self, exchange: Exchange) -> None:
        """Find out who the request says it comes from. A signature speaks louder than a certificate."""
        exchange.claim = claim = read_claim(exchange.request)
        if claim is None:
            exchange.caller = await self._device(exchange)
            return
        if self._access_keys(claim.key_id) is None:
            raise UnrecognizedClient("The security token included in the request is invalid.")
        self._verifier.check(claim, self._clock.time())

    async def authenticate(self, exchange: Exchange) -> None:
        """Prove the signature."""
        claim = exchange.claim
        if claim is None:
            return
        key = self._access_keys(claim.key_id)
        if key is None:
            raise UnrecognizedClient("The security token included in the request is invalid.")
        self._verifier.verify(claim, exchange.request, key.secret)
        exchange.caller = Caller(key.id, f"arn:{self._arns.partition}:iam::{self._arns.account}:root", _ip(exchange))

    async def _device(self, exchange: Exchange) -> Caller:
        identity: Identity | None = exchange.scope.get("state", {}).get(IDENTITY)
        if identity is None:
            raise MissingAuthenticationToken("Missing Authentication Token")
        if self._recheck is not None:
            identity = await self._recheck(identity)
        if not identity.active:
            raise Forbidden(identity.reason or "The certificate is not active.")
        return Caller(identity.id, identity.arn, _ip(exchange), identity)


def _ip(exchange: Exchange) -> str | None:
    client = exchange.scope.get("client")
    return client[0] if client else None
