"""A transport that holds back what is written to it until the loop's turn ends, and then writes it at once.

uvicorn writes the head and the body of an answer apart. Together they cost one system call, and one TLS record.
"""

import asyncio
from typing import Any

from fogbank.transport.lingering import Lingering

MOST_HELD = 65_536
"""Bytes after which it writes without waiting for the turn to end."""


class Corked(asyncio.Transport):
    """Stands before another transport; everything but writing goes straight through."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, lingering: Lingering | None = None
    ) -> None:
        """With `lingering`, the peer gets time to read what was written last before the connection is closed."""
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._lingering = lingering
        self._closing = False
        self._parts: list[bytes | bytearray | memoryview] = []
        self._held = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)
        self._held += len(data)
        if self._held > MOST_HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if self._parts:
            parts, self._parts, self._held = self._parts, [], 0
            if not self.is_closing():
                self._transport.write(b"".join(parts))

    def close(self) -> None:
        self.flush()
        self._closing = True
        if self._lingering is None:
            self._transport.close()
        else:
            self._lingering.part(self._transport)

    def abort(self) -> None:
        self._parts.clear()
        self._closing = True
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()
