"""MQTT on an asyncio transport: to the transport a protocol, to the broker's connection its `Link`."""

import asyncio
from collections.abc import Callable
from typing import Any

from fogbank.broker.broker import Broker
from fogbank.broker.connection import State
from fogbank.ports import Peer
from fogbank.transport.half_open import HalfOpen
from fogbank.transport.lingering import Lingering


class MqttLink(asyncio.Protocol):
    """Hands the transport's chunks to the connection; it counts as half-open until a whole CONNECT has come.

    From then on the connection's own method stands in for the protocol's, so that a chunk costs one call and not two.
    Event loops look methods up when a protocol is set, which is why it is set again.
    """

    def __init__(
        self, broker: Broker, transport: asyncio.Transport, peer: Peer, half_open: HalfOpen, lingering: Lingering
    ) -> None:
        self._transport = transport
        self._half_open = half_open
        self._lingering = lingering
        self._is_parted = False
        """Whether the transport is none of ours any more."""
        self.write: Callable[[bytes | bytearray], object] = transport.write
        self._connection = broker.connect(self, peer)
        half_open.enter(transport)
        self.pause_writing = self._connection.line.pause_writing  # type: ignore[method-assign]
        self.resume_writing = self._connection.line.resume_writing  # type: ignore[method-assign]

    def data_received(self, data: bytes) -> None:
        self._connection.receive(data)
        if self._connection.state is not State.WAITING and not self._is_parted:
            self._half_open.leave(self._transport)
            self.data_received = self._connection.receive  # type: ignore[method-assign]
            self._transport.set_protocol(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._half_open.leave(self._transport)
        self._connection.lost()
        for ours in ("_connection", "data_received", "pause_writing", "resume_writing"):
            self.__dict__.pop(ours, None)  # it refers to us as well: nothing would be freed until the next collection

    # --- from the broker ---

    def close(self) -> None:
        """The client is to read what was written last, though it may be sending still."""
        self._is_parted = True
        self._half_open.leave(self._transport)
        self._lingering.part(self._transport)

    def abort(self) -> None:
        self._transport.abort()

    def pause_reading(self) -> None:
        if not self._is_parted:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._is_parted:
            self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        self._transport.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)
