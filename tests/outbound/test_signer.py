"""Signatures, one after the other: the key that is kept must be that of the day and of who signs."""

import pytest
from botocore.credentials import Credentials

from fogbank.awswire.errors import InvalidSignature
from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import Verifier, read_claim
from fogbank.outbound.signer import Signer

DAY = 86_400.0
REQUEST = Request("POST", "/", headers={"host": "sqs.example", "x-amz-target": "T"}, body=b"{}")


def _holds(headers: dict[str, str], secret: str) -> bool:
    signed = Request("POST", "/", headers=headers, body=b"{}")
    claim = read_claim(signed)
    assert claim is not None
    try:
        Verifier("eu-west-1").verify(claim, signed, secret)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize(
    "turns",
    [
        [(20_000 * DAY, "a"), (20_001 * DAY - 1, "a"), (20_001 * DAY, "a"), (20_000 * DAY, "a")],
        [(20_000 * DAY, "a"), (20_000 * DAY, "b"), (20_000 * DAY, "a")],
    ],
    ids=["days", "secrets"],
)
def test_each_signature_is_of_its_day_and_secret(turns: list[tuple[float, str]]) -> None:
    signer = Signer("eu-west-1", "sqs")
    for now, secret in turns:
        headers = signer.sign(REQUEST, Credentials("AKID", secret), now)
        assert _holds(headers, secret)
        assert not _holds(headers, secret + "x")


def test_temporary_credentials_tell_their_token() -> None:
    headers = Signer("eu-west-1", "sqs").sign(REQUEST, Credentials("AKID", "a", "tok"), DAY)
    assert headers["x-amz-security-token"] == "tok"
    assert "x-amz-security-token" in headers["authorization"]
    assert _holds(headers, "a")
