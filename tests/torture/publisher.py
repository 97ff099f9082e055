"""Clients that publish: ordinary messages at one quality of service, and retained ones."""

import asyncio
from collections.abc import Sequence

from tests.torture import area, wire
from tests.torture.client import Client, World
from tests.torture.findings import Fault
from tests.torture.ledger import Message, Retained, Write
from tests.torture.link import Gone
from tests.torture.wire import Kind, Version

LARGE = 0.01
"""How many messages are large."""
PAUSE = 0.004
"""Mean seconds between two bursts."""
REFUSED = 0x80
"""Reason codes from here on are failures."""
NOT_FOUND = 0x92
"""What PUBCOMP may say of a PUBREL that is sent again, since the first had arrived. (MQTT 5, 4.3.3)"""


class Flight:
    """A message on its way to the broker."""

    def __init__(self, message: Message, packet: bytes) -> None:
        self.message = message
        self.packet = packet
        """PUBLISH, as it is sent again."""
        self.received = False
        """Whether PUBREC has come."""


class Publisher(Client):
    """Publishes to its topics. Where it is `persistent` it sends again what was not acknowledged, as MQTT asks of it;
    else what a kill has interrupted may have happened or not."""

    def __init__(
        self,
        world: World,
        name: str,
        version: Version,
        *,
        qos: int,
        window: int,
        topics: Sequence[str],
        persistent: bool,
    ) -> None:
        super().__init__(world, name, version, persistent=persistent)
        self._qos = qos
        self._window = window
        self._topics = topics
        self._flying: dict[int, Flight] = {}
        self._landed: asyncio.Future[bytes] | None = None

    async def live(self) -> None:
        """Publish in bursts until the broker dies."""
        try:
            if not self.connected:
                await self.connect()
            while True:
                await asyncio.sleep(self.random.expovariate(1 / PAUSE))
                if not self.connected:
                    raise Gone
                if self._may_publish():
                    for _ in range(self.random.randint(1, self._window - len(self._flying))):
                        self.publish(self.random.choice(self._topics))
                else:
                    await self._landing()
        except Gone:
            self.cut_off()

    async def say(self, topics: Sequence[str]) -> None:
        """Publish one message to each topic and wait until all is acknowledged. Raises Gone."""
        if not self.connected:
            await self.connect()
        for topic in topics:
            while len(self._flying) >= self._window:
                await self._landing()
            self.publish(topic)
        while self._flying:
            await self._landing()

    def publish(self, topic: str) -> None:
        """Send the topic's next message."""
        assert self.link is not None
        message = self.world.ledger.send(topic, self._qos)
        packet_id = self.next_id(self._flying)
        size = self.random.randint(20_000, 60_000) if self.random.random() < LARGE else self.random.randint(0, 300)
        payload = area.payload_of(topic, message.number, size)
        self._flying[packet_id] = Flight(
            message, wire.publish(topic, payload, self._qos, packet_id, self.version, dup=True)
        )
        self.link.send(wire.publish(topic, payload, self._qos, packet_id, self.version))

    def begin_anew(self) -> None:
        self._flying.clear()

    def resume(self) -> None:
        """In the order in which they were first sent. [MQTT-4.4.0-1] [MQTT-4.6.0-1]"""
        assert self.link is not None
        for packet_id, flight in self._flying.items():
            self.link.send(wire.acknowledge(Kind.PUBREL, packet_id) if flight.received else flight.packet)

    def handle(self, first: int, body: bytes) -> None:
        packet_id = wire.packet_id_of(body)
        flight = self._flying.get(packet_id)
        if flight is None:
            return
        if first == Kind.PUBREC and self.link is not None and wire.reason(body) < REFUSED:
            flight.received = True
            self.link.send(wire.acknowledge(Kind.PUBREL, packet_id))
            return
        del self._flying[packet_id]
        if wire.reason(body) < REFUSED or (first == Kind.PUBCOMP and wire.reason(body) == NOT_FOUND):
            self.world.ledger.acknowledged(flight.message)
        else:
            self.complain(Fault.MESSAGE_LOST, f"{flight.message} was refused with reason {wire.reason(body):#x}")
        if self._landed is not None and not self._landed.done():
            self._landed.set_result(body)

    def _may_publish(self) -> bool:
        backlog = max(len(audience.owed) for audience in self.world.ledger.audiences)
        return len(self._flying) < self._window and backlog < self.world.backlog

    async def _landing(self) -> None:
        """Until something is acknowledged. Raises Gone."""
        assert self.link is not None
        self._landed = self.link.future()
        await self.wait(self._landed, "PUBLISH")


class Retainer(Client):
    """Writes retained messages, and takes some away."""

    def __init__(self, world: World, name: str, version: Version, topics: int) -> None:
        super().__init__(world, name, version, persistent=False)
        self.topics = [Retained(area.retained_topic(number), world.ledger) for number in range(topics)]
        self._flying: dict[int, tuple[Retained, Write]] = {}
        self._numbers = 0

    async def live(self) -> None:
        """Write until the broker dies."""
        try:
            await self.connect()
            while True:
                await asyncio.sleep(self.random.expovariate(1 / PAUSE))
                if not self.connected:
                    raise Gone
                if len(self._flying) < 8:
                    self._write(self.random.choice(self.topics))
        except Gone:
            self.cut_off()

    def begin_anew(self) -> None:
        self._flying.clear()

    def handle(self, first: int, body: bytes) -> None:
        flight = self._flying.pop(wire.packet_id_of(body), None)
        if first == Kind.PUBACK and flight is not None:
            retained, write = flight
            retained.acknowledged(write)
            self.world.ledger.retained += 1

    def _write(self, retained: Retained) -> None:
        assert self.link is not None
        self._numbers += 1
        number = None if self.random.random() < 0.15 else self._numbers
        payload = b"" if number is None else area.payload_of(retained.topic, number, self.random.randint(0, 2000))
        packet_id = self.next_id(self._flying)
        self._flying[packet_id] = (retained, retained.sent(number))
        self.link.send(wire.publish(retained.topic, payload, 1, packet_id, self.version, retain=True))


class Reader(Client):
    """A new subscriber, to whom retained messages are given."""

    def __init__(self, world: World, name: str, version: Version) -> None:
        super().__init__(world, name, version, persistent=False)
        self._found: dict[str, int | None] = {}
        self._pong: asyncio.Future[bytes] | None = None

    async def check(self, topics: Sequence[Retained]) -> None:
        """Ask for every topic by its name, as AWS wants it, and compare. Raises Gone."""
        self._found = {}
        await self.connect()
        assert self.link is not None
        for retained in topics:
            packet_id = self.next_id()
            await self.ask(packet_id, wire.subscribe(packet_id, retained.topic, 1, self.version))
        await self._ping()
        while any(retained.must_be_there and retained.topic not in self._found for retained in topics):
            self.world.came.clear()
            try:
                await asyncio.wait_for(self.world.came.wait(), self.world.patience)
            except TimeoutError:
                break
        for retained in topics:
            if retained.topic in self._found or retained.must_be_there:
                retained.observed(self._found.get(retained.topic))
        self.drop()

    async def _ping(self) -> None:
        """What was on its way when the last SUBACK came is here when PINGRESP is."""
        assert self.link is not None
        self._pong = self.link.future()
        self.link.send(wire.PING)
        await self.wait(self._pong, "PINGREQ")

    def handle(self, first: int, body: bytes) -> None:
        if first & 0xF0 == Kind.PUBLISH:
            delivery = wire.read_delivery(first, body, self.version)
            number = area.number_of(delivery.topic, delivery.payload)
            if number is None or not delivery.retained:
                self.complain(Fault.DAMAGED, f"{delivery.payload[:60]!r} came on {delivery.topic}")
            self._found[delivery.topic] = number
            if self.link is not None:
                self.link.send(wire.acknowledge(Kind.PUBACK, delivery.packet_id))
            self.world.came.set()
        elif first == Kind.SUBACK:
            self.answered(body)
        elif first == Kind.PINGRESP and self._pong is not None and not self._pong.done():
            self._pong.set_result(body)
