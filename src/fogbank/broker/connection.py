"""One MQTT connection: bytes in, packets handled, bytes out.

The connection knows nothing of sockets: it is given a `Link` to write to, and chunks of bytes as they arrive. What is
frequent happens in `ingest`, CONNECT in `greeting`, all other packets in `handling`; answers go out by `answering`.

    WAITING --CONNECT--> ACCEPTING --admitted--> CONNECTED --end()--> CLOSED
       any state ------------------------------- end() -----------> CLOSED

While ACCEPTING the broker looks up rights and sessions, which takes awaits; what the client sends meanwhile is kept.
"""

import enum
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from fogbank.broker import answering
from fogbank.broker.aliases import ClientAliases
from fogbank.broker.authorizer import Authorizer
from fogbank.broker.flow import Flow, Timer
from fogbank.broker.greeting import greet
from fogbank.broker.ingest import feed
from fogbank.broker.journal import Journal
from fogbank.broker.line import Line, Link
from fogbank.broker.quotas import Quotas
from fogbank.broker.rates import AccountRates
from fogbank.broker.reasons import DENIED, IN_ORDER, TOLD, DisconnectReason, Refused
from fogbank.broker.retained import Retained
from fogbank.broker.router import Route, Router
from fogbank.broker.session import Session
from fogbank.broker.sessions import Sessions
from fogbank.broker.throttling import Throttle, ThrottledLine
from fogbank.broker.wills import Will
from fogbank.clock import Clock
from fogbank.message import Origin
from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.codec import decode_string
from fogbank.mqtt.errors import MalformedPacket, ProtocolViolation
from fogbank.mqtt.packets import (
    RETURN_CODES,
    Connack,
    Connect,
    Disconnect,
)
from fogbank.policy import Decision
from fogbank.ports import Peer
from fogbank.topics import InvalidTopic, check_topic
from fogbank.trace import Trace

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
"""Seconds within which a new connection must have sent its CONNECT. (3.1)"""
MAX_COMPLAINTS = 20
"""Warnings that one connection causes while it lasts."""
TURN: Final = 128 * 1024
"""Bytes of a chunk after which others get their turn before more is read: event loops read on while there is more."""
MAX_ROUTES = 1024
"""Topics whose authorisation and route one connection remembers."""
MAX_REASON = 512
"""Characters of a reason string: what a client sent is not sent back at length."""


class Host(Protocol):
    """Whoever keeps the connections: the broker."""

    flow: Flow
    router: Router
    trace: Trace
    quotas: Quotas
    journal: Journal
    retained: Retained
    sessions: Sessions
    rates: AccountRates | None
    clock: Clock

    def admit(self, connection: "Connection", connect: Connect) -> None:
        """Decide on CONNECT, at once or later, by `established` or `refuse`."""
        ...

    def disconnected(self, connection: "Connection", reason: DisconnectReason) -> None:
        """An established connection has ended."""
        ...

    def subscribed(self, connection: "Connection", filters: list[str]) -> None:
        """A client has subscribed to these filters."""
        ...

    def unsubscribed(self, connection: "Connection", filters: list[str]) -> None:
        """A client has given these filters up."""
        ...


class State(enum.Enum):
    """See the module's text."""

    WAITING = enum.auto()
    ACCEPTING = enum.auto()
    CONNECTED = enum.auto()
    CLOSED = enum.auto()


class Connection:
    """A client's connection, from its first byte to its last."""

    __slots__ = (
        "_complaints",
        "_partial",
        "_routes",
        "_timers",
        "aliases",
        "authorizer",
        "explains",
        "flow",
        "has_properties",
        "heard",
        "held_by_owed",
        "host",
        "is_ready",
        "journal",
        "keep_alive",
        "largest",
        "last_heard",
        "line",
        "missing",
        "origin",
        "owed",
        "peer",
        "published",
        "quotas",
        "received",
        "router",
        "session",
        "since",
        "singly",
        "state",
        "throttle",
        "trace",
        "unacknowledged",
        "version",
        "will",
    )

    authorizer: Authorizer
    session: Session

    def __init__(self, host: Host, link: Link, peer: Peer) -> None:
        self.host = host
        self.peer = peer
        self.flow = host.flow
        self.router = host.router
        self.trace = host.trace
        self.quotas = host.quotas
        self.journal = host.journal
        self.throttle: Throttle | None = None
        """Where rates bind."""
        self.singly = False
        """Whether each message from the client is taken by itself, the readable way: since it is counted by `throttle`,
        or bears properties of the client's thing."""
        rates = host.rates
        if rates is not None and rates.rates.enforced:
            self.line: Line = ThrottledLine(link, host.flow, rates.rates.connection_bytes, host.clock)
        else:
            self.line = Line(link, host.flow)
        self.state = State.WAITING
        self.version = Version.V3_1_1
        self.has_properties = False
        """Whether it speaks MQTT 5, whose packets have properties."""
        self.explains = True
        """Whether an MQTT 5 client takes reason strings. [MQTT-3.1.2-29]"""
        self.largest = 0
        """Bytes of a packet that the client takes at most; 0: of any."""
        self.aliases: ClientAliases | None = None
        """Of an MQTT 5 client."""
        self._complaints = 0
        self.is_ready = False
        """Whether chunks are handled as they come: connected, and nothing put off."""
        self._routes: dict[bytes, Route] = {}
        """Topics this connection may publish to."""
        self._partial: list[bytes] = []
        """Chunks that do not make a whole packet yet."""
        self.missing = 0
        """Bytes that are missing for the packet in `_partial`; 0 where nothing is kept."""
        self.owed: deque[tuple[int, bytes, int]] | tuple[()] = ()
        """Acknowledgements that wait for the journal: by ticket, with how many messages they are for. A deque once
        there are any."""
        self.unacknowledged = 0
        """Messages that those are for."""
        self.held_by_owed = False
        """Whether nothing is read since too much is owed."""
        self.published = 0
        """Messages, and bytes, that have come since the last look at rates."""
        self.received = 0
        self.heard = True
        """Whether anything has come since the last look at keep-alives."""
        self.last_heard = 0.0
        self.keep_alive = 0
        """Seconds; 0 where the client need not be heard."""
        self.since = 0.0
        """When it was established, on the wall clock."""
        self.will: Will | None = None
        self.origin = Origin(peer.identity.id, None, peer.ip)
        self._timers: list[Timer] = [self.flow.later(CONNECT_TIMEOUT, self._connect_overdue)]

    def __repr__(self) -> str:
        return f"client {self.origin.client_id!r} at {self.peer.ip}"

    @property
    def is_connected(self) -> bool:
        """Whether the client has been admitted and is still there."""
        return self.state is State.CONNECTED

    # --- bytes in ---

    def receive(self, data: bytes) -> None:
        """Take a chunk as it comes from the peer."""
        if self.is_ready:
            size = len(data)
            self.received += size
            feed(self, data)
            if size >= TURN:
                self.line.give_way()
            if self.throttle is not None:
                self.throttle.received(size)
        elif self.state is State.WAITING:
            greet(self, data)
        elif self.state is not State.CLOSED:
            self._partial.append(data)

    def join(self, data: bytes) -> bytes | None:
        """What was kept and `data` in one piece; None while the packet is not whole."""
        self._partial.append(data)
        self.missing -= len(data)
        if self.missing > 0:
            return None
        joined = b"".join(self._partial)
        self._partial.clear()
        self.missing = 0
        return joined

    def keep(self, data: bytes, position: int, size: int) -> None:
        """Keep the beginning of a packet of at least `size` bytes until the rest arrives."""
        self._partial.append(data[position:])
        self.missing = size - (len(data) - position)

    def put_off(self, rest: bytes) -> None:
        """Handle `rest` when others have had their turn, and read nothing more until then."""
        self.is_ready = False
        self._partial.append(rest)
        self.line.hold()
        self.flow.soon(self._go_on)

    def _go_on(self) -> None:
        """Handle what was put off, or sent while the client was being admitted."""
        if self.is_connected and not self.is_ready:
            rest = b"".join(self._partial)
            self._partial.clear()
            self.is_ready = True
            self.line.let_go()
            if rest:
                feed(self, rest)

    # --- the beginning ---

    def speak(self, version: Version) -> None:
        """Speak this version from now on."""
        self.version = version
        self.has_properties = version is Version.V5

    def ask(self, connect: Connect, rest: bytes) -> None:
        """Ask to be admitted; `rest` is what has come after CONNECT."""
        self.explains = connect.properties.request_problem_information is not False
        self.largest = connect.properties.maximum_packet_size or 0
        self._partial = [rest]
        self.state = State.ACCEPTING
        self.line.hold()
        self.host.admit(self, connect)

    def established(self, session: Session, answer: Connack, entries: int) -> None:
        """The client is admitted: answer, once what its coming has changed since the journal had `entries` is on disk,
        and go on with what it has sent meanwhile."""
        self._cancel_timers()
        self.session = session
        self.state = State.CONNECTED
        size = len(answer.encode(self.version))
        if 0 < self.largest < size:  # [MQTT-3.1.2-24]
            why = f"CONNACK has {size} bytes, more than the {self.largest} that the client takes"
            self.end(DisconnectReason.CLIENT_ERROR, why)
            return
        answering.answer(self, answer, entries)
        if self.owed:
            self.journal.when_durable(self._begin)  # nothing is sent before CONNACK [MQTT-3.2.0-1]
        else:
            self._begin(True)

    def _begin(self, durable: bool) -> None:
        """CONNACK is on its way: now the session's messages may follow, and what the client has sent is handled."""
        if durable and self.is_connected:
            self.host.sessions.attach(self.session, self.line, self.may_receive)
            self._go_on()

    def hold_back(self, route: Route) -> None:
        """Read no more while receivers of a message do not keep up."""
        lines = [session.line for session in route.sessions]
        lines += [receiver.session.line for receiver in route.receivers]
        self.flow.hold_back(self.line, lines)

    # --- rights ---

    def route(self, topic: bytes) -> Route:
        """The route of a topic this client may publish to. Raises Refused and ProtocolViolation."""
        route = self._routes.get(topic)
        if route is not None:
            return route if route.epoch == self.router.epoch else self._remember(topic, route.topic)
        name = decode_string(topic)
        if not name:
            raise ProtocolViolation("PUBLISH without a topic [MQTT-4.7.3-1] (MQTT 5.0, 3.3.2.1)")
        try:
            check_topic(name)
        except InvalidTopic as error:
            raise MalformedPacket(str(error), code=ReasonCode.TOPIC_NAME_INVALID) from None
        if problem := self.quotas.publish_problem(name):
            raise Refused(DisconnectReason.CLIENT_ERROR, problem, ReasonCode.TOPIC_NAME_INVALID)
        self.allow(self.authorizer.publish(name), "publish", name)
        return self._remember(topic, name)

    def _remember(self, topic: bytes, name: str) -> Route:
        if len(self._routes) >= MAX_ROUTES:
            self._routes.clear()
        route = self._routes[topic] = self.router.route(name)
        return route

    def allow(self, decision: Decision, kind: str, topic: str) -> None:
        """AWS closes the connection of an MQTT 3.1.1 client that publishes what it may not. (policy denial)"""
        if not decision.allowed:
            self.tell(kind, "denied", topic, decision.reason)
            raise Refused(DisconnectReason.AUTH_ERROR, decision.reason)

    def may_receive(self, topic: str) -> bool:
        """`iot:Receive`, asked when a route is computed."""
        decision = self.authorizer.receive(topic)
        if not decision.allowed:
            self.tell("receive", "denied", topic, decision.reason)
        return decision.allowed

    def choose_way(self) -> None:
        """Settle how messages from the client are taken, now that its rights and rates are known."""
        self.singly = self.throttle is not None or bool(self.authorizer.properties)

    def regrant(self, authorizer: Authorizer) -> None:
        """The client's rights have changed: forget what was decided."""
        self.authorizer = authorizer
        self.choose_way()
        self._routes.clear()
        self.router.touch_all()

    # --- the end ---

    def fail(self, violation: ProtocolViolation) -> None:
        """End because the peer broke the protocol."""
        self.end(DisconnectReason.CLIENT_ERROR, str(violation), violation.code)

    def refuse(self, code: ReasonCode, why: str) -> None:
        """Answer CONNECT with a refusal and close. [MQTT-3.2.2-5] [MQTT-3.2.2-7]"""
        if self.has_properties:
            data = answering.fitted(self, Connack(code, properties=self.explanation(why, code)))
        else:
            data = Connack(RETURN_CODES[code]).encode() if code in RETURN_CODES else None
        if data is not None and self.state is not State.CLOSED:
            self.line.write(data)
        denied = code is ReasonCode.NOT_AUTHORIZED
        self.end(DisconnectReason.AUTH_ERROR if denied else DisconnectReason.CLIENT_ERROR, why)

    def lost(self) -> None:
        """The link is gone; what came before it went still counts, a DISCONNECT above all."""
        while self.is_connected and not self.is_ready:
            self._go_on()
        self.end(DisconnectReason.CONNECTION_LOST)

    def closed_by_peer(self) -> None:
        """The client has closed the link in due form (WebSocket's close frame), which AWS takes for a DISCONNECT."""
        while self.is_connected and not self.is_ready:
            self._go_on()
        self.will = None
        self.end(DisconnectReason.CLIENT_INITIATED_DISCONNECT)

    def end(self, reason: DisconnectReason, why: str = "", code: ReasonCode | None = None) -> None:
        """Close, once; the broker publishes the will and tells the world. An MQTT 5 client is told the reason."""
        if self.state is State.CLOSED:
            return
        if why:
            level = logging.INFO if reason in IN_ORDER else logging.WARNING
            log.log(level, "%r: disconnected (%s): %s", self, reason.value, why)
        was_connected = self.is_connected
        self.state = State.CLOSED
        self.is_ready = False
        self._cancel_timers()
        self._partial.clear()
        self._routes.clear()
        if was_connected and self.has_properties and self.session.line is self.line:  # [MQTT-3.14.0-1]
            code = TOLD.get(reason) if code is None else code
            data = None if code is None else answering.fitted(self, Disconnect(code, self.explanation(why, code)))
            if data is not None:
                self.line.write(data)
        self.line.close()
        if self.trace.active:
            self.tell("disconnect", "success", "", why or reason.value)
        if was_connected:
            self.host.disconnected(self, reason)

    def end_after(self, seconds: float, reason: DisconnectReason) -> None:
        """End when so many seconds have passed."""
        self.call_later(seconds, self.end, reason, f"its {seconds:g} seconds are over")

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> None:
        """Call unless the connection has ended by then."""
        self._timers.append(self.flow.later(seconds, call, *args))

    def _connect_overdue(self) -> None:
        if self.state is State.WAITING:
            self.end(DisconnectReason.CLIENT_ERROR, f"no CONNECT within {CONNECT_TIMEOUT:g} seconds")

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    # --- seeing why ---

    def explanation(self, why: str, code: ReasonCode = ReasonCode.SUCCESS) -> Properties:
        """`why` as an MQTT 5 reason string, where the client takes one. [MQTT-3.1.2-29]"""
        if code is ReasonCode.NOT_AUTHORIZED:
            why = DENIED
        return Properties(reason_string=why[:MAX_REASON]) if why and self.explains else Properties()

    def complain(self, text: str, *args: object) -> None:
        """A warning that does not end the connection; what goes on and on fills no log."""
        self._complaints += 1
        if self._complaints <= MAX_COMPLAINTS:
            log.warning("%r: %s", self, text % args)
        elif self._complaints == MAX_COMPLAINTS + 1:
            log.warning("%r: more of the same is not logged until it connects again", self)

    def trace_publish(self, topic: str, count: int) -> None:
        self.tell("publish", "success", topic, detail={"messages": count} if count > 1 else None)

    def tell(self, kind: str, status: str, topic: str, reason: str = "", **fields: Any) -> None:
        """Emit a trace event, where anybody listens."""
        if self.trace.active:
            client_id, principal = self.origin.client_id or "", self.origin.principal
            self.trace.emit(
                kind, status, topic=topic, reason=reason, client_id=client_id, principal=principal, **fields
            )
