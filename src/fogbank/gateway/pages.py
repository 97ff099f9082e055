"""Pages: what the gateway serves beside AWS's operations. Each is a method, a path, those who may ask, and an answer.

Most are this platform's own, under `/_fogbank/`. A page elsewhere shares its path with operations: it is for whoever
does not sign, and what is signed goes the way of all operations.
"""

import enum
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from urllib.parse import unquote

import msgspec

from fogbank.awswire.http import Request, Response
from fogbank.awswire.sigv4 import read_claim
from fogbank.gateway.body import DEFAULT_LIMIT
from fogbank.gateway.call import Caller

OWN_PATHS = "/_fogbank/"
"""Paths that are this platform's own and no service's."""


class Audience(enum.Enum):
    """Who may ask for a page."""

    ANYONE = "anyone"
    KEYS = "the root's access keys, and users and sessions that may do the page's action"
    DEVICES = "client certificates"


class Visit(msgspec.Struct, frozen=True):
    """A request for a page."""

    request: Request
    names: Mapping[str, str]
    """What stands for `{name}` in the path, percent-decoded."""
    request_id: str
    caller: Caller | None = None
    """None where anyone may ask."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page. `answer` may raise ServiceError."""

    method: str
    path: str
    """With `{name}` for a segment that may be anything."""
    answer: Callable[[Visit], Awaitable[Response]]
    audience: Audience = Audience.KEYS
    action: str = ""
    """The action (`iot:UpdateCertificate`) that opens a page for KEYS to users and sessions; empty: to none of them."""
    limit: int = DEFAULT_LIMIT
    """Bytes of the body."""
    event: str = ""
    """What the audit log calls a visit; empty: it changes nothing and is not written down."""


class Pages:
    """The pages of a gateway."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages: dict[str, list[tuple[re.Pattern[str], Page]]] = {}
        for page in pages:
            self._pages.setdefault(_root(page.path), []).append((_pattern(page.path), page))

    def find(self, request: Request) -> tuple[Page, dict[str, str]] | None:
        """The page that a request is for, with the names in its path; None: it is for an operation, or nothing."""
        for pattern, page in self._pages.get(_root(request.path), ()):
            if page.method == request.method and (found := pattern.fullmatch(request.path)):
                if not page.path.startswith(OWN_PATHS) and read_claim(request) is not None:
                    return None
                return page, {name: unquote(value) for name, value in found.groupdict().items()}
        return None


def _root(path: str) -> str:
    """The first segment, which has no names: most requests are for no page, and are told so by it."""
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _pattern(path: str) -> re.Pattern[str]:
    """Names are in braces: a segment each."""
    parts = re.split(r"\{(\w+)\}", path)
    return re.compile("".join(f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts)))


def json_response(document: object, status: int = 200) -> Response:
    """A page's answer as JSON."""
    return Response(status, (("content-type", "application/json"),), msgspec.json.encode(document))


def ca_page(read: Callable[[], bytes]) -> Page:
    """The certificate (PEM) of the authority that clients are to trust; it is public."""

    async def answer(visit: Visit) -> Response:
        return Response(200, (("content-type", "application/x-pem-file"),), read())

    return Page(method="GET", path="/_fogbank/ca.pem", audience=Audience.ANYONE, answer=answer)
