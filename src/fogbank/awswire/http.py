"""HTTP requests and responses as values."""

from urllib.parse import parse_qsl

import msgspec

from fogbank.awswire.errors import SerializationError

MAX_QUERY_FIELDS = 200


class Request(msgspec.Struct, frozen=True):
    """A request as it came over the wire.

    `path` and `query` are still percent-encoded (`query` without its question mark). `headers` have lower-case
    names; the values of a repeated one are joined by commas, as RFC 9110 (5.3) and SigV4 both have it.
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = {}
    body: bytes = b""


class Response(msgspec.Struct, frozen=True):
    """A response ready for the wire, but for the headers that every answer bears."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def parse_query(query: str) -> list[tuple[str, str]]:
    """The decoded fields of a query string, in order. Raises SerializationError: too many of them, or no UTF-8."""
    if not query:
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS, errors="strict")
    except UnicodeDecodeError:
        raise SerializationError("The query string is not percent-encoded UTF-8.") from None
    except ValueError:
        raise SerializationError(f"The query string has more than {MAX_QUERY_FIELDS} fields.") from None
