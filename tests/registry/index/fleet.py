"""A registry with a fleet index over shadows and connections that a test moves by hand."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.message import Message
from fogbank.ports import Documents, Presence, ShadowListener, Subscriber
from fogbank.registry.index.configuration import IndexName
from fogbank.registry.index.engine import FleetIndex
from fogbank.registry.index.entry import GroupEntry, ThingEntry
from fogbank.registry.index.service import IndexService
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.registry import Registry
from fogbank.search import parse
from fogbank.testing.clock import FakeClock


class Noting(FleetIndex):
    """The engine, which notes the names of what is put."""

    def __init__(self, path: Path, noted: list[str]) -> None:
        super().__init__(path)
        self._noted = noted

    async def put(self, entries: Sequence[ThingEntry] | Sequence[GroupEntry]) -> None:
        self._noted += [entry.name for entry in entries]
        await super().put(entries)


class Shadows:
    """Port ShadowReader over a dict."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str | None, dict[str, Any]]] = {}
        self._listeners: list[ShadowListener] = []
        self._open = asyncio.Event()
        self.unblock()

    def block(self) -> None:
        """Whoever reads has to wait."""
        self._open.clear()

    def unblock(self) -> None:
        self._open.set()

    async def of_thing(self, thing: str) -> Mapping[str | None, Mapping[str, Any]]:
        await self._open.wait()
        return dict(self.documents.get(thing, {}))

    def watch(self, listener: ShadowListener) -> None:
        self._listeners.append(listener)

    def report(self, thing: str, name: str | None = None, **reported: Any) -> None:
        """The thing reports a state, in place of all that it had reported."""
        shadows = self.documents.setdefault(thing, {})
        version = shadows.get(name, {"version": 0})["version"] + 1
        metadata = {key: {"timestamp": version} for key in reported}
        state = {"reported": reported} if reported else {}
        shadows[name] = {"state": state, "metadata": {"reported": metadata}, "version": version}
        self._tell(thing, name)

    def delete(self, thing: str, name: str | None = None) -> None:
        self.documents.get(thing, {}).pop(name, None)
        self._tell(thing, name)

    def _tell(self, thing: str, name: str | None) -> None:
        for listener in self._listeners:
            listener(thing, name)


class Clients:
    """The broker, as far as connectivity knows it."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._subscribers: list[tuple[str, Subscriber]] = []
        self.presences: dict[str, Presence] = {}

    def subscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self._subscribers.append((filter_.removesuffix("#"), subscriber))

    def unsubscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self._subscribers.remove((filter_.removesuffix("#"), subscriber))

    def connect(self, client_id: str) -> None:
        self.presences[client_id] = Presence(self._clock.time(), 30, 0, True)
        self._tell("connected", client_id)

    def disconnect(self, client_id: str, reason: str = "CLIENT_INITIATED_DISCONNECT") -> None:
        if client_id in self.presences:
            self.presences[client_id] = msgspec.structs.replace(self.presences[client_id], since=None)
        self._tell("disconnected", client_id, disconnectReason=reason)

    def _tell(self, event: str, client_id: str, **further: str) -> None:
        topic = f"$aws/events/presence/{event}/{client_id}"
        timestamp = int(self._clock.time() * 1000)
        document = {"clientId": client_id, "timestamp": timestamp, "eventType": event, "versionNumber": 3, **further}
        for prefix, subscriber in self._subscribers:
            if topic.startswith(prefix):
                subscriber.deliver(Message(topic, msgspec.json.encode(document), qos=1))


class Fleet:
    """All of it, with shorthands."""

    def __init__(
        self, registry: Registry, index: IndexService, shadows: Shadows, clients: Clients, published: Published
    ) -> None:
        self.registry = registry
        self.index = index
        self.shadows = shadows
        self.clients = clients
        self.published = published

    async def complete(self) -> None:
        """Until the indices are what their configuration asks for."""
        for name in self.index.names():
            await self.index.complete(name)

    async def found(self, query: str) -> list[str]:
        """The things that a search finds now."""
        await self.index.ready("AWS_Things")
        await self.index.settled()
        return list((await self.index.engine.names(IndexName.THINGS, parse(query), limit=1000)).items)

    async def found_groups(self, query: str) -> list[str]:
        await self.index.ready("AWS_ThingGroups")
        await self.index.settled()
        return list((await self.index.engine.names(IndexName.THING_GROUPS, parse(query), limit=1000)).items)


class Site:
    """What outlives the server: the disk, and the devices."""

    def __init__(self, documents: Documents, path: Path, clock: FakeClock, arns: Arns, own_ca: OwnCa) -> None:
        self.documents = documents
        self.path = path
        self.clock = clock
        self.shadows = Shadows()
        self._arns = arns
        self._own_ca = own_ca

    @asynccontextmanager
    async def up(self, put: list[str] | None = None) -> AsyncIterator[Fleet]:
        """A run of the server, which notes in `put` the things that are indexed. Leaving it stops the index where it
        is, as a kill would."""
        published, clients = Published(), Clients(self.clock)
        registry = Registry(self.documents, self._arns, self.clock, self._own_ca.devices, published)
        shadows = Shadows()
        shadows.documents = self.shadows.documents
        index = IndexService(
            Noting(self.path / "index.sqlite", [] if put is None else put),
            self.documents,
            registry.records,
            registry.changes,
            registry.thing_groups,
            self.clock,
            shadows=shadows,
            subscriptions=clients,
            look=clients.presences.get,
        )
        await index.start()
        try:
            yield Fleet(registry, index, shadows, clients, published)
        finally:
            await index.close()
            await registry.close()
