"""One connection's bytes and their pressure: what is written gathers, what is read can be held back.

See `flow` for the rules that lines follow among one another.
"""

from collections.abc import Callable
from typing import Any, Protocol

from fogbank.broker.flow import HIGH_WATER, LOW_WATER, MAX_BACKLOG, Flow

CLOSE_TIMEOUT = 5.0
"""Seconds that a closing connection gets to take what is still to be written."""


class Link(Protocol):
    """The way to the peer: an asyncio transport, or a buffer in a test."""

    def write(self, data: bytes | bytearray) -> object: ...

    def close(self) -> object: ...

    def abort(self) -> object: ...

    def pause_reading(self) -> object: ...

    def resume_reading(self) -> object: ...

    def get_write_buffer_size(self) -> int: ...

    def set_write_buffer_limits(self, high: int, low: int) -> object: ...

    def get_extra_info(self, name: str, default: Any = None) -> Any: ...


class Line:
    """A link with the broker's flow control on both of its directions."""

    __slots__ = (
        "_blocked_by_queue",
        "_closed",
        "_flow",
        "_holds",
        "_link",
        "_out",
        "_reported",
        "_send",
        "_written",
        "choked",
        "full",
        "on_room",
    )

    def __init__(self, link: Link, flow: Flow) -> None:
        self._link = link
        self._flow = flow
        self._send: Callable[[bytes | bytearray], object] = link.write  # looked up once
        self._out: list[bytes | bytearray] = []
        self._written = 0
        self._reported = 0
        self._holds = 0
        self._closed = False
        self._blocked_by_queue = False
        self.full = False
        """Whether the link's buffer is above its high-water mark: QoS 1 messages wait, for they are not to be lost."""
        self.on_room: Callable[[], None] | None = None
        """Called when it is not full any more."""
        self.choked = False
        """Whether the peer is so far behind that QoS 0 messages to it are dropped."""
        link.set_write_buffer_limits(HIGH_WATER, LOW_WATER)

    @property
    def target(self) -> tuple[str | None, int | None]:
        """Address and port at the server's end, as far as the link knows them."""
        name = self._link.get_extra_info("sockname")
        return (name[0], name[1]) if isinstance(name, tuple) else (None, None)

    # --- writing ---

    def write(self, data: bytes | bytearray) -> None:
        """Send at the end of this tick."""
        out = self._out
        if not out:
            self._flow.dirty(self)
        out.append(data)

    def flush(self) -> None:
        """Write all that has gathered, in one piece."""
        out = self._out
        if out:
            data = out[0] if len(out) == 1 else b"".join(out)
            out.clear()
            self._written += len(data)
            self._send(data)
            if self.full and not self.choked and self._link.get_write_buffer_size() > MAX_BACKLOG:
                self.choked = True
                self.hold()  # or a peer that sends on and never reads the answers would fill the memory with them

    def taken(self) -> int:
        """Bytes that the peer has taken so far."""
        return self._written - self._link.get_write_buffer_size()

    def written_since(self) -> int:
        """Bytes written since this was asked before."""
        written, self._reported = self._written - self._reported, self._written
        return written

    def pause_writing(self) -> None:
        """The link's buffer is above its high-water mark. (asyncio.Protocol)"""
        self.full = True
        self._flow.block(self)

    def resume_writing(self) -> None:
        """The link's buffer is below its low-water mark. (asyncio.Protocol)"""
        self.full = False
        if self.choked:
            self.choked = False
            self.let_go()
        self._unblock()
        if self.on_room is not None:
            self.on_room()

    def queue_grown(self) -> None:
        """More than `HIGH_QUEUE` QoS 1 messages wait for the client's acknowledgements."""
        if not self._blocked_by_queue:
            self._blocked_by_queue = True
            self._flow.block(self)

    def queue_drained(self) -> None:
        """None waits any more."""
        if self._blocked_by_queue:
            self._blocked_by_queue = False
            self._unblock()

    def _unblock(self) -> None:
        if not (self.full or self._blocked_by_queue):
            self._flow.release(self)

    # --- reading ---

    @property
    def is_held(self) -> bool:
        """Whether nothing is read from the peer just now."""
        return self._holds > 0

    def hold(self) -> None:
        """Stop reading from the peer; each hold needs its `let_go`."""
        self._holds += 1
        if self._holds == 1:
            self._link.pause_reading()

    def let_go(self) -> None:
        self._holds -= 1
        if not self._holds and not self._closed:
            self._link.resume_reading()

    def give_way(self) -> None:
        """Read on when everybody else has had a turn."""
        self.hold()
        self._flow.soon(self.let_go)

    # --- the end ---

    def close(self) -> None:
        """Write what is left and close."""
        self.flush()
        self._send = _drop
        self._closed = True
        self._flow.release(self)
        self._link.close()
        self._flow.later(CLOSE_TIMEOUT, self._link.abort)


def _drop(data: bytes | bytearray) -> None:
    """Nothing follows the last words."""
