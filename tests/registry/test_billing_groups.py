import pytest

from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound, VersionConflict
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock


async def test_one_is_made_described_changed_and_deleted(registry: Registry, clock: FakeClock) -> None:
    groups = registry.billing_groups
    made = await groups.create("north", "all of it")
    assert await groups.describe("north") == made
    assert (made.created, made.version, made.description) == (clock.time(), 1, "all of it")
    assert groups.arn("north") == "arn:aws:iot:eu-west-1:123456789012:billinggroup/north"
    changed = await groups.update("north", "most of it", expected_version=1)
    assert (changed.version, changed.description, changed.id) == (2, "most of it", made.id)
    assert (await groups.update("north", None)).description == "most of it"
    await groups.delete("north", expected_version=3)
    with pytest.raises(ResourceNotFound):
        await groups.describe("north")
    assert (await groups.create("north")).id != made.id


async def test_the_same_once_more_succeeds_and_something_else_does_not(registry: Registry) -> None:
    """API reference, CreateBillingGroup."""
    made = await registry.billing_groups.create("north", "a")
    assert await registry.billing_groups.create("north", "a") == made
    with pytest.raises(ResourceAlreadyExists) as refused:
        await registry.billing_groups.create("north", "b")
    assert refused.value.members == {"resourceId": made.id, "resourceArn": registry.billing_groups.arn("north")}


async def test_versions_are_expected(registry: Registry) -> None:
    await registry.billing_groups.create("north")
    with pytest.raises(VersionConflict):
        await registry.billing_groups.update("north", "x", expected_version=2)
    with pytest.raises(VersionConflict):
        await registry.billing_groups.delete("north", expected_version=2)


async def test_one_that_does_not_exist_is_deleted_all_the_same(registry: Registry) -> None:
    """API reference, DeleteBillingGroup, has no ResourceNotFoundException."""
    await registry.billing_groups.delete("north")
    with pytest.raises(ResourceNotFound):
        await registry.billing_groups.update("north", "x")


async def test_they_are_listed_by_name_and_prefix(registry: Registry) -> None:
    for name in ("b", "ab", "aa", "c"):
        await registry.billing_groups.create(name)
    first = await registry.billing_groups.page(Paging(size=3))
    assert [one.name for one in first.items] == ["aa", "ab", "b"]
    assert [one.name for one in (await registry.billing_groups.page(Paging(first.next))).items] == ["c"]
    assert [one.name for one in (await registry.billing_groups.page(Paging(), "a")).items] == ["aa", "ab"]
    with pytest.raises(InvalidRequest):
        await registry.billing_groups.page(Paging(first.next), "a")


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "é", "a/b"])
async def test_names_that_are_none(registry: Registry, name: str) -> None:
    with pytest.raises(InvalidRequest):
        await registry.billing_groups.create(name)
    with pytest.raises(InvalidRequest):
        await registry.billing_groups.delete(name)


async def test_descriptions_have_bounds(registry: Registry) -> None:
    await registry.billing_groups.create("a", "x" * 2028)
    for description in ("x" * 2029, "é", "a\nb"):
        with pytest.raises(InvalidRequest):
            await registry.billing_groups.create("b", description)
