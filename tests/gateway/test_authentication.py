"""Both steps, apart from everything else; `test_pipeline` has them as clients see them."""

from collections.abc import MutableMapping

import msgspec
import pytest
from tests.gateway.toy import ARNS, KEY, REGION

from fogbank.awswire.errors import IncompleteSignature, InvalidSignature, MissingAuthenticationToken, UnrecognizedClient
from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import presign, sign
from fogbank.errors import Forbidden
from fogbank.gateway.authentication import Authenticator
from fogbank.gateway.exchange import AsgiMessage, Exchange
from fogbank.ports import Arrival, Grant, HttpHead, Identity, Peer, PrincipalListener
from fogbank.settings import AccessKey
from fogbank.testing import FakeClock

NO_KEYS: dict[str, AccessKey] = {}
DEVICE = Identity("c" * 64, ARNS.iot("cert", "c" * 64), active=True)


class Desk:
    """Lets in who brings a token that it knows, and says what else it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Arrival, HttpHead, MutableMapping[str, Peer] | None]] = []

    async def https(
        self, arrival: Arrival, request: HttpHead, kept: MutableMapping[str, Peer] | None = None
    ) -> Peer | None:
        self.asked.append((arrival, request, kept))
        token = request.headers.get("authorization", "")
        if token == "Bearer bad":
            raise Forbidden("not you")
        if token != "Bearer good":
            return None
        return Peer(identity=Identity("sensor7", "arn:authorizer", active=True), principals=Principals())


class Principals:
    """Someone else's rights."""

    async def identify(self, certificate: bytes) -> Identity:
        raise NotImplementedError

    async def recheck(self, identity: Identity) -> Identity:
        raise NotImplementedError

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        raise NotImplementedError

    def watch(self, listener: PrincipalListener) -> None:
        raise NotImplementedError


async def no_body() -> AsgiMessage:
    raise AssertionError("the body must not be read to know this")


def exchange(request: Request, identity: Identity | None = None) -> Exchange:
    scope = {
        "method": request.method,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in request.headers.items()],
        "client": ("192.0.2.1", 5),
        "state": {"fogbank.arrival": Arrival(ip="192.0.2.1", identity=identity)},
    }
    one = Exchange(scope, no_body)
    one.request = msgspec.structs.replace(one.request, body=request.body)
    return one


def signed(clock: FakeClock, body: bytes = b"", secret: str = KEY.secret) -> Request:
    request = Request("POST", "/things/a", "", {"host": "x"}, body)
    headers = sign(request, KEY.id, secret, region=REGION, service="iot", now=clock.time())
    return msgspec.structs.replace(request, headers=headers)


async def test_a_signature_is_claimed_and_then_proven(fake_clock: FakeClock) -> None:
    authenticator = Authenticator(ARNS, fake_clock, {KEY.id: KEY}.get, None)
    one = exchange(signed(fake_clock, b"{}"))
    await authenticator.claim(one)
    assert one.claim is not None
    assert one.claim.service == "iot"
    await authenticator.authenticate(one)
    assert (one.caller.principal, one.caller.source_ip, one.caller.device) == (KEY.id, "192.0.2.1", None)
    assert one.caller.arn == "arn:aws:iam::123456789012:root"


async def test_a_claim_alone_is_no_proof(fake_clock: FakeClock) -> None:
    authenticator = Authenticator(ARNS, fake_clock, {KEY.id: KEY}.get, None)
    one = exchange(signed(fake_clock, secret="other"))
    await authenticator.claim(one)
    with pytest.raises(InvalidSignature):
        await authenticator.authenticate(one)
    assert not hasattr(one, "caller")


async def test_a_body_other_than_the_signed_one(fake_clock: FakeClock) -> None:
    authenticator = Authenticator(ARNS, fake_clock, {KEY.id: KEY}.get, None)
    one = exchange(msgspec.structs.replace(signed(fake_clock, b"{}"), body=b"{ }"))
    await authenticator.claim(one)
    with pytest.raises(InvalidSignature):
        await authenticator.authenticate(one)


async def test_a_presigned_request(fake_clock: FakeClock) -> None:
    authenticator = Authenticator(ARNS, fake_clock, {KEY.id: KEY}.get, None)
    request = Request("GET", "/things", "", {"host": "x"})
    query = presign(request, KEY.id, KEY.secret, region=REGION, service="iot", now=fake_clock.time(), expires=60)
    one = exchange(msgspec.structs.replace(request, query=query))
    await authenticator.claim(one)
    await authenticator.authenticate(one)
    assert one.caller.principal == KEY.id
    await fake_clock.advance(61)
    with pytest.raises(InvalidSignature, match="expired"):
        await authenticator.claim(one)


async def test_a_key_that_is_not_ours_is_turned_away_by_the_headers(fake_clock: FakeClock) -> None:
    authenticator = Authenticator(ARNS, fake_clock, NO_KEYS.get, None)
    with pytest.raises(UnrecognizedClient):
        await authenticator.claim(exchange(signed(fake_clock)))


async def test_a_key_that_is_deleted_while_its_request_comes_in(fake_clock: FakeClock) -> None:
    keys: dict[str, AccessKey] = {KEY.id: KEY}
    authenticator = Authenticator(ARNS, fake_clock, keys.get, None)
    one = exchange(signed(fake_clock))
    await authenticator.claim(one)
    keys.clear()
    with pytest.raises(UnrecognizedClient):
        await authenticator.authenticate(one)


@pytest.mark.parametrize("authorization", ["", "Bearer x", "AWS4-HMAC-SHA256 Credential=x"])
async def test_a_broken_signature_is_not_rescued_by_a_certificate(authorization: str, fake_clock: FakeClock) -> None:
    authenticator = Authenticator(ARNS, fake_clock, {KEY.id: KEY}.get, None)
    request = Request("GET", "/", headers={"host": "x", "authorization": authorization})
    with pytest.raises(IncompleteSignature):
        await authenticator.claim(exchange(request, DEVICE))


async def test_a_device(fake_clock: FakeClock) -> None:
    authenticator = Authenticator(ARNS, fake_clock, NO_KEYS.get, None)
    one = exchange(Request("GET", "/"), DEVICE)
    await authenticator.claim(one)
    await authenticator.authenticate(one)
    assert (one.caller.principal, one.caller.arn, one.caller.device) == (DEVICE.id, DEVICE.arn, DEVICE)


@pytest.mark.parametrize(
    ("reason", "told"), [("certificate is REVOKED", "certificate is REVOKED"), ("", "The certificate is not active.")]
)
async def test_a_device_that_is_not_active_any_more(reason: str, told: str, fake_clock: FakeClock) -> None:
    async def recheck(identity: Identity) -> Identity:
        return msgspec.structs.replace(identity, active=False, reason=reason)

    authenticator = Authenticator(ARNS, fake_clock, NO_KEYS.get, recheck)
    with pytest.raises(Forbidden) as caught:
        await authenticator.claim(exchange(Request("GET", "/"), DEVICE))
    assert caught.value.message == told


async def test_nobody(fake_clock: FakeClock) -> None:
    authenticator = Authenticator(ARNS, fake_clock, {KEY.id: KEY}.get, None)
    with pytest.raises(MissingAuthenticationToken):
        await authenticator.claim(exchange(Request("GET", "/")))


class TestAuthorizers:
    async def test_one_says_who_it_is(self, fake_clock: FakeClock) -> None:
        desk = Desk()
        authenticator = Authenticator(ARNS, fake_clock, NO_KEYS.get, None, desk)
        one = exchange(Request("POST", "/topics/a", "qos=1", {"authorization": "Bearer good"}), DEVICE)
        arrival, kept = Arrival(ip="192.0.2.1", server_name="name"), dict[str, Peer]()
        one.scope["state"] |= {"fogbank.arrival": arrival, "fogbank.kept": kept}
        await authenticator.claim(one)
        await authenticator.authenticate(one)
        caller = one.caller
        assert (caller.principal, caller.arn, caller.source_ip) == ("sensor7", "arn:authorizer", "192.0.2.1")
        assert caller.device is not None
        assert caller.device.id == "sensor7"
        assert isinstance(caller.principals, Principals)
        assert caller.server_name == "name"
        [(asked, head, passed)] = desk.asked
        assert asked is arrival
        assert passed is kept
        assert (head.method, head.path, head.query) == ("POST", "/topics/a", "qos=1")
        assert head.headers == {"authorization": "Bearer good"}

    async def test_who_it_refuses_has_no_other_way(self, fake_clock: FakeClock) -> None:
        authenticator = Authenticator(ARNS, fake_clock, {KEY.id: KEY}.get, None, Desk())
        with pytest.raises(Forbidden, match="not you"):
            await authenticator.claim(
                exchange(Request("POST", "/topics/a", "", {"authorization": "Bearer bad"}), DEVICE)
            )

    async def test_what_it_leaves_to_others(self, fake_clock: FakeClock) -> None:
        desk = Desk()
        authenticator = Authenticator(ARNS, fake_clock, {KEY.id: KEY}.get, None, desk)
        one = exchange(signed(fake_clock))
        await authenticator.claim(one)
        await authenticator.authenticate(one)
        assert (one.caller.principal, one.caller.principals) == (KEY.id, None)
        one = exchange(Request("GET", "/"), DEVICE)
        await authenticator.claim(one)
        assert (one.caller.device, one.caller.principals) == (DEVICE, None)
        assert [(arrival.ip, arrival.identity) for arrival, _, _ in desk.asked] == [
            ("192.0.2.1", None),
            ("192.0.2.1", DEVICE),
        ]
        with pytest.raises(MissingAuthenticationToken):
            await authenticator.claim(exchange(Request("GET", "/")))

    async def test_it_is_not_asked_of_what_is_signed_and_came_without_tls(self, fake_clock: FakeClock) -> None:
        desk = Desk()
        authenticator = Authenticator(ARNS, fake_clock, {KEY.id: KEY}.get, None, desk)
        one = exchange(signed(fake_clock))
        one.scope["state"] = {}
        await authenticator.claim(one)
        await authenticator.authenticate(one)
        assert (one.caller.principal, desk.asked) == (KEY.id, [])
        one = exchange(Request("GET", "/"))
        one.scope["state"] = {}
        with pytest.raises(MissingAuthenticationToken):
            await authenticator.claim(one)
        assert len(desk.asked) == 1

    async def test_the_name_that_a_device_asked_for_is_known(self, fake_clock: FakeClock) -> None:
        authenticator = Authenticator(ARNS, fake_clock, NO_KEYS.get, None)
        one = exchange(Request("GET", "/"), DEVICE)
        one.scope["state"]["fogbank.arrival"] = Arrival(server_name="name", identity=DEVICE)
        await authenticator.claim(one)
        assert one.caller.server_name == "name"
