"""Writing and back-pressure: one write per connection per tick, high-water marks both ways.

Whatever a connection is to send gathers in its line; at the end of the event loop's tick each is joined and
written once. Mosquitto pays a system call per message; this pays one per batch.

A receiver that does not keep up is *blocked*. While it is, those that publish to it are held back: their sockets are
not read. That is right for a receiver that is busy taking a flood, and wrong for one on a bad line, which must not slow
the others. So the patience is short: a blocked receiver that takes less than `PROGRESS` bytes in `PATIENCE` seconds
holds nobody back any more. Its backlog then grows to `MAX_BACKLOG`, and beyond that it is *choked*: QoS 0 messages to
it are dropped and counted, QoS 1 messages wait in its bounded queue, and what it sends itself is not read: the answers
to that would have nowhere to go.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from fogbank.broker.line import Line

PATIENCE = 0.1
"""Seconds in which a blocked receiver must show progress to go on holding back its senders."""
PROGRESS = 16 * 1024
"""Bytes it must take in that time."""
HIGH_WATER: Final = 1024 * 1024
"""Bytes in a connection's write buffer at which it is blocked, until it falls to LOW_WATER."""
LOW_WATER: Final = 256 * 1024
MAX_BACKLOG: Final = 8 * 1024 * 1024
"""Bytes in a connection's write buffer beyond which QoS 0 messages are dropped."""
HIGH_QUEUE: Final = 1000
"""QoS 1 messages waiting for acknowledgements at which a connected session is blocked, until none waits."""


class Timer(Protocol):
    """What a scheduled call can be taken back by."""

    def cancel(self) -> None: ...


class Scheduler(Protocol):
    """The part of an asyncio event loop that the broker needs."""

    def call_soon(self, callback: Callable[..., object], *args: Any) -> object: ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer: ...


class Flow:
    """Shared by all connections of a broker."""

    __slots__ = ("_dirty", "_held", "_scheduler", "blocked")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._dirty: list[Line] = []
        self._held: dict[Line, set[Line]] = {}
        """The patiently blocked receivers, each with the senders it holds back."""
        self.blocked = 0
        """How many receivers hold senders back: the one thing the hot path looks at."""

    def later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        return self._scheduler.call_later(delay, callback, *args)

    def soon(self, callback: Callable[[], object]) -> None:
        self._scheduler.call_soon(callback)

    # --- writing ---

    def dirty(self, line: "Line") -> None:
        """`line` has something to write at the end of this tick."""
        if not self._dirty:
            self._scheduler.call_soon(self._flush)
        self._dirty.append(line)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for line in dirty:
            line.flush()

    # --- back-pressure ---

    def block(self, receiver: "Line") -> None:
        """Hold back from now on whoever sends to `receiver`, for as long as patience lasts."""
        if receiver not in self._held:
            self._held[receiver] = set()
            self.blocked = len(self._held)
            self._scheduler.call_later(PATIENCE, self._reconsider, receiver, receiver.taken())

    def release(self, receiver: "Line") -> None:
        """Let the senders go that `receiver` holds back."""
        senders = self._held.pop(receiver, None)
        self.blocked = len(self._held)
        for sender in senders or ():
            sender.let_go()

    def _reconsider(self, receiver: "Line", taken: int) -> None:
        if receiver not in self._held:
            return
        now = receiver.taken()
        if now - taken < PROGRESS:
            self.release(receiver)
        else:
            self._scheduler.call_later(PATIENCE, self._reconsider, receiver, now)

    def hold_back(self, sender: "Line", receivers: "Iterable[Line | None]") -> None:
        """Pause `sender` where one of the receivers of its message is blocked."""
        for receiver in receivers:
            if receiver is not None and (held := self._held.get(receiver)) is not None and sender not in held:
                held.add(sender)
                sender.hold()
