"""Takes requests to shadows off their reserved topics: the MQTT side of the shadow service."""

import logging
from collections import defaultdict
from functools import partial

from fogbank.errors import InvalidRequest, ServiceError, Throttling
from fogbank.message import Message
from fogbank.ports import Subscriptions
from fogbank.shadows import errors
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.operations import Request
from fogbank.shadows.service import ShadowService
from fogbank.shadows.topics import REQUEST_FILTERS, ShadowId, parse_request_topic
from fogbank.trace import Trace

log = logging.getLogger(__name__)

REQUEST_BYTES = 1024
"""What an unanswered request takes in memory beside its payload, roughly."""

SHARE = 8
"""No client takes more than this part of `pending_bytes`, so that one that floods does not silence the others."""

Client = tuple[str, str | None]
"""The principal and client ID that bytes are counted by."""

Connection = tuple[str, str | None, str]
"""The principal, client ID and thing that requests in flight are counted by. What rules republish has no client ID: it
came over no connection, and nobody would hear that it was refused."""


class ShadowSubscriber:
    """Implements the port Subscriber. Answers are the service's part; this only bounds what is under way.

    Past `in_flight` requests of a connection to a thing, further ones are rejected with 429, as at AWS. Past
    `pending_bytes` in all they are dropped, with a warning: there is no room for an answer either.
    """

    def __init__(self, service: ShadowService, trace: Trace, limits: ShadowLimits) -> None:
        self._service = service
        self._trace = trace
        self._limits = limits
        self._in_flight: defaultdict[Connection, int] = defaultdict(int)
        self._pending_bytes = 0
        self._pending_of: defaultdict[Client, int] = defaultdict(int)
        self._overflowing = False

    def subscribe(self, subscriptions: Subscriptions) -> None:
        """Take the requests to all shadows from now on."""
        for filter_ in REQUEST_FILTERS:
            subscriptions.subscribe(filter_, self)

    def unsubscribe(self, subscriptions: Subscriptions) -> None:
        for filter_ in REQUEST_FILTERS:
            subscriptions.unsubscribe(filter_, self)

    def deliver(self, message: Message) -> None:
        """Hand the request over. Wills are ignored (developer guide, device-shadow-mqtt)."""
        if message.will:
            self._skip(message, "a client's will: the shadow service ignores those")
            return
        cost = len(message.payload) + REQUEST_BYTES
        client = (message.origin.principal, message.origin.client_id)
        if not self._has_room(client, cost):
            self._overflow(message)
            return
        shadow, operation = parse_request_topic(message.topic)
        connection = (*client, shadow.thing)
        refusal = self._refusal(shadow, connection)
        done = partial(self._done, connection, cost, refusal is not None)
        try:
            self._service.submit(Request(shadow, operation, message.payload, message.origin, refusal), done)
        except ServiceError as error:
            self._skip(message, error.message)
            return
        self._pending_bytes += cost
        self._pending_of[client] += cost
        if refusal is None:
            self._in_flight[connection] += 1

    def _has_room(self, client: Client, cost: int) -> bool:
        limit = self._limits.pending_bytes
        if client[1] is not None and self._pending_of.get(client, 0) + cost > limit // SHARE:
            return False
        return self._pending_bytes + cost <= limit

    def _refusal(self, shadow: ShadowId, connection: Connection) -> ServiceError | None:
        try:
            shadow.check()
        except InvalidRequest as error:
            return error
        _, client_id, _ = connection
        limit = None if client_id is None else self._limits.in_flight
        if limit is not None and self._in_flight.get(connection, 0) >= limit:
            return Throttling(errors.TOO_MANY_REQUESTS)
        return None

    def _done(self, connection: Connection, cost: int, refused: bool, _: bytes | ServiceError) -> None:
        """Answered: by a message, that is."""
        self._pending_bytes -= cost
        client = connection[:2]
        self._pending_of[client] -= cost
        if not self._pending_of[client]:
            del self._pending_of[client]
        if self._pending_bytes < self._limits.pending_bytes // 2:  # well below: not once for each that is served
            self._overflowing = False
        if not refused:
            self._in_flight[connection] -= 1
            if not self._in_flight[connection]:
                del self._in_flight[connection]

    def _overflow(self, message: Message) -> None:
        if not self._overflowing:
            self._overflowing = True
            log.warning(
                "dropping requests to shadows: %d bytes of them wait to be served, %d from client %r",
                self._pending_bytes,
                self._pending_of.get((message.origin.principal, message.origin.client_id), 0),
                message.origin.client_id,
            )
        self._skip(message, "dropped: too many requests to shadows wait to be served")

    def _skip(self, message: Message, reason: str) -> None:
        if self._trace.active:
            self._trace.emit(
                "shadow",
                "skipped",
                reason=reason,
                topic=message.topic,
                client_id=message.origin.client_id or "",
                principal=message.origin.principal,
            )
