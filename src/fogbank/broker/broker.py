"""The broker as a whole: admits clients, keeps their sessions, tells when they go, follows changes of rights."""

import asyncio
import logging
import uuid

from fogbank.arns import Arns
from fogbank.broker import admission
from fogbank.broker.authorizer import Authorizer
from fogbank.broker.connection import Connection, State
from fogbank.broker.connections import Connections
from fogbank.broker.direct import DirectMessages
from fogbank.broker.flow import Flow, Scheduler
from fogbank.broker.journal import Journal
from fogbank.broker.keepalive import KeepAlives
from fogbank.broker.lifecycle import Lifecycle
from fogbank.broker.line import Link
from fogbank.broker.metrics import Metrics, measure
from fogbank.broker.quotas import quotas
from fogbank.broker.rates import AccountRates
from fogbank.broker.reasons import DisconnectReason
from fogbank.broker.retained import Retained
from fogbank.broker.router import Router
from fogbank.broker.session import Session, Surroundings
from fogbank.broker.sessions import Sessions
from fogbank.broker.spool import Spool
from fogbank.broker.throttling import Throttle, ThrottledLine, ThrottledSession
from fogbank.broker.wills import Wills
from fogbank.clock import Clock
from fogbank.errors import ServiceError
from fogbank.message import Origin
from fogbank.mqtt import ReasonCode
from fogbank.mqtt.packets import Connect
from fogbank.policy import Decision
from fogbank.ports import Backlogs, Documents, Grant, Identity, Introduction, Peer
from fogbank.settings import Limits
from fogbank.tasks import Tasks
from fogbank.trace import Trace

log = logging.getLogger(__name__)

SWEEP = 1.0
"""Seconds between two looks at rates."""
FORGET = 60
"""Sweeps between two looks at expired sessions and messages, and old version numbers."""


class Broker:
    """Give it a link and a peer for each accepted socket; subscribe and publish through `router`."""

    def __init__(
        self,
        arns: Arns,
        limits: Limits,
        clock: Clock,
        trace: Trace,
        scheduler: Scheduler,
        documents: Documents,
        backlogs: Backlogs,
        *,
        connections_per_principal: int | None = None,
    ) -> None:
        """`connections_per_principal`: how many each may have at once; None: any number, as with AWS IoT."""
        self.quotas = quotas(limits)
        self._most_per_principal = connections_per_principal
        self.trace = trace
        self.clock = clock
        self.flow = Flow(scheduler)
        self._tasks = Tasks("broker")
        self._writing = Tasks("journal")
        self.journal = Journal(backlogs, scheduler, self._writing)
        self.retained = Retained(
            clock,
            max_messages=self.quotas.retained_messages,
            max_bytes=self.quotas.retained_bytes,
            hash_matches_parent=self.quotas.hash_matches_parent,
        )
        self.router = Router(clock, self.journal, self.retained, hash_matches_parent=self.quotas.hash_matches_parent)
        rates = self.quotas.rates
        self.rates = None if rates is None else AccountRates(rates, clock)
        if rates is not None and not rates.enforced:
            self.router.tally = {}
        self._surroundings = Surroundings(self.quotas, clock, self.journal, self._tasks, self.rates)
        self.sessions = Sessions(self.router, self._surroundings, backlogs)
        self.spool = Spool(self.journal, backlogs)
        self._backlogs = backlogs
        self._documents = documents
        self._arns = arns
        self._lifecycle = Lifecycle(self.router, clock)
        self._wills = Wills(self.router, self.journal, self.flow, clock)
        self._keep_alives = KeepAlives(self.flow, clock)
        self._by_client: dict[str, Connection] = {}
        """The established connections."""
        self._by_principal: dict[str, set[Connection]] = {}
        self.connections = Connections(self._by_client, self.sessions, self._wills, self.journal, clock)
        self.direct = DirectMessages(self._by_client, clock, self._tasks)
        self._closing = False
        self._changes = 0
        """How often rights have changed: a look-up that a change has overtaken is made again."""

    def __len__(self) -> int:
        return len(self._by_client)

    def metrics(self) -> Metrics:
        """What can be counted of it."""
        sessions = self.sessions
        return measure(len(self), sessions.all(), sessions.groups(), self.retained, self.journal, self._surroundings)

    async def start(self) -> None:
        """Take up what is on disk, and begin to watch rates and expiries."""
        await self.retained.load(self._documents)
        waiting = await self._backlogs.owners()
        self.spool.load(waiting)
        await self.sessions.load(self._documents, waiting)
        await self._wills.load(self._documents)
        self._tasks.start(self._sweep(), "sweep")

    async def close(self) -> None:
        """Disconnect everybody, admit nobody, and write what is not written yet."""
        self._closing = True
        for connection in list(self._by_client.values()):
            connection.end(DisconnectReason.SERVER_INITIATED_DISCONNECT)
        await self.journal.settled()
        await self._tasks.close()
        await self._writing.close()

    def connect(self, link: Link, peer: Peer) -> Connection:
        """A socket has been accepted: what it brings goes to the connection's `receive`."""
        return Connection(self, link, peer)

    # --- coming ---

    def admit(self, connection: Connection, connect: Connect) -> None:
        """Decide on a CONNECT; the answer comes later."""
        self._tasks.start(self._admit(connection, connect), "admit")

    async def _admit(self, connection: Connection, connect: Connect) -> None:
        if problem := admission.problem(connect, self.quotas):
            connection.refuse(problem.code, problem.text)
            return
        client_id = connect.client_id or str(uuid.uuid4())
        connection.origin = Origin(connection.peer.identity.id, client_id, connection.peer.ip)
        try:
            peer = await self._introduce(connection, connect, client_id)
            identity, grant = await self._rights(peer, client_id)
        except ServiceError as refusal:
            self._deny(connection, client_id, str(refusal))
            return
        except Exception:
            log.exception("%r: cannot look up the rights of %s", connection, connection.peer.identity.id)
            connection.refuse(ReasonCode.SERVER_UNAVAILABLE, "")
            return
        if connection.state is State.CLOSED:
            return
        if self._closing:
            connection.refuse(ReasonCode.SERVER_UNAVAILABLE, "the server is shutting down")
            return
        if not identity.active:
            self._deny(connection, client_id, identity.reason)
            return
        connection.authorizer = self._authorizer(peer, identity, grant, client_id)
        decision = self._decide(connection.authorizer, connect)
        if not decision.allowed:
            self._deny(connection, client_id, decision.reason)
            return
        if self.rates is not None and (excess := self.rates.connect(client_id)):
            connection.refuse(ReasonCode.QUOTA_EXCEEDED, excess)
            return
        if self._has_enough(identity.id, client_id):
            text = f"{identity.id} has {self._most_per_principal} connections already, which is all that it may have"
            connection.refuse(ReasonCode.QUOTA_EXCEEDED, text)
            return
        self._accept(connection, connect, client_id)

    def _has_enough(self, principal: str, client_id: str) -> bool:
        """Whether a principal may have no further connection. One that takes a client ID over is not further."""
        if self._most_per_principal is None:
            return False
        held = self._by_principal.get(principal, set())
        return len(held) - (self._by_client.get(client_id) in held) >= self._most_per_principal

    async def _introduce(self, connection: Connection, connect: Connect, client_id: str) -> Peer:
        """Who the peer is, where CONNECT itself has to say it. Raises ServiceError."""
        peer = connection.peer
        if peer.introduce is not None:
            peer = await peer.introduce(Introduction(connect.client_id, connect.username, connect.password))
            connection.peer = peer
            connection.origin = Origin(peer.identity.id, client_id, peer.ip)
        return peer

    def _authorizer(self, peer: Peer, identity: Identity, grant: Grant, client_id: str) -> Authorizer:
        return Authorizer(self._arns, identity, grant, client_id, peer.ip, peer.server_name)

    def _decide(self, authorizer: Authorizer, connect: Connect) -> Decision:
        """Whether policies allow the connection, and its will where it has one."""
        will = connect.will
        decision = authorizer.connect(
            persistent=admission.session_expiry(connect, self.quotas) > 0,
            will_topic=None if will is None else will.topic,
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
        connection.refuse(ReasonCode.NOT_AUTHORIZED, reason)
        self._lifecycle.connect_failed(connection, client_id)

    def _accept(self, connection: Connection, connect: Connect, client_id: str) -> None:
        entries = self.journal.entries
        earlier = self._by_client.get(client_id)
        if earlier is not None:  # [MQTT-3.1.4-2] [MQTT-3.1.4-3]
            earlier.end(DisconnectReason.DUPLICATE_CLIENTID, "another connection uses the client ID")
        session, present = self.sessions.open(
            client_id,
            connect.version,
            clean=connect.clean_start,
            expiry=admission.session_expiry(connect, self.quotas),
        )
        self._wills.back(client_id, resumed=present)
        admission.agree(connection, session, connect, self.quotas)
        self._throttle(connection, session)
        connection.choose_way()
        connection.keep_alive = admission.keep_alive(connect, self.quotas)
        connection.since = self.clock.time()
        connection.will = admission.will(connect, connection.origin, self.quotas)
        if connection.will is not None:
            self._wills.keep(client_id, connection.will, session.expiry)
        self._by_client[client_id] = connection
        self._by_principal.setdefault(connection.peer.identity.id, set()).add(connection)
        if self.trace.active:
            self.trace.emit("connect", "success", client_id=client_id, principal=connection.peer.identity.id)
        self._lifecycle.connected(connection, session)
        answer = admission.accepted(connect, session, self.quotas, present=present, alive=connection.keep_alive)
        connection.established(session, answer, entries)
        self._keep_alives.watch(connection)
        self._bound(connection)

    def _throttle(self, connection: Connection, session: Session) -> None:
        """Hold the connection to AWS's rates, where they bind."""
        line = connection.line
        if self.rates is not None and isinstance(line, ThrottledLine) and isinstance(session, ThrottledSession):
            connection.throttle = session.throttle = Throttle(self.rates, self.flow, line, repr(connection))

    def _bound(self, connection: Connection) -> None:
        """Watch the clock for what the peer's identity says of its lifetime and its rights."""
        peer = connection.peer
        if peer.lifetime is not None:
            connection.end_after(peer.lifetime, DisconnectReason(peer.lifetime_reason))
        if peer.refresh is not None:
            connection.call_later(peer.refresh, self._refresh, connection)

    def _refresh(self, connection: Connection) -> None:
        if connection.is_connected:
            assert connection.peer.refresh is not None
            self._tasks.start(self._regrant(connection), "refresh")
            connection.call_later(connection.peer.refresh, self._refresh, connection)

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
        self.sessions.close(session)
        will, connection.will = connection.will, None
        self._wills.lost(session.client_id, will, session.expiry)
        self.direct.lost(session)
        self.connections.gone(connection, reason)
        self._lifecycle.disconnected(connection, session, reason)

    def subscribed(self, connection: Connection, filters: list[str]) -> None:
        """A client has subscribed to these filters."""
        self._lifecycle.subscribed(connection, filters)

    def unsubscribed(self, connection: Connection, filters: list[str]) -> None:
        """A client has given these filters up."""
        self._lifecycle.unsubscribed(connection, filters)

    async def _sweep(self) -> None:
        sweeps = 0
        while True:
            await self.clock.sleep(SWEEP)
            if self.rates is not None and self.router.tally is not None:
                self.rates.look(self._by_client.values(), self.router.tally)
            sweeps += 1
            if sweeps % FORGET == 0:
                await self._forget()

    async def _forget(self) -> None:
        """Forget what has expired, a part at a time: it may be very much."""
        there_is_more = True
        while there_is_more:
            there_is_more = self.sessions.expire()
            await asyncio.sleep(0)
        while changes := self.retained.expire():
            for change in changes:
                self.journal.change(change, lazily=True)
            await asyncio.sleep(0)
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
            connection.regrant(self._authorizer(connection.peer, identity, grant, client_id))

    async def _rights(self, peer: Peer, client_id: str) -> tuple[Identity, Grant]:
        """Who the peer is now and what it holds, both as of one moment."""
        while True:
            changes = self._changes
            identity = await peer.principals.recheck(peer.identity)
            grant = await peer.principals.grant(identity, client_id)
            if changes == self._changes:
                return identity, grant
