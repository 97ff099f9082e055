"""The connections API on the broker's side: who is connected, or was lately, what it subscribes to, and its end.

AWS IoT API reference, GetConnection, DeleteConnection, ListSubscriptions. How a connection ended is known for half an
hour, and of no more than `MOST_GONE` clients: those that come and go under ever new names shall not fill the memory.
"""

from collections.abc import Mapping

import msgspec

from fogbank.broker.connection import Connection
from fogbank.broker.journal import Journal
from fogbank.broker.reasons import DisconnectReason
from fogbank.broker.session import Session
from fogbank.broker.sessions import Sessions
from fogbank.broker.wills import Wills
from fogbank.clock import Clock
from fogbank.errors import ResourceNotFound
from fogbank.ports import Presence

REMEMBERED = 1800.0
"""Seconds for which the end of a connection is known. (API reference, GetConnection)"""
MOST_GONE = 10_000
"""Clients of which it is; those that went first are forgotten first. AWS names no bound."""
UNKNOWN = "UNKNOWN"
"""The `disconnectReason` of a connection that ended with an earlier run of the server."""


class Address(msgspec.Struct, frozen=True):
    """One end of a connection, as far as it is known."""

    ip: str | None = None
    port: int | None = None


class ConnectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a client's connection, or of its last one. None: it is not known, or does not apply."""

    client_id: str
    connected: bool
    is_clean: bool
    """Whether the session ends with the connection."""
    session_expiry: int
    """Seconds that it outlives the connection."""
    since: float | None = None
    """When it was made or, where it is no more, when it ended: seconds since the epoch."""
    reason: str | None = None
    """Why it ended, in the words of lifecycle events."""
    keep_alive: int | None = None
    """Seconds; 0: none. The one that holds: UNVERIFIED, AWS's may be the one that was asked for."""
    thing: str | None = None
    """The attached thing that the client stands for."""
    source: Address = Address()
    """The client's end."""
    target: Address = Address()
    """The server's end, while connected."""


class SubscriptionPage(msgspec.Struct, frozen=True):
    """Some of a client's subscriptions by filter, with their qualities of service."""

    subscriptions: list[tuple[str, int]]
    more: bool


class Connections:
    """Looks at connections from outside, and ends them."""

    def __init__(
        self, live: Mapping[str, Connection], sessions: Sessions, wills: Wills, journal: Journal, clock: Clock
    ) -> None:
        """`live` has the established connections by client ID."""
        self._live = live
        self._sessions = sessions
        self._wills = wills
        self._journal = journal
        self._clock = clock
        self._gone: dict[str, ConnectionStatus] = {}
        """In the order in which they went."""

    def gone(self, connection: Connection, reason: DisconnectReason) -> None:
        """An established connection has ended."""
        client_id = connection.session.client_id
        self._gone.pop(client_id, None)
        self._gone[client_id] = self._ended(connection, reason)
        self._forget()

    def get(self, client_id: str) -> ConnectionStatus:
        """Raises ResourceNotFound where there is no connection, was none lately, and there is no session either."""
        connection = self._live.get(client_id)
        if connection is not None:
            return _status(connection)
        self._forget()
        gone = self._gone.get(client_id)
        if gone is not None:
            return gone
        session = self._session(client_id)
        is_recent = self._clock.time() - session.disconnected_at <= REMEMBERED
        return ConnectionStatus(
            client_id=client_id,
            connected=False,
            is_clean=False,
            session_expiry=session.expiry,
            since=session.disconnected_at if is_recent else None,
            reason=UNKNOWN if is_recent else None,
        )

    def presence(self, client_id: str) -> Presence | None:
        """Of the client's connection, or of the one that ended lately; None where neither is known."""
        connection = self._live.get(client_id)
        status = self._gone.get(client_id) if connection is None else _status(connection)
        if status is None:
            return None
        since = status.since if status.connected else None
        return Presence(since, status.keep_alive, status.session_expiry, status.is_clean)

    async def end(self, client_id: str, *, clean: bool = False, without_will: bool = False) -> None:
        """Disconnect a client, with `clean` end its session as well, connected or not; durable on return.

        Raises ResourceNotFound where it is neither connected nor has a session, StorageError.
        """
        session = self._session(client_id)
        connection = self._live.get(client_id)
        if connection is not None:
            self._disconnect(connection, clean=clean, without_will=without_will)
        elif clean:
            self._sessions.discard(session)
        if connection is None and (clean or without_will):
            self._wills.back(client_id, resumed=without_will)  # one that is delayed is due when its session ends
        await self._journal.durable()

    def subscriptions(self, client_id: str, after: str, limit: int) -> SubscriptionPage:
        """Up to `limit` subscriptions in the order of their filters, from the first filter greater than `after`.

        Raises ResourceNotFound where the client is neither connected nor has a session.
        """
        session = self._session(client_id)
        granted = session.subscriptions.items()
        following = sorted((filter_, options.qos) for filter_, options in granted if filter_ > after)
        return SubscriptionPage(following[:limit], len(following) > limit)

    def _session(self, client_id: str) -> Session:
        connection = self._live.get(client_id)
        session = self._sessions.present(client_id) if connection is None else connection.session
        if session is None:
            raise ResourceNotFound(f"No connection or session of a client with the ID '{client_id}'")
        return session

    @staticmethod
    def _disconnect(connection: Connection, *, clean: bool, without_will: bool) -> None:
        if without_will:
            connection.will = None
        if clean:
            connection.session.expiry = 0
        connection.end(DisconnectReason.API_INITIATED_DISCONNECT, "ended by DeleteConnection")

    def _ended(self, connection: Connection, reason: DisconnectReason) -> ConnectionStatus:
        status = _status(connection, is_open=False)
        return msgspec.structs.replace(status, connected=False, since=self._clock.time(), reason=reason.value)

    def _forget(self) -> None:
        """Forget who has been gone for too long."""
        oldest = self._clock.time() - REMEMBERED
        while self._gone:
            first = next(iter(self._gone))
            since = self._gone[first].since
            assert since is not None
            if since >= oldest and len(self._gone) <= MOST_GONE:
                return
            del self._gone[first]


def _status(connection: Connection, *, is_open: bool = True) -> ConnectionStatus:
    session, peer, thing = connection.session, connection.peer, connection.authorizer.grant.thing
    return ConnectionStatus(
        client_id=session.client_id,
        connected=True,
        is_clean=not session.expiry,
        session_expiry=session.expiry,
        since=connection.since,
        keep_alive=connection.keep_alive,
        thing=thing.name if thing is not None and thing.attached else None,
        source=Address(peer.ip, peer.port),
        target=Address(*connection.line.target) if is_open else Address(),
    )
