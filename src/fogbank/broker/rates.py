"""AWS's rate quotas: how many of a kind there may be in a second, for the account, a client or a connection.

Under `--limits strict` they bind (`AccountRates` here, and per connection `throttling`); under `--limits aws` whoever
passes one is named in the log, once, and served all the same; under `--limits open` there are none. The figures are in
`quotas`, with their sources, and so is what happens to the excess.

What is rare is counted as it comes. Messages are not, unless rates bind: connections and routes add up what passes
them anyway, and once a second the broker's sweep looks at the sums.
"""

import enum
import logging
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fogbank.broker.quotas import Rates
from fogbank.clock import Clock

if TYPE_CHECKING:
    from fogbank.broker.connection import Connection
    from fogbank.broker.router import Route
    from fogbank.broker.session import Session

log = logging.getLogger(__name__)

MAX_TOLD = 10_000
"""Warnings that are remembered, so as not to be given again."""
NAMED = 10
"""Clients that are named for passing one rate, within `NAMING` seconds: a load test is not to fill the log."""
NAMING = 60.0
SINGLES = 10_000
"""Client IDs and topics, each, of which the last second is remembered at most; beyond that they are looked through."""
FORGIVEN = 5
"""Seconds' worth of what one client or topic may do once a second that passes without a warning, where rates do not
bind: who restarts a device, or runs a suite of tests, is fast now and then. Not so a device that never gets anywhere.
"""


class Excess(enum.StrEnum):
    """What happens to what is more than a rate."""

    REFUSED = enum.auto()
    DISCARDED = enum.auto()
    DELAYED = enum.auto()


class Bucket:
    """A token bucket that holds `seconds`' worth. What takes more than there is leaves a debt."""

    __slots__ = ("_clock", "_filled_at", "_level", "_most", "rate")

    def __init__(self, rate: float, clock: Clock, seconds: float = 1) -> None:
        self.rate = rate
        self._clock = clock
        self._level = self._most = rate * seconds
        self._filled_at = clock.monotonic()

    @property
    def room(self) -> int:
        """How many may pass now; less than 0 is debt."""
        now = self._clock.monotonic()
        self._level = min(self._most, self._level + (now - self._filled_at) * self.rate)
        self._filled_at = now
        return int(self._level // 1)

    def take(self, count: int = 1) -> int:
        """Let as many of `count` pass as may, and say how many."""
        passing = max(0, min(count, self.room))
        self._level -= passing
        return passing

    def spend(self, count: int) -> None:
        """Let `count` pass, on credit."""
        self._level -= count

    def wait(self, count: int = 1) -> float:
        """Seconds until `count` may pass."""
        return max(0.0, (count - self._level) / self.rate) if self.room < count else 0.0


class Singles:
    """A rate of so many a second for each of many names. Names that have not been heard of lately are forgotten."""

    def __init__(self, rate: float, clock: Clock, seconds: float = 1) -> None:
        self._rate = rate
        self._clock = clock
        self._seconds = seconds
        self._buckets: dict[str, tuple[Bucket, float]] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str) -> bool:
        """Whether one more of this name may pass now."""
        now = self._clock.monotonic()
        found = self._buckets.pop(name, None)
        bucket = Bucket(self._rate, self._clock, self._seconds) if found is None else found[0]
        if len(self._buckets) >= SINGLES:
            self.forget()
        self._buckets[name] = (bucket, now)
        return bucket.take() > 0

    def forget(self) -> None:
        """Drop those whose buckets have filled again, and the oldest where that is not enough."""
        now = self._clock.monotonic()
        while self._buckets:
            oldest = next(iter(self._buckets))
            if len(self._buckets) < SINGLES and now - self._buckets[oldest][1] < self._seconds:
                return
            del self._buckets[oldest]


class Calls:
    """One operation of the connections API."""

    def __init__(self, rates: Rates, clock: Clock, seconds: float) -> None:
        self.all = Bucket(rates.connection_calls, clock)
        self.of_client = Singles(rates.connection_calls_per_client, clock, seconds)


class Warnings:
    """Says who passes which rate: each client once for each, and no more than so many of them by name."""

    def __init__(self, clock: Clock, fate: str) -> None:
        """`fate` says what becomes of the excess, with a place for its name."""
        self._clock = clock
        self._fate = fate
        self._told: dict[tuple[str, str], None] = {}
        self._named: dict[str, tuple[float, int]] = {}
        """By kind, since when how many have been named."""

    def __len__(self) -> int:
        return len(self._told)

    def give(self, kind: str, rate: int, excess: Excess, name: str, last: str = "") -> None:
        """Warn of a passed rate, unless that has been done. `last` is who brought it about, of several."""
        if (kind, name) in self._told:
            return
        if len(self._told) >= MAX_TOLD:
            del self._told[next(iter(self._told))]
        self._told[kind, name] = None
        now = self._clock.monotonic()
        since, count = self._named.get(kind, (now, 0))
        if now - since >= NAMING:
            since, count = now, 0
        self._named[kind] = (since, count + 1)
        if count < NAMED:
            who = f"{name} (last {last})" if last else name
            log.warning("%s: more than %d %s; %s", who, rate, kind, self._fate.format(excess))
        elif count == NAMED:
            log.warning("many clients: more than %d %s; no more of them are named for now", rate, kind)


class AccountRates:
    """The rates of all clients together, and who has been warned.

    Where something is asked for permission, the answer is None or, where the rate binds, why not.
    """

    def __init__(self, rates: Rates, clock: Clock) -> None:
        self.rates = rates
        self.clock = clock
        self.inbound = Bucket(rates.inbound_publishes, clock)
        self.outbound = Bucket(rates.outbound_publishes, clock)
        self.throttled = 0
        """What was discarded, refused or held up."""
        self._seconds = 1 if rates.enforced else FORGIVEN
        self._connects = Bucket(rates.connects, clock)
        self._connects_of = Singles(rates.connects_per_client, clock, self._seconds)
        self._subscriptions = Bucket(rates.subscriptions, clock)
        self._retained = Bucket(rates.retained_publishes, clock)
        self._retained_on = Singles(rates.retained_publishes_per_topic, clock, self._seconds)
        self._queued = Bucket(rates.queued_messages, clock)
        self._direct = Bucket(rates.direct_messages, clock)
        self._calls: dict[str, Calls] = {}
        self.warnings = Warnings(clock, "the excess is {}" if rates.enforced else "with AWS IoT the excess is {}")
        self._looked_at = clock.monotonic()

    # --- what is counted as it comes ---

    def connect(self, client_id: str) -> str | None:
        """A client that is allowed to connect does so."""
        rates, who = self.rates, f"client {client_id!r}"
        if not self._connects_of.take(client_id):
            return self._passed("CONNECT requests a second per client ID", rates.connects_per_client, who)
        if not self._connects.take():
            return self._passed_by_all("CONNECT requests a second", rates.connects, who)
        return None

    def subscribe(self, who: str, filters: int) -> str | None:
        """A client subscribes to so many filters."""
        if self._subscriptions.take(filters) < filters:
            return self._passed_by_all("subscriptions a second", self.rates.subscriptions, who)
        return None

    def retain(self, who: str, topic: str) -> str | None:
        """A message is to be retained on a topic, or to be forgotten."""
        rates = self.rates
        if not self._retained_on.take(topic):
            kind = "retained messages a second per topic"
            return self._passed(kind, rates.retained_publishes_per_topic, who)
        if not self._retained.take():
            return self._passed_by_all("retained messages a second", rates.retained_publishes, who)
        return None

    def publish(self, who: str) -> str | None:
        """A message comes that `look` does not see."""
        if not self.inbound.take():
            return self._passed_by_all("publishes a second", self.rates.inbound_publishes, who, Excess.DISCARDED)
        return None

    def queue(self, owner: str, messages: int) -> int:
        """How many of the messages for an absent client, or a group, may be queued now."""
        taken = self._queued.take(messages)
        rate, kind = self.rates.queued_messages, "queued messages a second"
        if taken < messages and self._passed_by_all(kind, rate, repr(owner), Excess.DISCARDED):
            return taken
        return messages

    def direct(self, client_id: str) -> str | None:
        """A message is sent to one client directly."""
        if not self._direct.take():
            kind = "direct messages a second"
            return self._passed_by_all(kind, self.rates.direct_messages, f"client {client_id!r}")
        return None

    def call(self, operation: str, client_id: str) -> str | None:
        """An operation of the connections API asks about, or ends, a client's connection."""
        calls = self._calls.get(operation)
        if calls is None:
            calls = self._calls[operation] = Calls(self.rates, self.clock, self._seconds)
        rates, who, kind = self.rates, f"client {client_id!r}", f"{operation} requests a second"
        if not calls.of_client.take(client_id):
            return self._passed(f"{kind} per client ID", rates.connection_calls_per_client, who)
        if not calls.all.take():
            return self._passed_by_all(kind, rates.connection_calls, who)
        return None

    def _passed_by_all(self, kind: str, rate: int, last: str, excess: Excess = Excess.REFUSED) -> str | None:
        """The same of a rate of all clients together."""
        return self._passed(kind, rate, "all clients together", excess, last)

    def _passed(self, kind: str, rate: int, name: str, excess: Excess = Excess.REFUSED, last: str = "") -> str | None:
        """A rate has been passed: what to tell where rates bind, None where they do not."""
        self.warnings.give(kind, rate, excess, name, last)
        if not self.rates.enforced:
            return None
        self.throttled += 1
        return f"more than {rate} {kind}"

    def passed_by_connection(self, who: str, *, bytes_: bool = False) -> None:
        """A connection has passed its own rate of messages, or that of bytes."""
        rates, warnings = self.rates, self.warnings
        if bytes_:
            warnings.give("bytes a second, in and out", rates.connection_bytes, Excess.DELAYED, who)
        else:
            warnings.give("publishes a second, in and out", rates.connection_publishes, Excess.DISCARDED, who)

    # --- what is added up ---

    def look(self, connections: Iterable["Connection"], routed: dict["Route", int]) -> None:
        """Warn of the connections that have passed a rate since the last look. `routed` is emptied.

        Not for rates that bind: there nothing passes.
        """
        now = self.clock.monotonic()
        seconds, self._looked_at = max(1.0, now - self._looked_at), now
        sent = self._sent(routed)
        rates = self.rates
        inbound = 0
        for connection in connections:
            count, size = connection.published, connection.received
            connection.published = connection.received = 0
            inbound += count
            if count + sent[connection.session] > rates.connection_publishes * seconds:
                self.passed_by_connection(repr(connection))
            if size + connection.line.written_since() > rates.connection_bytes * seconds:
                self.passed_by_connection(repr(connection), bytes_=True)
        if inbound > rates.inbound_publishes * seconds:
            self._passed_by_all("publishes a second", rates.inbound_publishes, "", Excess.DISCARDED)
        if sent.total() > rates.outbound_publishes * seconds:
            self._passed_by_all("messages sent a second", rates.outbound_publishes, "", Excess.DISCARDED)

    @staticmethod
    def _sent(routed: dict["Route", int]) -> "Counter[Session]":
        """Messages by receiver. Shared subscriptions are left out: which member got one is not known here."""
        sent: Counter[Session] = Counter()
        for route, count in routed.items():
            for session in route.sessions:
                sent[session] += count
            for receiver in route.receivers:
                sent[receiver.session] += count
        routed.clear()
        return sent
