"""WebSocket requests signed in their query, with botocore and our own signer as the clients."""

import time
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.identity.conftest import ARNS, KEY

from fogbank.awswire.errors import IncompleteSignature, InvalidSignature, UnrecognizedClient
from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import presign, sign
from fogbank.identity.signed_requests import SignedRequests
from fogbank.identity.signer import RootSigners, Signer
from fogbank.policy import PolicySet
from fogbank.ports import Arrival, HttpHead, Peer
from fogbank.settings import AccessKey
from fogbank.testing.clock import FakeClock

HOST = "iot.example.com"
ARRIVAL = Arrival(ip="192.0.2.1", port=5, server_name=HOST)


def head(query: str, **headers: str) -> HttpHead:
    return HttpHead(method="GET", path="/mqtt", query=query, headers={"host": HOST, "upgrade": "websocket"} | headers)


def presigned(clock: FakeClock, *, signed_host: str = HOST, secret: str = KEY.secret, **options: Any) -> str:
    known: dict[str, Any] = {"region": ARNS.region, "service": "iotdevicegateway", "now": clock.time()}
    request = Request("GET", "/mqtt", "", {"host": signed_host})
    return presign(request, KEY.id, secret, **(known | options))


@pytest.fixture
def signed(clock: FakeClock, keys: dict[str, AccessKey]) -> SignedRequests:
    return SignedRequests(ARNS, clock, RootSigners(keys.get, ARNS))


async def all_rights(peer: Peer) -> bool:
    grant = await peer.principals.grant(peer.identity, "lamp")
    decision = PolicySet.compile(grant.policies).bind({}).decide("iot:Publish", ARNS.iot("topic", "a"))
    assert "all rights of access key AKIDEXAMPLE" in decision.reason
    return decision.allowed


@pytest.mark.parametrize("service", ["iotdevicegateway", "iotdata"])
async def test_a_key_of_the_account_has_all_rights_for_a_day(
    signed: SignedRequests, clock: FakeClock, service: str
) -> None:
    peer = await signed.peer(ARRIVAL, head(presigned(clock, service=service)))
    assert peer.identity.active
    assert peer.identity.id == "123456789012/AKIDEXAMPLE:root/AKIDEXAMPLE:root"
    assert peer.identity.arn == "arn:aws:iam::123456789012:root"
    assert (peer.lifetime, peer.lifetime_reason) == (86_400, "WEBSOCKET_TTL_EXPIRATION")
    assert (peer.ip, peer.port, peer.server_name, peer.introduce, peer.refresh) == ("192.0.2.1", 5, HOST, None, None)
    assert await all_rights(peer)


async def test_botocore_signs_it_so(signed: SignedRequests, keys: dict[str, AccessKey]) -> None:
    request = AWSRequest("GET", f"wss://{HOST}/mqtt")
    SigV4QueryAuth(Credentials(KEY.id, KEY.secret), "iotdevicegateway", ARNS.region, 60).add_auth(request)
    query = urlsplit(request.url or "").query
    now = SignedRequests(ARNS, FakeClock(time.time()), RootSigners(keys.get, ARNS))
    assert (await now.peer(ARRIVAL, head(query))).identity.active


async def test_it_ends_with_its_key(signed: SignedRequests, clock: FakeClock, keys: dict[str, AccessKey]) -> None:
    peer = await signed.peer(ARRIVAL, head(presigned(clock)))
    assert await peer.principals.recheck(peer.identity) == peer.identity
    keys.clear()
    identity = await peer.principals.recheck(peer.identity)
    assert (identity.id, identity.active) == (peer.identity.id, False)
    assert "AKIDEXAMPLE is no longer active" in identity.reason


@pytest.mark.parametrize(
    ("signed_host", "sent"), [("h:8443", "h:8443"), ("h", "h:8443"), ("[::1]", "[::1]:8443"), ("h", "h")]
)
async def test_hosts_signed_with_and_without_the_port(
    signed: SignedRequests, clock: FakeClock, signed_host: str, sent: str
) -> None:
    assert (await signed.peer(ARRIVAL, head(presigned(clock, signed_host=signed_host), host=sent))).identity.active


async def test_a_session_s_connection_ends_with_it(clock: FakeClock) -> None:
    class Sessions(RootSigners):
        async def find(self, key_id: str, token: str | None) -> Signer:
            assert token == "a+b"
            signer = await super().find(key_id, None)
            return msgspec.structs.replace(signer, expires=clock.time() + 900)

    signed = SignedRequests(ARNS, clock, Sessions({KEY.id: KEY}.get, ARNS))
    peer = await signed.peer(ARRIVAL, head(presigned(clock) + "&X-Amz-Security-Token=a%2Bb"))
    assert (peer.lifetime, peer.lifetime_reason) == (900, "WEBSOCKET_TTL_EXPIRATION")


async def test_refusals(signed: SignedRequests, clock: FakeClock) -> None:
    good = presigned(clock)
    token = "The security token included in the request is invalid"
    cases: list[tuple[str, dict[str, str], type[Exception], str]] = [
        ("", {}, IncompleteSignature, "not signed"),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", {}, IncompleteSignature, "X-Amz-Credential"),
        (presigned(clock, secret="other"), {}, InvalidSignature, "does not match"),
        (good, {"host": "other.example.com"}, InvalidSignature, "does not match"),
        (good + "&more=1", {}, InvalidSignature, "does not match"),
        (presigned(clock, region="us-east-1"), {}, InvalidSignature, "serves eu-west-1"),
        (presigned(clock, service="iot"), {}, InvalidSignature, "correct service: 'iotdevicegateway'"),
        (good.replace("AKIDEXAMPLE", "AKIDOTHER"), {}, UnrecognizedClient, token),
        (good + "&X-Amz-Security-Token=x", {}, UnrecognizedClient, token),
        ("X-Amz-Security-Token=x&" + good, {}, UnrecognizedClient, token),
        (good, {"x-amz-security-token": "x"}, UnrecognizedClient, token),
        (presigned(clock, now=clock.time() - 3601), {}, InvalidSignature, "Signature expired"),
        (presigned(clock, now=clock.time() + 901), {}, InvalidSignature, "not yet current"),
        (presigned(clock, expires=604_801), {}, IncompleteSignature, "X-Amz-Expires"),
    ]
    for query, headers, error, what in cases:
        with pytest.raises(error, match=what):
            await signed.peer(ARRIVAL, head(query, **headers))


async def test_a_signature_in_the_header_is_as_good(signed: SignedRequests, clock: FakeClock) -> None:
    request = Request("GET", "/mqtt", "", {"host": HOST})
    headers = sign(request, KEY.id, KEY.secret, region=ARNS.region, service="iotdevicegateway", now=clock.time())
    assert (await signed.peer(ARRIVAL, head("", **headers))).identity.active
