"""Nothing acknowledged is lost, whatever happens in whatever order: clients that keep their own side of the session
against a broker that is killed, and whose disk takes its time."""

import asyncio
from collections import deque
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fogbank.broker import session as session_module
from fogbank.mqtt import NO_PROPERTIES, Properties, Version
from fogbank.mqtt.packets import (
    Connack,
    Connect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
)
from fogbank.testing.device import Device

from .server import LONG, V3, V5, Server, settle

TOPICS = ("a", "b", "c")


class Client:
    """A client that keeps its session as the standard asks (4.1): what is not acknowledged is sent again."""

    def __init__(self, client_id: str, version: Version, window: int | None = None) -> None:
        self.client_id = client_id
        self.version = version
        self.window = window
        self.device: Device | None = None
        self.is_accepted = False
        self.unacknowledged: dict[int, Publish | Pubrel] = {}
        """By packet identifier, in the order of sending."""
        self.acknowledged: list[bytes] = []
        self.taken: list[tuple[str, bytes, int]] = []
        """What has arrived: topic, payload, quality of service."""
        self.half_taken: set[int] = set()
        self.owed: deque[Puback | Pubrec | Pubcomp] = deque()
        """Acknowledgements that this client has still to send."""
        self.expected: deque[tuple[type, int]] = deque()
        """The acknowledgements that are to come on this connection, in order."""
        self._next = 1

    def connect(self, server: Server) -> None:
        self.lose()
        self.device = server.device(self.version)
        lasting = Properties(session_expiry=LONG, receive_maximum=self.window) if self.version is V5 else NO_PROPERTIES
        self.device.send(Connect(self.client_id, clean_start=False, version=self.version, properties=lasting))

    def lose(self) -> None:
        if self.device is not None:
            self.device.lose()
        self.forget()

    def forget(self) -> None:
        """The connection is no more."""
        self.device = None
        self.is_accepted = False
        self.owed.clear()
        self.expected.clear()

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        while self._next in self.unacknowledged:
            self._next = self._next % 65_535 + 1
        packet = Publish(topic, payload, qos, packet_id=self._next)
        self._next = self._next % 65_535 + 1
        self.unacknowledged[packet.packet_id] = packet
        if self.is_accepted:
            self._send(packet)

    def _send(self, packet: Publish | Pubrel) -> None:
        assert self.device is not None
        if isinstance(packet, Publish):
            self.expected.append((Puback if packet.qos == 1 else Pubrec, packet.packet_id))
        self.device.send(packet)

    async def pull(self) -> None:
        """Take what has come."""
        if self.device is None:
            return
        for packet in await self.device.take():
            self._handle(packet)
        if self.device is not None and self.device.closed:
            self.forget()

    def _handle(self, packet: Any) -> None:
        assert self.device is not None
        assert self.is_accepted or isinstance(packet, Connack), f"{packet} before CONNACK"
        if isinstance(packet, Connack):
            assert packet.code == 0
            self.is_accepted = True
            for unacknowledged in list(self.unacknowledged.values()):
                if isinstance(unacknowledged, Publish):
                    unacknowledged = Publish(
                        unacknowledged.topic,
                        unacknowledged.payload,
                        unacknowledged.qos,
                        dup=True,
                        packet_id=unacknowledged.packet_id,
                    )
                self._send(unacknowledged)
        elif isinstance(packet, Publish):
            if packet.qos < 2 or packet.packet_id not in self.half_taken:
                self.taken.append((packet.topic, packet.payload, packet.qos))
            if packet.qos == 2:
                self.half_taken.add(packet.packet_id)
            self.owed.append(Puback(packet.packet_id) if packet.qos == 1 else Pubrec(packet.packet_id))
        elif isinstance(packet, Pubrel):
            self.half_taken.discard(packet.packet_id)
            self.owed.append(Pubcomp(packet.packet_id))
        elif isinstance(packet, Puback | Pubrec):
            assert self.expected.popleft() == (type(packet), packet.packet_id), "acknowledged out of order"
            sent = self.unacknowledged.pop(packet.packet_id)
            if isinstance(sent, Publish):
                self.acknowledged.append(sent.payload)
            if isinstance(packet, Pubrec):
                answer = Pubrel(packet.packet_id)
                self.unacknowledged[packet.packet_id] = answer
                self._send(answer)
        elif isinstance(packet, Pubcomp):
            self.unacknowledged.pop(packet.packet_id, None)

    def acknowledge(self, count: int) -> None:
        """Send some of the acknowledgements that are owed."""
        while self.owed and count and self.device is not None:
            self.device.send(self.owed.popleft())
            count -= 1


class Story:
    """One run: what is done, and what must have come of it."""

    def __init__(self, version: Version, window: int | None) -> None:
        self.publisher = Client("publisher", V5 if version is V3 else V3)
        self.subscriber = Client("subscriber", version, window)
        self.published: list[tuple[str, bytes, int]] = []

    async def begin(self) -> None:
        self.server = await Server().start()
        self.subscriber.connect(self.server)
        await self.subscriber.pull()
        assert self.subscriber.device is not None
        asked = tuple(Subscription(topic, qos) for topic, qos in (("a", 1), ("b", 2), ("c", 2)))
        self.subscriber.device.send(Subscribe(1, asked))
        assert any(isinstance(packet, Suback) for packet in await self.subscriber.device.take())
        self.publisher.connect(self.server)
        await self.publisher.pull()

    async def step(self, what: str, number: int) -> None:
        server, publisher, subscriber = self.server, self.publisher, self.subscriber
        match what:
            case "publish":
                for _ in range(number):
                    payload = str(len(self.published)).encode()
                    topic, qos = TOPICS[number % 3], 1 + (number + len(self.published)) // 2 % 2
                    self.published.append((topic, payload, qos))
                    publisher.publish(topic, payload, qos)
            case "acknowledge":
                await subscriber.pull()
                subscriber.acknowledge(number)
            case "lose subscriber":
                subscriber.lose()
            case "lose publisher":
                publisher.lose()
            case "connect subscriber":
                subscriber.connect(server)
            case "connect publisher":
                publisher.connect(server)
            case "hold":
                server.disk.held = True
            case "slow":
                server.disk.slow = True
            case "write" if server.disk.is_waited_for:
                server.disk.let_through()
            case "read" if server.disk.is_read:
                server.disk.let_read()
            case "pull":
                await subscriber.pull()
                await publisher.pull()
            case "tick":
                await asyncio.sleep(0)
            case "advance":
                await server.advance(0.1)
            case "crash":
                self.server = await server.crash(written=bool(number % 2))
                publisher.forget()
                subscriber.forget()

    async def end(self) -> None:
        """Crash once more, then let everything arrive."""
        await self.publisher.pull()
        acknowledged = set(self.publisher.acknowledged)
        await self.step("crash", 0)
        for client in (self.subscriber, self.publisher):
            client.connect(self.server)
        await self._drain(self.subscriber)
        self.check(acknowledged)
        await self._drain(self.publisher, self.subscriber)
        self.check({payload for _, payload, _ in self.published})
        assert not self.publisher.unacknowledged
        await self.server.advance(1)
        assert not any(self.server.disk._backlogs.values()), "something stays on disk"
        session = self.server.broker.sessions.get("subscriber")
        assert session is not None
        assert session.store is not None
        assert (session.store.messages, session.store.size, session.inflight.count, session.queued) == (0, 0, 0, 0)
        self.server.bury()
        await settle()

    async def _drain(self, *clients: Client) -> None:
        quiet = 0
        while quiet < 3:
            await settle()
            before = sum(len(client.taken) + len(client.acknowledged) for client in clients)
            for client in clients:
                await client.pull()
                assert client.device is not None
                client.acknowledge(1000)
            after = sum(len(client.taken) + len(client.acknowledged) for client in clients)
            quiet = quiet + 1 if before == after else 0

    def check(self, arrived: set[bytes]) -> None:
        taken = self.subscriber.taken
        assert arrived <= {payload for _, payload, _ in taken}, "lost"
        for topic, payload, qos in self.published:
            count = sum(1 for one in taken if one[1] == payload)
            if qos == 2 and topic != "a":
                assert count <= 1, f"{payload!r} came {count} times"
        for topic in TOPICS:  # (4.6: for the same topic and quality of service)
            for qos in (1, 2):
                of_kind = [payload for at, payload, level in self.published if (at, level) == (topic, qos)]
                came = list(dict.fromkeys(one[1] for one in taken if one[1] in of_kind))
                assert came == sorted(came, key=of_kind.index), "out of order"


USUAL = ("publish", "publish", "publish", "acknowledge", "acknowledge", "pull", "pull", "tick", "advance")
COMING = ("connect subscriber", "connect subscriber", "connect publisher")
GOING = ("lose subscriber", "lose publisher")
TROUBLE = ("hold", "write", "write", "slow", "read", "crash")
STEPS = st.tuples(st.sampled_from(USUAL + COMING + GOING + TROUBLE), st.integers(1, 6))


@pytest.mark.parametrize("small", [False, True], ids=["in memory", "spilled"])
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=30, max_size=120), st.sampled_from([V3, V5]), st.sampled_from([None, 1, 3]))
def test_what_is_acknowledged_arrives(
    small: bool, steps: list[tuple[str, int]], version: Version, window: int | None
) -> None:
    """QoS 1 at least once, QoS 2 exactly once, each topic in order."""

    async def tell() -> None:
        story = Story(version, window)
        await story.begin()
        for what, number in steps:
            await story.step(what, number)
        await story.end()

    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(session_module, "IN_MEMORY", 4)
            patch.setattr(session_module, "READ_AHEAD", 3)
            patch.setattr(session_module, "PAGE", 2)
        asyncio.run(tell())
