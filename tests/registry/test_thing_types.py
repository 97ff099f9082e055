import pytest

from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound
from fogbank.registry.records import PropagatingAttribute
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock


async def test_a_type_is_as_it_was_made_and_made_again_alike(registry: Registry, clock: FakeClock) -> None:
    made = await registry.thing_types.create("light", "things that shine", ["colour", "watts"])
    assert await registry.thing_types.describe("light") == made
    assert (made.created, made.deprecated) == (clock.time(), None)
    assert await registry.thing_types.create("light", "things that shine", ["watts", "colour"]) == made
    with pytest.raises(ResourceAlreadyExists):
        await registry.thing_types.create("light")


@pytest.mark.parametrize(
    ("name", "description", "searchable"),
    [
        ("a b", None, []),
        ("light", "\t", []),
        ("light", "x" * 2029, []),
        ("light", None, ["a", "b", "c", "d"]),
        ("light", None, ["a", "a"]),
        ("light", None, ["a b"]),
    ],
)
async def test_bad_properties_are_refused(
    registry: Registry, name: str, description: str | None, searchable: list[str]
) -> None:
    with pytest.raises(InvalidRequest):
        await registry.thing_types.create(name, description, searchable)


async def test_only_the_description_can_be_updated(registry: Registry) -> None:
    await registry.thing_types.create("light", "old", ["colour"])
    await registry.thing_types.update("light", "new", ["colour"])
    assert (await registry.thing_types.describe("light")).description == "new"
    await registry.thing_types.update("light", None, None)
    assert (await registry.thing_types.describe("light")).description == "new"
    with pytest.raises(InvalidRequest, match="searchable"):
        await registry.thing_types.update("light", None, ["watts"])
    await registry.thing_types.deprecate("light")
    with pytest.raises(InvalidRequest, match="deprecated"):
        await registry.thing_types.update("light", "newer", None)


async def test_deletion_needs_five_minutes_of_deprecation(registry: Registry, clock: FakeClock) -> None:
    """Developer guide, thing-types: deprecate, wait five minutes, delete."""
    await registry.thing_types.create("light")
    with pytest.raises(InvalidRequest, match="Cannot delete thing type : light"):
        await registry.thing_types.delete("light")
    await registry.thing_types.deprecate("light")
    await clock.advance(299)
    await registry.thing_types.deprecate("light")  # does not renew the date
    with pytest.raises(InvalidRequest, match="Please wait for 5 minutes after deprecation and then retry"):
        await registry.thing_types.delete("light")
    await clock.advance(1)
    await registry.thing_types.delete("light")
    with pytest.raises(ResourceNotFound):
        await registry.thing_types.delete("light")


async def test_a_type_in_use_is_not_deleted(registry: Registry, clock: FakeClock) -> None:
    await registry.thing_types.create("light")
    await registry.things.create("lamp", type_name="light")
    await registry.thing_types.deprecate("light")
    await clock.advance(300)
    with pytest.raises(InvalidRequest, match="associated"):
        await registry.thing_types.delete("light")
    await registry.things.update("lamp", remove_type=True)
    await registry.thing_types.delete("light")


async def test_deprecation_can_be_undone(registry: Registry, clock: FakeClock) -> None:
    await registry.thing_types.create("light")
    await registry.thing_types.deprecate("light")
    assert (await registry.thing_types.describe("light")).deprecated == clock.time()
    await registry.thing_types.deprecate("light", undo=True)
    assert (await registry.thing_types.describe("light")).deprecated is None
    await registry.things.create("lamp", type_name="light")


async def test_types_are_listed_by_name(registry: Registry) -> None:
    for name in ("c", "a", "b"):
        await registry.thing_types.create(name)
    first = await registry.thing_types.page(Paging(size=2))
    second = await registry.thing_types.page(Paging(first.next, 2))
    assert ([one.name for one in first.items], [one.name for one in second.items]) == (["a", "b"], ["c"])
    assert second.next is None
    assert [one.name for one in (await registry.thing_types.page(Paging(), name="b")).items] == ["b"]
    assert (await registry.thing_types.page(Paging(), name="d")).items == []


@pytest.mark.parametrize("call", ["describe", "deprecate", "delete"])
async def test_what_is_not_there_is_not_found(registry: Registry, call: str) -> None:
    with pytest.raises(ResourceNotFound):
        await getattr(registry.thing_types, call)("light")


COLOUR = PropagatingAttribute(key="c", thing_attribute="colour")
CLIENT = PropagatingAttribute(key="id:$.", connection_attribute="iot:ClientId")


async def test_what_propagates_is_set_replaced_and_kept(registry: Registry) -> None:
    types = registry.thing_types
    made = await types.create("light", propagating=[COLOUR, CLIENT])
    assert await types.create("light", propagating=[COLOUR, CLIENT]) == made
    with pytest.raises(ResourceAlreadyExists):
        await types.create("light", propagating=[CLIENT, COLOUR])
    await types.update("light", "shines", None)
    assert (await types.describe("light")).propagating == (COLOUR, CLIENT)
    await types.update("light", None, None, [CLIENT])
    found = await types.describe("light")
    assert (found.propagating, found.description) == ((CLIENT,), "shines")
    await types.update("light", None, None, [])
    assert (await types.describe("light")).propagating == ()


@pytest.mark.parametrize(
    "propagating",
    [
        [PropagatingAttribute(key="k")],
        [PropagatingAttribute(key="k", thing_attribute="a", connection_attribute="iot:ClientId")],
        [PropagatingAttribute(key="", thing_attribute="a")],
        [PropagatingAttribute(key="a b", thing_attribute="a")],
        [PropagatingAttribute(key="x" * 129, thing_attribute="a")],
        [PropagatingAttribute(key="k", thing_attribute="a b")],
        [PropagatingAttribute(key="k", connection_attribute="iot:SourceIp")],
        [COLOUR, PropagatingAttribute(key="c", connection_attribute="iot:ClientId")],
        [PropagatingAttribute(key=f"k{number}", thing_attribute="a") for number in range(21)],
    ],
)
async def test_what_cannot_propagate(registry: Registry, propagating: list[PropagatingAttribute]) -> None:
    """API model, PropagatingAttribute; general reference, IoT Core thing type limits."""
    with pytest.raises(InvalidRequest):
        await registry.thing_types.create("light", propagating=propagating)
    await registry.thing_types.create("light")
    with pytest.raises(InvalidRequest):
        await registry.thing_types.update("light", None, None, propagating)


async def test_twenty_attributes_propagate(registry: Registry) -> None:
    most = [PropagatingAttribute(key=f"k{number}", thing_attribute="a") for number in range(20)]
    assert len((await registry.thing_types.create("light", propagating=most)).propagating) == 20
