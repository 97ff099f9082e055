"""Links to blobs, as GetFunction's `Code.Location` and the reports of bulk registration: who has one may download for
ten minutes.

AWS hands out a presigned S3 address. Here the token itself says what it is for and until when, under a key that
lives as long as the process: nothing is stored, nothing can be guessed, and a restart ends all links.
"""

import hashlib
import hmac
import secrets

from fogbank.clock import Clock

LIFETIME = 600
"""Seconds; GetFunction's reference: "a presigned URL that's valid for 10 minutes"."""


class BlobLinks:
    """Makes and reads tokens `digest.expiry.signature`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def token(self, digest: str) -> str:
        """A token for the blob with this digest."""
        claim = f"{digest}.{int(self._clock.time()) + LIFETIME}"
        return f"{claim}.{self._sign(claim)}"

    def digest(self, token: str) -> str | None:
        """What the token is for; None where it is not ours or has expired."""
        claim, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(claim).encode()):
            return None
        digest, _, expiry = claim.partition(".")
        return digest if int(expiry) >= self._clock.time() else None

    def _sign(self, claim: str) -> str:
        return hmac.new(self._key, claim.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
