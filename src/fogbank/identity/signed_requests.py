"""WebSocket requests that are signed in their query, as AWS's SDKs presign them (developer guide, "MQTT over the
WebSocket protocol")."""

from collections.abc import Iterator

import msgspec

from fogbank.arns import Arns
from fogbank.awswire.errors import IncompleteSignature, InvalidSignature, UnrecognizedClient
from fogbank.awswire.http import Request, parse_query
from fogbank.awswire.sigv4 import Claim, Verifier, read_claim
from fogbank.clock import Clock
from fogbank.identity.access_key_principals import AccessKeyPrincipals, FindKey
from fogbank.ports import Arrival, HttpHead, Identity, Peer

LIFETIME = 86_400.0
"""Seconds (general reference, "WebSocket connection duration")."""
LIFETIME_REASON = "WEBSOCKET_TTL_EXPIRATION"
SERVICES = ("iotdevicegateway", "iotdata")
"""The signing names that open a WebSocket: the documented one, and that of the data plane's API."""


class SignedRequests:
    """Turns signed requests into peers."""

    def __init__(self, arns: Arns, clock: Clock, find: FindKey) -> None:
        self._arns = arns
        self._clock = clock
        self._find = find
        self._verifier = Verifier(arns.region)

    def peer(self, arrival: Arrival, head: HttpHead) -> Peer:
        """Who signed. Raises IncompleteSignature, InvalidSignature, UnrecognizedClient."""
        request = Request(head.method, head.path, head.query, dict(head.headers))
        claim = read_claim(request)
        if claim is None:
            raise IncompleteSignature("The request is not signed: its query has no X-Amz-Signature.")
        if claim.service not in SERVICES:
            raise InvalidSignature(f"Credential should be scoped to correct service: '{SERVICES[0]}'.")
        key = self._find(claim.key_id)
        if key is None or _session_token(request):  # an access key of the account has no session
            raise UnrecognizedClient("The security token included in the request is invalid.")
        self._verifier.check(claim, self._clock.time())
        self._verify(claim, request, key.secret)
        name = f"{key.id}:root"
        identity = Identity(
            id=f"{self._arns.account}/{name}/{name}",  # the form of AWS's; what stands there for a root key: UNVERIFIED
            arn=f"arn:{self._arns.partition}:iam::{self._arns.account}:root",
            active=True,
        )
        return Peer(
            identity=identity,
            principals=AccessKeyPrincipals(key.id, identity, self._find),
            ip=arrival.ip,
            port=arrival.port,
            lifetime=LIFETIME,
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


def _session_token(request: Request) -> bool:
    named = (name for name, _ in parse_query(request.query))
    return "x-amz-security-token" in request.headers or "X-Amz-Security-Token" in named
