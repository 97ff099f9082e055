"""Presigned URLs, with botocore as the oracle."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fogbank.outbound.credentials import CredentialChain
from fogbank.outbound.object_urls import PresignedUrls
from fogbank.ports import OutboundError
from fogbank.settings import Endpoints
from fogbank.testing import FakeClock


class Chain(CredentialChain):
    """Credentials of the test's own."""

    def __init__(self, token: str | None = None) -> None:
        self._credentials = Credentials("AKID", "secret", token)

    async def get(self) -> Any:
        return self._credentials.get_frozen_credentials()


@pytest.mark.parametrize("endpoint", ["http://localhost:9000", "https://s3.example.com/sub"])
@pytest.mark.parametrize(("method", "key", "version"), [("GET", "a/b c+\u00e4.bin", None), ("PUT", "k", "v/1")])
@pytest.mark.parametrize("token", [None, "to/ken="])
async def test_they_are_those_of_botocore(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, method: str, key: str, version: str | None, token: str | None
) -> None:
    clock = FakeClock()
    urls = PresignedUrls(Endpoints(urls={"s3": endpoint}), "eu-west-1", Chain(token), clock)
    url = await urls.sign(method, "bucket", key, version=version, expires=77)
    parts, fields = urlsplit(url), parse_qs(urlsplit(url).query)
    [signature] = fields.pop("X-Amz-Signature")
    [date] = fields["X-Amz-Date"]
    assert fields["X-Amz-Expires"] == ["77"]
    assert date == "20231114T221320Z", "the clock's time"

    auth = S3SigV4QueryAuth(Credentials("AKID", "secret", token), "s3", "eu-west-1", expires=77)
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}"
    request = AWSRequest(method=method, url=plain, headers={}, params={"versionId": version} if version else {})
    request.context["timestamp"] = date
    request.url = plain + (f"?versionId={version.replace('/', '%2F')}" if version else "")
    request.params = {}
    auth._modify_request_before_signing(request)
    canonical = auth.canonical_request(request)
    assert auth.signature(auth.string_to_sign(request, canonical), request) == signature


async def test_without_an_endpoint_nothing_is_signed() -> None:
    urls = PresignedUrls(Endpoints(), "eu-west-1", Chain(), FakeClock())
    with pytest.raises(OutboundError, match="AWS_ENDPOINT_URL_S3"):
        await urls.sign("GET", "bucket", "key")


async def test_at_aws_it_is_the_region_s() -> None:
    urls = PresignedUrls(Endpoints(aws=True), "eu-west-1", Chain(), FakeClock())
    assert (await urls.sign("GET", "b", "k")).startswith("https://s3.eu-west-1.amazonaws.com/b/k?")
