"""Signed tokens: a client proves that its token comes from who holds the private key, before any function is asked.

SHA256withRSA is RSASSA-PKCS1-v1_5 with SHA-256 over the token as it came (developer guide, "Signing the token").
"""

import base64
import binascii
from collections.abc import Iterable
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from fogbank.errors import InvalidRequest

SHORTEST_KEY = 2048
LONGEST_KEY = 16_384
"""Bits. Verifying takes time that grows with the key, and anyone may ask for it."""
LONGEST_SIGNATURE = 2560
"""Characters of base64 (API model, TokenSignature)."""


def check_public_key(name: str, pem: str) -> None:
    """Raises InvalidRequest where the text is no RSA public key of at least 2048 bits."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequest(
            f"The public key {name} is not readable: it must be PEM, beginning with -----BEGIN PUBLIC KEY-----"
        ) from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise InvalidRequest(f"The public key {name} is not an RSA key")
    if not SHORTEST_KEY <= key.key_size <= LONGEST_KEY:
        raise InvalidRequest(
            f"The public key {name} has {key.key_size} bits; it must have {SHORTEST_KEY} to {LONGEST_KEY}"
        )


def is_signed(token: str, signature: str, public_keys: Iterable[str]) -> bool:
    """Whether `signature`, base64, was made over `token` for one of the keys (PEM)."""
    try:
        if len(signature) > LONGEST_SIGNATURE:
            return False
        made = base64.b64decode(signature, validate=True)
        signed = token.encode()
    except (binascii.Error, ValueError):
        return False
    return any(_verifies(_key(pem), made, signed) for pem in public_keys)


def _verifies(key: rsa.RSAPublicKey, signature: bytes, token: bytes) -> bool:
    try:
        key.verify(signature, token, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=256)
def _key(pem: str) -> rsa.RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey), "checked when the authorizer was made"
    return key
