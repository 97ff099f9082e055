"""The identifiers that AWS gives: a prefix for what it is, and base32 (IAM user guide, "IAM identifiers")."""

import base64
import secrets

USER = "AIDA"
ROLE = "AROA"
POLICY = "ANPA"
ACCESS_KEY = "AKIA"
SESSION_KEY = "ASIA"

_LENGTH = 17
_KEY_LENGTH = 16


def new_id(prefix: str) -> str:
    """An identifier that nobody has had before."""
    return prefix + base64.b32encode(secrets.token_bytes(11)).decode()[:_LENGTH]


def new_key_id(prefix: str) -> str:
    """The ID of an access key that nobody has had before."""
    return prefix + base64.b32encode(secrets.token_bytes(10)).decode()[:_KEY_LENGTH]


def new_secret() -> str:
    """40 characters of base64."""
    return base64.b64encode(secrets.token_bytes(30)).decode()
