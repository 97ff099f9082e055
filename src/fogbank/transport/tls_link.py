"""One TLS connection on a socket of its own, a transport to the protocol above.

    SHAKING ---done---> OPEN ---close(), write_eof()---> ENDING ---all is written---> HALF_CLOSED (after write_eof)
       any state ---end of file, error, abort(), after close() all is written---> CLOSED

OpenSSL may want to write before it reads (the answer to a key update, where the socket is full) and, in principle, to
read before it writes. So whatever the socket is ready for, both are tried, as far as each has something to do; what
there is to wait for follows from what is left afterwards.
"""

import asyncio
import enum
import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

from OpenSSL import SSL

from fogbank.ports import Arrival
from fogbank.transport.channel import Blocked, Channel, Ended, TlsError, WantsToRead, WantsToWrite
from fogbank.transport.readiness import READABLE, WRITABLE, Readiness

ARRIVAL = "fogbank.arrival"
"""The extra info, and the key of an ASGI scope's state, that hold an Arrival."""
TURN: Final = 128 * 1024
"""Bytes read in one turn; after that others get theirs."""
PLENTY: Final = 4096
"""Bytes of a record after which another is likely to have come with it."""
HIGH_WATER = 64 * 1024
LOW_WATER = 16 * 1024
"""Bytes waiting to be written at which the protocol is told to pause, and to go on; asyncio's own."""


class Stage(enum.Enum):
    """See the module's text."""

    SHAKING = enum.auto()
    OPEN = enum.auto()
    ENDING = enum.auto()
    HALF_CLOSED = enum.auto()
    CLOSED = enum.auto()


class Gate(Protocol):
    """Watches over handshakes."""

    def accepted(self, link: "TlsLink") -> None:
        """There is a connection; nothing has come yet."""
        ...

    def secured(self, link: "TlsLink") -> None:
        """The handshake is done: set the protocol that goes on, at once or later."""
        ...

    def failed(self, link: "TlsLink", why: str) -> None:
        """The connection ends before its handshake is done. An empty `why`: we ended it."""
        ...


class TlsPort:
    """What the connections of one port share; call it with each that is accepted."""

    __slots__ = ("context", "gate", "loop", "readiness")

    def __init__(self, context: SSL.Context, gate: Gate, readiness: Readiness) -> None:
        self.context = context
        self.gate = gate
        self.readiness = readiness
        self.loop = asyncio.get_running_loop()

    def __call__(self, link: socket.socket, address: tuple[str, int]) -> None:
        self.gate.accepted(TlsLink(self, link, address))


class TlsLink(asyncio.Transport):
    """See the module's text. What is called from above returns before the protocol is called back, if it is."""

    __slots__ = (
        "_address",
        "_channel",
        "_descriptor",
        "_full",
        "_hanging_up",
        "_limits",
        "_must_read",
        "_must_write",
        "_only_reads",
        "_paused",
        "_port",
        "_protocol",
        "_receive",
        "_socket",
        "_stage",
        "_unsent",
        "_watched",
        "arrival",
    )

    def __init__(self, port: TlsPort, link: socket.socket, address: tuple[str, int]) -> None:
        """`link` does not block, and is closed by us; `address` is the peer's."""
        self._port = port
        self._socket = link
        self._descriptor = link.fileno()
        self._address = address
        self._channel: Channel | None = None
        """Made when the first byte comes: to connect and be silent costs us next to nothing."""
        self._protocol: asyncio.Protocol | None = None
        self._receive: Callable[[bytes], None] = _discard
        """The protocol's `data_received`, looked up once."""
        self._stage = Stage.SHAKING
        self._paused = False
        self._hanging_up = False
        """Whether it closes once all is written; nothing is read any more."""
        self._must_write = False
        """Whether OpenSSL cannot read before it has written something of its own."""
        self._must_read = False
        """The reverse."""
        self._only_reads = False
        """Whether it waits for nothing but what the peer sends; almost always, and decided when something changes."""
        self._unsent: bytearray | None = None
        self._full = False
        """Whether the protocol was told to pause writing."""
        self._limits = (HIGH_WATER, LOW_WATER)
        self._watched = 0
        self.arrival: Arrival | None = None
        """Who it is, for the HTTP API to find."""
        self._watch(READABLE)

    # --- the socket ---

    def ready(self, events: int) -> None:
        """The socket can be read or written, or has failed. (readiness.Ready)"""
        try:
            if self._only_reads:
                self._read()
            elif self._stage is Stage.SHAKING:
                self._shake_hands()
            else:
                if self._is_taking:
                    self._must_write = False
                    self._read()
                if self._is_giving:
                    self._flush()
                self._settle()
        except Exception as error:
            self._report(error)

    @property
    def _is_taking(self) -> bool:
        """Whether what comes is wanted."""
        return not (self._paused or self._hanging_up) and self._protocol is not None

    @property
    def _is_giving(self) -> bool:
        """Whether there is something to write."""
        return self._unsent is not None or self._stage is Stage.ENDING

    def _watch(self, events: int) -> None:
        """Errors are told of even where nothing else is asked for, hence nothing is asked then."""
        if events != self._watched:
            self._watched = events
            if events:
                self._port.readiness.watch(self._descriptor, events, self)
            else:
                self._port.readiness.forget(self._descriptor)

    def _settle(self) -> None:
        """Something has changed: wait for what there is to wait for now."""
        if self._stage in (Stage.SHAKING, Stage.CLOSED):
            return
        taking, giving = self._is_taking, self._is_giving
        self._only_reads = taking and not (giving or self._must_write)
        reads = taking or (giving and self._must_read)
        writes = (giving and not self._must_read) or (taking and self._must_write)
        self._watch((READABLE if reads else 0) | (WRITABLE if writes else 0))

    def _report(self, error: Exception) -> None:
        """The protocol above has a fault: it ends this connection, and nothing else."""
        self._port.loop.call_exception_handler(
            {"message": "a protocol over TLS failed", "exception": error, "transport": self, "protocol": self._protocol}
        )
        self._lose(error)

    # --- the handshake ---

    def _shake_hands(self) -> None:
        if self._channel is None:
            self._channel = Channel(self._port.context, self._socket)
        try:
            self._channel.shake_hands()
        except Blocked as blocked:
            self._watch(WRITABLE if isinstance(blocked, WantsToWrite) else READABLE)
        except TlsError as error:
            self._lose(None, str(error))
        except (Ended, OSError):
            self._lose(None, "the client went away during the handshake")
        else:
            self._stage = Stage.OPEN
            self._watch(READABLE)
            self._port.gate.secured(self)

    # --- reading ---

    def _read(self) -> None:
        """Deliver what has come, as far as one turn may take it, in one piece."""
        channel = self._channel
        assert channel is not None
        try:
            data = channel.read()
        except Exception as failure:
            self._cannot_read(failure)
            return
        if len(data) >= PLENTY:
            self._read_on(channel, data)
        elif data:
            self._receive(data)

    def _read_on(self, channel: Channel, data: bytes) -> None:
        chunks, size = [data], len(data)
        failure: Exception | None = None
        try:
            while size < TURN and (data := channel.read()):
                chunks.append(data)
                size += len(data)
        except Exception as error:  # told after what came before it
            failure = error
        self._receive(b"".join(chunks))
        if failure is not None and self._stage is not Stage.CLOSED:
            self._cannot_read(failure)

    def _cannot_read(self, failure: Exception) -> None:
        match failure:
            case WantsToWrite():
                self._must_write = True
                self._settle()
            case Ended():
                self.close()
            case OSError() | TlsError():
                self._lose(failure)
            case _:
                raise failure

    # --- writing ---

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._stage is not Stage.OPEN or not data:
            return
        if self._unsent is not None:
            self._unsent += data
        elif not self._write_at_once(bytes(data) if isinstance(data, memoryview) else data):
            return
        if not self._full and self.get_write_buffer_size() > self._limits[0] and self._protocol is not None:
            self._full = True
            self._protocol.pause_writing()

    def _write_at_once(self, data: bytes | bytearray) -> bool:
        """Whether some of it has to wait."""
        assert self._channel is not None
        sent = 0
        try:
            sent = self._channel.write(data)
        except Blocked:
            self._must_read = True
        except (OSError, TlsError) as error:
            self._lose(error)  # OpenSSL does not read on where it could not write
            return False
        if sent == len(data):
            return False
        self._unsent = bytearray(memoryview(data)[sent:])
        self._settle()
        return True

    def _flush(self) -> None:
        """Write what is left, and if nothing is, what was to come after it."""
        assert self._channel is not None
        self._must_read = False
        try:
            if self._unsent is not None:
                del self._unsent[: self._channel.write(self._unsent)]
                self._unsent = self._unsent or None
            if self._unsent is None and self._stage is Stage.ENDING:
                self._channel.end()
                self._ended()
        except Blocked as blocked:
            self._must_read = isinstance(blocked, WantsToRead)
        except (OSError, TlsError) as error:
            self._lose(error)
        if self._full and self.get_write_buffer_size() <= self._limits[1]:
            self._full = False
            if self._protocol is not None:
                self._protocol.resume_writing()

    # --- the end ---

    def _ended(self) -> None:
        """Close_notify is written."""
        if self._hanging_up:
            self._lose(None)
        else:
            self._stage = Stage.HALF_CLOSED
            self._socket.shutdown(socket.SHUT_WR)

    def _lose(self, error: Exception | None, why: str = "") -> None:
        """Close the socket, and tell who is to know."""
        if self._stage is Stage.CLOSED:
            return
        was_secured = self._stage is not Stage.SHAKING
        self._stage = Stage.CLOSED
        self._only_reads = False
        self._watch(0)
        self._socket.close()
        self._channel = self._unsent = None
        if was_secured:
            self._port.loop.call_soon(self._tell, error)
        else:
            self._port.gate.failed(self, why)

    def _tell(self, error: Exception | None) -> None:
        protocol, self._protocol = self._protocol, None  # whoever still holds on to us does not hold on to it
        self._receive = _discard
        if protocol is not None:
            protocol.connection_lost(error)

    def close(self) -> None:
        """Write what is buffered, then close_notify, then close."""
        if self._stage in (Stage.SHAKING, Stage.HALF_CLOSED):
            self._lose(None)
        elif self._stage in (Stage.OPEN, Stage.ENDING):
            self._hanging_up = True
            self._finish()

    def write_eof(self) -> None:
        """Write what is buffered, then close_notify and the end of the stream; reading goes on."""
        if self._stage is Stage.OPEN:
            self._finish()

    def _finish(self) -> None:
        self._stage = Stage.ENDING
        self._flush()
        self._settle()

    def can_write_eof(self) -> bool:
        return True

    def abort(self) -> None:
        self._lose(None)

    def is_closing(self) -> bool:
        return self._hanging_up or self._stage is Stage.CLOSED

    # --- the rest of a transport ---

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who gets the plain text from now on, what came early included."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol
        self._receive = protocol.data_received
        self._settle()

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol or asyncio.BaseProtocol()

    def pause_reading(self) -> None:
        self._paused = True  # the socket is watched on until something comes: most pauses are over by then
        self._only_reads = False

    def resume_reading(self) -> None:
        self._paused = False
        self._settle()

    def is_reading(self) -> bool:
        return not self._paused and not self.is_closing()

    def get_write_buffer_size(self) -> int:
        return 0 if self._unsent is None else len(self._unsent)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        self._limits = (high, high // 4 if low is None else low)

    @property
    def certificate(self) -> bytes | None:
        """The client's, in DER; it has proven that it holds the key."""
        return None if self._channel is None else self._channel.certificate

    @property
    def alpn(self) -> str | None:
        """The protocol that was agreed on."""
        return None if self._channel is None else self._channel.alpn

    @property
    def server_name(self) -> str | None:
        """The host name that the client asked for (SNI)."""
        return None if self._channel is None else self._channel.server_name

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        match name:
            case "peername":
                return self._address
            case "sockname":
                return default if self._stage is Stage.CLOSED else self._socket.getsockname()
            case "sslcontext":  # how HTTP servers ask whether the scheme is https
                return self._port.context
            case _ if name == ARRIVAL:
                return self.arrival
            case _:
                return default


def _discard(_: bytes) -> None:
    """There is no protocol, hence nothing is read."""
