"""A broker in memory, four unruly clients and one bystander: plays a stream of steps and says what did not hold.

The same scene serves hypothesis, which makes lists of steps, and `make fuzz`, which makes bytes that `script` turns
into steps: nearly every byte string is a stream worth playing. Time is virtual and the broker is fresh each time, so a
stream does the same whenever it is played.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.fuzz.seeds import CONNECTS, PACKETS
from tests.fuzz.virtual_time import VirtualTime

from fogbank.arns import Arns
from fogbank.broker.broker import Broker
from fogbank.message import Message
from fogbank.mqtt import Version
from fogbank.mqtt.packets import DISCONNECT, PINGREQ, PINGRESP, Connect, Publish, Subscription
from fogbank.ports import Delete, Discard, DiscardAll, Expect, Keep, Peer, Put, StorageError
from fogbank.settings import Limits
from fogbank.storage.memory import MemoryBacklogs, MemoryDocuments
from fogbank.testing.device import Device
from fogbank.trace import Trace
from fogbank.transport.peer import PlainPrincipals

CLIENTS = 4
MOMENTS = (0.01, 0.2, 1.0, 11.0, 70.0, 4000.0)
"""Seconds that may pass in one step: the broker's timers lie between them."""
ROOMS = (0, 100, 2_000_000, None)
"""Bytes that a peer takes before it stops reading; None: all."""
PATIENCE = 5.0
"""Seconds of real time that one stream may take."""
TICKS = 4
MOST_STEPS = 60


class Kind:
    """What happens in a step; `argument` and `data` mean what is said here."""

    SEND = 0
    """`data`, as one chunk."""
    CONNECT = 1
    """The CONNECT of this number, on a new connection where there is none."""
    LOSE = 2
    """The connection breaks."""
    PASS = 3
    """The moment of this number passes."""
    SLOW = 4
    """The peer reads no more than the room of this number."""
    RIGHTS = 5
    """The principal's rights change."""
    FULL_DISK = 6
    """The next so many commits fail."""
    KILL = 7
    """The broker is killed, and another one starts with what was on disk."""


class Step(NamedTuple):
    """One of a stream."""

    client: int
    kind: int
    argument: int = 0
    data: bytes = b""


class Failure(AssertionError):
    """Something did not hold."""


class FlakyBacklogs(MemoryBacklogs):
    """Its commits fail where they are told to."""

    failing = 0
    has_failed = False
    is_dead = False

    def successor(self) -> "FlakyBacklogs":
        """The same disk for the next broker. This one's can write to it no more."""
        successor = FlakyBacklogs(self._documents)
        successor._backlogs = self._backlogs
        self.is_dead = True
        return successor

    async def commit(self, *changes: Put | Delete | Expect | Keep | Discard | DiscardAll) -> None:
        if self.failing or self.is_dead:
            self.failing -= 1
            self.has_failed = True
            raise StorageError("the disk is full")
        await super().commit(*changes)


class Errors(logging.Handler):
    """Keeps what is logged as an error: exceptions of background tasks end there. A full disk is none of ours."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = logging.Formatter().format(record)
        if not text.endswith("the disk is full"):
            self.found.append(text)


async def play(steps: list[Step], limits: Limits, versions: int) -> None:
    """Raises Failure, or whatever left the broker's `receive`.

    `versions`: bit n is set where client n speaks MQTT 5.
    """
    loop = asyncio.get_running_loop()
    errors = Errors()
    logger = logging.getLogger("fogbank")
    logger.addHandler(errors)
    loop.set_exception_handler(lambda _, context: errors.found.append(repr(context)))
    begun = time.monotonic()
    scene = Scene(VirtualTime(loop), limits, versions)
    try:
        await scene.open()
        for step in steps:
            await scene.take(step)
        await scene.bystander_is_served()
        await scene.close()
        scene.check_empty()
    finally:
        await scene.end()
        logger.removeHandler(errors)
        loop.set_exception_handler(None)
    if errors.found:
        raise Failure("\n".join(errors.found))
    if (seconds := time.monotonic() - begun) > PATIENCE:
        raise Failure(f"took {seconds:.1f} seconds")


class Scene:
    """See the module's text."""

    def __init__(self, now: VirtualTime, limits: Limits, versions: int) -> None:
        self.time = now
        self._documents = MemoryDocuments()
        self._backlogs = FlakyBacklogs(self._documents)
        self._limits = limits
        self._principals = PlainPrincipals(None)
        self._versions = [Version.V5 if versions >> number & 1 else Version.V3_1_1 for number in range(CLIENTS)]
        self._clients: list[Device | None] = [None] * CLIENTS
        self.broker: Broker
        self._bystander: Device

    def _device(self, version: Version) -> Device:
        peer = Peer(identity=self._principals.identity, principals=self._principals, ip="192.0.2.1")
        return Device(self.broker, peer, version)

    async def open(self) -> None:
        """A broker runs on what is on disk, and the bystander is there."""
        now, arns = self.time, Arns("us-east-1", "123456789012")
        self.broker = Broker(arns, self._limits, now, Trace(now), now, self._documents, self._backlogs)
        await self.broker.start()
        self._bystander = self._device(Version.V3_1_1)
        await self._bystander.connect("the bystander", keep_alive=1200)
        await self._bystander.subscribe(Subscription("the bystander's", 1))

    async def _kill(self) -> None:
        """End the broker without a word, and start another one."""
        self._backlogs, self.time = self._backlogs.successor(), self.time.successor()
        await self.end()
        self._clients = [None] * CLIENTS
        await self.open()

    async def take(self, step: Step) -> None:
        """Do it, and let the broker react."""
        match step.kind:
            case Kind.CONNECT:
                self._client(step.client).connection.receive(CONNECTS[step.argument % len(CONNECTS)])
            case Kind.SEND if step.data:
                await self._connected(step.client)
                self._client(step.client).connection.receive(step.data)
            case Kind.LOSE:
                self._lose(step.client)
            case Kind.PASS:
                await self._pass(MOMENTS[step.argument % len(MOMENTS)])
            case Kind.SLOW:
                client = self._client(step.client)
                room = ROOMS[step.argument % len(ROOMS)]
                client.link.drain(None if room is None else len(client.link.written) + room)
            case Kind.FULL_DISK:
                self._backlogs.failing = step.argument % 4
            case Kind.KILL:
                await self._kill()
            case Kind.RIGHTS:
                await self.broker.principals_changed(frozenset((self._principals.identity.id,)))
        for _ in range(TICKS):
            await asyncio.sleep(0)

    async def _pass(self, seconds: float) -> None:
        """Let time pass; the bystander shows now and then that it is alive."""
        while seconds > 0:
            self._bystander.send(PINGREQ)
            await self.time.advance(min(seconds, 1000.0))
            seconds -= 1000.0

    def _client(self, number: int) -> Device:
        client = self._clients[number]
        if client is None or client.closed:
            if client is not None:
                client.lose()
            client = self._clients[number] = self._device(self._versions[number])
        return client

    async def _connected(self, number: int) -> None:
        """Somebody who has said nothing yet connects first: what is not a CONNECT would end most streams at once."""
        client = self._client(number)
        if client.connection.state.name == "WAITING" and not client.connection.missing:
            version = self._versions[number]
            client.connection.receive(Connect(f"client {number}", version=version).encode())
            for _ in range(TICKS):
                await asyncio.sleep(0)

    def _lose(self, number: int) -> None:
        client = self._clients[number]
        if client is not None:
            client.lose()
            client.link.closed = True

    async def bystander_is_served(self) -> None:
        """Whatever the others do, the bystander gets its own messages."""
        bystander = self._bystander
        self._backlogs.failing = 0
        await self.time.advance(1.0)
        if bystander.closed:
            raise Failure("the bystander was disconnected")
        await bystander.take()
        bystander.send(PINGREQ, Publish("the bystander's", b"mine", 1, packet_id=7))
        got = await bystander.take()
        if PINGRESP not in got or b"mine" not in [one.payload for one in got if isinstance(one, Publish)]:
            raise Failure(f"the bystander was not served: {got}")

    async def close(self) -> None:
        """All go, and so do the sessions that outlive them."""
        for number in range(CLIENTS):
            self._lose(number)
        self._bystander.send(DISCONNECT)
        self._bystander.lose()
        await asyncio.sleep(0)
        for session in list(self.broker.sessions._by_client.values()):
            self.broker.sessions.discard(session)
        for seconds in (1.0, 1e10, 1.0):  # wills are due at the latest when their sessions end
            await self.time.advance(seconds)
            await self.broker.journal.settled()
        for one in self.broker.retained.page("", 1000):
            await self.broker.router.publish(Message(one.message.topic, b"", 1, retain=True))
        await self.broker.journal.settled()
        for _ in range(TICKS):
            await asyncio.sleep(0)

    def check_empty(self) -> None:
        """Nothing that belonged to a client is left."""
        broker = self.broker
        left = {name: what for name, what in _what_is_left(broker) if what}
        if not self._backlogs.has_failed:  # what could not be discarded is found at the next start
            left |= {f"on disk, of {owner}": rows for owner, rows in self._backlogs._backlogs.items() if rows}
            left |= {f"document {key}": one for key, one in self._documents._records.items()}
        if self.time.pending() > 1 + CLIENTS:  # the sweep, and the closing of lines
            left["timers"] = [timer._callback for _, _, timer in self.time._timers if not timer.cancelled]
        if left:
            raise Failure(f"left when all have gone: {left}")

    async def end(self) -> None:
        """Stop what runs."""
        await self.broker._tasks.close()
        await self.broker._writing.close()


def _what_is_left(broker: Broker) -> Iterator[tuple[str, object]]:
    journal, router, flow = broker.journal, broker.router, broker.flow
    yield "connections", broker._by_client
    yield "principals", broker._by_principal
    yield "sessions", broker.sessions._by_client
    yield "groups", broker.sessions._groups
    for name, tree in (("subscriptions", router._sessions), ("groups' subscriptions", router._groups)):
        yield name, tree._exact or tree._root.children
    yield "wills", broker._wills._waiting
    yield "receivers that hold senders back", flow._held
    yield "lines to write to", flow._dirty
    yield "journal", bool(journal._next) or journal._told
    yield "retained messages", len(broker.retained) or broker.retained.size
    yield "tasks", max(0, len(broker._tasks) - 1) + len(broker._writing)


# --- bytes to steps ---


def script(data: bytes) -> tuple[list[Step], Limits, int]:
    """What a byte string stands for: the arguments of `play`."""
    take = _Take(data)
    head = take.byte()
    limits = (Limits.AWS, Limits.OPEN, Limits.STRICT)[head % 3]
    versions = head // 3 % 16
    steps: list[Step] = []
    while take.is_more and len(steps) < MOST_STEPS:
        steps.extend(_next(take))
    return steps, limits, versions


def _next(take: "_Take") -> Iterator[Step]:
    first = take.byte()
    client, what = first % CLIENTS, first // CLIENTS
    match what % 16:
        case 0:
            yield Step(client, Kind.CONNECT, take.byte())
        case 1:
            yield Step(client, Kind.LOSE)
        case 2:
            yield Step(client, Kind.PASS, take.byte())
        case 3:
            yield Step(client, Kind.SLOW, take.byte())
        case 4:
            kind = (Kind.FULL_DISK, Kind.RIGHTS, Kind.KILL)[take.byte() % 3]
            yield Step(client, kind, take.byte() if kind == Kind.FULL_DISK else 0)
        case 5 | 6:
            yield Step(client, Kind.SEND, data=take.some(take.byte()))
        case 7:  # in two chunks
            packet = take.packet()
            cut = take.byte() % len(packet)
            yield Step(client, Kind.SEND, data=packet[:cut])
            yield Step(client, Kind.SEND, data=packet[cut:])
        case 8:  # truncated
            packet = take.packet()
            yield Step(client, Kind.SEND, data=packet[: take.byte() % len(packet)])
        case 9:  # the same again and again
            yield Step(client, Kind.SEND, data=take.packet() * take.byte())
        case 10:  # several in one chunk
            yield Step(client, Kind.SEND, data=b"".join(take.packet() for _ in range(take.byte() % 6)))
        case 11 | 12:
            yield Step(client, Kind.SEND, data=take.mutated(take.packet()))
        case _:
            yield Step(client, Kind.SEND, data=take.packet())


class _Take:
    """Takes bytes from the front; zeros where there are no more."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_more(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def some(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def packet(self) -> bytes:
        return PACKETS[self.byte() % len(PACKETS)]

    def mutated(self, packet: bytes) -> bytes:
        """With one byte changed, left out or put in."""
        at, value, how = self.byte() % len(packet), self.byte(), self.byte()
        match how % 4:
            case 0 | 1:
                return packet[:at] + bytes((value,)) + packet[at + 1 :]
            case 2:
                return packet[:at] + packet[at + 1 :]
            case _:
                return packet[:at] + bytes((value,)) + packet[at:]
