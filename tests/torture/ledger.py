"""What the broker has promised, and whether it has kept it. Nothing here does any I/O.

Every operation is in one of three states: acknowledged; begun without an answer, so that it may have happened or not;
or never begun. Only what the first says is asked for, and only what neither of the first two explains is too much:

- A message is *owed* to an audience once it is acknowledged to its publisher, if the subscription was acknowledged
  before the message was sent and nobody has tried to give it up since. It is owed until the audience takes it: at
  quality of service 1 by its PUBACK, at 2 by receiving it for the first time.
- A message may *not* come where every subscription that matches was given up, and acknowledged as such, before the
  message was sent.
- A will is sent with CONNECT, and acknowledged by the loss of its connection, that of a broker's death included. It
  may not come where its client took it back.
- The first deliveries of what one client publishes to one topic are in order, and at quality of service 2 there is no
  second delivery.

Times are those at which the client writes and reads, so they enclose what the broker does.
"""

from collections import deque
from collections.abc import Callable, Iterable

import msgspec
from tests.torture.findings import Fault, Finding

JOURNAL = 40
"""Events kept per audience, for the timeline of a loss."""

Clock = Callable[[], float]


class Message(msgspec.Struct):
    """One message, from the publisher's side."""

    topic: str
    number: int
    """Of all messages on this topic, from 0."""
    qos: int
    sent: float
    acknowledged: float | None = None
    is_will: bool = False
    """Whether it is published some time after it is acknowledged: by the loss of its client."""
    withdrawn: bool = False
    """Whether it is a will that was certainly taken back."""

    def __str__(self) -> str:
        return f"{self.topic} number {self.number}"


class Subscription(msgspec.Struct):
    """The time in which a filter may be subscribed to, and that in which it is."""

    begun: float
    granted: float | None = None
    """Since when it certainly holds; None: it may or may not."""
    ending: float | None = None
    """Since when it may have been given up."""
    ended: float | None = None
    """Since when it certainly has."""

    def covers(self, message: Message) -> bool:
        """Whether it certainly held from the sending of the message until now."""
        return self.granted is not None and self.granted <= message.sent and self.ending is None

    def held_at(self, message: Message) -> bool:
        """Whether it certainly held when the message was first sent. One that began later may see a message, and after
        that, where its publisher sends again what a kill left unanswered, one from before it."""
        return (
            self.granted is not None
            and self.granted <= message.sent
            and (self.ending is None or self.ending > message.sent)
        )

    def may_have_seen(self, message: Message) -> bool:
        """Whether it can explain the delivery of the message."""
        if self.ended is not None and self.ended < message.sent:
            return False
        return message.is_will or message.acknowledged is None or self.begun <= message.acknowledged


class Owed(msgspec.Struct):
    """A message that is to come."""

    message: Message
    came: list[float]
    """When it came without being taken."""


class Audience:
    """Whom messages are owed to: one session, or the members of a shared subscription together.

    Filters are compared as names: `filter_of` says which one is meant for a topic, so that no two overlap.
    """

    def __init__(self, name: str, book: "Ledger", *, ordered: bool = True) -> None:
        self.name = name
        self.owed: dict[tuple[str, int], Owed] = {}
        self.journal: deque[tuple[float, str]] = deque(maxlen=JOURNAL)
        self._book = book
        self._ordered = ordered
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._seen: dict[str, bytearray] = {}
        self._early: set[tuple[str, int]] = set()
        """Taken before the publisher was told."""

    def note(self, event: str) -> None:
        """Keep it for the timeline."""
        self.journal.append((self._book.now(), event))

    # --- subscriptions ---

    def holds(self, filter_: str) -> bool:
        """Whether the filter was subscribed to, as far as one knows."""
        current = self._current(filter_)
        return current is not None and current.ending is None

    def filters(self) -> list[str]:
        """What may be subscribed to."""
        return [filter_ for filter_ in self._subscriptions if self._current(filter_) is not None]

    def subscribing(self, filter_: str) -> None:
        """SUBSCRIBE goes out."""
        if self._current(filter_) is None:
            self._subscriptions.setdefault(filter_, []).append(Subscription(self._book.now()))

    def subscribed(self, filter_: str) -> None:
        """SUBACK has come. What held before goes on without interruption. [MQTT-3.8.4-3]"""
        self.note(f"subscribed to {filter_}")
        current = self._current(filter_)
        assert current is not None, "SUBACK for what was not asked for"
        if current.granted is None or current.ending is not None:
            current.granted, current.ending = self._book.now(), None

    def unsubscribing(self, filter_: str) -> None:
        """UNSUBSCRIBE goes out. What waits may be dropped, but not what was begun to be sent. [MQTT-3.10.4-3]"""
        current = self._current(filter_)
        if current is not None and current.ending is None:
            current.ending = self._book.now()
        self._release(lambda owed: self._book.filter_of(owed.message.topic) == filter_ and not owed.came)

    def unsubscribed(self, filter_: str) -> None:
        """UNSUBACK has come."""
        self.note(f"unsubscribed from {filter_}")
        current = self._current(filter_)
        if current is not None:
            current.ended = self._book.now()

    def forgets(self) -> None:
        """A clean start goes out: nothing is owed any more."""
        for filter_ in self.filters():
            self.unsubscribing(filter_)
        self._release(lambda _: True)

    def forgotten(self) -> None:
        """The clean start is acknowledged."""
        for filter_ in self.filters():
            self.unsubscribed(filter_)

    # --- messages ---

    def promised(self, message: Message) -> None:
        """The message is acknowledged to its publisher."""
        current = self._current(self._book.filter_of(message.topic))
        key = (message.topic, message.number)
        if key in self._early:
            self._early.remove(key)
        elif current is not None and current.covers(message) and not self._satisfied(message):
            self.owed[key] = Owed(message, [])

    def received(self, message: Message) -> None:
        """It was delivered, anew or again; what a client itself knows to be a repetition at QoS 2 is not told here."""
        now = self._book.now()
        if message.withdrawn:
            self._complain(Fault.WILL_KEPT, message, "came, and was taken back")
        if not any(one.may_have_seen(message) for one in self._past(message)):
            self._complain(Fault.SUBSCRIPTION_KEPT, message, "came, and is not subscribed to")
        seen = self._seen.setdefault(message.topic, bytearray())
        again = message.number < len(seen) and bool(seen[message.number])
        if again:
            if message.qos == 2:
                self._complain(Fault.DUPLICATED, message, "came once more at quality of service 2")
        else:
            if (
                self._ordered
                and message.number < len(seen)
                and any(one.held_at(message) for one in self._past(message))
            ):
                self._complain(Fault.REORDERED, message, f"came first after number {len(seen) - 1}")
            seen.extend(bytes(max(message.number + 1 - len(seen), 0)))
            seen[message.number] = True
        if message.qos == 2:
            self.owed.pop((message.topic, message.number), None)
        elif (owed := self.owed.get((message.topic, message.number))) is not None:
            owed.came.append(now)

    def taken(self, message: Message) -> None:
        """The client has acknowledged the delivery."""
        key = (message.topic, message.number)
        if self.owed.pop(key, None) is None and message.acknowledged is None:
            self._early.add(key)

    def give_up(self) -> int:
        """Whatever is still owed is lost; how much that is."""
        lost = list(self.owed.values())
        for owed in lost:
            self._complain(Fault.MESSAGE_LOST, owed.message, "has not come", owed)
        self.owed.clear()
        return len(lost)

    def _current(self, filter_: str) -> Subscription | None:
        """The subscription to the filter that may hold now."""
        past = self._subscriptions.get(filter_)
        return past[-1] if past and past[-1].ended is None else None

    def _past(self, message: Message) -> list[Subscription]:
        return self._subscriptions.get(self._book.filter_of(message.topic), [])

    def _satisfied(self, message: Message) -> bool:
        """At quality of service 2, by having come."""
        seen = self._seen.get(message.topic, b"")
        return message.qos == 2 and message.number < len(seen) and bool(seen[message.number])

    def _release(self, which: Callable[[Owed], bool]) -> None:
        self.owed = {key: owed for key, owed in self.owed.items() if not which(owed)}

    def _complain(self, fault: Fault, message: Message, what: str, owed: Owed | None = None) -> None:
        events = [(message.sent, f"{message} was sent at QoS {message.qos}")]
        if message.acknowledged is not None:
            events.append((message.acknowledged, f"{message} was acknowledged to its publisher"))
        events += [(at, f"{message} came, and was not acknowledged") for at in owed.came] if owed is not None else []
        events += [
            (one.granted, f"{self._book.filter_of(message.topic)} held for sure from here on")
            for one in self._past(message)
            if one.granted is not None
        ]
        self._book.complain(fault, self.name, f"{message} {what}", [*events, *self.journal])


class Session(Audience):
    """A client identifier's session, and what CONNACK should say of it."""

    exists: bool | None = False
    """None: it may or may not, since a CONNECT had no answer."""
    _expected: bool | None = False

    def connecting(self, *, clean: bool) -> None:
        """CONNECT goes out."""
        self._expected = False if clean else self.exists
        if clean:
            self.forgets()
        if not self._expected:
            self.exists = None

    def connected(self, *, present: bool, persistent: bool = True) -> None:
        """CONNACK has come; the session lasts if it is `persistent`. [MQTT-3.2.2-1] [MQTT-3.2.2-2] [MQTT-3.2.2-3]"""
        self.note(f"connected, session {'present' if present else 'not present'}")
        if present and self._expected is False:
            self._book.complain(Fault.SESSION_KEPT, self.name, "said to be present", self.journal)
        if not present and self._expected:
            self._book.complain(Fault.SESSION_LOST, self.name, "said not to be present", self.journal)
            self.give_up()
        if not present:
            self.forgets()
            self.forgotten()
        self.exists = persistent


class Write(msgspec.Struct, frozen=True):
    """A retained message: its number, or None where it was taken away."""

    number: int | None
    sent: float


class Retained:
    """What may be retained on one topic that has one writer: what was acknowledged last, or anything sent after it."""

    def __init__(self, topic: str, book: "Ledger") -> None:
        self.topic = topic
        self.journal: deque[tuple[float, str]] = deque(maxlen=JOURNAL)
        self._book = book
        self._candidates = [Write(None, book.now())]

    @property
    def must_be_there(self) -> bool:
        """Whether no candidate is an absence."""
        return all(write.number is not None for write in self._candidates)

    def sent(self, number: int | None) -> Write:
        """A retained message goes out."""
        write = Write(number, self._book.now())
        self._candidates.append(write)
        self.journal.append((write.sent, f"{self._name(number)} was sent"))
        return write

    def acknowledged(self, write: Write) -> None:
        """PUBACK has come; what came before it counts no longer."""
        self.journal.append((self._book.now(), f"{self._name(write.number)} was acknowledged"))
        self._candidates = self._candidates[self._candidates.index(write) :]

    def observed(self, number: int | None) -> None:
        """What a new subscriber was given, while nobody writes; from now on nothing else will do."""
        found = [write for write in self._candidates if write.number == number]
        if not found:
            wanted = " or ".join(self._name(write.number) for write in self._candidates)
            what = f"{self.topic} has {self._name(number)} instead of {wanted}"
            self._book.complain(Fault.RETAINED_LOST, "a new subscriber", what, self.journal)
        self._candidates = found[-1:] or [Write(number, self._book.now())]

    @staticmethod
    def _name(number: int | None) -> str:
        return "nothing" if number is None else f"number {number}"


class Ledger:
    """All sessions, shared subscriptions, retained messages and messages of one data directory."""

    def __init__(self, clock: Clock, filter_of: Callable[[str], str]) -> None:
        self.now = clock
        self.filter_of = filter_of
        self.audiences: list[Audience] = []
        self.findings: list[Finding] = []
        self.messages = 0
        """Acknowledged so far."""
        self.retained = 0
        """Retained messages acknowledged so far."""
        self.deliveries = 0
        self._messages: dict[str, list[Message]] = {}
        self._start = clock()
        self._events: deque[tuple[float, str]] = deque(maxlen=JOURNAL)

    def session(self, name: str) -> Session:
        """A new session."""
        session = Session(name, self)
        self.audiences.append(session)
        return session

    def shared(self, name: str) -> Audience:
        """A new shared subscription; its members are together one audience, in which order is nobody's."""
        audience = Audience(name, self, ordered=False)
        self.audiences.append(audience)
        return audience

    def note(self, event: str) -> None:
        """Something that concerns everybody: a kill, a start."""
        self._events.append((self.now(), event))

    def send(self, topic: str, qos: int, *, is_will: bool = False) -> Message:
        """The next message of the topic goes out."""
        sent = self._messages.setdefault(topic, [])
        message = Message(topic, len(sent), qos, self.now(), is_will=is_will)
        sent.append(message)
        return message

    def find(self, topic: str, number: int) -> Message | None:
        """The message, where there is one."""
        sent = self._messages.get(topic, ())
        return sent[number] if number < len(sent) else None

    def acknowledged(self, message: Message) -> None:
        """PUBACK or PUBCOMP has come: whoever subscribes is owed the message.

        Not PUBREC: a broker may begin the onward delivery at PUBREL. (figure 4.3, method A)
        """
        message.acknowledged = self.now()
        self.messages += 1
        for audience in self.audiences:
            audience.promised(message)

    def withdrawn(self, message: Message) -> None:
        """A will was taken back by DISCONNECT, and its client has been answered since. [MQTT-3.14.4-3]"""
        message.withdrawn = True

    def complain(self, fault: Fault, whom: str, what: str, events: Iterable[tuple[float, str]]) -> None:
        """Write down a finding with what led to it."""
        timeline = sorted([*events, *self._events])
        lines = tuple(f"{at - self._start:10.4f} s  {event}" for at, event in timeline)
        self.findings.append(Finding(fault, whom, what, lines))
