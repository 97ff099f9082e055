"""Whatever happens, and whenever the server dies: in the end the index is what a naive model of the fleet is."""

import asyncio
import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.registry.index.fleet import Fleet, Site

from fogbank.arns import Arns
from fogbank.registry.index.entry import ThingEntry
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.things import AttributeUpdate
from fogbank.search.query import Everything
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock

NAMES = ("a", "b", "c")
HOT = 30


class Twin(msgspec.Struct):
    """What the model knows of a thing, its shadow and its device; a thing of None is not registered."""

    attribute: str | None = None
    grouped: bool = False
    celsius: int | None = None
    connected: bool = False

    @property
    def groups(self) -> list[str]:
        warm = ["warm"] if self.celsius is not None and self.celsius > HOT else []
        return warm + (["static"] if self.grouped else [])


class Story:
    """Does to the fleet and to the model what a test says."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.twins = {name: Twin() for name in NAMES}

    async def tell(self, runs: list[list[tuple[str, str, int]]]) -> None:
        """Each run of the server ends where it stands; the last one is looked at in the end."""
        async with self.site.up() as fleet:
            await fleet.registry.thing_groups.create("static")
            await fleet.index.dynamic_groups.create("warm", f"shadow.reported.celsius>{HOT}")
        for number, steps in enumerate(runs):
            async with self.site.up() as fleet:
                for twin in self.twins.values():
                    twin.connected = False  # with the server their connections have ended
                for step in steps:
                    await self._do(fleet, *step)
                if number == len(runs) - 1:
                    await self._look(fleet)

    async def _do(self, fleet: Fleet, what: str, name: str, value: int) -> None:
        twin, registry = self.twins[name], fleet.registry
        registered = twin.attribute is not None
        match what:
            case "create" if not registered:
                await registry.things.create(name, attributes={"x": str(value)})
                twin.attribute = str(value)
            case "update" if registered:
                await registry.things.update(name, attributes=AttributeUpdate({"x": str(value)}))
                twin.attribute = str(value)
            case "delete" if registered:
                await registry.things.delete(name)
                twin.attribute, twin.grouped = None, False
            case "join" if registered:
                await registry.group_members.update(name, join=["static"])
                twin.grouped = True
            case "leave" if registered:
                await registry.group_members.update(name, leave=["static"])
                twin.grouped = False
            case "report":
                fleet.shadows.report(name, celsius=value)
                twin.celsius = value
            case "forget":
                fleet.shadows.delete(name)
                twin.celsius = None
            case "connect" if not twin.connected:
                fleet.clients.connect(name)
                twin.connected = True
            case "disconnect" if twin.connected:
                fleet.clients.disconnect(name)
                twin.connected = False
            case "look":
                await self._look(fleet)

    async def _look(self, fleet: Fleet) -> None:
        await fleet.complete()
        await fleet.index.settled()
        await fleet.index.dynamic_groups.filled()
        await fleet.index.settled()
        page = await fleet.index.engine.things(Everything(), limit=100)
        assert [_seen(entry) for entry in page.items] == [
            (name, twin.attribute, sorted(twin.groups), twin.celsius, twin.connected)
            for name, twin in self.twins.items()
            if twin.attribute is not None
        ]
        for name, twin in self.twins.items():
            if twin.attribute is not None:
                groups = await fleet.registry.group_members.groups_of(name, Paging())
                assert groups.items == sorted(twin.groups)


def _seen(entry: ThingEntry) -> tuple[str, str | None, list[str], int | None, bool]:
    shadow = entry.shadows.get(None)
    celsius = None if shadow is None else shadow["state"]["reported"]["celsius"]
    assert entry.connectivity is not None
    return entry.name, entry.attributes.get("x"), sorted(entry.group_names), celsius, entry.connectivity.connected


DOINGS = ("create", "update", "delete", "join", "leave", "report", "forget", "connect", "disconnect", "look")
STEPS = st.tuples(
    st.sampled_from(DOINGS),
    st.sampled_from(NAMES),
    st.integers(HOT - 2, HOT + 2),
)


@settings(max_examples=15)
@given(runs=st.lists(st.lists(STEPS, max_size=8), min_size=1, max_size=3))
def test_the_index_is_what_the_fleet_is(own_ca: OwnCa, runs: list[list[tuple[str, str, int]]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        site = Site(MemoryDocuments(), Path(directory), FakeClock(), Arns("eu-west-1", "123456789012"), own_ca)
        asyncio.run(Story(site).tell(runs))
