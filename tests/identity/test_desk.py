"""Who a client is, on every way in, and what domain configurations have to say of it."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest
from tests.identity.conftest import (
    ANSWER,
    ARNS,
    CERTIFICATE,
    FUNCTION,
    POLICY,
    Certificates,
    Functions,
    Signer,
)
from tests.identity.test_authorizer_event import certificate
from tests.identity.test_signed_requests import presigned

from fogbank.awswire.errors import IncompleteSignature, InvalidSignature
from fogbank.errors import Forbidden
from fogbank.identity.authorizers import AuthorizerChange
from fogbank.identity.domain_configurations import DomainChange
from fogbank.identity.reception import Reception
from fogbank.identity.records import (
    ApplicationProtocol,
    AuthenticationType,
    AuthorizerConfig,
    AuthorizerStatus,
    DomainStatus,
)
from fogbank.ports import Arrival, HttpHead, Introduction, Peer
from fogbank.testing.clock import FakeClock

DOMAIN = "iot.example.com"
ARRIVAL = Arrival(ip="192.0.2.1", port=5, server_name=DOMAIN)
WITH_CERTIFICATE = msgspec.structs.replace(ARRIVAL, identity=CERTIFICATE, certificate=certificate())
REVOKED = msgspec.structs.replace(CERTIFICATE, active=False, reason="certificate is REVOKED")
X509, CUSTOM = AuthenticationType.AWS_X509, AuthenticationType.CUSTOM_AUTH
SIGV4, BOTH = AuthenticationType.AWS_SIGV4, AuthenticationType.CUSTOM_AUTH_X509
PUBLISH = "/topics/a"


def head(query: str = "", path: str = "/mqtt", method: str = "GET", **headers: str) -> HttpHead:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpHead(method=method, path=path, query=query, headers={"host": DOMAIN} | named)


def publish(query: str = "", **headers: str) -> HttpHead:
    return head(query, PUBLISH, "POST", **headers)


def over(alpn: str | None, arrival: Arrival = ARRIVAL) -> Arrival:
    return msgspec.structs.replace(arrival, alpn=alpn)


async def introduced(peer: Peer, username: str | None = None, password: bytes | None = None) -> Peer:
    """What the broker does with CONNECT."""
    assert not peer.identity.active
    assert peer.introduce is not None
    return await peer.introduce(Introduction("lamp", username, password))


async def refusal(reception: Reception, arrival: Arrival, username: str | None = None) -> str:
    """Why an MQTT client is not let in."""
    peer = await reception.desk.mqtt(arrival)
    if peer.introduce is not None:
        try:
            peer = await introduced(peer, username)
        except Forbidden as error:
            return error.message
    identity = await peer.principals.recheck(peer.identity)
    assert not identity.active
    assert not (await peer.principals.grant(identity, "lamp")).policies
    return identity.reason


@pytest.fixture
async def door(reception: Reception) -> Reception:
    """A reception with an authorizer that needs no signatures, and is the default one."""
    await reception.authorizers.create("door", FUNCTION, signing_disabled=True)
    await reception.authorizers.set_default("door")
    return reception


@pytest.fixture
async def gate(reception: Reception, signer: Signer) -> Reception:
    """A reception with an authorizer that wants signed tokens."""
    keys = {"k": signer.pem}
    await reception.authorizers.create("gate", FUNCTION, token_key_name="Token", public_keys=keys)
    return reception


class TestCertificates:
    @pytest.mark.parametrize("alpn", [None, "x-amzn-mqtt-ca"])
    async def test_one_says_who_it_is(self, door: Reception, certificates: Certificates, alpn: str | None) -> None:
        peer = await door.desk.mqtt(over(alpn, WITH_CERTIFICATE))
        assert peer == Peer(identity=CERTIFICATE, principals=certificates, ip="192.0.2.1", port=5, server_name=DOMAIN)

    async def test_one_that_is_not_active_keeps_its_name(self, reception: Reception) -> None:
        peer = await reception.desk.mqtt(msgspec.structs.replace(ARRIVAL, identity=REVOKED))
        assert peer.identity == REVOKED

    async def test_none_where_one_was_promised(self, door: Reception) -> None:
        assert await refusal(door, over("x-amzn-mqtt-ca")) == "the client sent no certificate"


class Registrar:
    """Port Newcomers: remembers who was shown to it, and may have something to say."""

    def __init__(self) -> None:
        self.met: list[bytes] = []
        self.why: str | None = None

    async def meet(self, certificate: bytes) -> str | None:
        self.met.append(certificate)
        return self.why


@pytest.fixture
def registrar(reception: Reception) -> Registrar:
    reception.desk._newcomers = registrar = Registrar()
    return registrar


STRANGER = msgspec.structs.replace(
    WITH_CERTIFICATE, identity=msgspec.structs.replace(CERTIFICATE, active=False, reason="unknown certificate")
)


class TestNewcomers:
    """Measured at AWS: it is CONNECT that registers a device, and not its handshake."""

    async def test_connect_shows_a_certificate_that_is_not_active(
        self, reception: Reception, registrar: Registrar, certificates: Certificates
    ) -> None:
        certificates.revoked = True
        peer = await reception.desk.mqtt(STRANGER)
        assert registrar.met == []
        after = await introduced(peer)
        assert registrar.met == [STRANGER.certificate]
        assert (after.identity, after.principals) == (STRANGER.identity, certificates)

    async def test_why_it_cannot_be_registered_is_said(
        self, reception: Reception, registrar: Registrar, certificates: Certificates
    ) -> None:
        certificates.revoked = True
        registrar.why = "its CA is not ACTIVE"
        assert await refusal(reception, STRANGER) == "certificate is REVOKED: its CA is not ACTIVE"
        with pytest.raises(Forbidden, match="its CA is not ACTIVE"):
            await reception.desk.https(STRANGER, head(path="/x"))

    async def test_a_request_shows_it_until_it_is_active(
        self, reception: Reception, registrar: Registrar, certificates: Certificates
    ) -> None:
        certificates.revoked = True
        for _ in range(2):
            assert await reception.desk.https(STRANGER, publish()) is None
        assert len(registrar.met) == 2
        certificates.revoked = False  # that is, activated on the same connection
        assert await reception.desk.https(STRANGER, publish()) is None
        assert len(registrar.met) == 2

    async def test_who_is_active_or_has_none_or_signs_is_not_shown(
        self, reception: Reception, registrar: Registrar, certificates: Certificates
    ) -> None:
        certificates.revoked = True
        assert (await reception.desk.mqtt(WITH_CERTIFICATE)).introduce is None
        assert await reception.desk.https(WITH_CERTIFICATE, publish()) is None
        assert await reception.desk.https(ARRIVAL, head(path="/x")) is None
        signed = publish(authorization="AWS4-HMAC-SHA256 Credential=x")
        assert await reception.desk.https(STRANGER, signed) is None
        assert registrar.met == []


class TestAuthorizers:
    @pytest.mark.parametrize("alpn", [None, "mqtt"])
    async def test_connect_is_judged(
        self, door: Reception, functions: Functions, clock: FakeClock, alpn: str | None
    ) -> None:
        peer = await introduced(await door.desk.mqtt(over(alpn)), "user", b"secret")
        assert (peer.identity.id, peer.identity.arn) == ("sensor7", ARNS.iot("authorizer", "door"))
        assert peer.identity.active
        assert (peer.lifetime, peer.lifetime_reason, peer.refresh) == (3600, "CUSTOMAUTH_TTL_EXPIRATION", 300)
        assert (peer.ip, peer.port, peer.server_name, peer.introduce) == ("192.0.2.1", 5, DOMAIN, None)
        grant = await peer.principals.grant(peer.identity, "lamp")
        assert [msgspec.json.decode(one.document) for one in grant.policies] == [POLICY]
        [event] = functions.events
        assert event["protocols"] == ["tls", "mqtt"]
        assert event["protocolData"] == {
            "tls": {"serverName": DOMAIN},
            "mqtt": {"username": "user", "password": "c2VjcmV0", "clientId": "lamp"},
        }
        assert len(event["connectionMetadata"]["id"]) == 36
        await clock.advance(300)
        assert await peer.principals.recheck(peer.identity) == peer.identity
        assert functions.events == [event, event], "the same connection"

    async def test_rights_end_with_the_next_refusal(
        self, door: Reception, functions: Functions, clock: FakeClock
    ) -> None:
        peer = await introduced(await door.desk.mqtt(over("mqtt")))
        functions.answer = {"isAuthenticated": False}
        assert (await peer.principals.recheck(peer.identity)).active
        await clock.advance(300)
        identity = await peer.principals.recheck(peer.identity)
        assert (identity.active, identity.reason) == (
            False,
            "the custom authorizer door did not authenticate the client",
        )

    async def test_rights_end_with_the_authorizer(self, door: Reception, clock: FakeClock) -> None:
        peer = await introduced(await door.desk.mqtt(over("mqtt")))
        await door.authorizers.update("door", AuthorizerChange(status=AuthorizerStatus.INACTIVE))
        assert (await peer.principals.recheck(peer.identity)).active
        await clock.advance(300)
        assert "door is INACTIVE" in (await peer.principals.recheck(peer.identity)).reason

    async def test_one_is_named_with_a_signed_token(
        self, gate: Reception, functions: Functions, signer: Signer
    ) -> None:
        signature = signer.sign("t").replace("+", "%2B").replace("=", "%3D")
        username = f"me?x-amz-customauthorizer-name=gate&x-amz-customauthorizer-signature={signature}&Token=t"
        peer = await introduced(await gate.desk.mqtt(over("mqtt")), username)
        assert peer.identity.id == "sensor7"
        [event] = functions.events
        assert (event["token"], event["signatureVerified"]) == ("t", True)
        assert event["protocolData"]["mqtt"] == {"username": username, "clientId": "lamp"}
        assert "signature is not that of the token" in await refusal(gate, over("mqtt"), username + "t")
        assert len(functions.events) == 1

    async def test_who_brings_nothing_is_told_what_to_do(self, gate: Reception) -> None:
        for arrival in (ARRIVAL, over("mqtt"), over("mqtt", WITH_CERTIFICATE)):
            reason = await refusal(gate, arrival, "user")
            assert "connect with a client certificate" in reason
            assert "SetDefaultAuthorizer" in reason
        peer = await introduced(await gate.desk.mqtt(ARRIVAL))
        assert not peer.identity.active, "this one is nobody; there is no error to tell"

    async def test_those_that_judge_nobody(self, door: Reception) -> None:
        named = "?x-amz-customauthorizer-name="
        assert "no custom authorizer 'nobody'" in await refusal(door, ARRIVAL, f"{named}nobody")
        await door.authorizers.update("door", AuthorizerChange(status=AuthorizerStatus.INACTIVE))
        for username in (None, f"{named}door"):
            assert "door is INACTIVE" in await refusal(door, ARRIVAL, username)

    async def test_it_never_raises(
        self, reception: Reception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def broken(server_name: str | None) -> None:
            raise RuntimeError("a defect")

        monkeypatch.setattr(reception.domains, "terms", broken)
        with caplog.at_level(logging.ERROR):
            peer = await reception.desk.mqtt(ARRIVAL)
        assert not peer.identity.active
        assert "a defect" in caplog.text


class TestWebSockets:
    async def test_by_signature(self, door: Reception, clock: FakeClock) -> None:
        peer = await door.desk.websocket(ARRIVAL, head(presigned(clock)))
        assert peer.identity.id == "123456789012/AKIDEXAMPLE:root/AKIDEXAMPLE:root"

    async def test_a_bad_signature_is_not_rescued_by_an_authorizer(self, door: Reception, clock: FakeClock) -> None:
        with pytest.raises(InvalidSignature):
            await door.desk.websocket(ARRIVAL, head(presigned(clock, secret="other")))

    async def test_by_an_authorizer_that_sees_all_there_is(
        self, gate: Reception, functions: Functions, signer: Signer
    ) -> None:
        request = head(
            "a=b",
            x_amz_customauthorizer_name="gate",
            token="t",
            x_amz_customauthorizer_signature=signer.sign("t"),
        )
        peer = await gate.desk.websocket(ARRIVAL, request)
        assert not functions.events, "CONNECT is part of what it judges"
        peer = await introduced(peer, "user")
        assert (peer.identity.id, peer.lifetime_reason) == ("sensor7", "CUSTOMAUTH_TTL_EXPIRATION")
        [event] = functions.events
        assert event["protocols"] == ["tls", "http", "mqtt"]
        assert event["protocolData"]["http"] == {"headers": request.headers, "queryString": "?a=b"}
        assert event["protocolData"]["mqtt"] == {"username": "user", "clientId": "lamp"}

    async def test_what_can_be_refused_is_before_the_upgrade(self, gate: Reception, signer: Signer) -> None:
        named = "x-amz-customauthorizer-name="
        for query, what in (
            (f"{named}nobody", "no custom authorizer 'nobody'"),
            (f"{named}gate", "the client sent none"),
            (f"{named}gate&token=t", "sent no x-amz-customauthorizer-signature"),
            (f"{named}gate&token=u&x-amz-customauthorizer-signature={signer.sign('t')}", "not that of the token"),
            ("x-amz-customauthorizer-signature=AAAA", "sent no certificate, and there is no authorizer to judge it"),
        ):
            with pytest.raises(Forbidden, match=what):
                await gate.desk.websocket(ARRIVAL, head(query))

    async def test_the_request_goes_before_the_user_name(self, door: Reception, functions: Functions) -> None:
        await door.authorizers.create("other", ARNS.function("other"), signing_disabled=True, token_key_name="Token")
        request = head("x-amz-customauthorizer-name=other&Token=mine")
        peer = await introduced(
            await door.desk.websocket(ARRIVAL, request), "?x-amz-customauthorizer-name=door&Token=yours"
        )
        assert peer.identity.arn == ARNS.iot("authorizer", "other")
        assert (functions.asked[0][0], functions.events[0]["token"]) == (ARNS.function("other"), "mine")

    async def test_by_user_name_alone(self, door: Reception, functions: Functions) -> None:
        peer = await introduced(await door.desk.websocket(ARRIVAL, head()), "?x-amz-customauthorizer-name=door")
        assert peer.identity.active
        functions.answer = {"isAuthenticated": False}
        with pytest.raises(Forbidden, match="did not authenticate"):
            await introduced(await door.desk.websocket(ARRIVAL, head()))


class TestHttps:
    async def test_signatures_and_certificates_are_for_others(self, door: Reception, clock: FakeClock) -> None:
        for arrival, request in (
            (ARRIVAL, publish(presigned(clock))),
            (ARRIVAL, publish(authorization="AWS4-HMAC-SHA256 Credential=...")),
            (WITH_CERTIFICATE, publish()),
            (WITH_CERTIFICATE, publish(authorization="Bearer x")),
            (ARRIVAL, head(path="/things/a/shadow")),
        ):
            assert await door.desk.https(arrival, request) is None

    @pytest.mark.parametrize("arrival", [ARRIVAL, WITH_CERTIFICATE])
    async def test_one_that_is_named_judges(self, door: Reception, functions: Functions, arrival: Arrival) -> None:
        request = publish("qos=1", x_amz_customauthorizer_name="door", authorization="Bearer x")
        peer = await door.desk.https(arrival, request)
        assert peer is not None
        assert peer.identity.id == "sensor7"
        [event] = functions.events
        assert event["protocols"] == ["tls", "http"]
        assert event["protocolData"]["http"] == {"headers": request.headers, "queryString": "?qos=1"}
        functions.answer = {"isAuthenticated": False}
        with pytest.raises(Forbidden, match="did not authenticate"):
            await door.desk.https(arrival, request)

    async def test_the_default_one_judges_who_brings_nothing(self, door: Reception) -> None:
        peer = await door.desk.https(ARRIVAL, publish())
        assert peer is not None
        await door.authorizers.clear_default()
        assert await door.desk.https(ARRIVAL, publish()) is None

    async def test_nothing_but_publishing(self, door: Reception, functions: Functions) -> None:
        for method, path in (("GET", "/things/a/shadow"), ("GET", PUBLISH), ("POST", "/things/a/shadow")):
            with pytest.raises(Forbidden, match="opens POST /topics"):
                await door.desk.https(ARRIVAL, head("x-amz-customauthorizer-name=door", path, method))
        assert not functions.events

    async def test_each_request_is_judged(self, door: Reception, functions: Functions) -> None:
        kept: dict[str, Peer] = {}
        for _ in range(3):
            await door.desk.https(ARRIVAL, publish(), kept)
        assert (len(functions.events), kept) == (3, {})


class TestHttpCaching:
    @pytest.fixture(autouse=True)
    async def caching(self, door: Reception) -> None:
        await door.authorizers.update("door", AuthorizerChange(caching_for_http=True))

    async def test_once_per_connection_and_interval(
        self, door: Reception, functions: Functions, clock: FakeClock
    ) -> None:
        kept: dict[str, Peer] = {}
        for number in range(3):
            request = publish(token="t", content_length=str(number))
            assert await door.desk.https(ARRIVAL, request, kept) is not None
        assert len(functions.events) == 1
        await clock.advance(300)
        await door.desk.https(ARRIVAL, publish(token="t"), kept)
        await door.desk.https(ARRIVAL, publish(token="t"), kept)
        assert len(functions.events) == 2
        await door.desk.https(ARRIVAL, publish(token="t"), {})
        await door.desk.https(ARRIVAL, publish(token="t"))
        assert len(functions.events) == 4

    async def test_other_credentials_are_another_client(self, door: Reception, functions: Functions) -> None:
        kept: dict[str, Peer] = {}
        requests = [
            publish(token="t"),
            publish(token="u"),
            publish("token=t"),
            publish("token=u"),
            publish(token="t", cookie="c"),
        ]
        for _ in range(2):
            for request in requests:
                await door.desk.https(ARRIVAL, request, kept)
        assert len(functions.events) == len(requests)
        for number in range(100):
            await door.desk.https(ARRIVAL, publish(token=str(number)), kept)
        assert len(kept) <= 8

    async def test_a_refusal_is_asked_anew(self, door: Reception, functions: Functions, clock: FakeClock) -> None:
        kept: dict[str, Peer] = {}
        functions.answer = {"isAuthenticated": False}
        for _ in range(2):
            with pytest.raises(Forbidden):
                await door.desk.https(ARRIVAL, publish(), kept)
        assert len(functions.events) == 2
        functions.answer = dict(ANSWER)
        await door.desk.https(ARRIVAL, publish(), kept)
        functions.answer = {"isAuthenticated": False}
        await clock.advance(300)
        with pytest.raises(Forbidden):
            await door.desk.https(ARRIVAL, publish(), kept)
        functions.answer = dict(ANSWER)
        assert await door.desk.https(ARRIVAL, publish(), kept) is not None


class TestDomains:
    async def domain(self, reception: Reception, authentication: AuthenticationType, **more: Any) -> None:
        await reception.domains.create("d", DOMAIN, authentication=authentication, **more)

    async def test_certificates_alone(self, door: Reception, clock: FakeClock) -> None:
        await self.domain(door, X509)
        assert (await door.desk.mqtt(over("mqtt", WITH_CERTIFICATE))).identity == CERTIFICATE
        assert await refusal(door, over("mqtt")) == "the client sent no certificate"
        with pytest.raises(Forbidden, match="domain configuration d takes AWS_X509, which there is not over WebSocket"):
            await door.desk.websocket(WITH_CERTIFICATE, head(presigned(clock)))
        with pytest.raises(Forbidden, match="takes client certificates"):
            await door.desk.https(WITH_CERTIFICATE, publish(presigned(clock)))
        with pytest.raises(Forbidden, match="sent no certificate"):
            await door.desk.https(ARRIVAL, publish())
        assert await door.desk.https(WITH_CERTIFICATE, publish()) is None

    async def test_signatures_alone(self, door: Reception, clock: FakeClock) -> None:
        await self.domain(door, SIGV4)
        assert "takes signatures" in await refusal(door, WITH_CERTIFICATE)
        assert (await door.desk.websocket(ARRIVAL, head(presigned(clock)))).identity.active
        with pytest.raises(IncompleteSignature):
            await door.desk.websocket(ARRIVAL, head("x-amz-customauthorizer-name=door"))
        assert await door.desk.https(WITH_CERTIFICATE, publish(presigned(clock))) is None
        with pytest.raises(Forbidden, match="takes signed requests"):
            await door.desk.https(WITH_CERTIFICATE, publish())

    async def test_authorizers_alone(self, door: Reception, functions: Functions, clock: FakeClock) -> None:
        await self.domain(door, CUSTOM)
        for arrival in (ARRIVAL, WITH_CERTIFICATE, over("x-amzn-mqtt-ca", WITH_CERTIFICATE)):
            assert (await introduced(await door.desk.mqtt(arrival))).identity.id == "sensor7"
        query = presigned(clock)
        assert (await introduced(await door.desk.websocket(ARRIVAL, head(query)))).identity.id == "sensor7"
        assert await door.desk.https(WITH_CERTIFICATE, publish(query)) is not None
        assert len(functions.events) == 5
        assert all("principalId" not in event["protocolData"]["tls"] for event in functions.events)
        with pytest.raises(Forbidden, match="opens POST /topics"):
            await door.desk.https(ARRIVAL, head(path="/things/a/shadow"))

    async def test_an_authorizer_alone_and_none_there(self, reception: Reception) -> None:
        await self.domain(reception, CUSTOM)
        assert "SetDefaultAuthorizer" in await refusal(reception, WITH_CERTIFICATE)
        with pytest.raises(Forbidden, match="SetDefaultAuthorizer"):
            await reception.desk.https(ARRIVAL, publish())

    async def test_a_certificate_and_an_authorizer(
        self, door: Reception, functions: Functions, certificates: Certificates
    ) -> None:
        await self.domain(door, BOTH)
        functions.answer = {**ANSWER, "principalId": CERTIFICATE.id}
        peer = await introduced(await door.desk.mqtt(WITH_CERTIFICATE))
        assert peer.identity == CERTIFICATE
        assert functions.events[0]["protocolData"]["tls"]["principalId"] == CERTIFICATE.id
        assert functions.events[0]["protocolData"]["tls"]["x509CertificatePem"].startswith("-----BEGIN")
        grant = await peer.principals.grant(peer.identity, "lamp")
        assert [one.name for one in grant.policies] == ["own", "policyDocuments[0] of authorizer door"]
        assert grant.thing is not None
        certificates.revoked = True
        assert (await peer.principals.recheck(peer.identity)).reason == "certificate is REVOKED"
        https = await door.desk.https(WITH_CERTIFICATE, publish())
        assert https is not None
        assert https.identity == CERTIFICATE

    async def test_a_certificate_and_an_authorizer_and_one_missing(
        self, door: Reception, functions: Functions, clock: FakeClock
    ) -> None:
        await self.domain(door, BOTH)
        assert await refusal(door, ARRIVAL) == "the client sent no certificate"
        revoked = msgspec.structs.replace(WITH_CERTIFICATE, identity=REVOKED)
        assert await refusal(door, revoked) == "certificate is REVOKED"
        for arrival in (ARRIVAL, revoked):
            with pytest.raises(Forbidden):
                await door.desk.https(arrival, publish())
        with pytest.raises(Forbidden, match="not over WebSocket"):
            await door.desk.websocket(WITH_CERTIFICATE, head(presigned(clock)))
        assert not functions.events
        assert await refusal(door, WITH_CERTIFICATE) == "the custom authorizer door failed", "another principalId"

    async def test_their_own_authorizer_comes_first(self, door: Reception, functions: Functions) -> None:
        await door.authorizers.create("own", ARNS.function("own"), signing_disabled=True)
        await self.domain(door, CUSTOM, authorizer=AuthorizerConfig("own"))
        named = "?x-amz-customauthorizer-name="
        for username in (None, f"{named}own"):
            await introduced(await door.desk.mqtt(ARRIVAL), username)
        assert [function for function, _ in functions.asked] == [ARNS.function("own")] * 2
        assert "does not let clients name" in await refusal(door, ARRIVAL, f"{named}door")
        await door.domains.update("d", DomainChange(authorizer=AuthorizerConfig("own", override=True)))
        await introduced(await door.desk.mqtt(ARRIVAL), f"{named}door")
        assert functions.asked[-1][0] == FUNCTION
        elsewhere = msgspec.structs.replace(ARRIVAL, server_name="other.example.com")
        await introduced(await door.desk.mqtt(elsewhere))
        assert functions.asked[-1][0] == FUNCTION

    @pytest.mark.parametrize("protocol", [one for one in ApplicationProtocol if one is not ApplicationProtocol.DEFAULT])
    async def test_one_protocol_alone(self, door: Reception, protocol: ApplicationProtocol) -> None:
        await self.domain(door, CUSTOM, protocol=protocol)
        spoken = set()
        if (await door.desk.mqtt(ARRIVAL)).introduce is not None:
            spoken.add(ApplicationProtocol.SECURE_MQTT)
        asking: list[tuple[ApplicationProtocol, Awaitable[Peer | None]]] = [
            (ApplicationProtocol.MQTT_WSS, door.desk.websocket(ARRIVAL, head())),
            (ApplicationProtocol.HTTPS, door.desk.https(ARRIVAL, publish())),
        ]
        for one, answer in asking:
            refused = await asyncio.gather(answer, return_exceptions=True)
            if isinstance(refused[0], Forbidden):
                assert f"is for {protocol.value}, not {one.value}" in refused[0].message
            else:
                spoken.add(one)
        assert spoken == {protocol}

    async def test_a_disabled_name_is_closed(self, door: Reception, clock: FakeClock) -> None:
        await self.domain(door, AuthenticationType.DEFAULT)
        await door.domains.update("d", DomainChange(status=DomainStatus.DISABLED))
        assert "d is DISABLED" in await refusal(door, WITH_CERTIFICATE)
        with pytest.raises(Forbidden, match="d is DISABLED"):
            await door.desk.websocket(ARRIVAL, head(presigned(clock)))
        with pytest.raises(Forbidden, match="d is DISABLED"):
            await door.desk.https(ARRIVAL, publish(presigned(clock)))
