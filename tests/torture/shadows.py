"""A flood of shadow updates over MQTT, cut off by SIGKILL again and again: what was accepted is there after the start.

Each writer updates a shadow of its own and one that all of them write, a key each, with a number that grows. What is
expected of both:

- after a restart the version is none that is lower than any that was told, and of each writer the number is none lower
  than the last that was accepted, and none that was never sent;
- on a connection the versions on `accepted`, `delta` and `documents` come in order, and none is left out or told twice;
- `documents` has the version before the current one as its `previous`.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import msgspec
from tests.torture import wire
from tests.torture.findings import Fault, Finding
from tests.torture.link import PATIENCE, Gone, Link
from tests.torture.victims import Fogbank
from tests.torture.wire import Kind, Version

LIFE = (0.05, 0.6)
"""Seconds under load before a kill: from, to."""
WRITERS = 12
WINDOW = 5
"""Updates without an answer, per writer and shadow: within AWS's limit of ten."""
COMMON = "torture-all"
KINDS = ("accepted", "rejected", "delta", "documents")


class Told(msgspec.Struct, frozen=True):
    """What has been promised of one shadow."""

    version: int = 0
    """The highest that anybody has heard of."""
    numbers: dict[str, int] = {}
    """By writer, the last one accepted."""


class Tally(msgspec.Struct):
    """How it stands."""

    kills: int = 0
    updates: int = 0
    """Accepted ones."""
    findings: list[Finding] = []

    def __str__(self) -> str:
        return f"{self.kills} kills, {self.updates} updates accepted, {len(self.findings)} findings"


class Flood:
    """One platform, its writers, and what they have been promised."""

    def __init__(self, broker: Fogbank, seed: str) -> None:
        self.told: dict[str, Told] = {}
        self.tally = Tally()
        self.up = False
        self._broker = broker
        self._random = random.Random(seed)
        self._writers = [Writer(self, f"writer-{number}") for number in range(WRITERS)]

    async def run(self, kills: int, progress: Callable[[Tally], None] = lambda _: None) -> Tally:
        """So many kills; what was promised is asked for after each."""
        try:
            for _ in range(kills):
                await self._start()
                await self._check()
                living = [asyncio.create_task(writer.live(self.port), name=writer.name) for writer in self._writers]
                await asyncio.wait(living, timeout=self._random.uniform(*LIFE), return_when=asyncio.FIRST_EXCEPTION)
                self.up = False
                await self._broker.kill()
                self.tally.kills += 1
                await asyncio.gather(*living)
                progress(self.tally)
            await self._start()
            await self._check()
        finally:
            await self._broker.kill()
        return self.tally

    async def _start(self) -> None:
        await self._broker.start()
        self.port = await self._broker.ready()
        self.up = True

    async def _check(self) -> None:
        """Ask for every shadow."""
        reader = Reader(self)
        await reader.open(self.port)
        for thing, told in self.told.items():
            shadow = await reader.get(thing)
            if shadow["version"] < told.version:
                self.complain(Fault.MESSAGE_LOST, thing, f"version {shadow['version']} after {told.version} was told")
            for writer, number in told.numbers.items():
                found = shadow["state"]["reported"].get(writer, 0)
                sent = next(one for one in self._writers if one.name == writer).sent.get(thing, 0)
                if not number <= found <= sent:
                    what = f"number {found} of {writer}, where {number} was accepted and {sent} was sent"
                    self.complain(Fault.MESSAGE_LOST, thing, what)
        reader.close()

    def hear(self, thing: str, version: int, writer: str = "", number: int = 0) -> None:
        """Something was told of a shadow; a number, of an accepted update."""
        told = self.told.get(thing, Told())
        numbers = told.numbers
        if writer:
            self.tally.updates += 1
            numbers = {**numbers, writer: max(number, numbers.get(writer, 0))}
        self.told[thing] = Told(max(version, told.version), numbers)

    def complain(self, fault: Fault, whom: str, what: str) -> None:
        """Against the platform."""
        self.tally.findings.append(Finding(fault, whom, what, ()))


class Talker:
    """A client with a clean session, which acknowledges what it is sent."""

    def __init__(self, flood: Flood, name: str) -> None:
        self.name = name
        self.flood = flood
        self.link: Link
        self._packet_id = 0
        self._subscribed = asyncio.Event()

    async def open(self, port: int, things: tuple[str, ...] = ()) -> None:
        """Connect, and subscribe to all that is told of these shadows. Raises Gone."""
        hello = wire.connect(self.name, Version.V3_1_1, clean=True, persistent=False, receive_maximum=None, will=None)
        self.link, _, code = await Link.open(port, hello)
        assert not code, f"CONNECT was refused with {code}"
        self.link.listen(self._handle)
        for thing in things:
            for operation, kinds in (("update", KINDS), ("get", KINDS[:2])):
                for kind in kinds:
                    await self._subscribe(f"$aws/things/{thing}/shadow/{operation}/{kind}")

    def close(self) -> None:
        self.link.abort()

    def publish(self, topic: str, payload: bytes) -> None:
        """At QoS 1."""
        self.link.send(wire.publish(topic, payload, 1, self._next(), Version.V3_1_1))

    def take(self, topic: list[str], payload: bytes) -> None:
        """A message has come."""
        raise NotImplementedError

    async def _subscribe(self, filter_: str) -> None:
        self._subscribed.clear()
        self.link.send(wire.subscribe(self._next(), filter_, 1, Version.V3_1_1))
        waiting = asyncio.ensure_future(self._subscribed.wait())
        gone = asyncio.ensure_future(self.link.gone.wait())
        await asyncio.wait({waiting, gone}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        gone.cancel()
        if not self._subscribed.is_set():
            raise Gone

    def _next(self) -> int:
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id

    def _handle(self, first: int, body: bytes) -> None:
        if first == Kind.SUBACK:
            self._subscribed.set()
        elif first & 0xF0 == Kind.PUBLISH:
            delivery = wire.read_delivery(first, body, Version.V3_1_1)
            if delivery.packet_id:
                self.link.send(wire.acknowledge(Kind.PUBACK, delivery.packet_id))
            self.take(delivery.topic.split("/"), delivery.payload)


class Writer(Talker):
    """Keeps some updates of both of its shadows under way."""

    def __init__(self, flood: Flood, name: str) -> None:
        super().__init__(flood, name)
        self.sent: dict[str, int] = {}
        """The last number by thing, over all lives."""
        self._things = (f"torture-{name}", COMMON)
        self._last: dict[tuple[str, str], int] = {}
        """By thing and kind, the last version on this connection."""

    async def live(self, port: int) -> None:
        """Write until the platform dies."""
        self._last.clear()
        try:
            await self.open(port, self._things)
        except Gone:
            return
        for thing in self._things:
            for _ in range(WINDOW):
                self._write(thing)
        await self.link.gone.wait()
        if self.flood.up:
            self.flood.complain(Fault.DISCONNECTED, self.name, "the platform closed the connection")

    def take(self, topic: list[str], payload: bytes) -> None:
        thing, kind = topic[2], topic[-1]
        document = msgspec.json.decode(payload)
        if kind == "rejected":
            self.flood.complain(Fault.DAMAGED, self.name, f"{thing} rejected an update: {document}")
            return
        version = document["current"]["version"] if kind == "documents" else document["version"]
        last = self._last.get((thing, kind))
        if last is not None and version != last + 1:
            fault = Fault.REORDERED if version <= last else Fault.MESSAGE_LOST
            self.flood.complain(fault, self.name, f"{thing}: {kind} of version {version} after {last}")
        self._last[thing, kind] = version
        if kind == "documents" and version > 1 and document["previous"]["version"] != version - 1:
            self.flood.complain(Fault.DAMAGED, self.name, f"{thing}: {document}")
        writer, _, number = document["clientToken"].partition(" ")
        if kind == "accepted" and writer == self.name:
            self.flood.hear(thing, version, writer, int(number))
            self._write(thing)
        else:
            self.flood.hear(thing, version)

    def _write(self, thing: str) -> None:
        number = self.sent[thing] = self.sent.get(thing, 0) + 1
        update = {
            "state": {"desired": {"never": "reported"}, "reported": {self.name: number}},
            "clientToken": f"{self.name} {number}",
        }
        self.publish(f"$aws/things/{thing}/shadow/update", msgspec.json.encode(update))


class Reader(Talker):
    """Asks for one shadow after the other."""

    def __init__(self, flood: Flood) -> None:
        super().__init__(flood, "reader")
        self._answer: asyncio.Future[bytes]

    async def get(self, thing: str) -> Any:
        """The shadow; an empty one where there is none. Raises TimeoutError."""
        for kind in ("accepted", "rejected"):
            await self._subscribe(f"$aws/things/{thing}/shadow/get/{kind}")
        self._answer = asyncio.get_running_loop().create_future()
        self.publish(f"$aws/things/{thing}/shadow/get", b"")
        answer = msgspec.json.decode(await asyncio.wait_for(self._answer, PATIENCE))
        return {"version": 0, "state": {"reported": {}}} if "code" in answer else answer

    def take(self, topic: list[str], payload: bytes) -> None:
        if topic[-2] == "get" and not self._answer.done():
            self._answer.set_result(payload)
