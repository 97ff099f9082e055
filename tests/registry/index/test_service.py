"""The fleet index follows what happens, however the server ends in between."""

import asyncio
import shutil
from collections.abc import Sequence

import msgspec
import pytest
from tests.registry.index.fleet import Fleet, Site

from fogbank.errors import InvalidRequest, ResourceNotFound
from fogbank.ports import Put
from fogbank.registry.errors import IndexNotReady
from fogbank.registry.index import feed
from fogbank.registry.index.configuration import (
    Field,
    FieldType,
    GroupIndexing,
    IndexingConfiguration,
    IndexName,
    ThingIndexing,
    ThingMode,
)
from fogbank.registry.index.entry import GroupEntry, ThingEntry
from fogbank.registry.index.service import ATTEMPTS, PATIENCE, SETTLING
from fogbank.registry.index.status import IndexStatus
from fogbank.registry.things import AttributeUpdate
from fogbank.search import parse

OFF = ThingIndexing(mode=ThingMode.OFF)
REGISTRY = ThingMode.REGISTRY
EVERYTHING = IndexingConfiguration().things


async def test_a_fresh_instance_indexes_everything(fleet: Fleet) -> None:
    await fleet.registry.things.create("attic-1", attributes={"floor": "3"})
    fleet.shadows.report("attic-1", celsius=21)
    fleet.shadows.report("attic-1", "led", colour="red")
    fleet.clients.connect("attic-1")
    await fleet.registry.thing_groups.create("house", description="all of it")
    await fleet.registry.group_members.update("attic-1", join=["house"])
    for query in (
        "thingName:attic*",
        "attributes.floor:3",
        "shadow.reported.celsius>20",
        "shadow.name.led.reported.colour:red",
        "connectivity.connected:true",
        "thingGroupNames:house",
    ):
        assert await fleet.found(query) == ["attic-1"], query
    assert await fleet.found_groups("description:all") == ["house"]
    assert fleet.index.status("AWS_Things") is IndexStatus.ACTIVE


async def test_what_changes_is_found_as_it_is_now(fleet: Fleet) -> None:
    await fleet.registry.things.create("one", attributes={"a": "1"})
    fleet.shadows.report("one", celsius=21)
    assert await fleet.found("attributes.a:1 shadow.reported.celsius:21") == ["one"]
    await fleet.registry.things.update("one", attributes=AttributeUpdate({"a": "2"}))
    fleet.shadows.report("one", celsius=5)
    assert await fleet.found("attributes.a:1") == []
    assert await fleet.found("attributes.a:2 shadow.reported.celsius:5") == ["one"]
    fleet.shadows.delete("one")
    assert await fleet.found("shadow.reported.celsius:*") == []
    await fleet.registry.things.delete("one")
    assert await fleet.found("*") == []


async def test_shadows_and_clients_of_strangers_are_not_indexed(fleet: Fleet) -> None:
    fleet.shadows.report("nobody", celsius=1)
    fleet.clients.connect("nobody-else")
    assert await fleet.found("*") == []


async def test_what_was_missed_is_found_at_the_next_start(site: Site) -> None:
    async with site.up() as fleet:
        for name in ("kept", "changed", "gone"):
            await fleet.registry.things.create(name, attributes={"a": "1"})
        await fleet.registry.thing_groups.create("old")
        assert len(await fleet.found("*")) == 3
        assert await fleet.found_groups("*") == ["old"]
        # from here on it is dead, and disk and devices go on without it
        await fleet.index.close()
        await fleet.registry.things.update("changed", attributes=AttributeUpdate({"a": "2"}))
        await fleet.registry.things.delete("gone")
        await fleet.registry.things.create("new", attributes={"a": "1"})
        await fleet.registry.thing_groups.delete("old")
        await fleet.registry.thing_groups.create("young")
        fleet.shadows.report("kept", celsius=7)
    async with site.up() as fleet:
        await fleet.complete()
        assert await fleet.found("attributes.a:1") == ["kept", "new"]
        assert await fleet.found("attributes.a:2") == ["changed"]
        assert await fleet.found("*") == ["changed", "kept", "new"]
        assert await fleet.found("shadow.reported.celsius:7") == ["kept"]
        assert await fleet.found_groups("*") == ["young"]


async def test_what_has_not_changed_is_not_indexed_again(site: Site) -> None:
    async with site.up() as fleet:
        await many(fleet, 1200)
    put: list[str] = []
    async with site.up(put) as fleet:
        await fleet.registry.things.update("t0007", attributes=AttributeUpdate({"a": "7"}))
        await fleet.complete()
        await fleet.index.settled()
        assert set(put) == {"t0007"}


async def test_a_lost_index_is_built_again(site: Site) -> None:
    async with site.up() as fleet:
        await many(fleet, 1200)
    shutil.rmtree(site.path)
    async with site.up() as fleet:
        assert fleet.index.status("AWS_Things") is IndexStatus.BUILDING
        await fleet.complete()
        assert len(await fleet.found("thingName:t*")) == 1000  # as many as are asked for
        assert await fleet.found("thingName:t1199") == ["t1199"]


async def test_while_it_is_compared_it_can_be_asked(site: Site) -> None:
    async with site.up() as fleet:
        await many(fleet, 3)
    async with site.up() as fleet:
        assert fleet.index.status("AWS_Things") is IndexStatus.REBUILDING
        await fleet.index.ready("AWS_Things")
        page = await fleet.index.engine.names(IndexName.THINGS, parse("*"), limit=10)
        assert len(page.items) == 3
        await fleet.complete()
        assert fleet.index.status("AWS_Things") is IndexStatus.ACTIVE


async def test_while_it_is_built_it_cannot(site: Site) -> None:
    async with site.up() as fleet:
        await fleet.index.configure(things=OFF)
        await many(fleet, 3)
        fleet.shadows.block()
        await fleet.index.configure(things=EVERYTHING)
        asking = asyncio.create_task(fleet.index.ready("AWS_Things"))
        await site.clock.advance(PATIENCE - 0.1)
        assert not asking.done()
        await site.clock.advance(0.2)
        with pytest.raises(IndexNotReady):
            await asking
        asking = asyncio.create_task(fleet.index.ready("AWS_Things"))
        await site.clock.advance(0.1)
        fleet.shadows.unblock()
        await asking
        assert len(await fleet.found("*")) == 3


async def test_switched_off_it_is_not_there_and_costs_nothing(site: Site) -> None:
    async with site.up() as fleet:
        await many(fleet, 3)
        await fleet.index.configure(things=OFF, groups=GroupIndexing(on=False))
        assert fleet.index.names() == []
        assert [path for path in site.path.rglob("*") if path.is_file()] == []
        for refused in ("AWS_Things", "AWS_ThingGroups", "AWS_Nothing"):
            with pytest.raises(ResourceNotFound):
                await fleet.index.ready(refused)
            with pytest.raises(ResourceNotFound):
                fleet.index.status(refused)
    put: list[str] = []
    async with site.up(put) as fleet:
        assert fleet.index.names() == []
        await many(fleet, 3, "u")
        fleet.shadows.report("u0001", celsius=1)
        fleet.clients.connect("u0001")
        await fleet.index.settled()
        assert put == []
        await fleet.index.configure(things=EVERYTHING)
        await fleet.complete()
        assert len(await fleet.found("*")) == 6
        assert await fleet.found("connectivity.connected:true") == ["u0001"]
        assert await fleet.found("shadow.reported.celsius:1") == ["u0001"]


async def test_another_configuration_holds_for_what_is_there_already(fleet: Fleet) -> None:
    await fleet.registry.things.create("one", attributes={"a": "1"})
    fleet.shadows.report("one", celsius=21)
    for name in ("led", "lock"):
        fleet.shadows.report("one", name, on=True)
    assert await fleet.found("shadow.name.lock.reported.on:true shadow.reported.celsius:21") == ["one"]
    await fleet.index.configure(things=ThingIndexing(mode=REGISTRY, named_shadows=True, shadow_names=("led",)))
    await fleet.complete()
    assert await fleet.found("shadow.name.led.reported.on:true") == ["one"]
    assert await fleet.found("shadow.name.lock.reported.on:true") == []
    assert await fleet.found("shadow.reported.celsius:21") == []
    await fleet.index.configure(groups=GroupIndexing(on=False))
    assert fleet.index.names() == ["AWS_Things"]
    assert fleet.index.configuration.things.shadow_names == ("led",)


async def test_the_configuration_outlives_the_server(site: Site) -> None:
    chosen = ThingIndexing(mode=REGISTRY, custom_fields=(Field("attributes.a", FieldType.NUMBER),))
    async with site.up() as fleet:
        await fleet.index.configure(things=chosen)
        with pytest.raises(InvalidRequest):
            await fleet.index.configure(things=msgspec.structs.replace(chosen, shadow_names=("x",)))
    async with site.up() as fleet:
        assert fleet.index.configuration == IndexingConfiguration(things=chosen)


async def test_a_thing_that_cannot_be_read_does_not_keep_others_waiting(
    fleet: Fleet, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    await fleet.registry.things.create("good")
    await site.documents.commit(Put("thing", "bad", b"no JSON"))
    fleet.shadows.report("bad", celsius=1)
    fleet.shadows.report("good", celsius=1)
    assert await fleet.found("shadow.reported.celsius:1") == ["good"]
    assert "bad" in caplog.text


async def many(fleet: Fleet, count: int, prefix: str = "t") -> None:
    """Things t0000 and so on, indexed."""
    for number in range(count):
        await fleet.registry.things.create(f"{prefix}{number:04}")
    await fleet.index.settled()


class PanicException(BaseException):
    """What a panic of the engine's native code comes as."""


async def test_an_engine_that_fails_again_and_again_begins_anew(
    fleet: Fleet, site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await many(fleet, 3)
    await fleet.complete()
    broken, tries = True, 0
    put, clear = fleet.index.engine.put, fleet.index.engine.clear

    async def failing(entries: Sequence[ThingEntry] | Sequence[GroupEntry]) -> None:
        nonlocal tries
        if broken:
            tries += 1
            raise PanicException("index out of bounds")
        await put(entries)

    async def clearing(index: IndexName) -> None:
        nonlocal broken
        broken = False
        await clear(index)

    monkeypatch.setattr(fleet.index.engine, "put", failing)
    monkeypatch.setattr(fleet.index.engine, "clear", clearing)
    await site.clock.advance(feed.WITHIN)  # it is idle now, and begins at once
    fleet.shadows.report("t0001", celsius=7)
    while broken:
        await site.clock.advance(feed.RETRY)
    await site.clock.advance(feed.RETRY)  # and no more, lest the round that begins now seems to take long
    await fleet.complete()
    assert tries == ATTEMPTS
    assert await fleet.found("shadow.reported.celsius:7") == ["t0001"]
    assert await fleet.found("*") == ["t0000", "t0001", "t0002"]
    assert "PanicException: index out of bounds" in caplog.text


async def test_more_changes_than_can_be_kept_in_mind_are_found_by_comparison(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many(fleet, 40)
    await fleet.complete()
    monkeypatch.setattr(feed, "MOST", 20)
    fleet.shadows.block()
    fleet.shadows.report("t0000", celsius=1)
    await asyncio.sleep(0)
    for number in range(40):
        fleet.shadows.report(f"t{number:04}", celsius=7)
    fleet.shadows.unblock()
    await fleet.index.settled()
    await fleet.complete()
    assert len(await fleet.found("shadow.reported.celsius:7")) == 40


async def test_a_search_knows_what_was_done_before_it_however_slow_the_engine_is(
    fleet: Fleet, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first thing is put while the others are made: they are in another round, after a rest as long."""
    engine, seconds = fleet.index.engine, SETTLING / 4
    await fleet.complete()
    put = engine.put

    async def slow_put(entries: Sequence[ThingEntry] | Sequence[GroupEntry]) -> None:
        await site.clock.sleep(seconds)
        await put(entries)

    monkeypatch.setattr(engine, "put", slow_put)
    await fleet.registry.things.create("a")
    await site.clock.advance(seconds / 2)
    for name in ("b", "c"):
        await fleet.registry.things.create(name)
    searching = asyncio.create_task(fleet.found("*"))
    for _ in range(40):
        await site.clock.advance(seconds / 10)
        await asyncio.sleep(0.01)  # the engine's own threads know another time
    assert await searching == ["a", "b", "c"]
