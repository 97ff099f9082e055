"""WebSocket requests that are signed in their query, as AWS's SDKs presign them (developer guide, "MQTT over the
WebSocket protocol")."""

from collections.abc import Iterator

import msgspec

from fogbank.arns import Arns
from fogbank.awswire.errors import IncompleteSignature, InvalidSignature
from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import Claim, Verifier, read_claim
from fogbank.clock import Clock
from fogbank.identity.signer import Signers, session_token
from fogbank.ports import Arrival, HttpHead, Peer

LIFETIME = 86_400.0
"""Seconds (general reference, "WebSocket connection duration")."""
LIFETIME_REASON = "WEBSOCKET_TTL_EXPIRATION"
SERVICES = ("iotdevicegateway", "iotdata")
"""The signing names that open a WebSocket: the documented one, and that of the data plane's API."""


class SignedRequests:
    """Turns signed requests into peers."""

    def __init__(self, arns: Arns, clock: Clock, signers: Signers) -> None:
        self._clock = clock
        self._signers = signers
        self._verifier = Verifier(arns.region)

    async def peer(self, arrival: Arrival, head: HttpHead) -> Peer:
        """Who signed. Raises IncompleteSignature, InvalidSignature, UnrecognizedClient, ExpiredToken."""
        request = Request(head.method, head.path, head.query, dict(head.headers))
        claim = read_claim(request)
        if claim is None:
            raise IncompleteSignature("The request is not signed: its query has no X-Amz-Signature.")
        if claim.service not in SERVICES:
            raise InvalidSignature(f"Credential should be scoped to correct service: '{SERVICES[0]}'.")
        signer = await self._signers.find(claim.key_id, session_token(request))
        now = self._clock.time()
        self._verifier.check(claim, now)
        self._verify(claim, request, signer.key.secret)
        # UNVERIFIED: that AWS too ends connections with the session that opened them
        left = LIFETIME if signer.expires is None else signer.expires - now
        return Peer(
            identity=signer.identity,
            principals=signer.principals,
            ip=arrival.ip,
            port=arrival.port,
            lifetime=min(LIFETIME, left),
            lifetime_reason=LIFETIME_REASON,
            server_name=arrival.server_name,
        )

    def _verify(self, claim: Claim, request: Request, secret: str) -> None:
        for one in _as_signed(request):
            try:
                self._verifier.verify(claim, one, secret)
            except InvalidSignature as error:
                mismatch = error
            else:
                return
        raise mismatch


def _as_signed(request: Request) -> Iterator[Request]:
    """Some clients sign the host name alone and then send it with the port, which AWS, always on 443, never sees."""
    yield request
    host, colon, port = request.headers.get("host", "").rpartition(":")
    if colon and port.isdecimal():
        yield msgspec.structs.replace(request, headers={**request.headers, "host": host})
