from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound, VersionConflict
from fogbank.registry import thing_groups
from fogbank.registry.registry import Registry
from fogbank.registry.thing_groups import GroupSearch
from fogbank.registry.things import AttributeUpdate
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock


async def names(registry: Registry, **search: str | bool | None) -> list[str]:
    page = await registry.thing_groups.page(Paging(), GroupSearch(**search))  # type: ignore[arg-type]
    return [one.name for one in page.items]


@pytest.fixture
async def house(registry: Registry) -> Registry:
    """house > upstairs > bath, house > hall, garden."""
    groups = [("house", None), ("upstairs", "house"), ("bath", "upstairs"), ("hall", "house"), ("garden", None)]
    for name, parent in groups:
        await registry.thing_groups.create(name, parent=parent)
    return registry


async def test_a_group_is_as_it_was_made(registry: Registry, clock: FakeClock) -> None:
    made = await registry.thing_groups.create("house", description="ours", attributes={"street": "1", "empty": ""})
    assert await registry.thing_groups.describe("house") == made
    assert (made.name, made.version, made.created) == ("house", 1, clock.time())
    assert (made.description, made.attributes) == ("ours", {"street": "1"})
    assert (made.parent, made.path) == (None, ("house",))
    assert registry.thing_groups.arn("house") == "arn:aws:iot:eu-west-1:123456789012:thinggroup/house"


async def test_a_group_knows_its_place(house: Registry) -> None:
    bath = await house.thing_groups.describe("bath")
    assert (bath.parent, bath.ancestors, bath.path) == (
        "upstairs",
        ("house", "upstairs"),
        ("house", "upstairs", "bath"),
    )


async def test_the_same_again_changes_nothing_and_something_else_is_refused(house: Registry) -> None:
    """API reference, CreateThingGroup."""
    before = await house.thing_groups.describe("hall")
    assert await house.thing_groups.create("hall", parent="house") == before
    others: list[dict[str, Any]] = [{}, {"parent": "garden"}, {"parent": "house", "description": "x"}]
    for other in others:
        with pytest.raises(ResourceAlreadyExists) as refused:
            await house.thing_groups.create("hall", **other)
        assert refused.value.members["resourceArn"] == house.thing_groups.arn("hall")


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({}, ["bath", "garden", "hall", "house", "upstairs"]),
        ({"recursive": True}, ["bath", "garden", "hall", "house", "upstairs"]),
        ({"recursive": False}, ["garden", "house"]),
        ({"parent": "house"}, ["hall", "upstairs"]),
        ({"parent": "house", "recursive": True}, ["bath", "hall", "upstairs"]),
        ({"parent": "bath", "recursive": True}, []),
        ({"prefix": "h"}, ["hall", "house"]),
        ({"prefix": "h", "recursive": False}, ["house"]),
        ({"prefix": "b", "parent": "house"}, []),
        ({"prefix": "b", "parent": "house", "recursive": True}, ["bath"]),
    ],
)
async def test_lists(house: Registry, search: dict[str, str | bool], expected: list[str]) -> None:
    """Developer guide, thing-groups, List thing groups."""
    assert await names(house, **search) == expected


async def test_lists_are_paged(house: Registry) -> None:
    search = GroupSearch(parent="house", recursive=True)
    first = await house.thing_groups.page(Paging(None, 2), search)
    second = await house.thing_groups.page(Paging(first.next, 2), search)
    assert [one.name for one in first.items + second.items] == ["bath", "hall", "upstairs"]
    with pytest.raises(InvalidRequest):
        await house.thing_groups.page(Paging(first.next, 2), GroupSearch())


async def test_an_update_changes_what_it_names(registry: Registry) -> None:
    await registry.thing_groups.create("house", description="ours", attributes={"a": "1"})
    changed = await registry.thing_groups.update("house", attributes=AttributeUpdate({"b": "2"}, merge=True))
    assert (changed.description, changed.attributes, changed.version) == ("ours", {"a": "1", "b": "2"}, 2)
    changed = await registry.thing_groups.update("house", description="", attributes=AttributeUpdate({"b": "3"}))
    assert (changed.description, changed.attributes, changed.version) == ("", {"b": "3"}, 3)
    with pytest.raises(VersionConflict):
        await registry.thing_groups.update("house", expected_version=2)
    assert (await registry.thing_groups.update("house", expected_version=3)).version == 4


async def test_a_group_with_children_is_not_deleted(house: Registry) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await house.thing_groups.delete("upstairs")
    expected = "Cannot delete thing group : upstairs when there are still child groups attached to it."
    assert refused.value.message == expected
    await house.thing_groups.delete("bath")
    await house.thing_groups.delete("upstairs")
    assert await names(house, parent="house") == ["hall"]
    await house.thing_groups.delete("upstairs")  # one that is not there is no error


async def test_only_the_expected_version_is_deleted(house: Registry) -> None:
    with pytest.raises(VersionConflict):
        await house.thing_groups.delete("hall", expected_version=2)
    await house.thing_groups.delete("hall", expected_version=1)


async def test_a_hierarchy_is_seven_deep(registry: Registry) -> None:
    """General reference, IoT Device Management thing group limits."""
    parent = None
    for depth in range(7):
        await registry.thing_groups.create(f"g{depth}", parent=parent)
        parent = f"g{depth}"
    with pytest.raises(InvalidRequest, match="depth 7"):
        await registry.thing_groups.create("g7", parent=parent)


async def test_a_group_has_a_hundred_children(registry: Registry) -> None:
    """General reference, IoT Device Management thing group limits."""
    await registry.thing_groups.create("house")
    for number in range(thing_groups.CHILDREN):
        await registry.thing_groups.create(f"g{number}", parent="house")
    with pytest.raises(InvalidRequest, match="100 child groups"):
        await registry.thing_groups.create("more", parent="house")


Step = Callable[[Registry], Awaitable[object]]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (lambda it: it.thing_groups.create("a b"), InvalidRequest),
        (lambda it: it.thing_groups.create("a", parent="nowhere"), InvalidRequest),
        (lambda it: it.thing_groups.create("a", description="\n"), InvalidRequest),
        (lambda it: it.thing_groups.create("a", attributes={"a b": "1"}), InvalidRequest),
        (lambda it: it.thing_groups.create("a", attributes={f"a{n}": "1" for n in range(51)}), InvalidRequest),
        (lambda it: it.thing_groups.describe("nowhere"), ResourceNotFound),
        (lambda it: it.thing_groups.update("nowhere"), ResourceNotFound),
        (lambda it: it.thing_groups.page(Paging(), GroupSearch(parent="nowhere")), ResourceNotFound),
        (lambda it: it.thing_groups.page(Paging(), GroupSearch(prefix="a b")), InvalidRequest),
    ],
)
async def test_what_is_refused(registry: Registry, step: Step, error: type[Exception]) -> None:
    with pytest.raises(error):
        await step(registry)


async def test_fifty_attributes_are_the_most(registry: Registry) -> None:
    """General reference, IoT Device Management thing group limits."""
    await registry.thing_groups.create("house", attributes={f"a{number}": "1" for number in range(50)})
    with pytest.raises(InvalidRequest, match="at most 50"):
        await registry.thing_groups.update("house", attributes=AttributeUpdate({"more": "1"}, merge=True))
