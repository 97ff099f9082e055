"""A broker whose disk, clock and timers a test holds in its hands, and which can crash."""

import asyncio
import copy
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from fogbank.broker.broker import Broker
from fogbank.mqtt import NO_PROPERTIES, Properties, Version
from fogbank.mqtt.packets import Will
from fogbank.ports import Delete, Discard, DiscardAll, Expect, Keep, Peer, Put, StorageError
from fogbank.settings import Limits
from fogbank.storage.memory import MemoryBacklogs, MemoryDocuments
from fogbank.testing import FakeClock
from fogbank.testing.device import Device
from fogbank.trace import Trace
from fogbank.transport.peer import PlainPrincipals

from .conftest import ARNS

V3, V5 = Version.V3_1_1, Version.V5
Change = Put | Delete | Expect | Keep | Discard | DiscardAll
LONG = 1000
"""Seconds: a session expiry that no limits shorten."""


class Disk(MemoryBacklogs):
    """Backlogs whose commits and reads wait for the test while `held` and `slow`, and fail while `broken`."""

    def __init__(self) -> None:
        self.documents = MemoryDocuments()
        super().__init__(self.documents)
        self.held = False
        self.slow = False
        self.broken = False
        self.commits: list[tuple[Change, ...]] = []
        """What has been written."""
        self._waiting: deque[tuple[asyncio.Future[None], tuple[Change, ...]]] = deque()
        self._reads: deque[asyncio.Future[None]] = deque()

    async def commit(self, *changes: Change) -> None:
        if self.held:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((turn, changes))
            await turn
        if self.broken:
            raise StorageError("the disk is broken")
        await super().commit(*changes)
        self.commits.append(changes)

    async def read(self, owner: str, *, after: int = 0, limit: int | None = None) -> list[tuple[int, bytes]]:
        rows = await super().read(owner, after=after, limit=limit)
        if self.slow:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._reads.append(turn)
            await turn
        return rows

    @property
    def is_waited_for(self) -> bool:
        """Whether a commit waits to be let through."""
        return bool(self._waiting)

    def let_through(self) -> None:
        """Let the commit through that waits."""
        turn, _ = self._waiting.popleft()
        if not turn.done():
            turn.set_result(None)

    def let_read(self) -> None:
        """Answer the oldest read."""
        turn = self._reads.popleft()
        if not turn.done():
            turn.set_result(None)

    @property
    def is_read(self) -> bool:
        return bool(self._reads)

    async def release(self) -> None:
        """Hold nothing any more."""
        self.held = self.slow = False
        while self._waiting:
            self.let_through()
        while self._reads:
            self.let_read()
        await settle()

    async def after_a_crash(self, *, written: bool) -> "Disk":
        """What the next process finds; `written`: whether the commit under way made it to the disk."""
        after = Disk()
        after.documents._records = dict(self.documents._records)
        after._backlogs = copy.copy(self._backlogs)
        for owner, kept in self._backlogs.items():
            after._backlogs[owner] = dict(kept)
        if written and self._waiting:
            await after.commit(*self._waiting[0][1])
        return after


class Timers:
    """The scheduler of a broker: timers go off when the test's clock says so."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._count = itertools.count()
        self._timers: list[tuple[float, int, _Timer]] = []

    def call_soon(self, callback: Callable[..., object], *args: Any) -> object:
        return asyncio.get_running_loop().call_soon(callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> "_Timer":
        timer = _Timer(lambda: callback(*args))
        heapq.heappush(self._timers, (self._clock.time() + delay, next(self._count), timer))
        return timer

    def go_off(self) -> None:
        while self._timers and self._timers[0][0] <= self._clock.time():
            timer = heapq.heappop(self._timers)[2]
            if timer.call is not None:
                timer.call()


class _Timer:
    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        self.call = None


class Server:
    """A process with a broker."""

    def __init__(self, disk: Disk | None = None, clock: FakeClock | None = None, limits: Limits = Limits.OPEN) -> None:
        self.disk = disk or Disk()
        self.clock = clock or FakeClock()
        self.limits = limits
        self._timers = Timers(self.clock)
        self.broker = Broker(ARNS, limits, self.clock, Trace(self.clock), self._timers, self.disk.documents, self.disk)
        plain = PlainPrincipals(None)
        self._peer = Peer(identity=plain.identity, principals=plain, ip="192.0.2.1")

    async def start(self) -> "Server":
        await self.broker.start()
        return self

    def device(self, version: Version = V3) -> Device:
        return Device(self.broker, self._peer, version)

    async def client(
        self,
        client_id: str,
        version: Version = V3,
        *,
        clean: bool = False,
        will: Will | None = None,
        properties: Properties = NO_PROPERTIES,
    ) -> Device:
        """A connected device; unless `clean`, with a session that lasts and that is taken up where there is one."""
        if version is V5 and not clean and properties.session_expiry is None:
            properties = _lasting(properties)
        return await self.device(version).accepted(client_id, clean_start=clean, will=will, properties=properties)

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        self._timers.go_off()
        await settle()

    async def crash(self, *, written: bool = False) -> "Server":
        """The process is killed, and another started."""
        disk = await self.disk.after_a_crash(written=written)
        self.bury()
        await settle()
        return await Server(disk, self.clock, self.limits).start()

    async def restart(self) -> "Server":
        """The process is stopped, and another started."""
        await self.broker.close()
        return await Server(self.disk, self.clock, self.limits).start()

    def bury(self) -> None:
        """End the tasks of a broker that is no more; what they would still write is not seen by the next."""
        for task in asyncio.all_tasks():
            if task.get_name().startswith(("broker.", "journal.")):
                task.cancel()


def _lasting(properties: Properties) -> Properties:
    return msgspec.structs.replace(properties, session_expiry=LONG)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)
