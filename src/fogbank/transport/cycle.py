"""One request and its answer: uvicorn's, with a short way for nearly all of them.

uvicorn searches every header by itself for what must not be there. Here the lines are made, and looked at together. A
body that is whole is handed out at once. What is not as usual goes uvicorn's way.
"""

import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_LINES = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9a-z-]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)*")
"""Header lines whose names are in lower case and whose values hold no control characters (RFC 9110, 5)."""
_FRAMING = (b"connection", b"transfer-encoding")


class Cycle(RequestResponseCycle):
    """Writes the same as uvicorn's."""

    async def send(self, message: Any) -> None:
        if self.response_started or self.disconnected or self.flow.write_paused or not self._start(message):
            await super().send(message)

    async def receive(self) -> Any:
        whole = self.message_event.is_set() and not self.more_body
        if not whole or self.waiting_for_100_continue or self.disconnected or self.response_complete:
            return await super().receive()
        body, self.body = bytes(self.body), bytearray()
        self.message_event.clear()
        self.flow.resume_reading()
        return {"type": "http.request", "body": body, "more_body": False}

    def _start(self, message: Any) -> bool:
        """Write the head of an answer whose length is known; whether that was possible."""
        headers = [*self.default_headers, *message.get("headers", ())]
        fields = dict(headers)
        length = fields.get(b"content-length")
        if length is None or len(fields) != len(headers) or not fields.keys().isdisjoint(_FRAMING):
            return False
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        if lines.count(b"\n") != len(headers) or _LINES.fullmatch(lines) is None:
            return False
        self.response_started = True
        self.waiting_for_100_continue = False
        self.chunked_encoding = False
        self.expected_content_length = int(length)
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((STATUS_LINE[message["status"]], lines, end)))
        return True
