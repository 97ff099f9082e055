"""MQTT on an asyncio transport: ties a transport to a connection of the broker."""

import asyncio

from fogbank.broker.broker import Broker
from fogbank.transport.peer import Peer


class MqttLink(asyncio.Protocol):
    """Hands the transport's chunks straight to the connection.

    The connection's own methods stand in for the protocol's, so that a chunk costs one call and not two; set the
    link as protocol only when it is made, since event loops look methods up at that moment.
    """

    def __init__(self, broker: Broker, transport: asyncio.Transport, peer: Peer) -> None:
        self._connection = broker.connect(transport, peer)
        self.data_received = self._connection.receive  # type: ignore[method-assign]
        self.pause_writing = self._connection.line.pause_writing  # type: ignore[method-assign]
        self.resume_writing = self._connection.line.resume_writing  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.lost()
