"""Kill after kill on one directory, and the questions in between."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
from tests.torture import area
from tests.torture.client import World
from tests.torture.findings import LOSSES, Fault, Finding
from tests.torture.ledger import Audience, Ledger
from tests.torture.link import Gone
from tests.torture.mortal import Mortal
from tests.torture.publisher import Publisher, Reader, Retainer
from tests.torture.rule import Rule
from tests.torture.subscriber import Subscriber
from tests.torture.victims import Broker
from tests.torture.wire import Version

LIFE = (0.03, 0.5)
"""Seconds under load before a kill: from, to."""
STILLBORN = 0.05
"""How often the kill comes while the broker starts."""
UNASKED = 0.25
"""How often nothing is asked after a start, so that the load falls on a broker that still recovers."""
PRESENT = 0.7
"""How many of the sessions come to a question; the others stay away over several kills."""
EVERYBODY = 5
"""Every so manyth question everybody comes to."""
BACKLOG = 2000
RETAINED = 6
NARROW = 5
"""The Receive Maximum of some sessions at level 5: for them nearly all messages wait at the broker."""
MEMBERS = 3
"""How many sessions are in the shared subscription."""


class Habits(msgspec.Struct, frozen=True):
    """What the clients do: nothing that the broker does not claim to do."""

    qos2: bool = True
    shared: bool = True
    """Whether there is a shared subscription of persistent sessions."""
    wills: bool = True
    """Whether clients have wills that the broker keeps over its own death."""
    start_over: bool = True
    """Whether sessions are discarded now and then."""
    patience: float = 5.0
    """Seconds without any delivery after which what is owed counts as lost."""


class Tally(msgspec.Struct, frozen=True):
    """How it stands."""

    kills: int
    messages: int
    retained: int
    deliveries: int
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def losses(self) -> int:
        """How many findings are of something missing."""
        return sum(finding.fault in LOSSES for finding in self.findings)

    def __str__(self) -> str:
        others = len(self.findings) - self.losses
        faults = f", {others} other faults" if others else ""
        return f"{self.kills} kills, {self.messages} messages, {self.losses} losses{faults}"


class Campaign:
    """One broker, its clients, and what they have been promised."""

    def __init__(self, broker: Broker, seed: str, habits: Habits, rule: Rule | None = None) -> None:
        """With a `rule`, what it sends outside is asked for as well."""
        self.kills = 0
        self._broker = broker
        self._ledger = ledger = Ledger(time.perf_counter, area.filter_of)
        self._world = world = World(ledger, seed, backlog=BACKLOG, patience=habits.patience)
        self._random = world.random("campaign")
        self._began = ledger.now()
        self._questions = 0
        self._pool = ledger.shared("the shared subscription")
        self._rule = rule
        self._queues = [] if rule is None else [rule.join(world)]
        self._subscribers = [
            Subscriber(
                world,
                f"sub-{number}",
                version,
                qos2=habits.qos2,
                pool=self._pool if habits.shared and number < MEMBERS else None,
                starts_over=habits.start_over,
                receive_maximum=NARROW if number % 4 == 1 else None,
            )
            for number, version in enumerate((Version.V3_1_1, Version.V5) * 4)
        ]
        self._publishers = list(self._make_publishers(habits.qos2))
        self._mortals = list(self._make_mortals(habits.qos2)) if habits.wills else []
        self._prober = self._publisher("prober", Version.V5, window=16)
        self._retainer = Retainer(world, "retainer", Version.V3_1_1, RETAINED)
        self._reader = Reader(world, "reader", Version.V5)

    def tally(self) -> Tally:
        """So far."""
        ledger = self._ledger
        findings = tuple(ledger.findings)
        seconds = ledger.now() - self._began
        return Tally(self.kills, ledger.messages, ledger.retained, ledger.deliveries, findings, seconds)

    async def run(self, kills: int, progress: Callable[[Tally], None] = lambda _: None) -> Tally:
        """So many kills, and at the end a stop as it should be; everybody is asked after both."""
        try:
            while self.kills < kills:
                await self._cycle()
                progress(self.tally())
            for _ in range(2):
                await self._start()
                await self._ask(everybody=True)
                self._rest()
                status = await self._broker.stop()
                self._ledger.note("stopped")
                if status != 0:
                    self._ledger.complain(Fault.DISCONNECTED, "all", f"the broker ended with status {status}", [])
            return self.tally()
        finally:
            self._rest()
            await self._broker.kill()

    async def _cycle(self) -> None:
        if self._random.random() < STILLBORN:
            await self._kill_while_starting()
            return
        await self._start()
        if self._random.random() >= UNASKED:
            self._questions += 1
            await self._ask(everybody=self._questions % EVERYBODY == 0)
        if self._rule is not None:
            self._rule.choose()
        clients = (*self._subscribers, *self._publishers, *self._mortals, self._retainer)
        living = [asyncio.create_task(client.live(), name=client.name) for client in clients]
        await asyncio.wait(living, timeout=self._random.uniform(*LIFE), return_when=asyncio.FIRST_EXCEPTION)
        await self._kill()
        for task in living:
            task.cancel()
        for outcome in await asyncio.gather(*living, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        self._rest()

    async def _start(self) -> None:
        await self._broker.start()
        self._world.port = await self._broker.ready()
        self._world.up = True
        self._ledger.note("the broker is up")
        if self._rule is not None:
            await self._rule.install()

    async def _kill(self) -> None:
        self._world.up = False
        self._ledger.note(f"kill number {self.kills + 1}")
        await self._broker.kill()
        self.kills += 1

    async def _kill_while_starting(self) -> None:
        await self._broker.start()
        ready = asyncio.create_task(self._broker.ready())
        await asyncio.wait({ready}, timeout=self._random.uniform(0.1, 0.6))
        await self._kill()
        ready.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await ready

    async def _ask(self, *, everybody: bool) -> None:
        """Whether all that is owed to those who come is there, and all that was subscribed to still works."""
        if self._rule is not None:
            self._rule.listen()
        present = [one for one in self._subscribers if everybody or self._random.random() < PRESENT]
        try:
            await asyncio.gather(*(subscriber.attend() for subscriber in present))
            topics = [area.group_topic(group, self._prober.name) for group in range(area.GROUPS)]
            topics += [area.shared_topic(self._prober.name)]
            topics += [area.fence_topic(subscriber.name) for subscriber in present]
            await self._prober.say(topics)
            pools = [self._pool] if everybody else []
            await self._settle([*(one.session for one in present), *pools, *self._queues])
            await self._reader.check(self._retainer.topics)
        except Gone:
            self._ledger.complain(Fault.DISCONNECTED, "somebody", "cut off while asking", [])

    async def _settle(self, audiences: list[Audience]) -> None:
        """Wait until nothing is owed to them, or nothing comes any more."""
        came = self._world.came
        while any(audience.owed for audience in audiences):
            came.clear()
            try:
                await asyncio.wait_for(came.wait(), self._world.patience)
            except TimeoutError:
                for audience in audiences:
                    audience.give_up()

    def _rest(self) -> None:
        """Nobody is connected."""
        self._world.up = False
        clients = (*self._subscribers, *self._publishers, *self._mortals, self._prober, self._retainer, self._reader)
        for client in clients:
            client.drop()

    def _make_mortals(self, qos2: bool) -> Iterator[Mortal]:
        for number, version in enumerate((Version.V3_1_1, Version.V5) * 2):
            name, qos = f"mortal-{number}", 2 if qos2 and number >= 2 else 1
            topics = [area.group_topic(group, name) for group in self._groups(qos)]
            yield Mortal(self._world, name, version, qos=qos, topics=topics, persistent=number % 2 == 1)

    @staticmethod
    def _groups(qos: int) -> list[int]:
        """Those written to at this quality of service."""
        return [group for group in range(area.GROUPS) if qos == 1 or group % area.EXACTLY_ONCE == 0]

    def _publisher(
        self, name: str, version: Version, *, window: int, qos: int = 1, persistent: bool = False
    ) -> Publisher:
        topics = [area.group_topic(group, name) for group in self._groups(qos)]
        if qos == 1:
            topics.append(area.shared_topic(name))
        return Publisher(self._world, name, version, qos=qos, window=window, topics=topics, persistent=persistent)

    def _make_publishers(self, qos2: bool) -> list[Publisher]:
        publishers = [
            self._publisher("pub-one", Version.V3_1_1, window=1),
            self._publisher("pub-many", Version.V5, window=30),
            self._publisher("pub-again", Version.V3_1_1, window=10, persistent=True),
        ]
        if qos2:
            publishers.append(self._publisher("pub-once", Version.V3_1_1, window=10, qos=2, persistent=True))
            publishers.append(self._publisher("pub-once-5", Version.V5, window=10, qos=2, persistent=True))
        return publishers
