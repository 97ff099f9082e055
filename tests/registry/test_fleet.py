"""The registry as jobs see it."""

import pytest

from fogbank.registry.registry import Registry
from fogbank.testing.clock import FakeClock


@pytest.fixture
async def house(registry: Registry) -> Registry:
    """a and b in house > hall, c in house."""
    await registry.thing_groups.create("house")
    await registry.thing_groups.create("hall", parent="house")
    for thing, group in (("a", "hall"), ("b", "hall"), ("c", "house"), ("d", None)):
        await registry.things.create(thing)
        if group is not None:
            await registry.group_members.update(thing, join=[group])
    return registry


async def test_members_are_those_below_too_and_come_in_pieces(house: Registry, clock: FakeClock) -> None:
    seen: list[str] = []
    cursor = ""
    while found := await house.fleet.members("house", after=cursor, limit=2):
        assert len(found) <= 2
        seen += [one.thing for one in found]
        cursor = found[-1].cursor
        assert all(one.since == clock.time() for one in found)
    assert seen == ["a", "b", "c"]
    assert await house.fleet.members("nowhere", limit=5) == []


async def test_who_and_what_is_there(house: Registry, clock: FakeClock) -> None:
    assert await house.fleet.exists("a")
    assert not await house.fleet.exists("z")
    assert await house.fleet.group_id("hall") == (await house.thing_groups.describe("hall")).id
    assert await house.fleet.group_id("z") is None
    assert await house.fleet.groups_of("a") == {"house": clock.time(), "hall": clock.time()}
    assert await house.fleet.groups_of("d") == {}


async def test_changes_are_told_once_they_are_there(house: Registry) -> None:
    told: list[frozenset[str]] = []
    house.fleet.watch(told.append)
    await house.group_members.update("d", join=["hall"])
    await house.group_members.update("a", leave=["hall"])
    await house.things.delete("b")
    await house.thing_groups.delete("hall")
    assert told == [{"d"}, {"a"}, {"b"}, {"d"}]
