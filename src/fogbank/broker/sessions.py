"""All sessions by client ID: created, resumed, taken over, expired; and what of them is on disk. (4.1)

A session is a document of kind `session` under its client ID, with its subscriptions; its messages are in backlogs
under its own ID, so that those of an earlier session of the same client can never be taken for them.
"""

import uuid
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from math import inf

import msgspec

from fogbank.broker.line import Line
from fogbank.broker.quotas import NEVER
from fogbank.broker.router import Router
from fogbank.broker.session import Session, Surroundings, Wanted
from fogbank.broker.sharing import PREFIX, Group, parse_shared
from fogbank.broker.store import Store
from fogbank.broker.subscriptions import Options
from fogbank.broker.throttling import ThrottledSession
from fogbank.ports import Backlog, Backlogs, Delete, Documents, Put
from fogbank.topics import matches

KIND = "session"
GROUP = "group:"
"""Before the filter of a shared subscription: the owner of what waits for its group."""
RECEIVED = "/received"
"""Behind a session's ID: the owner of the identifiers of QoS 2 messages taken from the client."""
PAGE = 1000
EXPIRE_AT_ONCE = 200
"""Sessions that are ended at a time."""
STALE_EXPIRIES = 1000
"""How many expiries of sessions that were resumed meanwhile may be about before they are swept out."""


class Record(msgspec.Struct, frozen=True):
    """A session as a document."""

    client_id: str
    version: int
    id: str
    expiry: int
    disconnected_at: float | None
    """Seconds since the epoch; None: it was connected."""
    subscriptions: dict[str, Options]


class Sessions:
    """At most one session a client ID, at most one connection a session. [MQTT-3.1.4-2] [MQTT-3.1.4-3]"""

    def __init__(self, router: Router, around: Surroundings, backlogs: Backlogs) -> None:
        self._router = router
        self._around = around
        self._backlogs = backlogs
        self._journal = around.journal
        rates = around.quotas.rates
        self._kind = ThrottledSession if rates is not None and rates.enforced else Session
        self._by_client: dict[str, Session] = {}
        self._groups: dict[str, Group] = {}
        self._waiting: dict[str, Backlog] = {}
        """What was found on disk at start, by owner."""
        self._expiries: list[tuple[float, str]] = []
        """A heap of times and client IDs; clients may have come back since."""

    def __len__(self) -> int:
        return len(self._by_client)

    def get(self, client_id: str) -> Session | None:
        """The session of a client, connected or not."""
        return self._by_client.get(client_id)

    def all(self) -> Iterable[Session]:
        """The sessions, connected or not."""
        return self._by_client.values()

    def groups(self) -> Iterable[Group]:
        """The shared subscriptions that have members."""
        return self._groups.values()

    def present(self, client_id: str) -> Session | None:
        """The same, but for a session that has been away for too long and is still to be ended."""
        session = self._by_client.get(client_id)
        if session is not None and session.line is None and self._is_expired(session):
            return None
        return session

    # --- start ---

    async def load(self, documents: Documents, waiting: dict[str, Backlog]) -> None:
        """Take up the sessions that are on disk. Those that were connected when the server ended are away from now.

        `waiting` is what is there for sessions and groups, by owner; what belongs to none of them is discarded.
        """
        self._waiting = waiting
        owners = set(self._waiting)
        after = ""
        while page := await documents.scan(KIND, after=after, limit=PAGE):
            after = page[-1].key
            for document in page:
                record = msgspec.json.decode(document.body, type=Record)
                await self._restore(record)
                owners -= {record.id, record.id + RECEIVED}
        for owner in owners:
            if not (owner.startswith(GROUP) and owner.removeprefix(GROUP) in self._groups):
                self._journal.discard_all(owner)
        self._waiting.clear()
        while self.expire():
            pass

    async def _restore(self, record: Record) -> None:
        session = self._kind(record.client_id, record.version, record.id, record.expiry, self._around)
        now = self._around.clock.time()
        session.disconnected_at = now if record.disconnected_at is None else record.disconnected_at
        session.store = Store(session.id, self._journal, self._backlogs, self._waiting.pop(session.id, None))
        if self._waiting.pop(session.id + RECEIVED, None) is not None:
            session.received = {number for number, _ in await self._backlogs.read(session.id + RECEIVED)}
        self._by_client[session.client_id] = session
        self._note_expiry(session)
        for filter_, options in record.subscriptions.items():
            self._add(session, filter_, options)
        if record.disconnected_at is None:
            self.save(session, connected=False)  # or its time would begin anew with the next start

    # --- coming and going ---

    def open(self, client_id: str, version: int, *, clean: bool, expiry: int) -> tuple[Session, bool]:
        """The session of a client that has connected, and whether it was present already.

        The client's earlier connection must have been ended. A clean start finds no earlier session, and one of
        MQTT 3.1.1 is none of MQTT 5. [MQTT-3.1.2-6] [MQTT-3.1.2-4] [MQTT-3.2.2-2]
        """
        session = self._by_client.get(client_id)
        if session is not None and (clean or session.version != version or self._is_expired(session)):
            self.discard(session)
            session = None
        present = session is not None
        if session is None:
            session = self._kind(client_id, version, str(uuid.uuid4()), expiry, self._around)
            self._by_client[client_id] = session
        session.expiry = expiry
        session.disconnected_at = inf
        if expiry and session.store is None:
            session.store = Store(session.id, self._journal, self._backlogs)
        self.save(session)
        return session, present

    def attach(self, session: Session, line: Line, wanted: Wanted) -> None:
        """The client is there and has been answered: what waits for it, and for its groups, may come to it."""
        session.attach(line, wanted)
        self._touch(session)
        session.resume()
        for filter_ in session.subscriptions:
            if (group := self._groups.get(filter_)) is not None:
                group.pump()

    def close(self, session: Session) -> None:
        """The connection is gone: a session without expiry ends with it, another waits."""
        session.detach()
        session.disconnected_at = self._around.clock.time()
        if not session.expiry:
            self.discard(session)
        else:
            self.save(session, connected=False)
            self._note_expiry(session)
            self._touch(session)

    def discard(self, session: Session) -> None:
        """End a session and all it holds."""
        filters = list(session.subscriptions)
        for filter_ in filters:
            self._remove(session, filter_)
        self._hand_on(session, filters)
        if self._by_client.get(session.client_id) is session:
            del self._by_client[session.client_id]
        if session.store is not None:
            session.store.end()
            self._journal.discard_all(session.id + RECEIVED)
            self._journal.change(Delete(KIND, session.client_id))

    def expire(self, limit: int = EXPIRE_AT_ONCE) -> bool:
        """End sessions that have been away for too long, up to `limit`; whether there may be more. [MQTT-4.1.0-2]"""
        now = self._around.clock.time()
        while limit and self._expiries and self._expiries[0][0] <= now:
            _, client_id = heappop(self._expiries)
            session = self._by_client.get(client_id)
            if session is not None and session.line is None and self._is_expired(session):
                self.discard(session)
                limit -= 1
        return not limit

    def _is_expired(self, session: Session) -> bool:
        now = self._around.clock.time()
        return session.expiry != NEVER and now >= session.disconnected_at + session.expiry

    def _note_expiry(self, session: Session) -> None:
        if session.expiry == NEVER:
            return
        heappush(self._expiries, (session.disconnected_at + session.expiry, session.client_id))
        if len(self._expiries) > 2 * len(self._by_client) + STALE_EXPIRIES:
            self._expiries = [
                (one.disconnected_at + one.expiry, one.client_id)
                for one in self._by_client.values()
                if one.expiry != NEVER and one.disconnected_at != inf
            ]
            heapify(self._expiries)

    def _hand_on(self, session: Session, filters: list[str]) -> None:
        """What was given to the session for a group goes to another member, where it is clear that it was."""
        for filter_ in filters:
            group = self._groups.get(filter_)
            if group is None:
                continue
            own = [one for one in filters if not one.startswith(PREFIX)]
            runs = []
            for run in [*session.inflight, *session.queue]:
                topic = run.topic[2:].decode()
                if matches(group.shared.filter, topic) and not any(matches(one, topic) for one in own):
                    runs.append(run)
            group.hand_on(runs)

    def _touch(self, session: Session) -> None:
        """Routes computed while the client was away did not ask for its rights."""
        for filter_ in session.subscriptions:
            self._router.touch(parse_shared(filter_).filter if filter_.startswith(PREFIX) else filter_)

    def save(self, session: Session, *, connected: bool = True) -> None:
        """Enter a session with its subscriptions into the journal. Nobody waits for that it is away."""
        if session.store is None:
            return
        record = Record(
            session.client_id,
            int(session.version),
            session.id,
            session.expiry,
            None if connected else session.disconnected_at,
            session.subscriptions,
        )
        self._journal.change(Put(KIND, session.client_id, msgspec.json.encode(record)), lazily=not connected)

    # --- subscriptions ---

    def subscribe(self, session: Session, filter_: str, options: Options) -> bool:
        """Add a subscription or change its options; whether it is new. To be followed by `save`."""
        is_new = filter_ not in session.subscriptions
        self._add(session, filter_, options)
        return is_new

    def unsubscribe(self, session: Session, filter_: str) -> bool:
        """Give a subscription up; whether there was one. To be followed by `save`."""
        if filter_ not in session.subscriptions:
            return False
        self._remove(session, filter_)
        return True

    def group_problem(self, session: Session, filter_: str) -> str | None:
        """Why a session may not become a member of a group; None where it may."""
        quotas = self._around.quotas
        group = self._groups.get(filter_)
        if group is None:
            return f"{quotas.groups} shared subscriptions are allowed" if len(self._groups) >= quotas.groups else None
        if session not in group.members and len(group.members) >= quotas.members_per_group:
            return f"{quotas.members_per_group} members of a shared subscription are allowed"
        return None

    def _add(self, session: Session, filter_: str, options: Options) -> None:
        session.subscriptions[filter_] = options
        if not filter_.startswith(PREFIX):
            self._router.subscribe_session(filter_, session, options)
            return
        group = self._groups.get(filter_)
        if group is None:
            owner = GROUP + filter_
            store = Store(owner, self._journal, self._backlogs, self._waiting.pop(owner, None))
            group = self._groups[filter_] = Group(parse_shared(filter_), store, self._around)
            self._router.subscribe_group(group.shared.filter, group)
        if session not in group.members:
            session.sources.append(group.pump)
        group.members[session] = options
        self._router.touch(group.shared.filter)
        group.pump()

    def _remove(self, session: Session, filter_: str) -> None:
        del session.subscriptions[filter_]
        if not filter_.startswith(PREFIX):
            self._router.unsubscribe_session(filter_, session)
            return
        group = self._groups[filter_]
        del group.members[session]
        session.sources.remove(group.pump)
        self._router.touch(group.shared.filter)
        if not group.members:
            self._router.unsubscribe_group(group.shared.filter, group)
            group.store.end()
            del self._groups[filter_]

    # --- QoS 2 from clients ---

    def received(self, session: Session, packet_id: int) -> None:
        """A QoS 2 message has been taken: its identifier is remembered until PUBREL. [MQTT-4.3.3-9]"""
        session.received.add(packet_id)
        if session.store is not None:
            self._journal.replace(session.id + RECEIVED, packet_id, b"")
            # where that fails so may the message, and it must be taken when it comes again
            self._journal.when_durable(lambda durable: None if durable else self.let_go(session, packet_id))

    def let_go(self, session: Session, packet_id: int) -> bool:
        """The identifier is free again; whether it was taken. [MQTT-4.3.3-12]"""
        if packet_id not in session.received:
            return False
        session.received.remove(packet_id)
        if session.store is not None:
            self._journal.discard(session.id + RECEIVED, packet_id, lazily=False)
        return True
