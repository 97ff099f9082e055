from collections.abc import Awaitable, Callable

import pytest

from fogbank.errors import InvalidRequest, ResourceNotFound
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging


@pytest.fixture
async def house(registry: Registry) -> Registry:
    """house > upstairs > bath, garden; the things lamp and fan."""
    for name, parent in (("house", None), ("upstairs", "house"), ("bath", "upstairs"), ("garden", None)):
        await registry.thing_groups.create(name, parent=parent)
    for name in ("lamp", "fan"):
        await registry.things.create(name)
    return registry


async def groups_of(registry: Registry, thing: str) -> list[str]:
    return (await registry.group_members.groups_of(thing, Paging())).items


async def things_in(registry: Registry, group: str, *, recursive: bool = False) -> list[str]:
    return (await registry.group_members.things_in(group, Paging(), recursive=recursive)).items


async def test_a_thing_joins_and_leaves(house: Registry) -> None:
    await house.group_members.update("lamp", join=["garden"])
    await house.group_members.update("lamp", join=["bath"])
    await house.group_members.update("fan", join=["upstairs"])
    assert await groups_of(house, "lamp") == ["bath", "garden"]
    assert await things_in(house, "bath") == ["lamp"]
    assert await things_in(house, "house") == []
    assert await things_in(house, "house", recursive=True) == ["fan", "lamp"]
    await house.group_members.update("lamp", leave=["bath", "garden"])
    assert await groups_of(house, "lamp") == []
    assert await things_in(house, "house", recursive=True) == ["fan"]


async def test_joining_and_leaving_again_change_nothing(house: Registry) -> None:
    for _ in range(2):
        await house.group_members.update("lamp", join=["garden"])
    assert await groups_of(house, "lamp") == ["garden"]
    for _ in range(2):
        await house.group_members.update("lamp", leave=["garden"])
    assert await groups_of(house, "lamp") == []


async def test_a_thing_moves_in_one_step(house: Registry) -> None:
    await house.group_members.update("lamp", join=["bath"])
    await house.group_members.update("lamp", leave=["bath"], join=["house", "garden"])
    assert await groups_of(house, "lamp") == ["garden", "house"]


async def test_a_thing_is_in_one_group_of_a_hierarchy(house: Registry) -> None:
    """Developer guide, thing-groups: not in two groups with a common root."""
    await house.group_members.update("lamp", join=["bath"])
    for other in ("upstairs", "house"):
        with pytest.raises(InvalidRequest, match="same hierarchy"):
            await house.group_members.update("lamp", join=[other])
    with pytest.raises(InvalidRequest, match="same hierarchy"):
        await house.group_members.update("fan", join=["garden", "house", "bath"])
    assert await groups_of(house, "fan") == [], "all or none"


async def test_ten_groups_are_the_most(house: Registry) -> None:
    """General reference, IoT Device Management thing group limits."""
    for number in range(11):
        await house.thing_groups.create(f"g{number}")
    await house.group_members.update("lamp", join=[f"g{number}" for number in range(10)])
    with pytest.raises(InvalidRequest, match="10 thing groups"):
        await house.group_members.update("lamp", join=["g10"])
    await house.group_members.update("lamp", join=["g10"], leave=["g0"])


async def test_a_deleted_group_has_no_things_and_a_deleted_thing_no_groups(house: Registry) -> None:
    for thing in ("lamp", "fan"):
        await house.group_members.update(thing, join=["garden"])
    await house.things.delete("lamp")
    assert await things_in(house, "garden") == ["fan"]
    await house.thing_groups.delete("garden")
    assert await groups_of(house, "fan") == []
    await house.things.create("lamp")
    await house.thing_groups.create("garden")
    assert (await groups_of(house, "lamp"), await things_in(house, "garden")) == ([], [])


async def test_lists_are_paged(house: Registry) -> None:
    for number in range(3):
        await house.things.create(f"t{number}")
        await house.group_members.update(f"t{number}", join=["bath" if number else "house"])
    first = await house.group_members.things_in("house", Paging(None, 2), recursive=True)
    second = await house.group_members.things_in("house", Paging(first.next, 2), recursive=True)
    assert (first.items + second.items, second.next) == (["t0", "t1", "t2"], None)
    await house.group_members.update("lamp", join=["house", "garden"])
    first = await house.group_members.groups_of("lamp", Paging(None, 1))
    assert first.items + (await house.group_members.groups_of("lamp", Paging(first.next, 1))).items == [
        "garden",
        "house",
    ]


Step = Callable[[Registry], Awaitable[object]]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (lambda it: it.group_members.update("nothing", join=["garden"]), ResourceNotFound),
        (lambda it: it.group_members.update("lamp", join=["nowhere"]), ResourceNotFound),
        (lambda it: it.group_members.update("lamp", leave=["nowhere"]), ResourceNotFound),
        (lambda it: it.group_members.update("lamp", join=["garden"], leave=["garden"]), InvalidRequest),
        (lambda it: it.group_members.update("lamp", join=["a b"]), InvalidRequest),
        (lambda it: it.group_members.groups_of("nothing", Paging()), ResourceNotFound),
        (lambda it: it.group_members.things_in("nowhere", Paging()), ResourceNotFound),
    ],
)
async def test_what_is_refused(house: Registry, step: Step, error: type[Exception]) -> None:
    with pytest.raises(error):
        await step(house)
