"""What can be counted of the broker: read off what it keeps anyway, when somebody asks, so that nobody pays before."""

from collections.abc import Iterable

import msgspec

from fogbank.broker.journal import Journal
from fogbank.broker.retained import Retained
from fogbank.broker.session import Session, Surroundings
from fogbank.broker.sharing import Group


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """The broker at one moment. Of what has happened, what has since it started."""

    connections: int
    sessions: int
    """Of connected clients, and persistent ones of those that are away."""
    subscriptions: int
    shared_groups: int
    retained_messages: int
    retained_bytes: int
    queued_messages: int
    """QoS 1 and 2 messages that wait for sessions and groups or are on their way and not acknowledged."""
    queued_bytes: int
    """The packets of those that wait; of persistent sessions, of those on their way as well."""
    dropped_messages: int
    """Lost to full queues, slow connections and packet sizes."""
    throttled: int
    """What AWS's rates have discarded, refused or held up; 0 where they do not bind."""
    commits: int
    failed_commits: int


def measure(
    connections: int,
    sessions: Iterable[Session],
    groups: Iterable[Group],
    retained: Retained,
    journal: Journal,
    around: Surroundings,
) -> Metrics:
    """Go through all sessions once."""
    count = subscriptions = messages = size = 0
    for session in sessions:
        count += 1
        subscriptions += len(session.subscriptions)
        store = session.store
        messages += session.queued + session.inflight.count if store is None else store.messages
        size += session.queued_bytes if store is None else store.size
    shared = 0
    for group in groups:
        shared += 1
        messages += group.store.messages
        size += group.store.size
    return Metrics(
        connections=connections,
        sessions=count,
        subscriptions=subscriptions,
        shared_groups=shared,
        retained_messages=len(retained),
        retained_bytes=retained.size,
        queued_messages=messages,
        queued_bytes=size,
        dropped_messages=around.dropped,
        throttled=0 if around.rates is None else around.rates.throttled,
        commits=journal.commits,
        failed_commits=journal.failures,
    )
