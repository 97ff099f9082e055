"""One MQTT connection: bytes in, packets handled, bytes out.

The connection knows nothing of sockets: it is given a `Link` to write to, and chunks of bytes as they arrive. What is
frequent happens in `ingest`, what clients publish in `publishing`, what they subscribe to in `subscribing`.

    WAITING --CONNECT--> ACCEPTING --admitted--> CONNECTED --end()--> CLOSED
       any state ------------------------------- end() -----------> CLOSED

While ACCEPTING the broker looks up rights and sessions, which takes awaits; what the client sends meanwhile is kept.

Acknowledgements go out in the order of what they acknowledge. One that rests on what is not on disk yet is *owed*, and
those after it wait behind it.
"""

import enum
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from fogbank.broker import publishing, subscribing
from fogbank.broker.aliases import ClientAliases
from fogbank.broker.authorizer import Authorizer
from fogbank.broker.flow import Flow, Timer
from fogbank.broker.ingest import feed
from fogbank.broker.journal import Journal
from fogbank.broker.line import Line, Link
from fogbank.broker.quotas import Quotas
from fogbank.broker.reasons import TOLD, DisconnectReason, Refused
from fogbank.broker.retained import Retained
from fogbank.broker.router import Route, Router
from fogbank.broker.session import Session
from fogbank.broker.sessions import Sessions
from fogbank.broker.wills import Will
from fogbank.clock import Clock
from fogbank.message import Origin
from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.codec import PacketType, check_flags, decode_length, decode_string
from fogbank.mqtt.errors import MalformedPacket, PacketTooLarge, ProtocolViolation, UnsupportedVersion
from fogbank.mqtt.packets import PINGRESP, Connack, Connect, Disconnect, ReturnCode, check_empty, return_code
from fogbank.policy import Decision
from fogbank.ports import Peer
from fogbank.topics import InvalidTopic, check_topic
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
        "__weakref__",
        "_complaints",
        "_held_by_owed",
        "_partial",
        "_routes",
        "_timers",
        "_unacknowledged",
        "aliases",
        "authorizer",
        "explains",
        "flow",
        "has_properties",
        "heard",
        "host",
        "is_ready",
        "journal",
        "keep_alive",
        "last_heard",
        "line",
        "missing",
        "origin",
        "owed",
        "peer",
        "quotas",
        "router",
        "session",
        "since",
        "state",
        "trace",
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
        self.line = Line(link, host.flow)
        self.state = State.WAITING
        self.version = Version.V3_1_1
        self.has_properties = False
        """Whether it speaks MQTT 5, whose packets have properties."""
        self.explains = True
        """Whether an MQTT 5 client takes reason strings. [MQTT-3.1.2-29]"""
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
        self.owed: deque[tuple[int, bytes, int]] = deque()
        """Acknowledgements that wait for the journal: by ticket, with how many messages they are for."""
        self._unacknowledged = 0
        self._held_by_owed = False
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
            self._speak(data[body : body + 7])
            connect = Connect.decode(data[body : body + length])
        except UnsupportedVersion as unsupported:
            newer = unsupported.level > Version.V5
            self._speak(b"\0\4MQTT\5" if newer else b"")
            self.refuse(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, str(unsupported))
            return
        except ProtocolViolation as violation:
            if self.has_properties:
                self.refuse(violation.code, str(violation))  # (MQTT 5.0, 4.13.1)
            else:
                self.fail(violation)
            return
        self._partial = [data[body + length :]]
        self.state = State.ACCEPTING
        self.line.hold()
        self.host.admit(self, connect)

    def _speak(self, head: bytes) -> None:
        """Speak the version that the head of a CONNECT names."""
        self.has_properties = head == b"\0\4MQTT\5"
        self.version = Version.V5 if self.has_properties else Version.V3_1_1

    def established(self, session: Session, answer: Connack, entries: int) -> None:
        """The client is admitted: answer, once what its coming has changed since the journal had `entries` is on disk,
        and go on with what it has sent meanwhile."""
        self._cancel_timers()
        self.session = session
        self.state = State.CONNECTED
        self.answer(answer.encode(self.version), entries)
        if self.owed:
            self.journal.when_durable(self._resume)  # behind CONNACK
        else:
            self._resume(True)
        self._go_on()

    def _resume(self, durable: bool) -> None:
        if durable and self.is_connected:
            self.session.resume()
            self.host.sessions.resumed(self.session)

    # --- acknowledgements ---

    def answer(self, data: bytes, entries: int) -> None:
        """Send what rests on what has been entered into the journal since it had `entries`."""
        if self.journal.entries != entries:
            self.owe(data, 0)
        elif self.owed:
            self.owe_behind(data, 0)
        else:
            self.line.write(data)

    def owe(self, data: bytes, count: int) -> None:
        """Send `data`, which acknowledges `count` messages, when all that is in the journal is durable."""
        ticket = self.journal.ticket
        if not self.owed or self.owed[-1][0] != ticket:
            self.journal.when_durable(partial(self._pay, ticket))
        self._owe(ticket, data, count)

    def owe_behind(self, data: bytes, count: int) -> None:
        """Send `data` after all that is owed."""
        self._owe(self.owed[-1][0], data, count)

    def _owe(self, ticket: int, data: bytes, count: int) -> None:
        self.owed.append((ticket, data, count))
        self._unacknowledged += count
        if self._unacknowledged >= self.quotas.receive_maximum:
            if self.has_properties and self._unacknowledged > self.quotas.receive_maximum:
                raise ProtocolViolation(
                    f"{self._unacknowledged} unacknowledged messages; {self.quotas.receive_maximum} are allowed"
                    " [MQTT-3.3.4-7]",
                    code=ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
                )
            if not self._held_by_owed:
                self._held_by_owed = True
                self.line.hold()

    def _pay(self, ticket: int, durable: bool) -> None:
        """The journal has come as far as `ticket`."""
        if not durable:
            self.end(DisconnectReason.SERVER_ERROR, "what it sent could not be written")
        owed = self.owed
        while owed and owed[0][0] <= ticket:
            _, data, count = owed.popleft()
            self._unacknowledged -= count
            if self.is_connected:
                self.line.write(data)
        if self._held_by_owed and self._unacknowledged < self.quotas.receive_maximum:
            self._held_by_owed = False
            self.line.let_go()

    def hold_back(self, route: Route) -> None:
        """Read no more while receivers of a message do not keep up."""
        lines = [session.line for session in route.sessions]
        lines += [receiver.session.line for receiver in route.receivers]
        self.flow.hold_back(self.line, lines)

    # --- packets, the readable way ---

    def handle(self, first: int, body: bytes) -> None:
        """Handle any packet of a connected client. Raises ProtocolViolation and Refused."""
        packet_type = check_flags(first)
        match packet_type:
            case PacketType.PUBLISH:
                publishing.publish(self, first, body)
            case PacketType.PUBACK:
                publishing.puback(self, body)
            case PacketType.PUBREC | PacketType.PUBREL | PacketType.PUBCOMP if self.quotas.max_qos < 2:
                raise ProtocolViolation(f"{packet_type.name}: quality of service 2 is not served")
            case PacketType.PUBREC:
                publishing.pubrec(self, body)
            case PacketType.PUBREL:
                publishing.pubrel(self, body)
            case PacketType.PUBCOMP:
                publishing.pubcomp(self, body)
            case PacketType.SUBSCRIBE:
                subscribing.subscribe(self, body)
            case PacketType.UNSUBSCRIBE:
                subscribing.unsubscribe(self, body)
            case PacketType.PINGREQ:
                check_empty(packet_type, body)
                self.line.write(PINGRESP)
            case PacketType.DISCONNECT:
                self._disconnect(Disconnect.decode(body, self.version))
            case PacketType.CONNECT:
                raise ProtocolViolation("a second CONNECT [MQTT-3.1.0-2]")
            case PacketType.AUTH:
                raise ProtocolViolation("AUTH, but CONNECT named no authentication method (MQTT 5.0, 4.12)")
            case _:
                raise ProtocolViolation(f"a client does not send {packet_type.name}")

    def _disconnect(self, packet: Disconnect) -> None:
        expiry = packet.properties.session_expiry
        if expiry is not None:
            if expiry and not self.session.expiry:
                raise ProtocolViolation("DISCONNECT sets an expiry for a session that had none (MQTT 5.0, 3.14.2.2.2)")
            self.session.expiry = min(expiry, self.quotas.session_expiry)
        if packet.code != ReasonCode.DISCONNECT_WITH_WILL:
            self.will = None  # [MQTT-3.14.4-3]
        self.end(DisconnectReason.CLIENT_INITIATED_DISCONNECT)

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
            raise MalformedPacket(str(error), code=ReasonCode.TOPIC_NAME_INVALID) from None
        if problem := self.quotas.topic_problem(name):
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

    def regrant(self, authorizer: Authorizer) -> None:
        """The client's rights have changed: forget what was decided."""
        self.authorizer = authorizer
        self._routes.clear()
        self.router.touch_all()

    # --- the end ---

    def fail(self, violation: ProtocolViolation) -> None:
        """End because the peer broke the protocol."""
        self.end(DisconnectReason.CLIENT_ERROR, str(violation), violation.code)

    def refuse(self, code: ReasonCode, why: str) -> None:
        """Answer CONNECT with a refusal and close. [MQTT-3.2.2-5] [MQTT-3.2.2-7]"""
        if self.has_properties:
            self.line.write(Connack(code, properties=self.explanation(why)).encode(self.version))
        else:
            answer = return_code(code)
            if answer is not ReturnCode.ACCEPTED:
                self.line.write(Connack(answer).encode(self.version))
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
            log.warning("%r: disconnected (%s): %s", self, reason.value, why)
        was_connected = self.is_connected
        self.state = State.CLOSED
        self.is_ready = False
        self._cancel_timers()
        self._partial.clear()
        self._routes.clear()
        if was_connected and self.has_properties:
            code = TOLD.get(reason) if code is None else code
            if code is not None:
                self.line.write(Disconnect(code, self.explanation(why)).encode(self.version))
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

    def explanation(self, why: str) -> Properties:
        """`why` as an MQTT 5 reason string, where the client takes one. [MQTT-3.1.2-29]"""
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
