"""Signatures for one service of one region, as many as are wanted."""

from typing import Any

from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import format_timestamp, sign, signing_key

_DAY = 24 * 3600


class Signer:
    """Signs requests. The signing key, four HMACs, is kept for the day that it serves."""

    def __init__(self, region: str, service: str) -> None:
        """`service` is the service's signing name."""
        self._region = region
        self._service = service
        self._kept: tuple[str, int, bytes] = ("", -1, b"")
        """The last signing key, after the secret and the day (since the epoch, in UTC as SigV4 has it) it is for."""

    def sign(self, request: Request, credentials: Any, now: float) -> dict[str, str]:
        """The request's headers, `host` among them, with those that sign it in the name of botocore's `credentials`.

        `now` is seconds since the epoch.
        """
        return sign(
            request,
            credentials.access_key,
            credentials.secret_key,
            region=self._region,
            service=self._service,
            now=now,
            token=credentials.token,
            key=self._key(credentials.secret_key, now),
        )

    def _key(self, secret: str, now: float) -> bytes:
        day = int(now // _DAY)
        of, since, key = self._kept
        if since != day or of != secret:
            key = signing_key(secret, format_timestamp(now)[:8], self._region, self._service)
            self._kept = (secret, day, key)
        return key
