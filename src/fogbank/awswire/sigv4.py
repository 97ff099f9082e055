"""AWS Signature Version 4: who claims to have signed a request, whether that is so, and signing of our own.

A request carries its signature in the Authorization header or, presigned, in its query. `read_claim` reads what it
says without believing it; `Verifier` then holds it against the clock, the region and the secret. The steps are apart
so that an edge can turn away an unknown key before it reads a body.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

import msgspec

from fogbank.awswire.canonical import canonical_request, encode_query
from fogbank.awswire.errors import ContentSha256Mismatch, IncompleteSignature, InvalidSignature
from fogbank.awswire.http import Request, parse_query

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

GLOBAL_SERVICES: Mapping[str, str] = {"iam": "us-east-1"}
"""Services that are the same in all regions, and which region requests to them are signed for."""

SKEW = 15 * 60
"""Seconds that a signer's clock may be off either way."""
MAX_EXPIRES = 7 * 24 * 3600
"""Seconds that a presigned request may live at most."""

_SECONDS = re.compile(r"[0-9]{1,9}")
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_AS_SDKS_WRITE_IT = re.compile(rf"{ALGORITHM} Credential=([^\s,=]+), ?SignedHeaders=([^\s,=]+), ?Signature=([^\s,=]+)")
"""An Authorization header with all its parts in their usual order."""
_UNSIGNABLE = frozenset({"authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"})
_MAX_SIGNING_KEYS = 256

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class Claim(msgspec.Struct, frozen=True):
    """What a request says of its signature; nothing of it is proven."""

    key_id: str
    date: str
    """The day of the credential scope, YYYYMMDD."""
    region: str
    service: str
    """The service's signing name (`iotdata`, `lambda`, ...)."""
    signed_headers: str
    signature: str
    timestamp: str
    """YYYYMMDDTHHMMSSZ."""
    expires: int | None = None
    """Seconds of life of a presigned request."""
    presigned: bool = False

    @property
    def scope(self) -> str:
        """The credential scope as it enters the string to sign."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


# --- reading ----------------------------------------------------------------------------------------------------


def read_claim(request: Request) -> Claim | None:
    """The claim of a request, or None where it is not signed. Raises IncompleteSignature where a part is missing."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _header_claim(authorization, request.headers)
    if "X-Amz-Signature=" in request.query or "X-Amz-Algorithm=" in request.query:
        return _query_claim(dict(parse_query(request.query)))
    return None


def _header_claim(authorization: str, headers: dict[str, str]) -> Claim:
    moment = headers.get("x-amz-date") or headers.get("date")
    if moment and (usual := _AS_SDKS_WRITE_IT.fullmatch(authorization)) is not None:
        credential, signed_headers, signature = usual.groups()
        return _claim(credential, signed_headers, signature, _timestamp(moment))
    algorithm, _, rest = authorization.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{algorithm[:64]}'; this service takes {ALGORITHM}.")
    parts = {key.strip(): value for key, _, value in (part.partition("=") for part in rest.split(","))}
    lacking = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    if not moment:
        lacking.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if lacking or not moment:
        raise IncompleteSignature(" ".join(lacking))
    return _claim(
        parts["Credential"].strip(), parts["SignedHeaders"].strip(), parts["Signature"].strip(), _timestamp(moment)
    )


def _query_claim(fields: dict[str, str]) -> Claim:
    if (algorithm := fields.get("X-Amz-Algorithm")) != ALGORITHM:
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{algorithm}'; this service takes {ALGORITHM}.")
    names = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date")
    if lacking := [name for name in names if not fields.get(name)]:
        raise IncompleteSignature(" ".join(f"AWS query-string parameters must include '{name}'." for name in lacking))
    expires = fields.get("X-Amz-Expires")
    if expires is not None and not (_SECONDS.fullmatch(expires) and 0 < int(expires) <= MAX_EXPIRES):
        raise IncompleteSignature(f"X-Amz-Expires must be a number of seconds from 1 to {MAX_EXPIRES}.")
    credential, signed_headers, signature, moment = (fields[name] for name in names)
    claim = _claim(credential, signed_headers, signature, _timestamp(moment))
    return msgspec.structs.replace(claim, presigned=True, expires=None if expires is None else int(expires))


def _claim(credential: str, signed_headers: str, signature: str, timestamp: str) -> Claim:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5:
        raise IncompleteSignature(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential[:128]}'."
        )
    key_id, date, region, service, terminator = parts
    if terminator != TERMINATOR:
        raise IncompleteSignature(f"Credential should be scoped with a valid terminator: '{TERMINATOR}'.")
    if "host" not in signed_headers.split(";"):
        raise IncompleteSignature("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    if date != timestamp[:8]:
        raise InvalidSignature(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{date[:16]}' != '{timestamp[:8]}', from '{timestamp}'."
        )
    return Claim(key_id, date, region, service, signed_headers, signature, timestamp)


def _timestamp(text: str) -> str:
    """The moment in the form of X-Amz-Date; an HTTP `Date` may be in its own."""
    if _TIMESTAMP.fullmatch(text):
        return text
    try:
        return format_timestamp(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError):
        pass
    raise IncompleteSignature(f"Date must be in ISO-8601 'basic format'. Got '{text[:64]}'.")


# --- verifying --------------------------------------------------------------------------------------------------


class Verifier:
    """Verifies the claims made to one region. Signing keys, four HMACs each, are kept for the day they serve."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._signing_keys: dict[tuple[str, str, str, str], bytes] = {}

    def check(self, claim: Claim, now: float) -> None:
        """Whether the claim is for this region and this time (seconds since the epoch). Raises InvalidSignature."""
        if claim.region not in (self._region, GLOBAL_SERVICES.get(claim.service)):
            raise InvalidSignature(
                f"Credential should be scoped to a valid region: the request is signed for {claim.region[:64]}, "
                f"but this instance serves {self._region}. Set the client's region to {self._region} "
                "(AWS_REGION, or region_name in boto3)."
            )
        signed = parse_timestamp(claim.timestamp)
        lifetime = SKEW if claim.expires is None else claim.expires
        if signed + lifetime < now:
            raise InvalidSignature(
                f"Signature expired: {claim.timestamp} is now earlier than {format_timestamp(now - lifetime)} "
                f"({format_timestamp(now)} - {_span(lifetime)})"
            )
        if signed - SKEW > now:
            raise InvalidSignature(
                f"Signature not yet current: {claim.timestamp} is still later than {format_timestamp(now + SKEW)} "
                f"({format_timestamp(now)} + {_span(SKEW)})"
            )

    def verify(self, claim: Claim, request: Request, secret: str) -> None:
        """Whether the request was signed with `secret`. Raises InvalidSignature or ContentSha256Mismatch."""
        key = self._signing_key(secret, claim)
        payload_hash = _payload_hash(claim, request)
        given = claim.signature.encode()
        for leave_out in _left_out(claim, request):
            canonical = canonical_request(request, claim.service, claim.signed_headers, payload_hash, leave_out)
            if hmac.compare_digest(given, _signature(key, claim, canonical).encode()):
                return
        raise InvalidSignature(_MISMATCH)

    def _signing_key(self, secret: str, claim: Claim) -> bytes:
        wanted = (secret, claim.date, claim.region, claim.service)
        cached = self._signing_keys.get(wanted)
        if cached is None:
            if len(self._signing_keys) >= _MAX_SIGNING_KEYS:
                self._signing_keys.clear()
            cached = self._signing_keys[wanted] = signing_key(*wanted)
        return cached


def _payload_hash(claim: Claim, request: Request) -> str:
    declared = request.headers.get("x-amz-content-sha256")
    if declared is None:
        presigned_s3 = claim.presigned and claim.service == "s3"
        return UNSIGNED_PAYLOAD if presigned_s3 else hashlib.sha256(request.body).hexdigest()
    if declared == UNSIGNED_PAYLOAD:
        return declared
    if declared.startswith("STREAMING-"):
        raise InvalidSignature(f"{declared[:64]} is not supported: sign the whole body.")
    if declared.lower() != hashlib.sha256(request.body).hexdigest():
        raise ContentSha256Mismatch(
            "The provided 'x-amz-content-sha256' header does not match what was computed from the body."
        )
    return declared


def _left_out(claim: Claim, request: Request) -> tuple[tuple[str, ...], ...]:
    """Which query fields were not signed. AWS's IoT SDKs append the session token to a presigned WebSocket URL after
    signing, generic signers sign it like any other field; both are right in their way."""
    if not claim.presigned:
        return ((),)
    if claim.service == "iotdevicegateway" and "X-Amz-Security-Token=" in request.query:
        return (("X-Amz-Signature",), ("X-Amz-Signature", "X-Amz-Security-Token"))
    return (("X-Amz-Signature",),)


# --- signing ----------------------------------------------------------------------------------------------------


def sign(
    request: Request,
    key_id: str,
    secret: str,
    *,
    region: str,
    service: str,
    now: float,
    token: str | None = None,
    key: bytes | None = None,
) -> dict[str, str]:
    """The request's headers with those that sign it added; they must hold `host`. `now` is seconds since the epoch.

    Who signs often keeps the `signing_key` of the day, and gives it here.
    """
    timestamp = format_timestamp(now)
    headers = request.headers | {"x-amz-date": timestamp} | ({"x-amz-security-token": token} if token else {})
    names = ";".join(sorted(headers.keys() - _UNSIGNABLE))
    claim = Claim(key_id, timestamp[:8], region, service, names, "", timestamp)
    signed = msgspec.structs.replace(request, headers=headers)
    canonical = canonical_request(signed, service, names, _payload_hash(claim, signed))
    signature = _signature(key or signing_key(secret, claim.date, region, service), claim, canonical)
    authorization = f"{ALGORITHM} Credential={key_id}/{claim.scope}, SignedHeaders={names}, Signature={signature}"
    return headers | {"authorization": authorization}


def presign(
    request: Request, key_id: str, secret: str, *, region: str, service: str, now: float, expires: int = 3600
) -> str:
    """The query string of a request that carries its signature there; only `host` is signed of its headers."""
    timestamp = format_timestamp(now)
    claim = Claim(key_id, timestamp[:8], region, service, "host", "", timestamp, expires, presigned=True)
    query = encode_query(
        [
            *parse_query(request.query),
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", f"{key_id}/{claim.scope}"),
            ("X-Amz-Date", timestamp),
            ("X-Amz-Expires", str(expires)),
            ("X-Amz-SignedHeaders", "host"),
        ]
    )
    unsigned = msgspec.structs.replace(request, query=query)
    canonical = canonical_request(unsigned, service, "host", _payload_hash(claim, unsigned))
    return f"{query}&X-Amz-Signature={_signature(signing_key(secret, claim.date, region, service), claim, canonical)}"


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key that signs one day's requests to one service of one region."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _signature(key: bytes, claim: Claim, canonical: str) -> str:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.digest(key, f"{ALGORITHM}\n{claim.timestamp}\n{claim.scope}\n{digest}".encode(), "sha256").hex()


def format_timestamp(seconds: float) -> str:
    """YYYYMMDDTHHMMSSZ."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


@lru_cache(maxsize=64)
def parse_timestamp(text: str) -> float:
    """Seconds since the epoch of YYYYMMDDTHHMMSSZ. Raises IncompleteSignature where there is no such moment.

    Requests of one second all ask for the same.
    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise IncompleteSignature(f"Date must be in ISO-8601 'basic format'. Got '{text[:64]}'.") from None


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} min."
