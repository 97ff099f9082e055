"""Signing and verifying, with botocore's signers as the oracle in both directions."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from fogbank.awswire.errors import ContentSha256Mismatch, IncompleteSignature, InvalidSignature
from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import (
    Verifier,
    format_timestamp,
    parse_timestamp,
    presign,
    read_claim,
    sign,
    signing_key,
)
from fogbank.errors import ServiceError

KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1"
NOW = 1_700_000_000.0
HOST = "127.0.0.1:4566"

segments = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
paths = st.lists(segments | st.sampled_from([".", "..", "a b", "a/b", "x+y", "~"]), max_size=5).map(
    lambda parts: "/" + "/".join(quote(part, safe="~") for part in parts)
)
fields = st.lists(
    st.tuples(segments, st.text(st.characters(codec="utf-8"), max_size=12)), max_size=4, unique_by=lambda f: f[0]
)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
headers = st.dictionaries(
    st.sampled_from(["content-type", "x-amz-meta-a", "x-amzn-principal", "accept"]), header_values
)
bodies = st.binary(max_size=64)
services = st.sampled_from(["iot", "iotdata", "lambda", "s3"])
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"])


def by_botocore(signer: Any, request: AWSRequest) -> Request:
    """The request as botocore signs and sends it."""
    with patch.object(auth, "get_current_datetime", lambda: datetime.fromtimestamp(NOW, UTC)):
        signer.add_auth(request)
    sent = request.prepare()
    url = urlsplit(sent.url)
    received = {
        name.lower(): value if isinstance(value, str) else value.decode() for name, value in sent.headers.items()
    }
    return Request(sent.method, url.path, url.query, {"host": HOST} | received, request.data or b"")


def verify(request: Request, *, secret: str = SECRET, now: float = NOW, region: str = REGION) -> None:
    claim = read_claim(request)
    assert claim is not None
    assert claim.key_id == KEY
    verifier = Verifier(region)
    verifier.check(claim, now)
    verifier.verify(claim, request, secret)


def signer(kind: Any, service: str, token: str | None = None, **options: Any) -> Any:
    return kind(Credentials(KEY, SECRET, token), service, REGION, **options)


def signed(request: Request | None = None, service: str = "iot", now: float = NOW) -> Request:
    request = request or Request("GET", "/things", "", {"host": HOST})
    added = sign(request, KEY, SECRET, region=REGION, service=service, now=now)
    return Request(request.method, request.path, request.query, added, request.body)


# --- botocore signs, we verify ----------------------------------------------------------------------------------


@given(methods, paths, fields, headers, bodies, services, st.booleans())
def test_verifies_what_botocore_signs_in_the_header(
    method: str, path: str, query: list[tuple[str, str]], extra: dict[str, str], body: bytes, service: str, in_url: bool
) -> None:
    encoded = "&".join(f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in query)
    url = f"http://{HOST}{path}" + (f"?{encoded}" if in_url and encoded else "")
    params = {} if in_url else dict(query)
    request = AWSRequest(method, url, headers=extra, data=body, params=params)
    kind = auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth
    verify(by_botocore(signer(kind, service), request))


@given(methods, paths, fields, services)
def test_verifies_what_botocore_presigns(method: str, path: str, query: list[tuple[str, str]], service: str) -> None:
    kind = auth.S3SigV4QueryAuth if service == "s3" else auth.SigV4QueryAuth
    request = AWSRequest(method, f"http://{HOST}{path}", params=dict(query))
    verify(by_botocore(signer(kind, service, expires=60), request), now=NOW + 59)


@pytest.mark.parametrize("kind", [auth.SigV4Auth, auth.SigV4QueryAuth])
def test_verifies_requests_with_a_session_token(kind: Any) -> None:
    verify(by_botocore(signer(kind, "iot", token="tok/en+="), AWSRequest("GET", f"http://{HOST}/things")))


def test_verifies_a_date_header_in_place_of_x_amz_date() -> None:
    request = AWSRequest("GET", f"http://{HOST}/things", headers={"Date": "any"})
    verify(by_botocore(signer(auth.SigV4Auth, "iot"), request))


def test_verifies_an_unsigned_payload() -> None:
    request = AWSRequest("POST", f"https://{HOST}/things/a", data=b"body")
    request.context["payload_signing_enabled"] = False
    sent = by_botocore(signer(auth.SigV4Auth, "iot"), request)
    assert sent.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    verify(sent)


def test_the_token_of_a_presigned_websocket_may_come_after_the_signature() -> None:
    """AWS's IoT device SDKs append it unsigned."""
    request = Request("GET", "/mqtt", "", {"host": HOST})
    query = presign(request, KEY, SECRET, region=REGION, service="iotdevicegateway", now=NOW)
    verify(Request("GET", "/mqtt", f"{query}&X-Amz-Security-Token=abc%2F", {"host": HOST}))
    query = presign(request, KEY, SECRET, region=REGION, service="iotdata", now=NOW)
    with pytest.raises(InvalidSignature):
        verify(Request("GET", "/mqtt", f"{query}&X-Amz-Security-Token=abc%2F", {"host": HOST}))


def test_a_presigned_websocket_may_have_no_expiry() -> None:
    """Older IoT clients leave X-Amz-Expires out; it then lives as long as a signed header."""
    query = presign(Request("GET", "/mqtt", "", {"host": HOST}), KEY, SECRET, region=REGION, service="iot", now=NOW)
    claim = read_claim(Request("GET", "/mqtt", query.replace("X-Amz-Expires=3600&", ""), {"host": HOST}))
    assert claim is not None
    assert claim.expires is None
    Verifier(REGION).check(claim, NOW + 899)
    with pytest.raises(InvalidSignature, match="expired"):
        Verifier(REGION).check(claim, NOW + 901)


# --- we sign, botocore would have done the same -----------------------------------------------------------------


@given(methods, paths, fields, headers, bodies, services)
def test_signs_as_botocore_does(
    method: str, path: str, query: list[tuple[str, str]], extra: dict[str, str], body: bytes, service: str
) -> None:
    encoded = "&".join(f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in query)
    url = f"http://{HOST}{path}" + (f"?{encoded}" if encoded else "")
    theirs = by_botocore(signer(auth.SigV4Auth, service), AWSRequest(method, url, headers=extra, data=body))
    if service != "s3":
        ours = signed(Request(method, path, encoded, {"host": HOST} | extra, body), service)
        assert ours.headers["authorization"] == theirs.headers["authorization"]


@given(methods, paths, fields, services)
def test_verifies_what_it_presigns(method: str, path: str, query: list[tuple[str, str]], service: str) -> None:
    encoded = "&".join(f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in query)
    request = Request(method, path, encoded, {"host": HOST})
    presigned = presign(request, KEY, SECRET, region=REGION, service=service, now=NOW)
    verify(Request(method, path, presigned, {"host": HOST}))


def test_signing_key() -> None:
    """The example of AWS's general reference, "Examples of how to derive a signing key"."""
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


# --- what is not right is turned away ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"method": "POST"},
        {"path": "/thing"},
        {"path": "/things/"},
        {"query": "a=1"},
        {"body": b"x"},
        {"headers": {"host": "other"}},
        {"headers": {"x-amzn-principal": "b"}},
        {"headers": {"x-amz-date": format_timestamp(NOW + 1)}},
    ],
)
def test_any_change_breaks_the_signature(change: dict[str, Any]) -> None:
    request = signed(Request("GET", "/things", "", {"host": HOST, "x-amzn-principal": "a"}))
    verify(request)
    headers_ = request.headers | change.get("headers", {})
    values = {"method": request.method, "path": request.path} | change | {"headers": headers_}
    with pytest.raises(InvalidSignature, match="signature we calculated does not match"):
        verify(Request(**values))


def test_another_secret_breaks_the_signature() -> None:
    with pytest.raises(InvalidSignature, match="signature we calculated does not match"):
        verify(signed(), secret="other")


def test_a_signature_that_is_not_ascii_is_wrong_like_any_other() -> None:
    request = signed()
    broken = request.headers | {"authorization": request.headers["authorization"][:-1] + "ä"}
    with pytest.raises(InvalidSignature, match="signature we calculated does not match"):
        verify(Request("GET", "/things", "", broken))


def test_one_verifier_keeps_the_keys_of_services_days_and_secrets_apart() -> None:
    verifier = Verifier(REGION)
    for _ in range(2):
        for service in ("iot", "lambda"):
            for now in (NOW, NOW + 86_400):
                request = signed(service=service, now=now)
                claim = read_claim(request)
                assert claim is not None
                verifier.verify(claim, request, SECRET)
                with pytest.raises(InvalidSignature):
                    verifier.verify(claim, request, "other")


@pytest.mark.parametrize("seconds", [-900, 0, 900])
def test_clocks_may_differ_by_fifteen_minutes(seconds: float) -> None:
    verify(signed(), now=NOW + seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (
            901,
            "Signature expired: 20231114T221320Z is now earlier than 20231114T221321Z (20231114T222821Z - 15 min.)",
        ),
        (
            -901,
            "Signature not yet current: 20231114T221320Z is still later than 20231114T221319Z "
            "(20231114T215819Z + 15 min.)",
        ),
    ],
)
def test_clocks_that_differ_more_are_told(seconds: float, text: str) -> None:
    with pytest.raises(InvalidSignature) as caught:
        verify(signed(), now=NOW + seconds)
    assert caught.value.message == text


def test_a_presigned_request_expires() -> None:
    query = presign(
        Request("GET", "/things", "", {"host": HOST}), KEY, SECRET, region=REGION, service="iot", now=NOW, expires=60
    )
    verify(Request("GET", "/things", query, {"host": HOST}), now=NOW + 60)
    with pytest.raises(InvalidSignature, match=r"Signature expired: .* - 1 min\."):
        verify(Request("GET", "/things", query, {"host": HOST}), now=NOW + 61)


def test_another_region_is_named() -> None:
    with pytest.raises(InvalidSignature, match="signed for us-east-1, but this instance serves eu-west-1"):
        verify(signed(), region="eu-west-1")


def test_iam_is_the_same_in_all_regions_and_signed_for_one_of_them() -> None:
    """boto3 signs for its own region where it is given an endpoint, and for us-east-1 where it is not."""
    for service, signed_for, serving, taken in (
        ("iam", "us-east-1", "eu-west-1", True),
        ("iam", "eu-west-1", "eu-west-1", True),
        ("iam", "eu-west-2", "eu-west-1", False),
        ("sts", "us-east-1", "eu-west-1", False),
        ("sts", "eu-west-1", "eu-west-1", True),
    ):
        headers = sign(Request("GET", "/", "", {"host": "h"}), KEY, SECRET, region=signed_for, service=service, now=NOW)
        claim = read_claim(Request("GET", "/", "", headers))
        assert claim is not None
        try:
            Verifier(serving).check(claim, NOW)
        except InvalidSignature:
            assert not taken
        else:
            assert taken


def test_a_body_other_than_the_declared_one() -> None:
    request = Request("POST", "/things/a", "", {"host": HOST, "x-amz-content-sha256": "0" * 64}, b"x")
    with pytest.raises(ContentSha256Mismatch):
        signed(request)


def test_chunked_signatures_are_refused_by_name() -> None:
    headers_ = signed().headers | {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
    with pytest.raises(InvalidSignature, match="STREAMING-AWS4-HMAC-SHA256-PAYLOAD is not supported"):
        verify(Request("GET", "/things", "", headers_))


def test_an_unsigned_request_claims_nothing() -> None:
    assert read_claim(Request("GET", "/things", "a=1", {"host": HOST})) is None


GOOD = "Credential=AK/20231114/us-east-1/iot/aws4_request, SignedHeaders=host, Signature=abc"


@pytest.mark.parametrize(
    ("authorization", "text"),
    [
        ("", "Unsupported AWS 'algorithm': ''"),
        ("Bearer abc", "Unsupported AWS 'algorithm': 'Bearer'"),
        ("AWS4-ECDSA-P256-SHA256 " + GOOD, "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'"),
        ("AWS4-HMAC-SHA256", "requires 'Credential' parameter. Authorization header requires 'Signature' parameter."),
        ("AWS4-HMAC-SHA256 " + GOOD.replace("Signature=abc", ""), "requires 'Signature' parameter."),
        ("AWS4-HMAC-SHA256 " + GOOD.replace("AK/", ""), "must have exactly 5 slash-delimited elements"),
        ("AWS4-HMAC-SHA256 " + GOOD.replace("aws4_", ""), "valid terminator: 'aws4_request'"),
        ("AWS4-HMAC-SHA256 " + GOOD.replace("=host", "=date"), "'Host' must be a 'SignedHeader'"),
        ("AWS4-HMAC-SHA256 " + GOOD.replace("14/", "15/"), "'20231115' != '20231114', from '20231114T221320Z'"),
    ],
)
def test_incomplete_headers_say_what_they_lack(authorization: str, text: str) -> None:
    with pytest.raises((IncompleteSignature, InvalidSignature)) as caught:
        read_claim(Request("GET", "/", "", {"authorization": authorization, "x-amz-date": format_timestamp(NOW)}))
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, "requires existence of either a 'X-Amz-Date' or a 'Date' header."),
        ("yesterday", "Date must be in ISO-8601 'basic format'. Got 'yesterday'."),
        ("20231199T221320Z", "Date in Credential scope does not match"),
    ],
)
def test_headers_need_a_date(moment: str | None, text: str) -> None:
    headers_ = {"authorization": "AWS4-HMAC-SHA256 " + GOOD} | ({"x-amz-date": moment} if moment else {})
    with pytest.raises((IncompleteSignature, InvalidSignature)) as caught:
        read_claim(Request("GET", "/", "", headers_))
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("AWS4-HMAC-SHA256", "other", "Unsupported AWS 'algorithm': 'other'"),
        ("X-Amz-Credential=", "X=", "must include 'X-Amz-Credential'"),
        ("X-Amz-Date=", "X=", "must include 'X-Amz-Date'"),
        ("X-Amz-SignedHeaders=", "X=", "must include 'X-Amz-SignedHeaders'"),
        ("Expires=3600", "Expires=0", "from 1 to 604800"),
        ("Expires=3600", "Expires=604801", "from 1 to 604800"),
        ("Expires=3600", "Expires=soon", "from 1 to 604800"),
        ("Expires=3600", "Expires=0000000019", "from 1 to 604800"),
        ("Expires=3600", "Expires=000000001" + "9" * 5000, "from 1 to 604800"),
    ],
)
def test_incomplete_queries_say_what_they_lack(old: str, new: str, text: str) -> None:
    query = presign(Request("GET", "/", "", {"host": HOST}), KEY, SECRET, region=REGION, service="iot", now=NOW)
    assert old in query
    with pytest.raises(IncompleteSignature) as caught:
        read_claim(Request("GET", "/", query.replace(old, new)))
    assert text in caught.value.message


@given(st.text(max_size=80), st.text(max_size=20))
def test_whatever_is_in_the_headers_is_a_claim_or_a_clear_error(rest: str, moment: str) -> None:
    request = Request("GET", "/", "", {"authorization": f"AWS4-HMAC-SHA256 {rest}", "x-amz-date": moment})
    with pytest.raises(ServiceError):
        read_claim(request)


def test_timestamps() -> None:
    assert format_timestamp(NOW) == "20231114T221320Z"
    assert parse_timestamp("20231114T221320Z") == NOW
    with pytest.raises(IncompleteSignature):
        parse_timestamp("20231314T221320Z")


@pytest.mark.parametrize("separator", [", ", ",", " , "])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_parts_of_a_header_may_come_in_any_order(separator: str, order: tuple[int, ...]) -> None:
    request = signed()
    usual = read_claim(request)
    algorithm, _, rest = request.headers["authorization"].partition(" ")
    parts = rest.split(", ")
    shuffled = f"{algorithm} {separator.join(parts[place] for place in order)}"
    assert read_claim(Request("GET", "/", "", request.headers | {"authorization": shuffled})) == usual
