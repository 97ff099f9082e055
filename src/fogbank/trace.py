"""The trace hub: every decision can be listened to, and costs nothing while nobody listens.

Emitters ask `if trace.active:` before they build an event, so that a quiet platform pays one attribute read.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from fogbank.clock import Clock


class TraceEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened to a message or a connection, with its reason.

    `kind` is `connect`, `authorizer`, `credentials`, `publish`, `subscribe`, `receive`, `disconnect`, `rule`, `action`,
    `shadow`, `function`, `provisioning` or `job`; `status` is `success`, `denied`, `skipped` or `failure`; `reason` is
    a sentence for a person.
    """

    kind: str
    status: str
    time: float
    """Seconds since the epoch."""
    reason: str = ""
    topic: str = ""
    client_id: str = ""
    principal: str = ""
    name: str = ""
    """Which authorizer, rule, action, function or shadow."""
    duration_ms: float | None = None
    detail: dict[str, Any] | None = None


Listener = Callable[[TraceEvent], None]


class Trace:
    """Where the services say what they did and why. Listeners are called at once and must not block or raise."""

    __slots__ = ("_clock", "_listeners", "active")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: tuple[Listener, ...] = ()
        self.active = False

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on; the returned function ends it."""
        self._listeners = (*self._listeners, listener)
        self.active = True

        def stop() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not listener)
            self.active = bool(self._listeners)

        return stop

    def emit(self, kind: str, status: str, **fields: Any) -> None:
        """Tell all listeners. `fields` are those of `TraceEvent`."""
        if self.active:
            event = TraceEvent(kind, status, self._clock.time(), **fields)
            for listener in self._listeners:
                listener(event)
