"""One MQTT connection: bytes in, packets handled, bytes out.

The connection knows nothing of sockets: it is given a `Link` to write to, and chunks of bytes as they arrive. What is
frequent happens in `ingest`; here is everything that is readable first.

    WAITING --CONNECT--> ACCEPTING --admitted--> CONNECTED --end()--> CLOSED
       any state ------------------------------- end() -----------> CLOSED

While ACCEPTING the broker looks up rights and sessions, which takes awaits; what the client sends meanwhile is kept.
"""

import enum
import logging
from typing import Any, Protocol

from fogbank.broker.authorizer import Authorizer
from fogbank.broker.flow import Flow, Timer
from fogbank.broker.ingest import feed
from fogbank.broker.line import Line, Link
from fogbank.broker.quotas import Quotas
from fogbank.broker.reasons import DisconnectReason, Refused
from fogbank.broker.router import Route, Router
from fogbank.broker.session import Session
from fogbank.message import Message, Origin
from fogbank.mqtt.codec import PacketType, check_flags, decode_length, decode_string
from fogbank.mqtt.errors import MalformedPacket, PacketTooLarge, ProtocolViolation, UnsupportedVersion
from fogbank.mqtt.packets import (
    FAILURE,
    PINGRESP,
    Connack,
    Connect,
    Puback,
    Publish,
    ReturnCode,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    check_empty,
)
from fogbank.policy import Decision
from fogbank.ports import Identity, PrincipalStore
from fogbank.topics import InvalidTopic, check_filter, check_topic
from fogbank.trace import Trace

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
"""Seconds within which a new connection must have sent its CONNECT. (3.1)"""
MAX_COMPLAINTS = 20
"""Warnings that one connection causes while it lasts."""
TURN = 128 * 1024
"""Bytes of a chunk after which others get their turn before more is read: event loops read on while there is more."""
MAX_ROUTES = 1024
"""Topics whose authorisation and route one connection remembers."""


class Peer(Protocol):
    """Who is at the other end, as the listener found out."""

    @property
    def identity(self) -> Identity: ...

    @property
    def principals(self) -> PrincipalStore: ...

    @property
    def ip(self) -> str | None: ...


class Host(Protocol):
    """Whoever keeps the connections: the broker."""

    flow: Flow
    router: Router
    trace: Trace
    quotas: Quotas

    def admit(self, connection: "Connection", connect: Connect) -> None:
        """Decide on CONNECT, at once or later, by `established` or `refuse`."""
        ...

    def disconnected(self, connection: "Connection", reason: DisconnectReason) -> None:
        """An established connection has ended."""
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
        "_deadline",
        "_host",
        "_partial",
        "_routes",
        "authorizer",
        "flow",
        "heard",
        "is_ready",
        "keep_alive",
        "last_heard",
        "line",
        "missing",
        "origin",
        "peer",
        "quotas",
        "router",
        "session",
        "state",
        "trace",
        "will",
    )

    authorizer: Authorizer
    session: Session

    def __init__(self, host: Host, link: Link, peer: Peer) -> None:
        self._host = host
        self.peer = peer
        self.flow = host.flow
        self.router = host.router
        self.trace = host.trace
        self.quotas = host.quotas
        self.line = Line(link, host.flow)
        self.state = State.WAITING
        self._complaints = 0
        self.is_ready = False
        """Whether chunks are handled as they come: connected, and nothing put off."""
        self._routes: dict[bytes, Route] = {}
        """Topics this connection may publish to."""
        self._partial: list[bytes] = []
        """Chunks that do not make a whole packet yet."""
        self.missing = 0
        """Bytes that are missing for the packet in `_partial`; 0 where nothing is kept."""
        self.heard = True
        """Whether anything has come since the last look at keep-alives."""
        self.last_heard = 0.0
        self.keep_alive = 0
        """Seconds; 0 where the client need not be heard."""
        self.will: Message | None = None
        self.origin = Origin(peer.identity.id, None, peer.ip)
        self._deadline: Timer | None = self.flow.later(CONNECT_TIMEOUT, self._connect_overdue)

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
            feed(self, data)
            if len(data) >= TURN:
                self.line.give_way()
        elif self.state is State.WAITING:
            self._greet(data)
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

    def _greet(self, data: bytes) -> None:
        """Wait for one whole packet, which must be CONNECT. [MQTT-3.1.0-1]"""
        if self.missing:
            joined = self.join(data)
            if joined is None:
                return
            data = joined
        try:
            if check_flags(data[0]) is not PacketType.CONNECT:
                raise ProtocolViolation("the first packet is not CONNECT [MQTT-3.1.0-1]")
            decoded = decode_length(data, 1)
            if decoded is None:
                self.keep(data, 0, len(data) + 1)
                return
            length, body = decoded
            if length > self.quotas.max_packet:
                raise PacketTooLarge(f"a CONNECT of {length} bytes; {self.quotas.max_packet} are allowed")
            if len(data) < body + length:
                self.keep(data, 0, body + length)
                return
            connect = Connect.decode(data[body : body + length])
        except UnsupportedVersion as violation:
            self.refuse(ReturnCode.UNACCEPTABLE_PROTOCOL_VERSION, str(violation))
            return
        except ProtocolViolation as violation:
            self.fail(violation)
            return
        self._partial = [data[body + length :]]
        self.state = State.ACCEPTING
        self.line.hold()
        self._host.admit(self, connect)

    def established(self, session: Session, *, present: bool) -> None:
        """The client is admitted: answer, and go on with what it has sent meanwhile."""
        self._cancel_deadline()
        self.session = session
        self.state = State.CONNECTED
        self.line.write(Connack(session_present=present).encode())
        self.session.resume()
        self._go_on()

    # --- packets, the readable way ---

    def handle(self, first: int, body: bytes) -> None:
        """Handle any packet of a connected client. Raises ProtocolViolation and Refused."""
        packet_type = check_flags(first)
        match packet_type:
            case PacketType.PUBLISH:
                self._publish(Publish.decode(first, body))
            case PacketType.PUBACK:
                self.session.acknowledge(Puback.decode(body).encode(), 0)
            case PacketType.SUBSCRIBE:
                self._subscribe(Subscribe.decode(body))
            case PacketType.UNSUBSCRIBE:
                self._unsubscribe(Unsubscribe.decode(body))
            case PacketType.PINGREQ:
                check_empty(packet_type, body)
                self.line.write(PINGRESP)
            case PacketType.DISCONNECT:
                check_empty(packet_type, body)
                self.will = None  # [MQTT-3.14.4-3]
                self.end(DisconnectReason.CLIENT_INITIATED_DISCONNECT)
            case PacketType.CONNECT:
                raise ProtocolViolation("a second CONNECT [MQTT-3.1.0-2]")
            case PacketType.PUBREC | PacketType.PUBREL | PacketType.PUBCOMP:
                raise ProtocolViolation(f"{packet_type.name}: quality of service 2 is not served")
            case _:
                raise ProtocolViolation(f"a client does not send {packet_type.name}")

    def _publish(self, publish: Publish) -> None:
        """A PUBLISH with a flag that the hot path leaves to us: RETAIN, DUP or QoS 2."""
        if publish.qos == 2:
            raise ProtocolViolation("PUBLISH with quality of service 2, which is not served")
        if len(publish.payload) > self.quotas.max_payload:
            raise PacketTooLarge(f"a payload of {len(publish.payload)} bytes; {self.quotas.max_payload} are allowed")
        route = self.route(publish.topic.encode())
        if publish.retain:
            self._allow(self.authorizer.retain(publish.topic), "publish", publish.topic)
            self._complain("retained messages are not kept yet: %r reaches who subscribes now", publish.topic)
        message = Message(publish.topic, publish.payload, publish.qos, publish.retain, self.origin)
        self.router.deliver(message)
        if publish.qos:
            self.line.write(Puback(publish.packet_id).encode())
        if self.flow.blocked:
            self.flow.hold_back(self.line, [session.line for session in route.sessions])
        if self.trace.active:
            self.trace_publish(publish.topic, 1)

    def _subscribe(self, packet: Subscribe) -> None:
        too_many = len(packet.filters) > self.quotas.filters_per_subscribe
        codes = [FAILURE if too_many else self._grant(filter_, qos) for filter_, qos in packet.filters]
        if too_many:
            self._complain("SUBSCRIBE with %d filters, %d are allowed", len(codes), self.quotas.filters_per_subscribe)
        self.line.write(Suback(packet.packet_id, tuple(codes)).encode())

    def _grant(self, filter_: str, qos: int) -> int:
        """Subscribe to one filter: the quality of service granted, or FAILURE."""
        session = self.session
        if problem := self._filter_problem(filter_):
            self._complain("may not subscribe: %s", problem)
            self._trace("subscribe", "denied", filter_, problem)
            return FAILURE
        granted = min(qos, 1)
        session.subscriptions[filter_] = granted
        self.router.subscribe_session(filter_, session, granted)
        self._trace("subscribe", "success", filter_)
        return granted

    def _filter_problem(self, filter_: str) -> str | None:
        """Why the client may not subscribe to `filter_`; None where it may."""
        try:
            check_filter(filter_)
        except InvalidTopic as error:
            return str(error)
        if filter_.startswith("$share/"):
            return f"{filter_!r}: shared subscriptions are not served yet"
        if problem := self.quotas.topic_problem(filter_):
            return problem
        session = self.session
        if (
            len(session.subscriptions) >= self.quotas.subscriptions_per_connection
            and filter_ not in session.subscriptions
        ):
            return f"{self.quotas.subscriptions_per_connection} subscriptions per connection are allowed"
        decision = self.authorizer.subscribe(filter_)
        return None if decision.allowed else decision.reason

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        for filter_ in packet.filters:
            if self.session.subscriptions.pop(filter_, None) is not None:
                self.router.unsubscribe_session(filter_, self.session)
        self.line.write(Unsuback(packet.packet_id).encode())

    # --- rights ---

    def route(self, topic: bytes) -> Route:
        """The route of a topic this client may publish to. Raises Refused and ProtocolViolation."""
        route = self._routes.get(topic)
        if route is not None:
            return route if route.epoch == self.router.epoch else self._remember(topic, route.topic)
        name = decode_string(topic)
        try:
            check_topic(name)
        except InvalidTopic as error:
            raise MalformedPacket(str(error)) from None
        if problem := self.quotas.topic_problem(name):
            raise Refused(DisconnectReason.CLIENT_ERROR, problem)
        self._allow(self.authorizer.publish(name), "publish", name)
        return self._remember(topic, name)

    def _remember(self, topic: bytes, name: str) -> Route:
        if len(self._routes) >= MAX_ROUTES:
            self._routes.clear()
        route = self._routes[topic] = self.router.route(name)
        return route

    def _allow(self, decision: Decision, kind: str, topic: str) -> None:
        """AWS closes the connection of an MQTT 3.1.1 client that publishes what it may not. (policy denial)"""
        if not decision.allowed:
            self._trace(kind, "denied", topic, decision.reason)
            raise Refused(DisconnectReason.AUTH_ERROR, decision.reason)

    def may_receive(self, topic: str) -> bool:
        """`iot:Receive`, asked when a route is computed."""
        decision = self.authorizer.receive(topic)
        if not decision.allowed:
            self._trace("receive", "denied", topic, decision.reason)
        return decision.allowed

    def regrant(self, authorizer: Authorizer) -> None:
        """The client's rights have changed: forget what was decided."""
        self.authorizer = authorizer
        self._routes.clear()
        self.router.touch_all()

    # --- the end ---

    def fail(self, violation: ProtocolViolation) -> None:
        """End because the peer broke the protocol."""
        self.end(DisconnectReason.CLIENT_ERROR, str(violation))

    def refuse(self, code: ReturnCode, why: str) -> None:
        """Answer CONNECT with a refusal and close. [MQTT-3.2.2-5]"""
        self.line.write(Connack(code).encode())
        self.end(
            DisconnectReason.AUTH_ERROR if code is ReturnCode.NOT_AUTHORIZED else DisconnectReason.CLIENT_ERROR, why
        )

    def lost(self) -> None:
        """The link is gone; what came before it went still counts, a DISCONNECT above all."""
        while self.is_connected and not self.is_ready:
            self._go_on()
        self.end(DisconnectReason.CONNECTION_LOST)

    def end(self, reason: DisconnectReason, why: str = "") -> None:
        """Close, once; the broker publishes the will and tells the world."""
        if self.state is State.CLOSED:
            return
        if why:
            log.warning("%r: disconnected (%s): %s", self, reason.value, why)
        was_connected = self.is_connected
        self.state = State.CLOSED
        self.is_ready = False
        self._cancel_deadline()
        self._partial.clear()
        self._routes.clear()
        self.line.close()
        if self.trace.active:
            self._trace("disconnect", "success", "", why or reason.value)
        if was_connected:
            self._host.disconnected(self, reason)

    def _connect_overdue(self) -> None:
        if self.state is State.WAITING:
            self.end(DisconnectReason.CLIENT_ERROR, f"no CONNECT within {CONNECT_TIMEOUT:g} seconds")

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- seeing why ---

    def _complain(self, text: str, *args: object) -> None:
        """A warning that does not end the connection; what goes on and on fills no log."""
        self._complaints += 1
        if self._complaints <= MAX_COMPLAINTS:
            log.warning("%r: %s", self, text % args)
        elif self._complaints == MAX_COMPLAINTS + 1:
            log.warning("%r: more of the same is not logged until it connects again", self)

    def trace_publish(self, topic: str, count: int) -> None:
        self._trace("publish", "success", topic, detail={"messages": count} if count > 1 else None)

    def _trace(self, kind: str, status: str, topic: str, reason: str = "", **fields: Any) -> None:
        if self.trace.active:
            client_id, principal = self.origin.client_id or "", self.origin.principal
            self.trace.emit(
                kind, status, topic=topic, reason=reason, client_id=client_id, principal=principal, **fields
            )
