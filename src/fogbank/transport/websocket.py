"""MQTT over WebSocket: frames come off, MQTT goes to a connection of the broker, and the other way round.

The frames are wsproto's, the one library that hands out the pieces of a frame as they arrive: a frame may claim to be
2^63 bytes long, and nothing of it waits here. What else a peer could let pile up is bounded: frames that are handled
in one turn of the loop, and pongs that it does not take.
"""

import asyncio
import logging
from itertools import islice
from typing import Any

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason

from fogbank.broker.broker import Broker
from fogbank.broker.connection import State
from fogbank.ports import Peer
from fogbank.transport.half_open import HalfOpen
from fogbank.transport.lingering import Lingering

log = logging.getLogger(__name__)

FRAMES = 1024
"""Frames handled at a time: a chunk of empty ones holds tens of thousands, and others want a turn."""
MOST_UNREAD = 65_536
"""Bytes that wait to be taken by a peer, above which its pings are not answered any more."""
LISTENING = (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING)


class WebSocketLink(asyncio.Protocol):
    """To the transport a protocol, to the broker's connection its `Link`.

    It counts as half-open until a whole CONNECT has come: who gives its credentials there may be nobody yet.
    """

    def __init__(
        self, broker: Broker, transport: asyncio.Transport, peer: Peer, half_open: HalfOpen, lingering: Lingering
    ) -> None:
        self._transport = transport
        self._half_open = half_open
        self._lingering = lingering
        self._is_half_open = True
        half_open.enter(transport)
        self._ip = peer.ip
        self._frames = Connection(ConnectionType.SERVER)
        self._held = False
        """Whether the broker does not want to read."""
        self._behind = False
        """Whether frames wait for their turn."""
        self._ending = False
        """Whether we have said goodbye: what still comes does not count."""
        self._gone = False
        self._connection = broker.connect(self, peer)
        self.pause_writing = self._connection.line.pause_writing  # type: ignore[method-assign]
        self.resume_writing = self._connection.line.resume_writing  # type: ignore[method-assign]

    # --- from the transport ---

    def data_received(self, data: bytes) -> None:
        if self._frames.state in LISTENING and not self._transport.is_closing():
            self._frames.receive_data(data)
            if not self._behind:
                self._take()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._half_open.leave(self._transport)
        if not self._behind:
            self._connection.lost()

    def _take(self) -> None:
        """Handle the frames that have come, as many as one turn may take.

        MQTT of all frames goes on in one piece: packets may span frames, and frames hold many. [MQTT-6.0.0-2]
        """
        pieces: list[bytes | bytearray] = []
        ping: Ping | None = None
        count = 0
        for count, event in enumerate(islice(self._frames.events(), FRAMES), start=1):  # noqa: B007
            match event:
                case BytesMessage():
                    pieces.append(event.data)
                case Ping():
                    ping = event
                case TextMessage():
                    self._pass_on(pieces)
                    self._break(CloseReason.UNSUPPORTED_DATA, "MQTT is sent in binary frames [MQTT-6.0.0-1]")
                    return
                case CloseConnection():
                    self._pass_on(pieces)
                    self._end(event)
                    return
                case Pong():
                    pass  # nobody asked for it, which is allowed
        self._pass_on(pieces)
        if ping is not None and self._is_open:
            self._answer(ping)
        if count == FRAMES:
            self._go_on_later()

    def _pass_on(self, pieces: list[bytes | bytearray]) -> None:
        data = b"".join(pieces)
        if data and not self._ending:
            self._connection.receive(data)
            if self._is_half_open and self._connection.state is not State.WAITING:
                self._is_half_open = False
                self._half_open.leave(self._transport)

    def _answer(self, ping: Ping) -> None:
        """The last of several pings is answer enough (RFC 6455, 5.5.3)."""
        if self._transport.get_write_buffer_size() <= MOST_UNREAD:
            self._send(ping.response())

    def _go_on_later(self) -> None:
        self._behind = True
        if not self._gone:
            self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._behind = False
        self._take()
        if self._behind:
            return
        if self._gone:
            self._connection.lost()
        elif not self._held:
            self._transport.resume_reading()

    # --- the end ---

    @property
    def _is_open(self) -> bool:
        return self._frames.state is ConnectionState.OPEN

    def _end(self, event: CloseConnection) -> None:
        """The peer says goodbye, or answers ours, or (which leaves the state open) sent what is no frame."""
        if self._is_open:
            self._break(event.code, event.reason or "")
            return
        if self._frames.state is ConnectionState.REMOTE_CLOSING:
            self._send(event.response())
            self._connection.closed_by_peer()
        self._lingering.part(self._transport)

    def _break(self, code: int, why: str) -> None:
        """The peer breaks the rules: tell it, and close without waiting for an answer."""
        if self._is_open:
            log.warning("%s: WebSocket closed with %d: %s", self._ip, code, why)
            self._ending = True
            self._send(CloseConnection(code=code, reason=why))
            self._connection.lost()
        self._lingering.part(self._transport)

    # --- from the broker ---

    def write(self, data: bytes | bytearray) -> None:
        """All of it as one frame."""
        if self._is_open:
            self._send(BytesMessage(data=data))

    def close(self) -> None:
        """Begin the closing handshake; whoever calls this aborts if it takes too long."""
        self._ending = True
        if self._is_open:
            self._send(CloseConnection(code=CloseReason.NORMAL_CLOSURE))
            self.resume_reading()  # or the answer would not be seen

    def abort(self) -> None:
        self._transport.abort()

    def pause_reading(self) -> None:
        self._held = True
        if not self._gone:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._held = False
        if not self._behind and not self._gone:
            self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        self._transport.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def _send(self, event: Event) -> None:
        data = self._frames.send(event)
        if not self._gone:
            self._transport.write(data)
