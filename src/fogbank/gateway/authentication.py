"""Who asks: whoever signs, a device by its client certificate, or whoever a custom authorizer lets in.

It happens in two steps around the reading of the body. `claim` turns away, by the headers alone, whoever cannot be
right: no signature, an unknown key, another region, an old signature, a certificate that is not active, a token that
its authorizer refuses. `authenticate` then proves the signature, over the body too.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from fogbank.arns import Arns
from fogbank.awswire.errors import MissingAuthenticationToken
from fogbank.awswire.sigv4 import ALGORITHM, Claim, Verifier, read_claim
from fogbank.clock import Clock
from fogbank.errors import Forbidden
from fogbank.gateway.call import Caller
from fogbank.gateway.exchange import Exchange
from fogbank.identity.signer import RootSigners, Signer, Signers, session_token
from fogbank.ports import Arrival, HttpHead, Identity, Peer
from fogbank.settings import AccessKey

ARRIVAL = "fogbank.arrival"
"""Under this name the transport puts the connection's Arrival into the ASGI scope's `state`, where it came by TLS."""
KEPT = "fogbank.kept"
"""And under this a dict of the connection's own, for what custom authorizers say of it; without one nothing is kept."""

AccessKeys = Callable[[str], AccessKey | None]
Recheck = Callable[[Identity], Awaitable[Identity]]


class HttpDesk(Protocol):
    """Knows of custom authorizers, and of what domain names ask for. Implemented by `identity/`."""

    async def https(
        self, arrival: Arrival, request: HttpHead, kept: MutableMapping[str, Peer] | None = None
    ) -> Peer | None:
        """A request's peer by a custom authorizer; None where its signature or certificate is to say who it is.

        Raises Forbidden.
        """
        ...


class Authenticator:
    """Two handlers of the pipeline: `claim` before the body is read, `authenticate` after."""

    def __init__(
        self,
        arns: Arns,
        clock: Clock,
        access_keys: AccessKeys,
        recheck: Recheck | None,
        desk: HttpDesk | None = None,
        signers: Signers | None = None,
    ) -> None:
        """`signers` knows all who sign; without it, `access_keys` finds the root's."""
        self._desk = desk
        self._clock = clock
        self._signers = signers or RootSigners(access_keys, arns)
        self._recheck = recheck
        self._verifier = Verifier(arns.region)

    async def claim(self, exchange: Exchange) -> None:
        """Find out who the request says it comes from.

        Authorizers come first, since tokens like to stand in `Authorization` too; they leave alone what is signed. A
        signature then speaks louder than a certificate.
        """
        if await self._by_authorizer(exchange):
            return
        exchange.claim = claim = read_claim(exchange.request)
        if claim is None:
            exchange.caller = await self._device(exchange)
            return
        await self._signer(exchange, claim)
        self._verifier.check(claim, self._clock.time())

    async def authenticate(self, exchange: Exchange) -> None:
        """Prove the signature."""
        claim = exchange.claim
        if claim is None:
            return
        signer = await self._signer(exchange, claim)  # anew: much may have happened while the body was read
        self._verifier.verify(claim, exchange.request, signer.key.secret)
        identity, ip = signer.identity, _ip(exchange)
        if signer.root:
            exchange.caller = Caller(signer.key.id, identity.arn, ip)
        else:
            exchange.caller = Caller(identity.id, identity.arn, ip, identity, signer.principals)

    async def _signer(self, exchange: Exchange, claim: Claim) -> Signer:
        """Raises UnrecognizedClient, ExpiredToken."""
        return await self._signers.find(claim.key_id, session_token(exchange.request))

    async def _by_authorizer(self, exchange: Exchange) -> bool:
        """Whether a custom authorizer says who it is. Raises Forbidden where it lets nobody in."""
        if self._desk is None or _signed_without_tls(exchange):
            return False
        arrival, request = _arrival(exchange), exchange.request
        head = HttpHead(method=request.method, path=request.path, query=request.query, headers=request.headers)
        peer = await self._desk.https(arrival, head, _state(exchange).get(KEPT))
        if peer is None:
            return False
        identity, name = peer.identity, arrival.server_name
        exchange.caller = Caller(identity.id, identity.arn, _ip(exchange), identity, peer.principals, name)
        return True

    async def _device(self, exchange: Exchange) -> Caller:
        arrival = _arrival(exchange)
        identity = arrival.identity
        if identity is None:
            raise MissingAuthenticationToken("Missing Authentication Token")
        if self._recheck is not None:
            identity = await self._recheck(identity)
        if not identity.active:
            raise Forbidden(identity.reason or "The certificate is not active.")
        return Caller(identity.id, identity.arn, _ip(exchange), identity, server_name=arrival.server_name)


def _signed_without_tls(exchange: Exchange) -> bool:
    """Without TLS no domain name was asked for, whose configuration could refuse signatures or ask for more."""
    signed = exchange.request.headers.get("authorization", "").startswith(ALGORITHM)
    return signed and _state(exchange).get(ARRIVAL) is None


def _state(exchange: Exchange) -> dict[str, Any]:
    state: dict[str, Any] = exchange.scope.get("state", {})
    return state


def _arrival(exchange: Exchange) -> Arrival:
    """As the transport knows it; without TLS, what the request itself tells."""
    arrival: Arrival | None = _state(exchange).get(ARRIVAL)
    return Arrival(ip=_ip(exchange)) if arrival is None else arrival


def _ip(exchange: Exchange) -> str | None:
    client = exchange.scope.get("client")
    return client[0] if client else None
