"""The broker as a whole: admits clients, keeps their sessions, tells when they go, follows changes of rights."""

import logging
import uuid

from fogbank.arns import Arns
from fogbank.broker.authorizer import Authorizer
from fogbank.broker.connection import Connection, Peer, State
from fogbank.broker.flow import Flow, Scheduler
from fogbank.broker.lifecycle import Lifecycle
from fogbank.broker.line import Link
from fogbank.broker.quotas import quotas
from fogbank.broker.reasons import DisconnectReason
from fogbank.broker.router import Router
from fogbank.broker.sessions import Sessions
from fogbank.clock import Clock
from fogbank.message import Message, Origin
from fogbank.mqtt.packets import Connect, ReturnCode
from fogbank.policy import Decision
from fogbank.ports import Grant, Identity
from fogbank.settings import Limits
from fogbank.tasks import Tasks
from fogbank.topics import InvalidTopic, check_topic
from fogbank.trace import Trace

log = logging.getLogger(__name__)

SWEEP = 1.0
"""Seconds between two looks at keep-alives."""
FORGET = 60
"""Sweeps between two looks at expired sessions and old version numbers."""


class Broker:
    """Give it a link and a peer for each accepted socket; subscribe and publish through `router`."""

    def __init__(self, arns: Arns, limits: Limits, clock: Clock, trace: Trace, scheduler: Scheduler) -> None:
        self.quotas = quotas(limits)
        self.trace = trace
        self.flow = Flow(scheduler)
        self.router = Router(trace, hash_matches_parent=self.quotas.hash_matches_parent)
        self._arns = arns
        self._clock = clock
        self._sessions = Sessions(self.router, self.quotas, clock)
        self._lifecycle = Lifecycle(self.router, clock)
        self._by_client: dict[str, Connection] = {}
        """The established connections."""
        self._by_principal: dict[str, set[Connection]] = {}
        self._changes = 0
        """How often rights have changed: a look-up that a change has overtaken is made again."""
        self._tasks = Tasks("broker")

    def __len__(self) -> int:
        return len(self._by_client)

    def start(self) -> None:
        """Begin to watch keep-alives and expiries."""
        self._tasks.start(self._sweep(), "sweep")

    async def close(self) -> None:
        """Disconnect everybody."""
        await self._tasks.close()
        for connection in list(self._by_client.values()):
            connection.end(DisconnectReason.SERVER_INITIATED_DISCONNECT)

    def connect(self, link: Link, peer: Peer) -> Connection:
        """A socket has been accepted: what it brings goes to the connection's `receive`."""
        return Connection(self, link, peer)

    # --- coming ---

    def admit(self, connection: Connection, connect: Connect) -> None:
        """Decide on a CONNECT; the answer comes later."""
        self._tasks.start(self._admit(connection, connect), "admit")

    async def _admit(self, connection: Connection, connect: Connect) -> None:
        client_id = connect.client_id
        if problem := self._problem(connect):
            connection.refuse(ReturnCode.IDENTIFIER_REJECTED, problem)
            return
        client_id = client_id or str(uuid.uuid4())
        peer = connection.peer
        connection.origin = Origin(peer.identity.id, client_id, peer.ip)
        try:
            identity, grant = await self._rights(peer, client_id)
        except Exception:
            log.exception("%r: cannot look up the rights of %s", connection, peer.identity.id)
            connection.refuse(ReturnCode.SERVER_UNAVAILABLE, "")
            return
        if connection.state is State.CLOSED:
            return
        if not identity.active:
            self._deny(connection, client_id, identity.reason)
            return
        connection.authorizer = Authorizer(self._arns, identity, grant, client_id, peer.ip)
        decision = self._decide(connection.authorizer, connect)
        if not decision.allowed:
            self._deny(connection, client_id, decision.reason)
            return
        self._accept(connection, connect, client_id)

    def _problem(self, connect: Connect) -> str | None:
        """What is wrong with a CONNECT that is well-formed."""
        if not connect.client_id and not connect.clean_session:
            return "an empty client ID with a persistent session [MQTT-3.1.3-8]"
        if len(connect.client_id.encode()) > self.quotas.max_client_id:
            return f"the client ID has {len(connect.client_id.encode())} bytes; {self.quotas.max_client_id} are allowed"
        if connect.will is not None:
            try:
                check_topic(connect.will.topic)
            except InvalidTopic as error:
                return f"the will: {error}"
            if connect.will.qos == 2:
                return "the will has quality of service 2, which is not served"
            if problem := self.quotas.topic_problem(connect.will.topic):
                return f"the will: {problem}"
            if len(connect.will.payload) > self.quotas.max_payload:
                return f"the will has {len(connect.will.payload)} bytes; {self.quotas.max_payload} are allowed"
        return None

    @staticmethod
    def _decide(authorizer: Authorizer, connect: Connect) -> Decision:
        """Whether policies allow the connection, and its will where it has one."""
        will = connect.will
        decision = authorizer.connect(
            persistent=not connect.clean_session, will_topic=None if will is None else will.topic
        )
        if decision.allowed and will is not None:
            decision = authorizer.publish(will.topic)
            if decision.allowed and will.retain:
                decision = authorizer.retain(will.topic)
        return decision

    def _deny(self, connection: Connection, client_id: str, reason: str) -> None:
        if self.trace.active:
            principal = connection.peer.identity.id
            self.trace.emit("connect", "denied", client_id=client_id, principal=principal, reason=reason)
        connection.refuse(ReturnCode.NOT_AUTHORIZED, reason)
        self._lifecycle.connect_failed(connection, client_id)

    def _accept(self, connection: Connection, connect: Connect, client_id: str) -> None:
        earlier = self._by_client.get(client_id)
        if earlier is not None:  # [MQTT-3.1.4-2]
            earlier.end(DisconnectReason.DUPLICATE_CLIENTID, "another connection uses the client ID")
        session, present = self._sessions.open(
            client_id, connection.line, connection.may_receive, clean=connect.clean_session
        )
        connection.keep_alive = self._keep_alive(connect.keep_alive)
        connection.last_heard = self._clock.monotonic()
        if connect.will is not None:
            will = connect.will
            connection.will = Message(will.topic, will.payload, will.qos, will.retain, connection.origin, will=True)
        self._by_client[client_id] = connection
        self._by_principal.setdefault(connection.peer.identity.id, set()).add(connection)
        if self.trace.active:
            self.trace.emit("connect", "success", client_id=client_id, principal=connection.peer.identity.id)
        self._lifecycle.connected(connection, session)
        connection.established(session, present=present)

    def _keep_alive(self, asked: int) -> int:
        shortest, longest, default = self.quotas.keep_alive
        return max(shortest, min(asked, longest)) if asked else default

    # --- going ---

    def disconnected(self, connection: Connection, reason: DisconnectReason) -> None:
        """An established connection has ended."""
        session = connection.session
        del self._by_client[session.client_id]
        principal = connection.peer.identity.id
        of_principal = self._by_principal.get(principal)
        if of_principal is not None:
            of_principal.discard(connection)
            if not of_principal:
                del self._by_principal[principal]
        self._sessions.close(session)
        will, connection.will = connection.will, None
        if will is not None:  # [MQTT-3.1.2-8]
            self.router.deliver(will)
        self._lifecycle.disconnected(connection, session, reason)

    async def _sweep(self) -> None:
        sweeps = 0
        while True:
            await self._clock.sleep(SWEEP)
            now = self._clock.monotonic()
            for connection in list(self._by_client.values()):
                if connection.heard:
                    connection.heard = False
                    connection.last_heard = now
                elif connection.keep_alive and now - connection.last_heard > connection.keep_alive * 1.5:
                    connection.end(  # [MQTT-3.1.2-24]
                        DisconnectReason.MQTT_KEEP_ALIVE_TIMEOUT,
                        f"not heard for one and a half times its keep-alive of {connection.keep_alive} seconds",
                    )
            sweeps += 1
            if sweeps % FORGET == 0:
                self._sessions.expire()
                self._lifecycle.forget()

    # --- rights ---

    async def principals_changed(self, ids: frozenset[str]) -> None:
        """Follow a change of status, policies or thing on the live connections. (PrincipalListener)"""
        self._changes += 1
        for id_ in ids:
            for connection in list(self._by_principal.get(id_, ())):
                await self._regrant(connection)

    async def _regrant(self, connection: Connection) -> None:
        client_id = connection.session.client_id
        identity, grant = await self._rights(connection.peer, client_id)
        if not identity.active:
            connection.end(DisconnectReason.FORBIDDEN_ACCESS, identity.reason)
        elif connection.is_connected:
            connection.regrant(Authorizer(self._arns, identity, grant, client_id, connection.peer.ip))

    async def _rights(self, peer: Peer, client_id: str) -> tuple[Identity, Grant]:
        """Who the peer is now and what it holds, both as of one moment."""
        while True:
            changes = self._changes
            identity = await peer.principals.recheck(peer.identity)
            grant = await peer.principals.grant(identity, client_id)
            if changes == self._changes:
                return identity, grant
