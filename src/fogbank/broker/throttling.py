"""What `--limits strict` does to one connection: messages and bytes beyond AWS's rates are discarded or delayed.

AWS General Reference, "AWS IoT Core message broker and protocol limits and quotas": publish requests per connection,
in both directions together, are discarded beyond their rate, and what is more than the throughput is delayed. How a
message that is discarded looks is taken to be: one from the client gets no PUBACK; one at QoS 0 to the client is lost;
one at QoS 1 to the client waits in its session's queue, as what was not acknowledged would be sent again. (UNVERIFIED)

These classes take the place of `Session` and `Line`, which know nothing of rates and pay nothing for them.
"""

from fogbank.broker.flow import HIGH_WATER, LOW_WATER, MAX_BACKLOG, Flow
from fogbank.broker.line import Line, Link
from fogbank.broker.rates import AccountRates, Bucket
from fogbank.broker.runs import Run
from fogbank.broker.session import Session, Surroundings, Wanted
from fogbank.clock import Clock


class Throttle:
    """The messages of one connection, in and out."""

    __slots__ = ("_account", "_flow", "_line", "_name", "_publishes", "_replayed")

    def __init__(self, account: AccountRates, flow: Flow, line: "ThrottledLine", name: str) -> None:
        self._account = account
        self._flow = flow
        self._line = line
        self._name = name
        self._publishes = Bucket(account.rates.connection_publishes, account.clock)
        self._replayed = Bucket(account.rates.replayed_messages, account.clock)

    def received(self, size: int) -> None:
        """So many bytes have come from the client."""
        self._line.received(size)

    def take(self) -> bool:
        """Whether one more message from the client is taken; if not, it is discarded."""
        if not self._publishes.take():
            self._passed()
            return False
        return self._account.publish(self._name) is None

    def room(self, *, replaying: bool) -> int:
        """How many messages may be sent to the client now."""
        room = min(self._publishes.room, self._account.outbound.room)
        return max(0, min(room, self._replayed.room) if replaying else room)

    def sent(self, count: int, *, replaying: bool) -> None:
        """So many have been."""
        self._publishes.spend(count)
        self._account.outbound.spend(count)
        if replaying:
            self._replayed.spend(count)

    def deliver(self, count: int) -> int:
        """Let messages pass that do not wait; how many do."""
        passing = min(count, self.room(replaying=False))
        self.sent(passing, replaying=False)
        if passing < count:
            self._passed()
        return passing

    def call_when_room(self, call: "ThrottledSession", *, replaying: bool) -> None:
        """Have a session go on when it may send again."""
        wait = max(self._publishes.wait(), self._account.outbound.wait())
        self._flow.later(max(wait, self._replayed.wait()) if replaying else wait, call.go_on)

    def _passed(self) -> None:
        self._account.throttled += 1
        self._account.passed_by_connection(self._name)


class ThrottledSession(Session):
    """A session whose messages leave at AWS's rates. What was stored while its client was away leaves slower still,
    and what is published meanwhile waits behind it: AWS would send both beside one another, in no order."""

    __slots__ = ("_granted", "_replaying", "_waits", "throttle")

    def __init__(self, client_id: str, version: int, id_: str, expiry: int, around: Surroundings) -> None:
        self.throttle: Throttle | None = None
        """While the client is connected."""
        self._granted = 0
        """The window that the client has asked for."""
        self._replaying = False
        self._waits = False
        super().__init__(client_id, version, id_, expiry, around)

    def _narrow(self) -> None:
        """Have the window let no more through than may be sent now."""
        if self.throttle is not None:
            room = self.throttle.room(replaying=self._replaying)
            self.window = min(self._granted, self.inflight.count + room)

    def send_at_most_once(self, run: Run) -> None:
        if self.throttle is not None:
            passing = self.throttle.deliver(run.count)
            if passing < run.count:
                self._lose(run.count - passing)
                if not passing:
                    return
                run = run.first(passing)
        super().send_at_most_once(run)

    def send_at_once(self, run: Run) -> int | None:
        if self.throttle is not None and not self.throttle.deliver(1):
            return None
        self.window = self._granted
        return super().send_at_once(run)

    def send(self, run: Run) -> None:
        self._narrow()
        super().send(run)
        self._go_on_later()

    def pump(self) -> None:
        self._narrow()
        super().pump()
        if self._replaying and not self.queue and not self._is_behind:
            self._replaying = False
        self._go_on_later()

    def _write(self, line: Line, run: Run) -> None:
        super()._write(line, run)
        if self.throttle is not None:
            self.throttle.sent(run.count, replaying=self._replaying)

    def _go_on_later(self) -> None:
        """Send what waits for nothing but its time when that has come."""
        throttle = self.throttle
        if self.queue and not self._waits and throttle is not None and not throttle.room(replaying=self._replaying):
            self._waits = True
            throttle.call_when_room(self, replaying=self._replaying)

    def go_on(self) -> None:
        """The time has come."""
        self._waits = False
        self.pump()

    def _repeat(self, line: Line, run: Run) -> None:
        super()._repeat(line, run)
        if self.throttle is not None:
            self.throttle.sent(run.count, replaying=True)

    def attach(self, line: Line, wanted: Wanted) -> None:
        self._granted = self.window
        self._replaying = self._is_behind
        super().attach(line, wanted)

    def detach(self) -> None:
        self.throttle = None
        super().detach()


class ThrottledLine(Line):
    """A line that takes in and gives out no more bytes a second than AWS does, both together."""

    __slots__ = ("_gathered", "_is_link_full", "_throughput", "_waits")

    def __init__(self, link: Link, flow: Flow, rate: int, clock: Clock) -> None:
        super().__init__(link, flow)
        self._throughput = Bucket(rate, clock)
        self._gathered = 0
        self._waits = False
        self._is_link_full = False

    def received(self, size: int) -> None:
        """So much has come in: where that was too much, nothing is read for a while."""
        self._throughput.spend(size)
        wait = self._throughput.wait(0)
        if wait:
            self.hold()
            self._flow.later(wait, self.let_go)

    def write(self, data: bytes | bytearray) -> None:
        self._gathered += len(data)
        super().write(data)
        if self._waits:
            self._bound()

    def flush(self) -> None:
        if self._waits or not self._gathered:
            return
        wait = self._throughput.wait(0)
        if wait:
            self._waits = True
            self._flow.later(wait, self._go_on)
            self._bound()
            return
        self._throughput.spend(self._gathered)
        self._gathered = 0
        super().flush()

    def _go_on(self) -> None:
        self._waits = False
        self.flush()
        self._relax()

    def pause_writing(self) -> None:
        self._is_link_full = True
        super().pause_writing()

    def resume_writing(self) -> None:
        self._is_link_full = False
        self._relax()

    def _relax(self) -> None:
        """There is room where neither the link is full nor too much waits for its time."""
        if self.full and not self._is_link_full and self._gathered <= LOW_WATER:
            super().resume_writing()

    def _bound(self) -> None:
        """What waits for its time counts like what a slow peer has not taken."""
        if self._gathered > HIGH_WATER and not self.full:
            super().pause_writing()
        if self._gathered > MAX_BACKLOG and not self.choked:
            self.choked = True
            self.hold()

    def close(self) -> None:
        self._waits = False
        self._gathered = 0
        super().flush()
        super().close()
