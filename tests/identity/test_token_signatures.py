"""SHA256withRSA over the token as it came."""

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from tests.identity.conftest import Signer

from fogbank.identity.token_signatures import is_signed


def test_a_good_one_by_any_key(signer: Signer, other_signer: Signer) -> None:
    made = signer.sign("token")
    assert is_signed("token", made, [signer.pem])
    assert is_signed("token", made, [other_signer.pem, signer.pem])
    assert not is_signed("token", made, [other_signer.pem])
    assert not is_signed("token", made, [])


@pytest.mark.parametrize("token", ["tokeN", "token ", "", "tok", "\ud800"])
def test_another_token(signer: Signer, token: str) -> None:
    assert not is_signed(token, signer.sign("token"), [signer.pem])


@pytest.mark.parametrize(
    "spoil", [lambda made: "", lambda made: made[:-4], lambda made: "!" + made, lambda made: made * 9]
)
def test_what_is_no_signature(signer: Signer, spoil: Callable[[str], str]) -> None:
    assert not is_signed("token", spoil(signer.sign("token")), [signer.pem])


def test_other_schemes_do_not_count(signer: Signer) -> None:
    key = signer.key
    pss = key.sign(b"token", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    old = key.sign(b"token", padding.PKCS1v15(), hashes.SHA1())
    for made in (pss, old):
        assert not is_signed("token", base64.b64encode(made).decode(), [signer.pem])
