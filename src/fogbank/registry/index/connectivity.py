"""Whether things are connected: what lifecycle events tell of clients whose ID is the name of a thing.

Kept as a document per thing, since the index may be lost at any time, and written in the batches of the feed: what a
crash swallows of it is over anyhow, since it ends every connection. For the same reason each document says under which
run of the server it was written. "Connected" under an earlier one means that nobody saw it end; so does whatever was
written before connectivity was switched off for a while.
"""

import uuid
from collections.abc import Callable, Collection, Iterable

import msgspec

from fogbank.clock import Clock, milliseconds
from fogbank.message import Message
from fogbank.ports import Delete, Documents, Presence, Put, Subscriptions
from fogbank.registry.constraints import THING_NAME
from fogbank.storage import collection

PRESENCE = "$aws/events/presence/"
FILTERS = (f"{PRESENCE}connected/#", f"{PRESENCE}disconnected/#")

UNSEEN = "UNKNOWN"
"""The `disconnectReason` of a connection whose end nobody saw."""

KIND = "thing-connectivity"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """The last that was heard of a thing's connection."""

    connected: bool
    timestamp: int
    """When it came, or ended: milliseconds since the epoch."""
    reason: str | None = None
    """Why it ended, in the words of lifecycle events."""
    version: int = 0
    """The lifecycle event's `versionNumber`."""
    run: str = ""
    keep_alive: int | None = None
    """Seconds."""
    session_expiry: int | None = None
    """Seconds."""
    clean_session: bool | None = None


class _Event(msgspec.Struct, rename="camel"):
    event_type: str
    timestamp: int
    disconnect_reason: str | None = None
    version_number: int = 0


Look = Callable[[str], Presence | None]
"""What the broker knows of the client of this ID."""


class Connectivity:
    """Hears lifecycle events, and remembers what they come to."""

    def __init__(self, documents: Documents, clock: Clock, heard: Callable[[str], None], look: Look) -> None:
        """`heard` is called with the name of each thing whose connection comes or ends."""
        self._documents = documents
        self._connections = collection.Collection(documents, KIND, Connection)
        self._clock = clock
        self._heard = heard
        self._look = look
        self._decoder = msgspec.json.Decoder(_Event)
        self._pending: dict[str, Connection] = {}
        """What is not written yet."""
        self._run, self._began = "", 0
        self._begin()

    def listen(self, subscriptions: Subscriptions) -> None:
        """Hear what happens from now on; of what was before, only what still holds is known."""
        self._begin()
        for filter_ in FILTERS:
            subscriptions.subscribe(filter_, self)

    def leave(self, subscriptions: Subscriptions) -> None:
        """Hear no more."""
        for filter_ in FILTERS:
            subscriptions.unsubscribe(filter_, self)
        self._pending.clear()

    def deliver(self, message: Message) -> None:
        """Port Subscriber."""
        client_id = message.topic[len(PRESENCE) :].partition("/")[2]
        if not THING_NAME.allows(client_id):
            return
        try:
            event = self._decoder.decode(message.payload)
        except msgspec.DecodeError:
            return  # only the platform publishes here, and it knows its events
        self._pending[client_id] = Connection(
            connected=event.event_type == "connected",
            timestamp=event.timestamp,
            reason=event.disconnect_reason,
            version=event.version_number,
            run=self._run,
        )
        self._heard(client_id)

    async def of(self, thing: str) -> Connection | None:
        """What is known of a thing's connection; None: it never connected."""
        known = await self._known(thing)
        return None if known is None else self._with_terms(thing, known)

    async def _known(self, thing: str) -> Connection | None:
        if (pending := self._pending.get(thing)) is not None:
            return pending
        stored = await self._connections.get(thing)
        known = None if stored is None else stored.value
        if known is not None and (known.run == self._run or not known.connected):
            return known
        return self._seen(thing, known)

    async def keep(self, things: Iterable[str], strangers: Collection[str]) -> None:
        """Write what is known of `things`, and forget `strangers`, which are in no registry (any more)."""
        for name in strangers:
            self._pending.pop(name, None)
        kept = {name: pending for name in things if (pending := self._pending.get(name)) is not None}
        known = [name for name in strangers if await self._connections.get(name) is not None]
        changes: list[Put | Delete] = [
            self._connections.putting(name, self._with_terms(name, value)) for name, value in kept.items()
        ]
        changes += [self._connections.deleting(name) for name in known]
        if changes:
            await self._documents.commit(*changes)
        for name, value in kept.items():
            if self._pending.get(name) is value:
                del self._pending[name]

    def _seen(self, thing: str, known: Connection | None) -> Connection | None:
        """What holds of a thing of which nothing was heard in this run: registered after its device came, or
        connected when the last run ended."""
        presence = self._look(thing)
        if presence is not None and presence.since is not None:
            found = Connection(connected=True, timestamp=int(presence.since * 1000), run=self._run)
        elif known is not None:
            found = msgspec.structs.replace(known, connected=False, timestamp=self._began, reason=UNSEEN, run=self._run)
        else:
            return None
        self._pending[thing] = found
        return found

    def _with_terms(self, thing: str, connection: Connection) -> Connection:
        """With the terms that the client connected on. No lifecycle event tells them, and the broker knows them only
        once it has told of the connection."""
        presence = self._look(thing)
        if presence is None:
            return connection
        return msgspec.structs.replace(
            connection,
            keep_alive=presence.keep_alive,
            session_expiry=presence.session_expiry,
            clean_session=presence.clean_session,
        )

    def _begin(self) -> None:
        self._run, self._began = uuid.uuid4().hex[:12], milliseconds(self._clock)
