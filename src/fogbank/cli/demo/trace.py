"""The app's ear at `GET /_fogbank/trace`: what the platform decides, and why."""

import http.client
import threading
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fogbank.cli.demo.inbox import Inbox, NotSeen
from fogbank.ready import Ready

PATH = "/_fogbank/trace"
LAMBDA_LINES = ("INIT_START ", "START RequestId", "END RequestId", "REPORT RequestId")
ANSWER = 10.0
"""Seconds until the stream must have begun; from then on it may be silent for as long as it likes."""


class Traced(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the stream. See `fogbank.trace.TraceEvent`."""

    kind: str
    status: str
    reason: str = ""
    topic: str = ""
    client_id: str = ""
    name: str = ""
    duration_ms: float | None = None
    detail: dict[str, Any] | None = None

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


class TraceStream:
    """Listens from construction to `close`, on a thread of its own."""

    def __init__(self, where: Ready) -> None:
        self.events: Inbox[Traced] = Inbox()
        request = AWSRequest("GET", where.api + PATH)
        key = Credentials(where.access_key_id, where.secret_access_key)
        SigV4Auth(key, "iot", where.region).add_auth(request)
        self._connection = http.client.HTTPConnection(urlsplit(where.api).netloc, timeout=ANSWER)
        self._connection.request("GET", PATH, headers=dict(request.headers.items()))
        self._socket = self._connection.sock
        self._response = self._connection.getresponse()
        if self._response.status != http.HTTPStatus.OK:
            raise NotSeen(f"the stream {PATH}", f"{self._response.status} {self._response.read().decode()}")
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, name="trace", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        try:
            self._socket.shutdown(2)
        except OSError:
            pass  # the platform has ended the stream already
        self._reader.join()
        self._connection.close()

    def _read(self) -> None:
        try:
            while line := self._response.readline():
                self.events.put(msgspec.json.decode(line, type=Traced))
        except (OSError, http.client.HTTPException):
            pass  # closed, by us or by them
        self.events.close("the trace stream has ended")
