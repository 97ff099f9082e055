"""Keep-alives: a client that is silent for one and a half times the interval it agreed to is gone. [MQTT-3.1.2-22]

Whatever comes raises a flag at its connection, and costs nothing more. The flags are looked at from time to time: eight
times a keep-alive, and when the time is up. Which connections are due is a matter of a list by tick, so that those that
are not due cost nothing, and no timer of their own either.
"""

from math import ceil

from fogbank.broker.connection import Connection
from fogbank.broker.flow import Flow
from fogbank.broker.reasons import DisconnectReason
from fogbank.clock import Clock

PATIENCE = 1.5
"""Keep-alives for which a client may be silent."""
TICK = 0.125
"""Seconds: connections are looked at in multiples of this."""
LOOKS = 8
"""In one keep-alive: a silence begins at the look before it, so by that part of it a client may be ended late."""
LONGEST = 8.0
"""Seconds between two looks at most: for so long a connection that has ended may still be on a list."""
AT_ONCE = 200
"""Connections that are ended before others get their turn: a network that fails may end them all."""


class KeepAlives:
    """Watches connections from their CONNACK to their end."""

    def __init__(self, flow: Flow, clock: Clock) -> None:
        self._flow = flow
        self._clock = clock
        self._due: dict[int, list[Connection]] = {}
        """Whom to look at next, by tick."""

    def watch(self, connection: Connection) -> None:
        """End the connection where it is silent for too long from now on; one without a keep-alive may be silent."""
        connection.heard = False
        connection.last_heard = self._clock.monotonic()
        if connection.keep_alive:
            self._put(connection, connection.last_heard)

    def _put(self, connection: Connection, now: float) -> None:
        step = max(TICK, min(connection.keep_alive / LOOKS, LONGEST))
        overdue = connection.last_heard + connection.keep_alive * PATIENCE
        tick = max(ceil(min(now + step, overdue) / TICK), int(now / TICK) + 1)
        due = self._due.get(tick)
        if due is None:
            due = self._due[tick] = []
            self._flow.later(tick * TICK - now, self._look, tick)
        due.append(connection)

    def _look(self, tick: int) -> None:
        now = self._clock.monotonic()
        is_late = now > (tick + 1) * TICK  # the server was busy: what has come in the meantime may not be read yet
        silent = []
        for connection in self._due.pop(tick):
            if not connection.is_connected:
                continue
            line = connection.line
            if connection.heard or (line.is_held and not line.choked):  # it is not read: that is not its own silence
                connection.heard = False
                connection.last_heard = now
            elif now >= connection.last_heard + connection.keep_alive * PATIENCE and not is_late:
                silent.append(connection)
                continue
            self._put(connection, now)
        self._end(silent)

    def _end(self, silent: list[Connection]) -> None:
        """[MQTT-3.1.2-22] (3.1.1: [MQTT-3.1.2-24])"""
        for connection in silent[:AT_ONCE]:
            connection.end(
                DisconnectReason.MQTT_KEEP_ALIVE_TIMEOUT,
                f"not heard for one and a half times its keep-alive of {connection.keep_alive} seconds",
            )
        if rest := silent[AT_ONCE:]:
            self._flow.soon(lambda: self._end(rest))
