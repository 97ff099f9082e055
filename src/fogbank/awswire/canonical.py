"""The canonical form of a request: what a Signature Version 4 is made over, for signing and for verifying alike.

Rules: AWS IAM user guide, "Create a signed AWS API request"; where it is vague, what botocore does.
"""

import re
from collections.abc import Collection, Iterable
from urllib.parse import quote, unquote_plus

from fogbank.awswire.http import Request

_SINGLE_ENCODED = frozenset({"s3"})
"""Services whose paths enter as they are sent; all others normalise the path and encode it once more."""

_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")
"""Paths that are their own canonical form."""


def canonical_request(
    request: Request, service: str, signed_headers: str, payload_hash: str, leave_out: Collection[str] = ()
) -> str:
    """The canonical request; `signed_headers` is the list as signed (`host;x-amz-date`), `leave_out` query fields."""
    headers = request.headers
    lines = [request.method, canonical_path(request.path, service), canonical_query(request.query, leave_out)]
    lines += [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed_headers.split(";")]
    lines += ["", signed_headers, payload_hash]
    return "\n".join(lines)


def canonical_path(path: str, service: str) -> str:
    """The path of the canonical request, from the percent-encoded one on the wire."""
    if service in _SINGLE_ENCODED:
        return path or "/"
    if _PLAIN_PATH.fullmatch(path):
        return path
    return quote(_normalise(path), safe="/~")


def canonical_query(query: str, leave_out: Collection[str] = ()) -> str:
    """The sorted, evenly encoded query, without the fields named in `leave_out`."""
    if not query:
        return ""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    fields = ((unquote_plus(key), unquote_plus(value)) for key, _, value in pairs)
    return encode_query((key, value) for key, value in fields if key not in leave_out)


def encode_query(fields: Iterable[tuple[str, str]]) -> str:
    """Fields as a query string in canonical form."""
    encoded = sorted((quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in fields)
    return "&".join(f"{key}={value}" for key, value in encoded)


def _normalise(path: str) -> str:
    """Without empty and dot segments, RFC 3986 (5.2.4) and AWS's rule on repeated slashes."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")
