"""Ownership tokens: who was given a certificate over MQTT, and may have a device provisioned with it.

A token is 32 random bytes behind the certificate's ID; what is stored is their digest. It is good for an hour, for whom
it was given to: the principal that asked for the certificate (developer guide, fleet-provision-api; that AWS looks at
the principal is UNVERIFIED, but a token that has leaked is no use to another claim). Once the device is provisioned,
what it was answered is kept for the rest of the hour, so that a device which lost the answer gets it again.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

import msgspec

from fogbank.clock import Clock
from fogbank.ports import Put
from fogbank.registry.provisioning.errors import InvalidOwnershipToken
from fogbank.registry.provisioning.records import Deadline, Outcome, Ownership, ProvisioningRecords
from fogbank.storage.collection import Stored

LIFETIME = 3600.0
"""Seconds for which a token is good, and its certificate waits (developer guide, fleet-provision-api)."""
_ID = 32
_SECRET = 32


class OwnershipTokens:
    """Gives tokens out, and knows them again."""

    def __init__(self, records: ProvisioningRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def issuing(self, certificate: str, secret: bytes, principal: str) -> Sequence[Put]:
        """The writes that make the token of this new certificate and secret good, for the batch that makes the
        certificate."""
        expires = self._clock.time() + LIFETIME
        value = Ownership(token=_digest(secret), principal=principal, expires=expires)
        deadline = Deadline(certificate, expires)
        return (
            self._records.ownerships.putting(certificate, value, expect=0),
            self._records.deadlines.putting(deadline.key, deadline),
        )

    async def open(self, token: str, principal: str) -> Stored[Ownership]:
        """What a token stands for; its key is the certificate's ID. Raises InvalidOwnershipToken."""
        if not token:
            raise InvalidOwnershipToken("Certificate ownership token cannot be empty.")
        certificate, secret = _parts(token)
        stored = await self._records.ownerships.get(certificate)
        known = _digest(b"") if stored is None else stored.value.token
        if not hmac.compare_digest(known, _digest(secret)) or stored is None:
            raise InvalidOwnershipToken("Certificate ownership token is not valid: it was not given out here.")
        if stored.value.expires <= self._clock.time():
            raise InvalidOwnershipToken("Certificate ownership token has expired: ask for another certificate.")
        if stored.value.principal != principal:
            raise InvalidOwnershipToken("Certificate ownership token was given to another principal.")
        return stored

    def using(self, stored: Stored[Ownership], outcome: Outcome) -> Put:
        """The write that notes what the device has become, for the batch that makes it so."""
        value = msgspec.structs.replace(stored.value, outcome=outcome)
        return self._records.ownerships.putting(stored.key, value, expect=stored.version)


def new_secret() -> bytes:
    """What nobody can guess."""
    return secrets.token_bytes(_SECRET)


def token_of(certificate: str, secret: bytes) -> str:
    """What a device is handed."""
    return base64.urlsafe_b64encode(bytes.fromhex(certificate) + secret).decode().rstrip("=")


def _digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()


def _parts(token: str) -> tuple[str, bytes]:
    """The certificate's ID and the secret. Raises InvalidOwnershipToken."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _ID + _SECRET:
        raise InvalidOwnershipToken("Certificate ownership token is not valid: it was not given out here.")
    return raw[:_ID].hex(), raw[_ID:]
