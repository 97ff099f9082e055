from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound, VersionConflict
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.records import Certificate, Thing
from fogbank.registry.registry import Registry
from fogbank.registry.things import AttributeUpdate, Search
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock

Enrol = Callable[[], Awaitable[Certificate]]


async def test_a_thing_is_as_it_was_made(registry: Registry) -> None:
    made = await registry.things.create("lamp", attributes={"colour": "red"})
    assert await registry.things.describe("lamp") == made
    assert (made.name, made.attributes, made.version, made.type_name) == ("lamp", {"colour": "red"}, 1, None)
    assert registry.things.arn("lamp") == "arn:aws:iot:eu-west-1:123456789012:thing/lamp"


async def test_making_it_again_alike_gives_the_same_thing(registry: Registry) -> None:
    """API reference, CreateThing: the same name and configuration succeeds, another configuration does not."""
    made = await registry.things.create("lamp", attributes={"colour": "red"})
    assert await registry.things.create("lamp", attributes={"colour": "red"}) == made
    with pytest.raises(ResourceAlreadyExists) as refused:
        await registry.things.create("lamp")
    assert refused.value.members == {"resourceId": made.id, "resourceArn": registry.things.arn("lamp")}


@pytest.mark.parametrize("name", ["", "a" * 129, "a b", "a/b", "lämp", "lamp\n"])
async def test_bad_names_are_refused_in_words_of_aws(registry: Registry, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"(?s)1 validation error detected: Value '.*' at 'thingName' failed"):
        await registry.things.create(name)


@pytest.mark.parametrize(
    "attributes",
    [
        {"a b": "1"},
        {"a": "with space"},
        {"a": "x" * 801},
        {"n" * 129: "x"},
        {"": "x"},
        {"a": "1", "b": "2", "c": "3", "d": "4"},
    ],
)
async def test_attributes_keep_within_the_limits_of_an_untyped_thing(
    registry: Registry, attributes: dict[str, str]
) -> None:
    with pytest.raises(InvalidRequest):
        await registry.things.create("lamp", attributes=attributes)
    with pytest.raises(ResourceNotFound):
        await registry.things.describe("lamp")


async def test_a_type_allows_fifty_attributes(registry: Registry) -> None:
    await registry.thing_types.create("light")
    await registry.things.create("lamp", type_name="light", attributes={f"a{n}": "v" for n in range(50)})
    with pytest.raises(InvalidRequest, match="51 attributes"):
        await registry.things.update("lamp", attributes=AttributeUpdate({"one-more": "v"}, merge=True))
    with pytest.raises(InvalidRequest, match="50 attributes"):
        await registry.things.update("lamp", remove_type=True)


@pytest.mark.parametrize(
    ("payload", "merge", "expected"),
    [
        ({"b": "2"}, False, {"b": "2"}),
        ({"b": "2"}, True, {"a": "1", "b": "2"}),
        ({"a": "9"}, True, {"a": "9"}),
        ({"a": ""}, True, {}),
        ({"a": ""}, False, {}),
        ({"unknown": ""}, True, {"a": "1"}),
        ({}, False, {}),
        ({}, True, {"a": "1"}),
    ],
)
async def test_an_update_replaces_or_merges_and_an_empty_value_removes(
    registry: Registry, payload: dict[str, str], merge: bool, expected: dict[str, str]
) -> None:
    """API reference, AttributePayload."""
    await registry.things.create("lamp", attributes={"a": "1"})
    await registry.things.update("lamp", attributes=AttributeUpdate(payload, merge))
    after = await registry.things.describe("lamp")
    assert (after.attributes, after.version) == (expected, 2)


async def test_an_update_of_something_else_leaves_the_rest(registry: Registry) -> None:
    await registry.thing_types.create("light")
    made = await registry.things.create("lamp", attributes={"a": "1"})
    await registry.things.update("lamp", type_name="light")
    after = await registry.things.describe("lamp")
    assert (after.id, after.type_name, after.attributes) == (made.id, "light", {"a": "1"})
    await registry.things.update("lamp", remove_type=True)
    assert (await registry.things.describe("lamp")).type_name is None


async def test_an_update_expects_the_version_it_names(registry: Registry) -> None:
    await registry.things.create("lamp")
    await registry.things.update("lamp", expected_version=1)
    with pytest.raises(VersionConflict, match="is 2, expected 1"):
        await registry.things.update("lamp", expected_version=1)
    with pytest.raises(VersionConflict):
        await registry.things.delete("lamp", expected_version=1)
    await registry.things.delete("lamp", expected_version=2)


@pytest.mark.parametrize("call", ["describe", "update"])
async def test_what_is_not_there_is_not_found(registry: Registry, call: str) -> None:
    with pytest.raises(ResourceNotFound, match="Thing lamp not found"):
        await getattr(registry.things, call)("lamp")


async def test_removing_and_giving_a_type_at_once_is_refused(registry: Registry) -> None:
    await registry.things.create("lamp")
    with pytest.raises(InvalidRequest, match="cannot be used together"):
        await registry.things.update("lamp", type_name="light", remove_type=True)


async def test_an_unknown_or_deprecated_type_is_refused(registry: Registry) -> None:
    with pytest.raises(ResourceNotFound, match="light"):
        await registry.things.create("lamp", type_name="light")
    await registry.thing_types.create("light")
    await registry.things.create("old", type_name="light")
    await registry.thing_types.deprecate("light")
    with pytest.raises(InvalidRequest, match="deprecated"):
        await registry.things.create("lamp", type_name="light")
    await registry.things.create("lamp")
    with pytest.raises(InvalidRequest, match="deprecated"):
        await registry.things.update("lamp", type_name="light")
    await registry.things.update("old", attributes=AttributeUpdate({"still": "fine"}))


async def test_a_thing_with_a_principal_is_not_deleted(registry: Registry, enrol: Enrol) -> None:
    await registry.things.create("lamp")
    arn = registry.certificates.arn((await enrol()).id)
    await registry.thing_principals.attach("lamp", arn)
    with pytest.raises(InvalidRequest, match=r"Cannot delete\. Thing lamp is still attached to one or more principals"):
        await registry.things.delete("lamp")
    await registry.thing_principals.detach("lamp", arn)
    await registry.things.delete("lamp")
    await registry.things.delete("lamp")  # API reference, DeleteThing: no error for what does not exist
    with pytest.raises(ResourceNotFound):
        await registry.things.describe("lamp")


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (Search(), ["bulb", "fan", "lamp", "torch"]),
        (Search(type_name="light"), ["bulb", "lamp"]),
        (Search(type_name="none-such"), []),
        (Search(attribute="colour"), ["bulb", "lamp", "torch"]),
        (Search(attribute="colour", value="red"), ["lamp", "torch"]),
        (Search(attribute="colour", value="re"), []),
        (Search(attribute="colour", value="re", prefix=True), ["bulb", "lamp", "torch"]),
        (Search(attribute="colour", value="", prefix=True), ["bulb", "lamp", "torch"]),
        (Search(attribute="colour", value=""), []),
        (Search(attribute="colour", value="red", type_name="light"), ["lamp"]),
        (Search(attribute="speed", value="red"), []),
    ],
)
async def test_things_are_found_by_attribute_and_type(registry: Registry, search: Search, expected: list[str]) -> None:
    await registry.thing_types.create("light")
    await registry.things.create("lamp", type_name="light", attributes={"colour": "red"})
    await registry.things.create("bulb", type_name="light", attributes={"colour": "reddish"})
    await registry.things.create("torch", attributes={"colour": "red"})
    await registry.things.create("fan", attributes={"speed": "3"})
    page = await registry.things.page(Paging(), search)
    assert [thing.name for thing in page.items] == expected


@pytest.mark.parametrize(
    "search",
    [
        Search(value="red"),
        Search(attribute="a", prefix=True),
        Search(attribute="a b"),
        Search(attribute="a", value=" "),
        Search(type_name="a/b"),
    ],
)
async def test_a_search_that_makes_no_sense_is_refused(registry: Registry, search: Search) -> None:
    with pytest.raises(InvalidRequest):
        await registry.things.page(Paging(), search)


async def test_a_token_serves_only_the_list_it_came_from(registry: Registry) -> None:
    for name in ("a", "b"):
        await registry.things.create(name, attributes={"x": "1"})
    token = (await registry.things.page(Paging(size=1))).next
    with pytest.raises(InvalidRequest, match="Invalid token"):
        await registry.things.page(Paging(token), Search(attribute="x"))


_names = st.text("abAB:_-0", min_size=1, max_size=4)
_fleets = st.dictionaries(
    _names, st.dictionaries(st.sampled_from("xyz"), st.sampled_from(["1", "10", "2"])), max_size=25
)


@given(
    fleet=_fleets,
    size=st.integers(1, 30),
    search=st.sampled_from([Search(), Search(attribute="x"), Search(attribute="x", value="1", prefix=True)]),
)
@settings(max_examples=60, deadline=None)
async def test_pages_of_any_size_give_the_whole_in_order(
    own_ca: OwnCa, fleet: dict[str, dict[str, str]], size: int, search: Search
) -> None:
    registry = Registry(MemoryDocuments(), Arns("eu-west-1", "123456789012"), FakeClock(), own_ca.devices, Published())
    for name, attributes in fleet.items():
        await registry.things.create(name, attributes=attributes)
    listed: list[Thing] = []
    token: str | None = None
    while True:
        page = await registry.things.page(Paging(token, size), search)
        listed += page.items
        assert len(page.items) == size or page.next is None
        token = page.next
        if token is None:
            break
    expected = sorted(name for name, attributes in fleet.items() if _naive_match(attributes, search))
    assert [thing.name for thing in listed] == expected


def _naive_match(attributes: dict[str, str], search: Search) -> bool:
    if search.attribute is None:
        return True
    return attributes.get(search.attribute, "").startswith(search.value or "") and search.attribute in attributes
