"""Lifecycle events: the platform tells, on reserved topics, which clients come and go.

AWS IoT developer guide, "Lifecycle events": fields, and that none are published for client IDs with `#` or `+`.
"""

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


class _Version(msgspec.Struct):
    number: int
    gone_at: float | None = None


class Lifecycle:
    """Publishes `connected`, `disconnected`, `connect_failed`, `subscribed` and `unsubscribed`."""

    def __init__(self, router: Router, clock: Clock) -> None:
        self._router = router
        self._clock = clock
        self._versions: dict[str, _Version] = {}

    def connected(self, connection: Connection, session: Session) -> None:
        """The connection has been accepted."""
        client_id = session.client_id
        version = self._versions.get(client_id)
        if version is None:
            self._versions[client_id] = _Version(0)
        else:
            version.number += 1
            version.gone_at = None
        address = {"ipAddress": connection.peer.ip}
        self._publish("connected", client_id, self._of(connection, session) | address | self._version(client_id))

    def disconnected(self, connection: Connection, session: Session, reason: DisconnectReason) -> None:
        """An accepted connection has ended; its version number is that of its connect."""
        client_id = session.client_id
        initiated = reason is DisconnectReason.CLIENT_INITIATED_DISCONNECT
        ending = {"clientInitiatedDisconnect": initiated, "disconnectReason": reason.value}
        self._publish("disconnected", client_id, self._of(connection, session) | ending | self._version(client_id))
        if (version := self._versions.get(client_id)) is not None:
            version.gone_at = self._clock.monotonic()

    def connect_failed(self, connection: Connection, client_id: str) -> None:
        """Policies do not allow the client to connect."""
        event = {
            "sessionIdentifier": "00000000-0000-0000-0000-000000000000",
            "principalIdentifier": connection.peer.identity.id,
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
        fields = self._of(connection, session) | {"topics": filters}
        self._publish(event_type, session.client_id, fields, SUBSCRIPTIONS)

    def forget(self) -> None:
        """Drop the version numbers of clients that have been away for long."""
        oldest = self._clock.monotonic() - REMEMBERED
        gone = [
            one for one, version in self._versions.items() if version.gone_at is not None and version.gone_at < oldest
        ]
        for client_id in gone:
            del self._versions[client_id]

    @staticmethod
    def _of(connection: Connection, session: Session) -> dict[str, Any]:
        event: dict[str, Any] = {
            "sessionIdentifier": session.id,
            "principalIdentifier": connection.peer.identity.id,
        }
        thing = connection.authorizer.grant.thing
        if thing is not None and thing.attached:
            event["thingName"] = thing.name
        return event

    def _version(self, client_id: str) -> dict[str, int]:
        version = self._versions.get(client_id)
        return {"versionNumber": 0 if version is None else version.number}

    def _publish(self, event_type: str, client_id: str, fields: dict[str, Any], place: str = PRESENCE) -> None:
        if "+" in client_id or "#" in client_id:
            return
        event = {"clientId": client_id, "timestamp": milliseconds(self._clock), "eventType": event_type} | fields
        self._router.deliver(Message(f"{place}/{event_type}/{client_id}", msgspec.json.encode(event), qos=1))
