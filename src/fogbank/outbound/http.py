"""The way out over HTTP: one pool of connections for everything the platform calls.

Bounds on all that a stranger could make grow: connections in all and per host, seconds per request, bytes per answer.
Proxies of the environment are not used and redirects not followed: a request goes where it was said to go, or fails.
The client library is loaded with the first request, since most instances never send one.
"""

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from fogbank.outbound.credentials import CredentialChain
from fogbank.ports import HttpAnswer, HttpRequest, OutboundError, Signing

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

MAX_CONNECTIONS = 256
MAX_CONNECTIONS_PER_HOST = 64
IDLE = 30.0
"""Seconds that an unused connection is kept."""
CONNECT_TIMEOUT = 3.0
"""Seconds for a connection; a request's own timeout may be shorter."""


class HttpPool:
    """Sends requests. Port HttpTargets."""

    def __init__(self, credentials: CredentialChain) -> None:
        """`credentials` sign the requests that ask for it."""
        self._credentials = credentials
        self._session: ClientSession | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Port HttpTargets."""
        if request.signing is not None:
            request = await self._signed(request, request.signing)
        session = self._session or await self._open()
        from aiohttp import ClientError, ClientResponseError, ClientTimeout, InvalidURL
        from yarl import URL

        try:
            async with session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                timeout=ClientTimeout(total=request.timeout, sock_connect=CONNECT_TIMEOUT),
            ) as response:
                answer = await _read(response, request)
        except TimeoutError as error:
            raise OutboundError(
                f"{place(request.url)} did not answer within {request.timeout:g} s", code="Timeout", transient=True
            ) from error
        except (InvalidURL, ValueError) as error:
            raise OutboundError(f"{request.url!r} cannot be requested: {error}", code="BadRequest") from error
        except ClientResponseError as error:
            # Its own text tells the whole URL, secrets in the query included.
            raise OutboundError(
                f"{place(request.url)} did not answer in HTTP", code="Connection", transient=True
            ) from error
        except (ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise OutboundError(f"{place(request.url)}: {reason}", code="Connection", transient=True) from error
        return answer

    async def _open(self) -> "ClientSession":
        async with self._opening:
            if self._session is None:
                await asyncio.to_thread(_load)
                import aiohttp

                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(
                        limit=MAX_CONNECTIONS, limit_per_host=MAX_CONNECTIONS_PER_HOST, keepalive_timeout=IDLE
                    ),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    skip_auto_headers=("User-Agent", "Content-Type", "Accept-Encoding", "Accept"),
                    auto_decompress=False,
                )
        return self._session

    async def _signed(self, request: HttpRequest, signing: Signing) -> HttpRequest:
        credentials = await self._credentials.get()
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        signed = AWSRequest(request.method, request.url, dict(request.headers), request.body)
        SigV4Auth(credentials, signing.service, signing.region).add_auth(signed)
        return msgspec.structs.replace(request, headers=tuple(signed.headers.items()), signing=None)


def place(url: str) -> str:
    """What may be told of a URL: neither its query nor a password in it."""
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "an unreadable URL"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


async def _read(response: "ClientResponse", request: HttpRequest) -> HttpAnswer:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > request.limit:
            response.close()
            raise OutboundError(
                f"{place(request.url)} answered with more than {request.limit} bytes", code="AnswerTooLarge"
            )
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpAnswer(response.status, response.reason or "", headers, bytes(body))


def _load() -> None:
    import aiohttp  # noqa: F401  # a quarter of a second, which no device is to wait for
