"""The front desk: who a client is, on every way in.

    MQTT over TLS        a certificate; or a custom authorizer, which is asked once CONNECT has come
    MQTT by WebSocket    a signature in the query; or a custom authorizer, likewise
    HTTPS                a signature or a certificate, which the gateway sees to; or a custom authorizer, at once

A certificate that is not active is shown to those who register newcomers, at CONNECT and with every request, but not
for a handshake alone. It stays refused there; the next time it may be active.

Where a domain configuration speaks of the name that the client asked for, it decides which of these may be used. Else
the protocol of TLS (ALPN) does, and what the client brings (developer guide, "Device communication protocols").
A request names its authorizer in its head, and a token that is wrong is refused there; its function still waits for
CONNECT, since it is to see what that says (developer guide, "Connecting to AWS IoT Core by using custom
authentication": all of MQTT's data is sent as well).
"""

import hashlib
import logging
import uuid
from collections.abc import MutableMapping
from functools import partial

import msgspec

from fogbank.clock import Clock
from fogbank.identity.authorizer_answer import Answer
from fogbank.identity.authorizer_event import ProtocolData, protocol_data
from fogbank.identity.authorizers import Authorizers
from fogbank.identity.credentials import Credentials, is_signed, of_head, of_username
from fogbank.identity.custom_principals import CustomPrincipals
from fogbank.identity.domain_configurations import DomainConfigurations, Terms
from fogbank.identity.errors import NobodyToAsk, Rejected
from fogbank.identity.judge import Judge
from fogbank.identity.nobody import Nobody
from fogbank.identity.records import ApplicationProtocol, AuthenticationType, Authorizer, AuthorizerStatus
from fogbank.identity.signed_requests import SignedRequests
from fogbank.ports import Arrival, HttpHead, Identity, Introduction, Newcomers, Peer, PrincipalStore
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

ALPN_CUSTOM = "mqtt"
ALPN_CERTIFICATE = "x-amzn-mqtt-ca"
LIFETIME_REASON = "CUSTOMAUTH_TTL_EXPIRATION"

_NOT_YET = "the custom authorizer is asked when CONNECT has come"
_KEPT_PER_CONNECTION = 8
"""Answers kept for one HTTP connection: it has one client behind it, or a proxy with a few."""
_NO_CREDENTIALS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "date", "expect", "user-agent"}
)
"""Headers that differ between requests of one client and say nothing of who it is."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that a custom authorizer is to judge, and what is known of it."""

    arrival: Arrival
    terms: Terms
    with_certificate: bool
    credentials: Credentials = Credentials()
    head: HttpHead | None = None
    introduction: Introduction | None = None
    id: str

    @property
    def protocol_data(self) -> ProtocolData:
        return protocol_data(
            self.arrival, head=self.head, introduction=self.introduction, with_certificate=self.with_certificate
        )


class FrontDesk:
    """Implements `ports.FrontDesk`, and `https` for the gateway."""

    def __init__(
        self,
        certificates: PrincipalStore,
        signed: SignedRequests,
        authorizers: Authorizers,
        domains: DomainConfigurations,
        judge: Judge,
        clock: Clock,
        newcomers: Newcomers | None = None,
    ) -> None:
        """`certificates` knows the rights of client certificates, `newcomers` registers those that it does not know."""
        self._certificates = certificates
        self._signed = signed
        self._authorizers = authorizers
        self._domains = domains
        self._judge = judge
        self._clock = clock
        self._newcomers = newcomers
        self._tasks = Tasks("front-desk")

    async def close(self) -> None:
        """End the questions that are under way."""
        await self._tasks.close()
        await self._judge.close()

    # --- the ways in --------------------------------------------------------------------------------------------------

    async def mqtt(self, arrival: Arrival) -> Peer:
        """MQTT straight over TLS. Never raises: who is not let in is a peer whose identity says why."""
        try:
            terms = await self._terms(arrival, ApplicationProtocol.SECURE_MQTT)
            way = _mqtt_way(arrival, terms)
            if way is AuthenticationType.AWS_X509:
                return self._by_certificate(arrival)
            with_certificate = way is AuthenticationType.CUSTOM_AUTH_X509
            return self._by_authorizer(self._visit(arrival, terms, with_certificate=with_certificate))
        except Rejected as rejected:
            return _nobody(arrival, rejected.message)
        except Exception:
            log.exception("%s: cannot find out who the client is", arrival.ip)
            return _nobody(arrival, "who the client is cannot be looked up at the moment")

    async def websocket(self, arrival: Arrival, request: HttpHead) -> Peer:
        """MQTT over WebSocket. Raises ServiceError where the request must not be upgraded."""
        terms = await self._terms(arrival, ApplicationProtocol.MQTT_WSS)
        signed = is_signed(request)
        match terms.authentication:
            case AuthenticationType.AWS_SIGV4:
                by_signature = True
            case AuthenticationType.DEFAULT:
                by_signature = signed
            case AuthenticationType.CUSTOM_AUTH:
                by_signature = False
            case other:
                raise _refused(terms, f"takes {other.value}, which there is not over WebSocket")
        if by_signature:
            return await self._signed.peer(arrival, request)
        visit = self._visit(arrival, terms, head=request)
        if visit.credentials.authorizer is not None or visit.credentials.signature is not None:
            self._judge.check_token(await self._chosen(visit), visit.credentials)
        return self._by_authorizer(visit)

    async def https(
        self, arrival: Arrival, request: HttpHead, kept: MutableMapping[str, Peer] | None = None
    ) -> Peer | None:
        """A request's peer by a custom authorizer; None where its signature or certificate is to say who it is.

        `kept` holds what is remembered for the requests of one connection. Raises Forbidden.
        """
        terms = await self._terms(arrival, ApplicationProtocol.HTTPS)
        way = _https_way(arrival, request, terms)
        if way is None:
            if not is_signed(request):
                await self._meet(arrival)
            return None
        visit = self._visit(arrival, terms, head=request, with_certificate=way is AuthenticationType.CUSTOM_AUTH_X509)
        if not _is_publish(request):
            raise Rejected("a custom authorizer opens POST /topics/{topic} and nothing else over HTTPS")
        try:
            return await self._admitted(visit, {} if kept is None else kept)
        except NobodyToAsk:
            if terms.authentication is AuthenticationType.DEFAULT:
                return None  # a client without credentials, and nothing that says it was to have others
            raise

    # --- by certificate -----------------------------------------------------------------------------------------------

    def _by_certificate(self, arrival: Arrival) -> Peer:
        assert arrival.identity is not None, "this way is for clients with a certificate"
        peer = Peer(
            identity=arrival.identity,
            principals=self._certificates,
            ip=arrival.ip,
            port=arrival.port,
            server_name=arrival.server_name,
        )
        if arrival.identity.active:
            return peer
        return msgspec.structs.replace(peer, introduce=partial(self._met, arrival, peer))

    async def _met(self, arrival: Arrival, peer: Peer, introduction: Introduction) -> Peer:
        """The same peer, once CONNECT has come and its certificate was shown around. Raises Rejected."""
        await self._meet(arrival)
        return peer

    async def _meet(self, arrival: Arrival) -> None:
        """Show a certificate that is not active to those who register newcomers. Raises Rejected where it is none."""
        if self._newcomers is None or arrival.identity is None or arrival.certificate is None:
            return
        identity = arrival.identity
        if not identity.active:
            identity = await self._certificates.recheck(identity)  # much may have happened since the handshake
        if not identity.active and (why := await self._newcomers.meet(arrival.certificate)) is not None:
            raise Rejected(f"{identity.reason}: {why}")

    # --- by a custom authorizer ---------------------------------------------------------------------------------------

    def _visit(
        self, arrival: Arrival, terms: Terms, *, head: HttpHead | None = None, with_certificate: bool = False
    ) -> Visit:
        return Visit(
            arrival=arrival,
            terms=terms,
            with_certificate=with_certificate,
            credentials=Credentials() if head is None else of_head(head),
            head=head,
            id=str(uuid.uuid4()),
        )

    def _by_authorizer(self, visit: Visit) -> Peer:
        """Nobody yet: CONNECT is to come."""
        peer = _nobody(visit.arrival, _NOT_YET)
        return msgspec.structs.replace(peer, introduce=partial(self._introduced, visit))

    async def _introduced(self, visit: Visit, introduction: Introduction) -> Peer:
        """Raises Rejected, but for a client that brought nothing at all, which is simply nobody."""
        visit = msgspec.structs.replace(
            visit,
            introduction=introduction,
            credentials=visit.credentials.over(of_username(introduction.username)),
        )
        try:
            return await self._let_in(visit)
        except NobodyToAsk as nobody:
            return _nobody(visit.arrival, nobody.message)

    async def _let_in(self, visit: Visit) -> Peer:
        """The peer that the authorizer makes of the client. Raises Rejected."""
        asked = self._clock.monotonic()
        authorizer, answer = await self._ask(visit)
        arrival = visit.arrival
        if visit.with_certificate and arrival.identity is not None:
            identity = arrival.identity
        else:
            identity = Identity(answer.principal, self._authorizers.arn(authorizer), active=True)
        principals = CustomPrincipals(
            partial(self._ask, visit),
            identity,
            answer,
            authorizer,
            self._clock,
            self._tasks,
            asked=asked,
            certificates=self._certificates if visit.with_certificate else None,
        )
        return Peer(
            identity=identity,
            principals=principals,
            ip=arrival.ip,
            port=arrival.port,
            lifetime=answer.disconnect,
            lifetime_reason=LIFETIME_REASON,
            refresh=answer.refresh,
            server_name=arrival.server_name,
        )

    async def _ask(self, visit: Visit) -> tuple[str, Answer]:
        """The authorizer's name and answer. Raises Rejected."""
        authorizer = await self._chosen(visit)
        answer = await self._judge.ask(authorizer, visit.credentials, visit.protocol_data, visit.id)
        return authorizer.name, answer

    async def _chosen(self, visit: Visit) -> Authorizer:
        """The authorizer that the client names, else that of the domain name, else the account's default one."""
        terms, named = visit.terms, visit.credentials.authorizer
        by_default = terms.authorizer or await self._authorizers.default()
        if named is not None and named != by_default and not terms.override:
            raise _refused(terms, "does not let clients name an authorizer of their own (allowAuthorizerOverride)")
        name = named or by_default
        if name is None:
            bare = " sent no certificate, and" if visit.arrival.identity is None else ":"
            raise NobodyToAsk(
                f"the client{bare} there is no authorizer to judge it: connect with a client certificate, name an "
                "authorizer (MQTT user name ?x-amz-customauthorizer-name=NAME, or a header of that name), or set a "
                "default one with SetDefaultAuthorizer"
            )
        authorizer = await self._authorizers.find(name)
        if authorizer is None:
            raise Rejected(f"there is no custom authorizer {name[:128]!r}")
        if authorizer.status is not AuthorizerStatus.ACTIVE:
            raise Rejected(f"the custom authorizer {name} is {authorizer.status.value}")
        return authorizer

    async def _admitted(self, visit: Visit, kept: MutableMapping[str, Peer]) -> Peer:
        """The peer of a request: as kept from one before, where its authorizer allows (enableCachingForHttp)."""
        authorizer = await self._chosen(visit)
        if not authorizer.caching_for_http:
            return await self._let_in(visit)
        assert visit.head is not None, "requests have heads"
        key = _fingerprint(authorizer.name, visit.head)
        peer = kept.get(key)
        if peer is None:
            peer = await self._let_in(visit)
            if len(kept) >= _KEPT_PER_CONNECTION:
                kept.clear()
            kept[key] = peer
            return peer
        identity = await peer.principals.recheck(peer.identity)
        if not identity.active:
            kept.pop(key, None)
            raise Rejected(identity.reason)
        return peer

    # --- what holds where ---------------------------------------------------------------------------------------------

    async def _terms(self, arrival: Arrival, spoken: ApplicationProtocol) -> Terms:
        """What holds at the name that the client asked for. Raises Rejected where `spoken` may not be spoken there."""
        terms = await self._domains.terms(arrival.server_name)
        if not terms.enabled:
            raise _refused(terms, "is DISABLED")
        if terms.protocol not in (ApplicationProtocol.DEFAULT, spoken):
            raise _refused(terms, f"is for {terms.protocol.value}, not {spoken.value}")
        return terms


def _mqtt_way(arrival: Arrival, terms: Terms) -> AuthenticationType:
    """How a client of MQTT over TLS proves who it is. Raises Rejected where it cannot."""
    way = terms.authentication
    if way is AuthenticationType.AWS_SIGV4:
        raise _refused(terms, "takes signatures (AWS_SIGV4), which there are only over WebSocket and HTTPS")
    if way is AuthenticationType.DEFAULT:
        certificate = arrival.identity is not None or arrival.alpn == ALPN_CERTIFICATE
        by_certificate = certificate and arrival.alpn != ALPN_CUSTOM
        way = AuthenticationType.AWS_X509 if by_certificate else AuthenticationType.CUSTOM_AUTH
    if way is not AuthenticationType.CUSTOM_AUTH:
        _check_certificate(arrival, active=way is AuthenticationType.CUSTOM_AUTH_X509)
    return way


def _https_way(arrival: Arrival, request: HttpHead, terms: Terms) -> AuthenticationType | None:
    """Which custom authentication a request is for; None where signature or certificate say who it is.

    Raises Rejected where what it brings is not what the domain name takes.
    """
    signed = is_signed(request)
    match terms.authentication:
        case AuthenticationType.AWS_SIGV4 if not signed:
            raise _refused(terms, "takes signed requests (AWS_SIGV4) alone")
        case AuthenticationType.AWS_X509 if signed:
            raise _refused(terms, "takes client certificates (AWS_X509) alone")
        case AuthenticationType.AWS_SIGV4:
            return None
        case AuthenticationType.AWS_X509:
            _check_certificate(arrival, active=False)
            return None
        case AuthenticationType.CUSTOM_AUTH_X509:
            _check_certificate(arrival, active=True)
            return AuthenticationType.CUSTOM_AUTH_X509
        case AuthenticationType.CUSTOM_AUTH:
            return AuthenticationType.CUSTOM_AUTH
    if signed:
        return None
    named = of_head(request).authorizer is not None
    if named or (arrival.identity is None and _is_publish(request)):
        return AuthenticationType.CUSTOM_AUTH
    return None


def _check_certificate(arrival: Arrival, *, active: bool) -> None:
    """Where a certificate alone is to do, its store judges whether it is active, then and later."""
    if arrival.identity is None:
        raise Rejected("the client sent no certificate")
    if active and not arrival.identity.active:
        raise Rejected(arrival.identity.reason or "the certificate is not active")


def _is_publish(request: HttpHead) -> bool:
    return request.method == "POST" and request.path.startswith("/topics/")


def _refused(terms: Terms, why: str) -> Rejected:
    return Rejected(f"the domain configuration {terms.configuration} {why}")


def _nobody(arrival: Arrival, reason: str) -> Peer:
    nobody = Nobody(reason)
    return Peer(
        identity=nobody.identity,
        principals=nobody,
        ip=arrival.ip,
        port=arrival.port,
        server_name=arrival.server_name,
    )


def _fingerprint(authorizer: str, head: HttpHead) -> str:
    """All that a function may have decided by: another token, or another of anything, is another client."""
    headers = sorted(item for item in head.headers.items() if item[0] not in _NO_CREDENTIALS)
    return hashlib.sha256(msgspec.json.encode((authorizer, head.query, headers))).hexdigest()
