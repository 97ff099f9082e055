import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest

from fogbank.message import Message
from fogbank.ports import Delete, Expect, Put, Record
from fogbank.settings import Limits
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.service import ShadowService
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock
from fogbank.trace import Trace, TraceEvent


class Published(list[Message]):
    """A broadcaster that remembers. `unheard` are ends of topics that nobody subscribes to."""

    def __init__(self) -> None:
        super().__init__()
        self.unheard: tuple[str, ...] = ()
        self.failure: Exception | None = None

    def has_receivers(self, topic: str) -> bool:
        return not topic.endswith(self.unheard) if self.unheard else True

    async def publish_all(self, messages: Iterable[Message]) -> None:
        self.extend(messages)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure

    def of(self, kind: str) -> list[Any]:
        """The documents published on topics which end with `kind`, in order."""
        return [msgspec.json.decode(message.payload) for message in self if message.topic.endswith(f"/{kind}")]

    def kinds(self) -> list[str]:
        """What was published, as `update/accepted`, in order."""
        return ["/".join(message.topic.split("/")[-2:]) for message in self]


class SlowDocuments(MemoryDocuments):
    """Takes `turns` of the event loop to commit, and waits while not `open`; the base class has what is durable."""

    def __init__(self, turns: int = 3) -> None:
        super().__init__()
        self.turns = turns
        self.commits: list[Sequence[Put | Delete | Expect]] = []
        self.reads = 0
        self.failure: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def get(self, kind: str, key: str) -> Record | None:
        self.reads += 1
        await asyncio.sleep(0)
        return await super().get(kind, key)

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        self.commits.append(changes)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return await super().commit(*changes)


class Bench:
    """A shadow service with everything around it in sight."""

    def __init__(self, limits: Limits = Limits.AWS, cache_bytes: int = 2**20) -> None:
        self.clock = FakeClock()
        self.documents = SlowDocuments()
        self.published = Published()
        self.trace = Trace(self.clock)
        self.events: list[TraceEvent] = []
        self.trace.listen(self.events.append)
        self.limits = ShadowLimits.of(limits)
        self.cache_bytes = cache_bytes
        self.service = self.restarted()

    def restarted(self) -> ShadowService:
        """A service that knows only what is on disk."""
        self.service = ShadowService(
            self.documents, self.published, self.clock, self.trace, self.limits, cache_bytes=self.cache_bytes
        )
        return self.service

    async def update(self, thing: str = "lamp", name: str | None = None, **request: Any) -> Any:
        """Update, the request's members as keywords."""
        return msgspec.json.decode(await self.service.update(thing, name, msgspec.json.encode(request)))

    async def report(self, **state: Any) -> Any:
        return await self.update(state={"reported": state})

    async def get(self, thing: str = "lamp", name: str | None = None) -> Any:
        return msgspec.json.decode(await self.service.get(thing, name))

    async def delete(self, thing: str = "lamp", name: str | None = None) -> Any:
        return msgspec.json.decode(await self.service.delete(thing, name))


@pytest.fixture
def bench() -> Bench:
    return Bench()
