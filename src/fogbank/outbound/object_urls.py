"""Presigned URLs of objects in S3, at the endpoint that the operator has named or at AWS. To sign calls nobody."""

from urllib.parse import quote, urlencode, urlsplit

from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import presign
from fogbank.clock import Clock
from fogbank.outbound.credentials import CredentialChain
from fogbank.outbound.endpoints import obstacle
from fogbank.ports import OutboundError
from fogbank.settings import Endpoints


class PresignedUrls:
    """Signs URLs in the platform's own name. Port ObjectUrls."""

    def __init__(self, endpoints: Endpoints, region: str, credentials: CredentialChain, clock: Clock) -> None:
        self._endpoints = endpoints
        self._region = region
        self._credentials = credentials
        self._clock = clock

    async def sign(self, method: str, bucket: str, key: str, *, version: str | None = None, expires: int = 3600) -> str:
        """Path-style, which every endpoint takes. Raises OutboundError where there is no endpoint or no credentials."""
        if (missing := obstacle(self._endpoints, "s3")) is not None:
            raise OutboundError(missing, code="NoEndpoint")
        found = await self._credentials.get()
        base = self._endpoints.url("s3") or f"https://s3.{self._region}.amazonaws.com"
        parts = urlsplit(base)
        path = f"{parts.path.rstrip('/')}/{quote(bucket, safe='')}/{quote(key, safe='/~')}"
        fields = {} if version is None else {"versionId": version}
        if found.token:
            fields["X-Amz-Security-Token"] = found.token
        request = Request(method, path, urlencode(fields, quote_via=quote), {"host": parts.netloc})
        query = presign(
            request,
            found.access_key,
            found.secret_key,
            region=self._region,
            service="s3",
            now=self._clock.time(),
            expires=expires,
        )
        return f"{parts.scheme}://{parts.netloc}{path}?{query}"
