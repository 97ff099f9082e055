"""Session tokens: what is to be known of a session, sealed so that nobody else can read or make one.

Temporary keys are given out by the thousand and end by themselves, so none is kept: the token holds the secret key, who
it stands for and until when. The key of the seal is in the data directory; so tokens outlive a restart, and no other
instance takes them.
"""

import base64
import binascii
import secrets

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fogbank.identity.iam.records import Records, SealKey
from fogbank.ports import StaleVersion

LONGEST_TOKEN = 16_384
"""Characters; a session with the longest policy and fifty tags makes a bit more than half."""

_PURPOSE = b"fogbank session token 1"
_KEY = "current"
_NONCE = 12


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody's temporary keys. Times are seconds since the epoch."""

    key_id: str
    secret: str
    holder: str
    """The name of the user or role; of the root's sessions the ID of its access key."""
    holder_id: str
    """Its ID, so that another of the same name later is another; empty for the root."""
    name: str | None = None
    """Of a role's session; None: a user's or the root's."""
    issued: float
    expires: float
    policy: str | None = None
    """The document that bounds the session."""
    policies: tuple[str, ...] = ()
    """References to managed policies that bound it."""
    tags: dict[str, str] = {}
    source_identity: str | None = None
    context: dict[str, str] = {}
    """Further policy variables, which the service that the session was begun by knows (`credentials-iot:ThingName`)."""

    def __repr__(self) -> str:
        return f"Session(key_id={self.key_id!r}, secret=..., holder={self.holder!r}, name={self.name!r})"


class Seal:
    """Makes and opens tokens. `load` comes first."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._cipher: AESGCM | None = None

    async def load(self) -> None:
        """Read the key, or make it on the first start."""
        stored = await self._records.seal_keys.get(_KEY)
        if stored is None:
            try:
                await self._records.seal_keys.put(_KEY, SealKey(AESGCM.generate_key(256)), expect=0)
            except StaleVersion:
                pass  # somebody was quicker
            stored = await self._records.seal_keys.get(_KEY)
        assert stored is not None, "it has just been written"
        self._cipher = AESGCM(stored.value.key)

    def close(self, session: Session) -> str:
        """The token of a session."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._key.encrypt(nonce, msgspec.json.encode(session), _PURPOSE)
        return base64.b64encode(nonce + sealed).decode()

    def open(self, token: str) -> Session | None:
        """The session of a token; None where we have not made it."""
        if len(token) > LONGEST_TOKEN:
            return None
        try:
            raw = base64.b64decode(token, validate=True)
            plain = self._key.decrypt(raw[:_NONCE], raw[_NONCE:], _PURPOSE)
            return msgspec.json.decode(plain, type=Session)
        except (binascii.Error, ValueError, InvalidTag, msgspec.DecodeError):
            return None

    @property
    def _key(self) -> AESGCM:
        assert self._cipher is not None, "load comes first"
        return self._cipher
