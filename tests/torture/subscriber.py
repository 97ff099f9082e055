"""A client with a persistent session, which it uses in all the ways that make a broker remember."""

import asyncio
import enum
from collections import deque

from tests.torture import area, wire
from tests.torture.client import Client, World
from tests.torture.findings import Fault
from tests.torture.ledger import Audience, Message
from tests.torture.link import Gone
from tests.torture.wire import Kind, Version

PAUSE = 0.03
"""Mean seconds between two things that a subscriber does."""
START_OVER = 0.03
"""How often a reconnection discards the session."""


class Pace(enum.Enum):
    """How a subscriber acknowledges."""

    AT_ONCE = enum.auto()
    SLOWLY = enum.auto()
    NEVER = enum.auto()


class Mood(enum.Enum):
    """How a subscriber lives until the next kill."""

    STEADY = enum.auto()
    """Connected, and changes its subscriptions."""
    RESTLESS = enum.auto()
    """Comes and goes."""
    AWAY = enum.auto()


class Subscriber(Client):
    """One session. At quality of service 2 it knows what it has received by packet identifiers, as clients do."""

    def __init__(
        self,
        world: World,
        name: str,
        version: Version,
        *,
        qos2: bool,
        pool: Audience | None = None,
        starts_over: bool = True,
        receive_maximum: int | None = None,
    ) -> None:
        super().__init__(world, name, version, persistent=True, receive_maximum=receive_maximum)
        self._qos2 = qos2
        self._pool = pool
        self._in_pool = False
        self._starts_over = starts_over and pool is None  # what members held would go to nobody
        self._pace = Pace.AT_ONCE
        self._pending: deque[tuple[bytes, Message | None]] = deque()
        """Acknowledgements that are not sent yet."""
        self._unreleased: dict[int, Message] = {}
        """What was received at quality of service 2, until PUBREL."""

    # --- what the campaign asks for ---

    async def attend(self) -> None:
        """Be connected, and acknowledge everything at once."""
        self._pace = Pace.AT_ONCE
        if self.connected:
            self._acknowledge(len(self._pending))
        else:
            await self.connect()
        fence = area.fence_topic(self.name)
        if not self.session.holds(fence):
            await self._subscribe(fence, 1)
        if self._pool is not None and not self._in_pool:
            await self._subscribe(area.SHARED_FILTER, 1)

    async def live(self) -> None:
        """Go on in some way until the broker dies."""
        [mood] = self.random.choices((Mood.STEADY, Mood.RESTLESS, Mood.AWAY), (4, 3, 2))
        self._pace = self.random.choice(tuple(Pace))
        self.session.note(f"is {mood.name.lower()}, acknowledges {self._pace.name.lower().replace('_', ' ')}")
        if mood is Mood.AWAY:
            await self._go()
            return
        try:
            while True:
                if not self.connected:
                    await self.connect(clean=self._starts_over and self.random.random() < START_OVER)
                await asyncio.sleep(self.random.expovariate(1 / PAUSE))
                if not self.connected:
                    self.cut_off()
                    return
                if self._pace is Pace.SLOWLY:
                    self._acknowledge(self.random.randint(0, 40))
                if mood is Mood.RESTLESS and self.random.random() < 0.4:
                    await self._go()
                elif self.random.random() < 0.5:
                    await self._change_mind()
        except Gone:
            self.cut_off()

    # --- subscriptions ---

    async def _change_mind(self) -> None:
        """Subscribe where one does not, unsubscribe where one does."""
        group = self.random.randrange(area.GROUPS)
        if self.session.holds(area.group_filter(group)):
            await self._unsubscribe(area.group_filter(group))
        else:
            await self._subscribe(area.group_filter(group), self._qos_of(group))

    def _qos_of(self, group: int) -> int:
        return 2 if self._qos2 and group % area.EXACTLY_ONCE == 0 else 1

    async def _subscribe(self, filter_: str, qos: int) -> None:
        shared = filter_ == area.SHARED_FILTER
        audience = self._pool if shared and self._pool is not None else self.session
        name = area.SHARED if shared else filter_
        audience.subscribing(name)
        packet_id = self.next_id()
        body = await self.ask(packet_id, wire.subscribe(packet_id, filter_, qos, self.version))
        [code] = wire.reasons(body, self.version)
        if code != qos:
            self.complain(Fault.SUBSCRIPTION_REFUSED, f"SUBSCRIBE to {filter_} at {qos} was answered by {code:#x}")
        audience.subscribed(name)
        self._in_pool = self._in_pool or shared

    async def _unsubscribe(self, filter_: str) -> None:
        self.session.unsubscribing(filter_)
        packet_id = self.next_id()
        await self.ask(packet_id, wire.unsubscribe(packet_id, filter_, self.version))
        self.session.unsubscribed(filter_)

    def _say_without_waiting(self) -> None:
        """Begin a subscription or end one, and do not wait for the answer: it may happen or not."""
        assert self.link is not None
        group = self.random.randrange(area.GROUPS)
        filter_ = area.group_filter(group)
        packet_id = self.next_id()
        if self.session.holds(filter_):
            self.session.unsubscribing(filter_)
            self.link.send(wire.unsubscribe(packet_id, filter_, self.version))
        else:
            self.session.subscribing(filter_)
            self.link.send(wire.subscribe(packet_id, filter_, self._qos_of(group), self.version))
        self.link.flush()

    async def _go(self) -> None:
        """Leave, politely or not."""
        if self.link is None or not self.connected:
            return
        if self.random.random() < 0.3:
            self._say_without_waiting()
        self._pending.clear()
        self.session.note("goes away")
        link, self.link = self.link, None
        if self.random.random() < 0.5:
            link.abort()
        else:
            await link.leave()

    # --- packets ---

    def begin_anew(self) -> None:
        self._unreleased.clear()
        self._in_pool = False

    def resume(self) -> None:
        self._pending.clear()  # acknowledgements do not outlive their connection; what they were for is sent again

    def handle(self, first: int, body: bytes) -> None:
        if first & 0xF0 == Kind.PUBLISH:
            self._deliver(wire.read_delivery(first, body, self.version))
        elif first == Kind.PUBREL:
            packet_id = wire.packet_id_of(body)
            self._unreleased.pop(packet_id, None)
            self._answer(wire.acknowledge(Kind.PUBCOMP, packet_id), None)
        elif first in (Kind.SUBACK, Kind.UNSUBACK):
            self.answered(body)
        self.world.came.set()

    def _deliver(self, delivery: wire.Delivery) -> None:
        ledger = self.world.ledger
        ledger.deliveries += 1
        number = area.number_of(delivery.topic, delivery.payload)
        message = None if number is None else ledger.find(delivery.topic, number)
        if message is None or delivery.qos != message.qos:
            what = f"{delivery.payload[:60]!r} came on {delivery.topic} at {delivery.qos}; {message} was sent"
            self.complain(Fault.DAMAGED, what)
            return
        if message.qos == 2:
            known = self._unreleased.get(delivery.packet_id)
            if known is not message:
                if known is not None:
                    what = f"{delivery.packet_id} was {known}, is {message}, and PUBREL has not come"
                    self.complain(Fault.PACKET_ID_REUSED, what)
                self._unreleased[delivery.packet_id] = message
                self._audience(message).received(message)
            self._answer(wire.acknowledge(Kind.PUBREC, delivery.packet_id), None)
        else:
            self._audience(message).received(message)
            self._answer(wire.acknowledge(Kind.PUBACK, delivery.packet_id), message)

    def _audience(self, message: Message) -> Audience:
        shared = area.filter_of(message.topic) == area.SHARED
        return self._pool if shared and self._pool is not None else self.session

    def _answer(self, packet: bytes, message: Message | None) -> None:
        if self._pace is Pace.NEVER:
            return
        self._pending.append((packet, message))
        if self._pace is Pace.AT_ONCE:
            self._acknowledge(1)

    def _acknowledge(self, count: int) -> None:
        """Send so many of the acknowledgements that are due, in their order. [MQTT-4.6.0-2]"""
        assert self.link is not None
        for _ in range(min(count, len(self._pending))):
            packet, message = self._pending.popleft()
            if message is not None:
                self._audience(message).taken(message)
            self.link.send(packet)
