import asyncio
from functools import partial

import pytest
from tests.registry.conftest import HeldDocuments, SlowDocuments

from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging


@pytest.fixture(autouse=True)
async def groups(registry: Registry) -> None:
    for name in ("north", "south"):
        await registry.billing_groups.create(name)


async def test_a_thing_joins_and_leaves(registry: Registry) -> None:
    members = registry.billing_members
    await registry.things.create("lamp")
    assert await members.group_of("lamp") is None
    for _ in range(2):
        await members.join("lamp", "north")
    assert await members.group_of("lamp") == "north"
    assert (await members.things_in("north", Paging())).items == ["lamp"]
    await members.leave("lamp", "south")
    assert await members.group_of("lamp") == "north"
    for _ in range(2):
        await members.leave("lamp", "north")
    assert await members.group_of("lamp") is None
    assert (await members.things_in("north", Paging())).items == []


async def test_a_thing_is_in_one(registry: Registry) -> None:
    await registry.things.create("lamp", billing_group="north")
    with pytest.raises(InvalidRequest, match="north"):
        await registry.billing_members.join("lamp", "south")
    assert await registry.billing_members.group_of("lamp") == "north"


async def test_a_thing_is_made_in_one(registry: Registry) -> None:
    made = await registry.things.create("lamp", billing_group="north")
    assert await registry.things.create("lamp", billing_group="north") == made
    for other in (None, "south"):
        with pytest.raises(ResourceAlreadyExists):
            await registry.things.create("lamp", billing_group=other)
    with pytest.raises(ResourceNotFound):
        await registry.things.create("fan", billing_group="nowhere")
    with pytest.raises(ResourceNotFound):
        await registry.things.describe("fan")


async def test_who_must_be_there(registry: Registry) -> None:
    await registry.things.create("lamp")
    for thing, group in (("lamp", "nowhere"), ("none", "north")):
        with pytest.raises(ResourceNotFound):
            await registry.billing_members.join(thing, group)
        with pytest.raises(ResourceNotFound):
            await registry.billing_members.leave(thing, group)
    with pytest.raises(ResourceNotFound):
        await registry.billing_members.things_in("nowhere", Paging())


async def test_things_are_listed_in_pages(registry: Registry) -> None:
    for number in range(5):
        await registry.things.create(f"t{number}", billing_group="south" if number == 2 else "north")
    first = await registry.billing_members.things_in("north", Paging(size=3))
    assert first.items == ["t0", "t1", "t3"]
    assert (await registry.billing_members.things_in("north", Paging(first.next))).items == ["t4"]


async def test_a_thing_or_group_that_goes_leaves_nothing(registry: Registry) -> None:
    for name in ("lamp", "fan"):
        await registry.things.create(name, billing_group="north")
    await registry.things.delete("lamp")
    assert (await registry.billing_members.things_in("north", Paging())).items == ["fan"]
    await registry.billing_groups.delete("north")
    assert await registry.billing_members.group_of("fan") is None
    await registry.billing_groups.create("north")
    assert (await registry.billing_members.things_in("north", Paging())).items == []
    await registry.billing_members.join("fan", "south")


async def test_of_many_groups_that_a_thing_joins_at_once_it_is_in_one(slow_registry: Registry) -> None:
    registry = slow_registry
    names = [f"g{number}" for number in range(6)]
    for name in names:
        await registry.billing_groups.create(name)
    await registry.things.create("lamp")
    results = await asyncio.gather(
        *(registry.billing_members.join("lamp", name) for name in names), return_exceptions=True
    )
    assert [type(one) for one in results if one is not None] == [InvalidRequest] * 5
    assert await registry.billing_members.group_of("lamp") == names[results.index(None)]


async def test_joining_leaving_and_deleting_at_once_leave_nothing_half_done(
    slow_documents: SlowDocuments, slow_registry: Registry
) -> None:
    """Whatever the order was: a membership is of a thing and a group that are there."""
    registry = slow_registry
    for name in ("lamp", "fan"):
        await registry.things.create(name)
    await registry.billing_groups.create("north")
    await registry.billing_members.join("fan", "north")
    results = await asyncio.gather(
        registry.billing_members.join("lamp", "north"),
        registry.billing_groups.delete("north"),
        registry.billing_members.leave("fan", "north"),
        registry.things.delete("lamp"),
        registry.things.create("new", billing_group="north"),
        return_exceptions=True,
    )
    assert {type(one) for one in results if isinstance(one, BaseException)} <= {ResourceNotFound}
    assert await slow_documents.scan("billing-group") == []
    assert await slow_documents.scan("billing-group-member") == []


@pytest.mark.parametrize("gone", ["thing", "group"])
async def test_what_goes_while_it_is_joined_is_not_joined(
    held_documents: HeldDocuments, held_registry: Registry, gone: str
) -> None:
    registry = held_registry
    await registry.things.create("lamp")
    await registry.billing_groups.create("north")
    deletions = {
        "thing": partial(registry.things.delete, "lamp"),
        "group": partial(registry.billing_groups.delete, "north"),
    }
    held_documents.meanwhile = deletions[gone]
    with pytest.raises(ResourceNotFound):
        await registry.billing_members.join("lamp", "north")
    assert await held_documents.scan("billing-group-member") == []


async def test_a_thing_is_not_made_in_a_group_that_goes_meanwhile(
    held_documents: HeldDocuments, held_registry: Registry
) -> None:
    registry = held_registry
    await registry.billing_groups.create("north")
    held_documents.meanwhile = partial(registry.billing_groups.delete, "north")
    with pytest.raises(ResourceNotFound):
        await registry.things.create("lamp", billing_group="north")
    assert await held_documents.scan("thing") == await held_documents.scan("billing-group-member") == []


async def test_a_group_that_is_joined_while_it_goes_takes_its_new_member_along(
    held_documents: HeldDocuments, held_registry: Registry
) -> None:
    """`removal`: who joins after the mark takes it off, so that the deletion looks again."""
    registry = held_registry
    for name in ("lamp", "fan"):
        await registry.things.create(name)
    await registry.billing_groups.create("north")

    async def mark_and_join() -> None:
        held_documents.meanwhile = partial(registry.billing_members.join, "lamp", "north")

    held_documents.meanwhile = mark_and_join  # so that the join comes between the mark and the deletion
    await registry.billing_groups.delete("north")
    assert await held_documents.scan("billing-group") == await held_documents.scan("billing-group-member") == []
