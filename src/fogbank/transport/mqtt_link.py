"""MQTT on an asyncio transport: ties a transport to a connection of the broker."""

import asyncio

from fogbank.broker.broker import Broker
from fogbank.broker.connection import State
from fogbank.ports import Peer
from fogbank.transport.half_open import HalfOpen


class MqttLink(asyncio.Protocol):
    """Hands the transport's chunks to the connection; it counts as half-open until a whole CONNECT has come.

    From then on the connection's own method stands in for the protocol's, so that a chunk costs one call and not two.
    Event loops look methods up when a protocol is set, which is why it is set again.
    """

    def __init__(self, broker: Broker, transport: asyncio.Transport, peer: Peer, half_open: HalfOpen) -> None:
        self._connection = broker.connect(transport, peer)
        self._transport = transport
        self._half_open = half_open
        half_open.enter(transport)
        self.pause_writing = self._connection.line.pause_writing  # type: ignore[method-assign]
        self.resume_writing = self._connection.line.resume_writing  # type: ignore[method-assign]

    def data_received(self, data: bytes) -> None:
        self._connection.receive(data)
        if self._connection.state is not State.WAITING:
            self._half_open.leave(self._transport)
            self.data_received = self._connection.receive  # type: ignore[method-assign]
            self._transport.set_protocol(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._half_open.leave(self._transport)
        self._connection.lost()
