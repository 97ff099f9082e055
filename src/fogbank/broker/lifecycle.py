"""Lifecycle events: the platform tells, on reserved topics, which clients come and go.

AWS IoT developer guide, "Lifecycle events": fields, and that none are published for client IDs with `#` or `+`.
"""

import uuid
from typing import Any

import msgspec

from fogbank.broker.connection import Connection
from fogbank.broker.reasons import DisconnectReason
from fogbank.broker.router import Router
from fogbank.broker.session import Session
from fogbank.clock import Clock, milliseconds
from fogbank.message import Message

PRESENCE = "$aws/events/presence"
SUBSCRIPTIONS = "$aws/events/subscriptions"
REMEMBERED = 3600.0
"""Seconds after a disconnect for which a client ID's version number goes on; then it starts at 0 again."""
MOST_REMEMBERED = 100_000
"""Clients that have gone and whose version number goes on; of more, those that went first start at 0 sooner."""


class Lifecycle:
    """Publishes `connected`, `disconnected`, `connect_failed`, `subscribed` and `unsubscribed`."""

    def __init__(self, router: Router, clock: Clock) -> None:
        self._router = router
        self._clock = clock
        self._versions: dict[str, int] = {}
        """The number of the last connect, by client ID."""
        self._gone: dict[str, float] = {}
        """When clients went, in that order."""

    def connected(self, connection: Connection, session: Session) -> None:
        """The connection has been accepted."""
        client_id = session.client_id
        self._versions[client_id] = self._versions.get(client_id, -1) + 1
        self._gone.pop(client_id, None)
        address = {"ipAddress": connection.peer.ip}
        self._publish("connected", client_id, _identity(connection, session.id) | address | self._version(client_id))

    def disconnected(self, connection: Connection, session: Session, reason: DisconnectReason) -> None:
        """An accepted connection has ended; its version number is that of its connect."""
        client_id = session.client_id
        initiated = reason is DisconnectReason.CLIENT_INITIATED_DISCONNECT
        ending = {"clientInitiatedDisconnect": initiated, "disconnectReason": reason.value}
        self._publish("disconnected", client_id, _identity(connection, session.id) | ending | self._version(client_id))
        self._gone[client_id] = self._clock.monotonic()
        self.forget()

    def connect_failed(self, connection: Connection, client_id: str) -> None:
        """Policies do not allow the client to connect. Its session, which never began, has an identifier of its own."""
        event = {
            **_identity(connection, str(uuid.uuid4())),
            "ipAddress": connection.peer.ip,
            "connectFailureReason": "AUTHORIZATION_FAILED",
        }
        self._publish("connect_failed", client_id, event)

    def subscribed(self, connection: Connection, filters: list[str]) -> None:
        """A client has subscribed to these topic filters."""
        self._tell_subscriptions("subscribed", connection, filters)

    def unsubscribed(self, connection: Connection, filters: list[str]) -> None:
        """A client has given these topic filters up."""
        self._tell_subscriptions("unsubscribed", connection, filters)

    def _tell_subscriptions(self, event_type: str, connection: Connection, filters: list[str]) -> None:
        session = connection.session
        fields = _identity(connection, session.id) | {"topics": filters}
        self._publish(event_type, session.client_id, fields, SUBSCRIPTIONS)

    def forget(self) -> None:
        """Drop the version numbers of clients that have been away for long."""
        oldest = self._clock.monotonic() - REMEMBERED
        while self._gone:
            client_id = next(iter(self._gone))
            if self._gone[client_id] >= oldest and len(self._gone) <= MOST_REMEMBERED:
                return
            del self._gone[client_id], self._versions[client_id]

    def _version(self, client_id: str) -> dict[str, int]:
        return {"versionNumber": self._versions[client_id]}

    def _publish(self, event_type: str, client_id: str, fields: dict[str, Any], place: str = PRESENCE) -> None:
        if "+" in client_id or "#" in client_id:
            return
        event = {"clientId": client_id, "timestamp": milliseconds(self._clock), "eventType": event_type} | fields
        self._router.deliver(Message(f"{place}/{event_type}/{client_id}", msgspec.json.encode(event), qos=1))


def _identity(connection: Connection, session_id: str) -> dict[str, Any]:
    """Whose connection it is. Of things, only one that is attached exclusively is named."""
    fields: dict[str, Any] = {"sessionIdentifier": session_id, "principalIdentifier": connection.peer.identity.id}
    authorizer = getattr(connection, "authorizer", None)  # which those that are refused before policies are not given
    thing = None if authorizer is None else authorizer.grant.thing
    if thing is not None and thing.attached and thing.exclusive:
        fields["thingName"] = thing.name
    return fields
