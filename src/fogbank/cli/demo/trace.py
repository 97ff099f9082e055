"""The app's ear at `GET /_fogbank/trace`: what the platform decides, and why."""

import threading
from typing import Self

import msgspec

from fogbank.cli.demo.inbox import Inbox, NotSeen
from fogbank.cli.instance import Keys
from fogbank.cli.trace_stream import NoTrace, TraceClient, Traced
from fogbank.ready import Ready

__all__ = ["TraceStream", "Traced"]


class TraceStream:
    """Listens from construction to `close`, on a thread of its own."""

    def __init__(self, where: Ready) -> None:
        self.events: Inbox[Traced] = Inbox()
        try:
            self._client = TraceClient(where.api, Keys(where.region, where.access_key_id, where.secret_access_key))
        except NoTrace as error:
            raise NotSeen("the trace", str(error)) from None
        self._reader = threading.Thread(target=self._read, name="trace", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._client.interrupt()
        self._reader.join()

    def _read(self) -> None:
        with self._client:
            for line in self._client:
                self.events.put(msgspec.json.decode(line, type=Traced))
        self.events.close("the trace stream has ended")
