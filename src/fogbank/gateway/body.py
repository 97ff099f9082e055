"""Reads request bodies within bounds. A body that is too long is turned away by its declared length, or at the byte
that passes the bound; the connection lives on, so that a client which is still sending gets to read the answer."""

from collections.abc import Mapping

from fogbank.awswire.http import Request
from fogbank.errors import RequestEntityTooLarge, ServiceUnavailable
from fogbank.gateway.exchange import Disconnected, Exchange

LIMITS: Mapping[str, int] = {"lambda": 69_905_067}
"""Bytes by signing name. Lambda's is that of a 50 MB zip file in base64, as its own error text names it."""

DEFAULT_LIMIT = 1_048_576
"""Bytes, for everyone else; services bound their own documents more tightly."""


MAX_LARGE = 256 * 1024 * 1024
"""Bytes that all bodies longer than DEFAULT_LIMIT may hold while they are read: until then nobody has proven anything
but to know an access key's ID. Short ones always find room."""


class Bodies:
    """The bodies that are being read."""

    def __init__(self) -> None:
        self._large = 0

    async def read(self, exchange: Exchange, limit: int | None = None) -> None:
        """Complete the request by its body, which is as long as the service that is signed for takes, unless `limit`
        says how long. Raises RequestEntityTooLarge, ServiceUnavailable or Disconnected."""
        if limit is None:
            limit = LIMITS.get(exchange.claim.service, DEFAULT_LIMIT) if exchange.claim is not None else DEFAULT_LIMIT
        declared = exchange.request.headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 18 or int(declared) > limit:
            raise RequestEntityTooLarge(f"Request must be smaller than {limit} bytes.")
        chunks, size, charged, more = [], 0, 0, True
        try:
            while more:
                message = await exchange.receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    raise RequestEntityTooLarge(f"Request must be smaller than {limit} bytes.")
                if size > DEFAULT_LIMIT:
                    self._large += size - charged
                    charged = size
                    if self._large > MAX_LARGE:
                        raise ServiceUnavailable("Too many large requests are under way; try again later.")
                chunks.append(chunk)
                more = message.get("more_body", False)
        finally:
            self._large -= charged
        if size:
            head = exchange.request
            exchange.request = Request(head.method, head.path, head.query, head.headers, b"".join(chunks))
