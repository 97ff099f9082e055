"""The stream of `GET /_fogbank/trace`, as a client reads it: what the platform does, and why."""

import http.client
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from fogbank.cli.instance import Keys

PATH = "/_fogbank/trace"
LAMBDA_LINES = ("INIT_START ", "START RequestId", "END RequestId", "REPORT RequestId")
ANSWER = 10.0
"""Seconds until the stream must have begun; from then on it may be silent for as long as it likes."""
LONGEST_REFUSAL = 4096
"""Bytes that are read of an answer which is no stream."""
CHUNK = 65536


class Traced(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the stream. See `fogbank.trace.TraceEvent`; and `gateway.trace` for what it says of itself."""

    kind: str
    status: str
    reason: str = ""
    topic: str = ""
    client_id: str = ""
    name: str = ""
    duration_ms: float | None = None
    detail: dict[str, Any] | None = None
    time: float = 0.0
    """Seconds since the epoch."""
    principal: str = ""
    dropped: int = 0
    """Where the event is that events were lost on this stream: how many."""

    def __str__(self) -> str:
        return f"{self.kind} {self.about}"

    @property
    def about(self) -> str:
        """All but the kind, in one line."""
        about = " ".join(filter(None, [self.status, self.client_id, self.name, self.topic]))
        return f"{about}: {self.reason}" if self.reason else about

    @property
    def printed(self) -> list[str]:
        """What a function printed, without the lines that Lambda puts around it."""
        lines = (self.detail or {}).get("log", "").splitlines()
        return [line for line in lines if not line.startswith(LAMBDA_LINES)]


class NoTrace(Exception):
    """There is no stream to listen to; the text says why."""


class TraceClient:
    """Listens from construction on. Iterating gives the lines until the platform, or `close`, ends the stream."""

    def __init__(self, url: str, keys: Keys) -> None:
        """Raises NoTrace."""
        parts = urlsplit(url)
        headers = keys.sign("GET", url, PATH)
        self._connection = _connection(parts.scheme, parts.netloc)
        try:
            self._connection.connect()
            self._socket = self._connection.sock  # which the connection itself forgets at a `Connection: close`
            self._socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
            )  # else a machine that is gone is waited for
            self._connection.request("GET", PATH, headers=headers)
            self._response = self._connection.getresponse()
            if self._response.status != http.HTTPStatus.OK:
                refusal = self._response.read(LONGEST_REFUSAL).decode("utf-8", "replace")
                raise NoTrace(f"{url}{PATH} answers {self._response.status}: {refusal}")
            self._socket.settimeout(None)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NoTrace(f"no Fogbank answers at {url} ({error or type(error).__name__})") from None
        except NoTrace:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._connection.close()

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        try:
            while chunk := self._response.read1(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
        except (OSError, http.client.HTTPException):
            return  # cut off, by them or by `interrupt`

    def interrupt(self) -> None:
        """End the stream from another thread than the one that reads it."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the platform has ended it already


def _connection(scheme: str, netloc: str) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
        return http.client.HTTPSConnection(netloc, timeout=ANSWER, context=context)
    if scheme == "http":
        return http.client.HTTPConnection(netloc, timeout=ANSWER)
    raise NoTrace(f"{scheme}://{netloc} is no address of an HTTP API")
