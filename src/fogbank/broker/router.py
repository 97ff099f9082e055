"""Topic to receivers: the routes, cached, and the way in for messages of the platform itself.

A `Route` is the answer for one topic: sessions by the quality of service they take, and in-process subscribers. Routes
are computed once and kept; a change of a subscription makes just the routes it can touch stale, by the epoch they bear,
so that connections may hold on to routes and need one comparison to know that they still hold.
"""

from fogbank.broker.runs import Run
from fogbank.broker.session import Session
from fogbank.broker.subscriptions import SubscriptionTree, has_wildcard
from fogbank.message import Message
from fogbank.mqtt.packets import Publish
from fogbank.ports import Subscriber
from fogbank.trace import Trace

MAX_ROUTES = 65_536
"""Cached routes; one more and the cache starts anew, so that a client inventing topics cannot grow it without end."""

STALE = -1


class Route:
    """Who gets the messages of one topic. Valid while its epoch is the router's."""

    __slots__ = ("at_least_once", "at_most_once", "epoch", "handlers", "sessions", "topic")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.epoch = STALE
        self.sessions: tuple[Session, ...] = ()
        self.at_most_once: tuple[Session, ...] = ()
        self.at_least_once: tuple[Session, ...] = ()
        self.handlers: tuple[Subscriber, ...] = ()


class Router:
    """Implements the ports Subscriptions and Publisher."""

    def __init__(self, trace: Trace, *, hash_matches_parent: bool = True) -> None:
        self._sessions: SubscriptionTree[Session] = SubscriptionTree(hash_matches_parent=hash_matches_parent)
        self._handlers: SubscriptionTree[Subscriber] = SubscriptionTree()
        self._routes: dict[str, Route] = {}
        self._trace = trace
        self.epoch = 0

    # --- subscriptions ---

    def subscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self._handlers.add(filter_, subscriber)
        self.touch(filter_)

    def unsubscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self._handlers.remove(filter_, subscriber)
        self.touch(filter_)

    def subscribe_session(self, filter_: str, session: Session, qos: int) -> None:
        self._sessions.add(filter_, session, qos)
        self.touch(filter_)

    def unsubscribe_session(self, filter_: str, session: Session) -> None:
        self._sessions.remove(filter_, session)
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
        granted = {session: qos for session, qos in self._sessions.match(topic).items() if session.may_receive(topic)}
        route.sessions = tuple(granted)
        route.at_most_once = tuple(session for session, qos in granted.items() if qos == 0)
        route.at_least_once = tuple(session for session, qos in granted.items() if qos > 0)
        route.handlers = tuple(self._handlers.match(topic))
        route.epoch = self.epoch

    # --- messages ---

    async def publish(self, message: Message) -> None:
        """Port Publisher."""
        self.deliver(message)

    def deliver(self, message: Message) -> None:
        """Route a message that is already an object: the readable way, for the platform's own and for rare flags."""
        route = self.route(message.topic)
        if route.at_least_once and message.qos:
            run = Run.of(message.topic, message.payload)
            for session in route.at_least_once:
                session.send_at_least_once(run)
        receivers = route.at_most_once if message.qos else route.sessions
        if receivers:
            frame = Publish(message.topic, message.payload).encode()
            for session in receivers:
                session.send_at_most_once(frame)
        for handler in route.handlers:
            handler.deliver(message)
