"""Topic to receivers: the routes, cached, and the way in for messages of the platform itself.

A `Route` is the answer for one topic: sessions by the quality of service they take, and in-process subscribers. Routes
are computed once and kept; a change of a subscription makes just the routes it can touch stale, by the epoch they bear,
so that connections may hold on to routes and need one comparison to know that they still hold.
"""

import logging
from collections.abc import Iterable

import msgspec

from fogbank.broker.journal import Journal
from fogbank.broker.retained import Retained
from fogbank.broker.runs import Run
from fogbank.broker.session import Session
from fogbank.broker.sharing import Group
from fogbank.broker.subscriptions import Options, SubscriptionTree, has_wildcard
from fogbank.clock import Clock
from fogbank.message import Message
from fogbank.ports import Subscriber

log = logging.getLogger(__name__)

MAX_ROUTES = 65_536
"""Cached routes; one more and the cache starts anew, so that a client inventing topics cannot grow it without end."""

STALE = -1


class Receiver(msgspec.Struct, frozen=True):
    """A session whose subscriptions have options that need a look at each message."""

    session: Session
    qos: int
    no_local: bool
    retain_as_published: bool
    identifiers: tuple[int, ...]


class Share(msgspec.Struct, frozen=True):
    """A group, and those of its members that may receive the topic."""

    group: Group
    members: tuple[tuple[Session, Options], ...]


class Route:
    """Who gets the messages of one topic. Valid while its epoch is the router's."""

    __slots__ = (
        "at_least_once",
        "at_most_once",
        "epoch",
        "exactly_once",
        "handlers",
        "receivers",
        "sessions",
        "shares",
        "topic",
    )

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.epoch = STALE
        self.sessions: tuple[Session, ...] = ()
        """Those that need nothing special, by what they are granted:"""
        self.at_most_once: tuple[Session, ...] = ()
        self.at_least_once: tuple[Session, ...] = ()
        """QoS 1, or 2."""
        self.exactly_once: frozenset[Session] = frozenset()
        self.receivers: tuple[Receiver, ...] = ()
        self.shares: tuple[Share, ...] = ()
        self.handlers: tuple[Subscriber, ...] = ()

    def hand_over(self, message: Message) -> None:
        """Give a message to the in-process subscribers: rules, shadows, jobs. None may fail; one that does all the same
        costs neither the others their message nor the sender its connection."""
        for handler in self.handlers:
            try:
                handler.deliver(message)
            except Exception:
                log.exception("%s failed with a message on %s", type(handler).__name__, message.topic)


class Router:
    """Implements the ports Subscriptions, Publisher and Broadcaster."""

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        retained: Retained,
        *,
        hash_matches_parent: bool = True,
    ) -> None:
        self._sessions: SubscriptionTree[Session] = SubscriptionTree(hash_matches_parent=hash_matches_parent)
        self._groups: SubscriptionTree[Group] = SubscriptionTree(hash_matches_parent=hash_matches_parent)
        self._handlers: SubscriptionTree[Subscriber] = SubscriptionTree()
        self._reserved: dict[str, Subscriber] = {}
        """By prefix, whoever alone gets the messages on topics that begin with it."""
        self._answering: set[str] = set()
        """Those prefixes below which clients are answered directly, and so may subscribe."""
        self._routes: dict[str, Route] = {}
        self.tally: dict[Route, int] | None = None
        """Messages by route, where somebody adds up what is sent."""
        self._clock = clock
        self._journal = journal
        self._retained = retained
        self.epoch = 0

    # --- subscriptions ---

    def subscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self._handlers.add(filter_, subscriber)
        self.touch(filter_)

    def unsubscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self._handlers.remove(filter_, subscriber)
        self.touch(filter_)

    def reserve(self, prefix: str, subscriber: Subscriber, *, answers: bool = False) -> None:
        """Give all messages on topics that begin with `prefix` to this subscriber and nobody else; none is retained.

        With `answers` clients may subscribe to topics there: they get what is sent to them alone (`DirectMessages`).
        """
        self._reserved[prefix] = subscriber
        if answers:
            self._answering.add(prefix)
        self.touch_all()

    def is_reserved(self, topic: str) -> bool:
        """Whether a topic, or all that a filter can match, is reserved for a subscriber."""
        return self._owner(topic) is not None

    def may_subscribe(self, filter_: str) -> bool:
        """Whether there can ever be something for a subscriber: not where all that a filter can match is reserved for
        somebody who answers nobody."""
        return not self.is_reserved(filter_) or any(filter_.startswith(prefix) for prefix in self._answering)

    def _owner(self, topic: str) -> Subscriber | None:
        """Whoever a topic is reserved for."""
        if topic.startswith("$"):
            for prefix, subscriber in self._reserved.items():
                if topic.startswith(prefix):
                    return subscriber
        return None

    def subscribe_session(self, filter_: str, session: Session, options: Options) -> None:
        self._sessions.add(filter_, session, options)
        self.touch(filter_)

    def unsubscribe_session(self, filter_: str, session: Session) -> None:
        self._sessions.remove(filter_, session)
        self.touch(filter_)

    def subscribe_group(self, filter_: str, group: Group) -> None:
        self._groups.add(filter_, group)
        self.touch(filter_)

    def unsubscribe_group(self, filter_: str, group: Group) -> None:
        self._groups.remove(filter_, group)
        self.touch(filter_)

    def touch(self, filter_: str) -> None:
        """Make the routes that `filter_` can match stale: one topic's, or all of them."""
        if has_wildcard(filter_):
            self.touch_all()
        elif (route := self._routes.get(filter_)) is not None:
            route.epoch = STALE

    def touch_all(self) -> None:
        """Make every route stale: rights to receive may have changed."""
        self.epoch += 1

    # --- routes ---

    def route(self, topic: str) -> Route:
        """The valid route of `topic`."""
        route = self._routes.get(topic)
        if route is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
                self.touch_all()  # those that connections still hold must not outlive the cache unnoticed
            route = self._routes[topic] = Route(topic)
        if route.epoch != self.epoch:
            self._compute(route)
        return route

    def _compute(self, route: Route) -> None:
        topic = route.topic
        owner = self._owner(topic)
        if owner is not None:
            route.handlers = (owner,)
            route.epoch = self.epoch
            return
        plain: dict[Session, int] = {}
        receivers = []
        for session, several in self._sessions.match(topic).items():
            if not session.may_receive(topic):
                continue
            qos = max(options.qos for options in several)  # one delivery for all [MQTT-3.3.5-1] [MQTT-3.3.4-2]
            if all(options.plain for options in several):
                plain[session] = qos
            else:
                receivers.append(_receiver(session, qos, several))
        route.sessions = tuple(plain)
        route.at_most_once = tuple(session for session, qos in plain.items() if qos == 0)
        route.at_least_once = tuple(session for session, qos in plain.items() if qos > 0)
        route.exactly_once = frozenset(session for session, qos in plain.items() if qos == 2)
        route.receivers = tuple(receivers)
        route.shares = tuple(
            Share(group, tuple(member for member in group.members.items() if member[0].may_receive(topic)))
            for group in self._groups.match(topic)
        )
        route.handlers = tuple(self._handlers.match(topic))
        route.epoch = self.epoch

    # --- messages ---

    async def publish(self, message: Message) -> None:
        """Port Publisher. Raises RetainedFull, StorageError."""
        entries = self._journal.entries
        self.deliver(message)
        if (message.qos or message.retain) and self._journal.entries != entries:
            await self._journal.durable()

    async def publish_all(self, messages: Iterable[Message]) -> None:
        """Port Broadcaster. Raises StorageError."""
        entries = self._journal.entries
        for message in messages:
            try:
                self.deliver(message)
            except Exception:
                log.exception("publishing to %s failed", message.topic)
        if self._journal.entries != entries:
            await self._journal.durable()

    def has_receivers(self, topic: str) -> bool:
        """Port Broadcaster."""
        route = self.route(topic)
        return bool(route.sessions or route.handlers or route.receivers or route.shares)

    def deliver(self, message: Message) -> bool:
        """Route a message that is already an object: the readable way, for the platform's own and for rare flags.

        What must be on disk before it may be acknowledged is in the journal on return. Whether anybody was there to
        get it. Raises RetainedFull, and then nobody gets it.
        """
        if message.retain and self._owner(message.topic) is None:
            self._journal.change(self._retained.change(message))
        if message.expires_at is not None and message.expires_at <= self._clock.time():
            return True
        route = self.route(message.topic)
        if route.sessions or route.receivers or route.shares:
            self.send(route, Run.of(message), message.origin.client_id, retain=message.retain)
        route.hand_over(message)
        return bool(route.sessions or route.receivers or route.shares or route.handlers)

    def send(self, route: Route, run: Run, sender: str | None, *, retain: bool = False) -> None:
        """Give a run to the clients of its route, each at the lower of both qualities of service. `sender` is the
        client ID of its publisher, `retain` whether it was published with that flag."""
        tally = self.tally
        if tally is not None:
            tally[route] = tally.get(route, 0) + run.count
        qos = run.frames[0] >> 1 & 3
        if not qos:
            for session in route.sessions:
                session.send_at_most_once(run)
        else:
            if route.at_least_once:
                lower = run if qos == 1 else run.at(1)
                for session in route.at_least_once:
                    session.send(run if session in route.exactly_once else lower)
            if route.at_most_once:
                lower = run.at(0)
                for session in route.at_most_once:
                    session.send_at_most_once(lower)
        for receiver in route.receivers:
            _send(receiver, run, qos, sender, retain)
        for share in route.shares:
            share.group.deliver(run, share.members, retain=retain)


def _send(receiver: Receiver, run: Run, qos: int, sender: str | None, retain: bool) -> None:
    session = receiver.session
    if receiver.no_local and sender == session.client_id:  # [MQTT-3.8.3-3]
        return
    qos = min(qos, receiver.qos)
    shown = run.at(qos, retain=retain and receiver.retain_as_published, identifiers=receiver.identifiers)
    if qos:
        session.send(shown)
    else:
        session.send_at_most_once(shown)


def _receiver(session: Session, qos: int, several: list[Options]) -> Receiver:
    return Receiver(
        session,
        qos,
        all(options.no_local for options in several),
        any(options.retain_as_published for options in several),
        tuple(options.identifier for options in several if options.identifier),
    )
