"""Shared subscriptions: each message goes to one member of a group. (MQTT 5.0, 4.8.2; AWS serves them to 3.1.1 as well)

A group is a share name and a filter. While a member is there, messages go to one after the other of those that can take
more. While none is, they wait on disk for the first that comes back, where a member has a persistent session: AWS IoT
developer guide, "Shared subscriptions".
"""

import asyncio
from collections.abc import Iterable

import msgspec

from fogbank.broker.runs import Run
from fogbank.broker.session import PAGE, READ_AHEAD, Session, Surroundings
from fogbank.broker.store import Store
from fogbank.broker.subscriptions import Options
from fogbank.topics import InvalidTopic, check_filter

PREFIX = "$share/"


class SharedFilter(msgspec.Struct, frozen=True):
    """`$share/{name}/{filter}`, taken apart."""

    name: str
    filter: str


def parse_shared(filter_: str) -> SharedFilter:
    """Raises InvalidTopic. [MQTT-4.8.2-1] [MQTT-4.8.2-2]"""
    _, _, rest = filter_.partition("/")
    name, slash, shared = rest.partition("/")
    if not name or "+" in name or "#" in name:
        raise InvalidTopic(f"the shared subscription {filter_!r} has no valid share name [MQTT-4.8.2-1]")
    if not slash or not shared:
        raise InvalidTopic(f"the shared subscription {filter_!r} has no topic filter after its name [MQTT-4.8.2-2]")
    return SharedFilter(name, check_filter(shared))


class Group:
    """The members of one shared subscription."""

    __slots__ = ("_around", "_next", "_reading", "members", "shared", "store")

    def __init__(self, shared: SharedFilter, store: Store, around: Surroundings) -> None:
        self.shared = shared
        self.store = store
        """Holds what came while no member was there."""
        self.members: dict[Session, Options] = {}
        self._around = around
        self._next = 0
        self._reading = False

    def deliver(self, run: Run, members: tuple[tuple[Session, Options], ...], *, retain: bool = False) -> None:
        """Give each message to one of `members`: those who may receive it. `retain`: whether published with it."""
        if len(members) == 1:
            self._give(run, members, retain)
            return
        for one in run.singles() if run.count > 1 else (run,):
            self._give(one, members, retain)

    def _give(self, run: Run, members: tuple[tuple[Session, Options], ...], retain: bool) -> None:
        chosen = self._choose(members)
        if chosen is not None:
            _send(*chosen, run, retain)
        elif run.qos and any(options.qos and session.store is not None for session, options in members):
            self._keep(run)

    def _choose(self, members: tuple[tuple[Session, Options], ...]) -> tuple[Session, Options] | None:
        """The next member that is there, one with room before one without; None: nobody is there."""
        self._next += 1
        busy = None
        for place in range(len(members)):
            session, options = members[(self._next + place) % len(members)]
            line = session.line
            if line is None:
                continue
            if not line.full and session.inflight.count < session.window:
                return session, options
            busy = busy or (session, options)
        return busy

    def _keep(self, run: Run) -> None:
        store = self.store
        room = self._around.quotas.group_messages - store.messages
        if (rates := self._around.rates) is not None:
            room = min(room, rates.queue(self.shared.name, run.count))
        if run.count > room:  # [DG]: a full queue drops the new messages
            room = max(0, room)
            self._around.dropped += run.count - room
            run = run.first(room)
        if run.count:
            store.keep(run.at(run.qos), in_memory=False)

    # --- members ---

    def pump(self) -> None:
        """A member is there, or has room: hand out what waits."""
        if self.store.behind and not self._reading and self._ready():
            self._reading = True
            self._around.tasks.start(self._read_on(), "read")

    def _ready(self) -> tuple[tuple[Session, Options], ...]:
        """The members with room."""
        return tuple(
            (session, options)
            for session, options in self.members.items()
            if session.line is not None and session.queued < READ_AHEAD and options.qos
        )

    async def _read_on(self) -> None:
        store = self.store
        rates = self._around.quotas.rates
        try:
            while store.behind and self._ready():
                runs, loaded = await store.read(PAGE)
                if not self.members:
                    return  # the group has ended, and another may bear its name by now
                store.loaded = loaded
                for _, run in runs:
                    topic = run.topic[2:].decode()
                    members = tuple(one for one in self._ready() or self.members.items() if one[0].may_receive(topic))
                    row, run = run, run.kept_in(None)
                    if members:
                        self.deliver(run, members)
                    store.done(row, row.count)
                    if rates is not None and rates.enforced:
                        await self._pace(row.count / rates.shared_messages)
                        if not self.members:
                            return
                await asyncio.sleep(0)  # others have their turn: nothing else here has to wait
        finally:
            self._reading = False

    async def _pace(self, seconds: float) -> None:
        """Where rates bind, what waited is handed out slowly: one member would take so many seconds."""
        await self._around.clock.sleep(seconds / max(1, len(self._ready())))

    def hand_on(self, runs: Iterable[Run]) -> None:
        """What a member has not acknowledged when its session ends goes to others. (MQTT 5.0, 4.8.2)"""
        for run in runs:
            topic = run.topic[2:].decode()
            members = tuple(one for one in self.members.items() if one[0].may_receive(topic))
            if run.qos == 1 and members:
                self.deliver(run.kept_in(None).without_identifiers(), members)


def _send(session: Session, options: Options, run: Run, retain: bool) -> None:
    qos = min(run.qos, options.qos)
    identifiers = (options.identifier,) if options.identifier else ()
    run = run.at(qos, retain=retain and options.retain_as_published, identifiers=identifiers)
    if qos:
        session.send(run)
    else:
        session.send_at_most_once(run)
