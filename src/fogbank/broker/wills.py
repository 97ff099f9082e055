"""Wills: the messages of clients that are lost, at once or after a delay. (MQTT 3.1.1, 3.1.2.5; MQTT 5.0, 3.1.3.2)

A will belongs to the state of a session (MQTT 5.0, 4.1), and a server that dies takes its clients' connections with it.
So a will is on disk before CONNACK, as a document of kind `will` under its client ID, and goes with the commit of its
publication. Those of clients that were connected when the server died are published when it is back, which the standard
allows for (3.1.2.5): after their delay from then on, for the clients could not come back any sooner.
"""

import logging

import msgspec

from fogbank.broker.flow import Flow, Timer
from fogbank.broker.journal import Journal
from fogbank.broker.retained import RetainedFull
from fogbank.broker.router import Router
from fogbank.clock import Clock
from fogbank.message import NO_PROPERTIES, Message, MessageProperties, Origin
from fogbank.ports import Delete, Documents, Put, Record, StorageError

log = logging.getLogger(__name__)

KIND = "will"
PAGE = 1000
"""How many documents are read at a time when the broker starts."""
AFTER_START = 1.0
"""Seconds after the start before which no will is published: until rules and shadows subscribe, they would miss it."""
AT_ONCE = 200
"""Wills that are published together after a start, before others get their turn."""
PAUSE = 0.01
"""Seconds between them and the next."""


class Will(msgspec.Struct, frozen=True):
    """What to publish where a client is lost."""

    message: Message
    delay: int = 0
    """Seconds that the client gets to come back. (MQTT 5.0, 3.1.3.2.2)"""
    expiry: int | None = None
    """Seconds after its publication at which the message expires."""


class StoredWill(msgspec.Struct, frozen=True, array_like=True):
    """The document, in MessagePack: payloads are bytes. The order of the fields is the format; new ones go last."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    principal: str
    source_ip: str | None
    delay: int
    expiry: int | None
    due: float | None
    """When it is to be published, seconds since the epoch; None: its client is connected."""
    properties: MessageProperties | None = None


_DECODER = msgspec.msgpack.Decoder(StoredWill)


class Wills:
    """Keeps them, and publishes them when their time has come."""

    def __init__(self, router: Router, journal: Journal, flow: Flow, clock: Clock) -> None:
        self._router = router
        self._journal = journal
        self._flow = flow
        self._clock = clock
        self._kept: set[str] = set()
        """The clients whose wills are on disk."""
        self._waiting: dict[str, tuple[Timer, Will, float]] = {}
        """The wills of clients that are gone, with when they are due."""

    async def load(self, documents: Documents) -> None:
        """Take up the wills that are on disk. Raises StorageError."""
        now = self._clock.time()
        after, found = "", 0
        while records := await documents.scan(KIND, after=after, limit=PAGE):
            for record in records:
                will, due = _decode(record)
                self._kept.add(record.key)
                if due is None:
                    due = now + will.delay
                    self._save(record.key, will, due)  # or its delay would begin anew with the next start
                found += due <= now
                earliest = AFTER_START + found // AT_ONCE * PAUSE
                self._wait(record.key, will, due, max(due - now, earliest))
            after = records[-1].key

    def keep(self, client_id: str, will: Will, session_expiry: int) -> None:
        """A client has come with a will, which is to be durable before its CONNACK. [MQTT-3.1.2-7]"""
        self._kept.add(client_id)
        will = msgspec.structs.replace(will, delay=min(will.delay, session_expiry))
        self._journal.change(Put(KIND, client_id, _encode(will, None)))

    def lost(self, client_id: str, will: Will | None, session_expiry: int) -> None:
        """A connection has ended. Unless the client has taken its will back, that is due after its delay, or when its
        session ends. [MQTT-3.1.2-8] [MQTT-3.1.2-10]"""
        if will is None:
            self._forget(client_id)
            return
        delay = min(will.delay, session_expiry)
        if not delay:
            self._publish(client_id, will)
            return
        due = self._clock.time() + delay
        self._save(client_id, will, due)
        self._wait(client_id, will, due, delay)

    def back(self, client_id: str, *, resumed: bool) -> None:
        """A client has come back: its will is not published, unless its session has ended or it was due while the
        server was down. [MQTT-3.1.3-9]"""
        waiting = self._waiting.pop(client_id, None)
        if waiting is not None:
            timer, will, due = waiting
            timer.cancel()
            if resumed and self._clock.time() < due:
                self._forget(client_id)
            else:
                self._publish(client_id, will)

    def _wait(self, client_id: str, will: Will, due: float, seconds: float) -> None:
        self._waiting[client_id] = (self._flow.later(seconds, self._due, client_id), will, due)

    def _due(self, client_id: str) -> None:
        _, will, _ = self._waiting.pop(client_id)
        self._publish(client_id, will)

    def _publish(self, client_id: str, will: Will) -> None:
        """With one commit it is delivered and gone."""
        message = will.message
        if will.expiry is not None:
            message = msgspec.structs.replace(message, expires_at=self._clock.time() + will.expiry)
        try:
            self._router.deliver(message)
        except RetainedFull as full:
            log.warning("the will on %r is not published: %s", message.topic, full)
        self._forget(client_id)

    # --- on disk ---

    def _save(self, client_id: str, will: Will, due: float) -> None:
        self._journal.change(Put(KIND, client_id, _encode(will, due)), lazily=True)

    def _forget(self, client_id: str) -> None:
        """Not lazily: nothing acknowledges DISCONNECT, but its will shall not be published by the next start."""
        if client_id in self._kept:
            self._kept.remove(client_id)
            self._journal.change(Delete(KIND, client_id))


def _encode(will: Will, due: float | None) -> bytes:
    message = will.message
    return msgspec.msgpack.encode(
        StoredWill(
            message.topic,
            message.payload,
            message.qos,
            message.retain,
            message.origin.principal,
            message.origin.source_ip,
            will.delay,
            will.expiry,
            due,
            None if message.properties == NO_PROPERTIES else message.properties,
        )
    )


def _decode(record: Record) -> tuple[Will, float | None]:
    try:
        stored = _DECODER.decode(record.body)
    except msgspec.DecodeError as error:
        raise StorageError(f"the will of {record.key!r} cannot be read: {error}") from error
    message = Message(
        stored.topic,
        stored.payload,
        stored.qos,
        stored.retain,
        Origin(stored.principal, record.key, stored.source_ip),
        will=True,
        properties=stored.properties or NO_PROPERTIES,
    )
    return Will(message, stored.delay, stored.expiry), stored.due
