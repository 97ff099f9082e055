"""Wills: the messages of clients that are lost, at once or after a delay. (MQTT 3.1.1, 3.1.2.5; MQTT 5.0, 3.1.3.2)"""

import logging

import msgspec

from fogbank.broker.flow import Flow, Timer
from fogbank.broker.retained import RetainedFull
from fogbank.broker.router import Router
from fogbank.clock import Clock
from fogbank.message import Message

log = logging.getLogger(__name__)


class Will(msgspec.Struct, frozen=True):
    """What to publish where a client is lost."""

    message: Message
    delay: int = 0
    """Seconds that the client gets to come back. (MQTT 5.0, 3.1.3.2.2)"""
    expiry: int | None = None
    """Seconds after its publication at which the message expires."""


class Wills:
    """Publishes them when their time has come."""

    def __init__(self, router: Router, flow: Flow, clock: Clock) -> None:
        self._router = router
        self._flow = flow
        self._clock = clock
        self._waiting: dict[str, tuple[Timer, Will]] = {}

    def lost(self, client_id: str, will: Will, session_expiry: int) -> None:
        """A client has gone without a word: its will is due after its delay, or when its session ends.
        [MQTT-3.1.2-8] [MQTT-3.1.2-10]"""
        delay = min(will.delay, session_expiry)
        if not delay:
            self._publish(will)
        else:
            self._waiting[client_id] = (self._flow.later(delay, self._due, client_id), will)

    def back(self, client_id: str, *, resumed: bool) -> None:
        """A client has come back: its will is not published, unless its session has ended. [MQTT-3.1.3-9]"""
        waiting = self._waiting.pop(client_id, None)
        if waiting is not None:
            timer, will = waiting
            timer.cancel()
            if not resumed:
                self._publish(will)

    def _due(self, client_id: str) -> None:
        _, will = self._waiting.pop(client_id)
        self._publish(will)

    def _publish(self, will: Will) -> None:
        message = will.message
        if will.expiry is not None:
            message = msgspec.structs.replace(message, expires_at=self._clock.time() + will.expiry)
        try:
            self._router.deliver(message)
        except RetainedFull as full:
            log.warning("the will on %r is not published: %s", message.topic, full)
