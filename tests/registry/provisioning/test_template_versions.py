"""Versions of templates (API reference, CreateProvisioningTemplateVersion)."""

import asyncio

import pytest
from tests.registry.provisioning.stage import FLEET, ROLE, body

from fogbank.errors import DeleteConflict, InvalidRequest, ResourceNotFound
from fogbank.registry.errors import VersionsLimitExceeded
from fogbank.registry.provisioning.template_versions import TemplateVersions
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging

SECOND = body(FLEET | {"DeviceConfiguration": {"version": "2"}})


@pytest.fixture
async def versions(registry: Registry) -> TemplateVersions:
    await registry.provisioning_templates.create("T", body(FLEET), ROLE)
    return registry.template_versions


async def test_a_version_is_in_effect_where_it_is_to_be(registry: Registry, versions: TemplateVersions) -> None:
    templates = registry.provisioning_templates
    assert await versions.create("T", SECOND, default=False) == 2
    assert (await templates.describe("T")).body == body(FLEET)
    await templates.update("T", default=2)
    assert (await templates.describe("T")).body == SECOND
    assert await versions.create("T", body(FLEET), default=True) == 3
    assert (await templates.describe("T")).default == 3
    template, version = await versions.describe("T", 2)
    assert (template.name, version.body) == ("T", SECOND)


async def test_there_are_five_and_numbers_are_given_once(versions: TemplateVersions) -> None:
    for number in range(2, 6):
        assert await versions.create("T", SECOND, default=False) == number
    with pytest.raises(VersionsLimitExceeded):
        await versions.create("T", SECOND, default=True)
    await versions.delete("T", 5)
    assert await versions.create("T", SECOND, default=False) == 6
    _, page = await versions.page("T", Paging(size=3))
    _, rest = await versions.page("T", Paging(page.next, 3))
    assert (page.items, rest.items, rest.next) == ([1, 2, 3], [4, 6], None)


async def test_the_default_one_stays(versions: TemplateVersions) -> None:
    with pytest.raises(DeleteConflict):
        await versions.delete("T", 1)
    await versions.create("T", SECOND, default=True)
    await versions.delete("T", 1)
    with pytest.raises(ResourceNotFound):
        await versions.describe("T", 1)
    with pytest.raises(DeleteConflict):
        await versions.delete("T", 2)


async def test_what_is_not_there(versions: TemplateVersions) -> None:
    for call in (
        versions.create("U", SECOND, default=False),
        versions.describe("U", 1),
        versions.describe("T", 2),
        versions.page("U", Paging()),
        versions.delete("T", 2),
        versions.delete("U", 1),
    ):
        with pytest.raises(ResourceNotFound):
            await call


async def test_bodies_are_checked(versions: TemplateVersions) -> None:
    with pytest.raises(InvalidRequest):
        await versions.create("T", "{}", default=False)


async def test_those_who_make_versions_at_once_make_five(slow_registry: Registry) -> None:
    await slow_registry.provisioning_templates.create("T", body(FLEET), ROLE)
    making = (slow_registry.template_versions.create("T", SECOND, default=True) for _ in range(7))
    made = await asyncio.gather(*making, return_exceptions=True)
    assert sorted(one for one in made if isinstance(one, int)) == [2, 3, 4, 5]
    template = await slow_registry.provisioning_templates.describe("T")
    assert (len(template.versions), template.default) == (5, 5)
