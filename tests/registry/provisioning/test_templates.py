"""Templates of the account: what is taken, what is refused, and that a race leaves what one after the other would."""

import asyncio
from typing import Any

import pytest
from tests.registry.provisioning.stage import FLEET, HOOK, JITP, ROLE, body

from fogbank.errors import DeleteConflict, InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound
from fogbank.ports import Documents
from fogbank.registry.provisioning import templates
from fogbank.registry.provisioning.records import Hook, ProvisioningRecords, TemplateType
from fogbank.registry.provisioning.templates import ProvisioningTemplates
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging
from fogbank.testing import FakeClock

A_HOOK = Hook(HOOK, "2020-04-01")


@pytest.fixture
def made(registry: Registry) -> ProvisioningTemplates:
    return registry.provisioning_templates


async def create(made: ProvisioningTemplates, name: str = "T", **more: Any) -> None:
    await made.create(name, body(more.pop("template", FLEET)), more.pop("role_arn", ROLE), **more)


async def test_a_template_is_off_and_for_fleets_unless_said_otherwise(made: ProvisioningTemplates) -> None:
    await create(made)
    template = await made.describe("T")
    assert (template.enabled, template.type) == (False, TemplateType.FLEET_PROVISIONING)
    assert (template.default, template.last, template.body) == (1, 1, body(FLEET))


@pytest.mark.parametrize("name", ["", "a" * 37, "a b", "a/b", "ü", "a\n", "a:b"])
async def test_names(made: ProvisioningTemplates, name: str) -> None:
    """API model: ^[0-9A-Za-z_-]+$, 1 to 36."""
    with pytest.raises(InvalidRequest):
        await create(made, name)


@pytest.mark.parametrize(
    ("template", "type_"),
    [
        ({}, TemplateType.FLEET_PROVISIONING),
        ({"Resources": {}}, TemplateType.FLEET_PROVISIONING),
        (FLEET, TemplateType.JITP),
        (FLEET | {"Parameters": {}}, TemplateType.FLEET_PROVISIONING),
        (FLEET | {"Description": "x" * 10_240}, TemplateType.FLEET_PROVISIONING),
    ],
)
async def test_bodies_are_checked_at_once(
    made: ProvisioningTemplates, template: dict[str, Any], type_: TemplateType
) -> None:
    with pytest.raises(InvalidRequest):
        await create(made, template=template, type_=type_)
    with pytest.raises(ResourceNotFound):
        await made.describe("T")


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 10_240, " " * 10_241])
async def test_what_is_no_template(made: ProvisioningTemplates, text: str) -> None:
    with pytest.raises(InvalidRequest):
        await made.create("T", text, ROLE)


@pytest.mark.parametrize(
    "hook", [Hook(HOOK, "2020-04-02"), Hook("hook", "2020-04-01"), Hook(ROLE, "2020-04-01"), Hook("", "2020-04-01")]
)
async def test_hooks_that_cannot_be(made: ProvisioningTemplates, hook: Hook) -> None:
    with pytest.raises(InvalidRequest):
        await create(made, hook=hook)
    await create(made)
    with pytest.raises(InvalidRequest):
        await made.update("T", hook=hook)


@pytest.mark.parametrize("role", ["role", HOOK, "arn:aws:iam::123456789012:role/"])
async def test_roles_that_cannot_be(made: ProvisioningTemplates, role: str) -> None:
    with pytest.raises(InvalidRequest):
        await create(made, role_arn=role)
    await create(made)
    with pytest.raises(InvalidRequest):
        await made.update("T", role_arn=role)


async def test_names_are_taken_once(made: ProvisioningTemplates) -> None:
    await create(made)
    with pytest.raises(ResourceAlreadyExists):
        await create(made)


async def test_updates(made: ProvisioningTemplates, clock: FakeClock) -> None:
    await create(made, description="one")
    await clock.advance(5)
    await made.update("T", enabled=True, hook=A_HOOK)
    template = await made.describe("T")
    assert (template.enabled, template.hook, template.description) == (True, A_HOOK, "one")
    assert template.modified == template.created + 5
    await made.update("T", description="two", role_arn=ROLE + "2")
    template = await made.describe("T")
    assert (template.enabled, template.hook, template.description) == (True, A_HOOK, "two")
    assert template.role_arn == ROLE + "2"
    await made.update("T", enabled=False, remove_hook=True)
    template = await made.describe("T")
    assert (template.enabled, template.hook) == (False, None)
    with pytest.raises(InvalidRequest):
        await made.update("T", hook=A_HOOK, remove_hook=True)
    with pytest.raises(ResourceNotFound):
        await made.update("T", default=2)
    with pytest.raises(ResourceNotFound):
        await made.update("U", enabled=True)


async def test_they_are_listed_by_name(made: ProvisioningTemplates) -> None:
    for name in ("b", "c", "a"):
        await create(made, name)
    first = await made.page(Paging(size=2))
    rest = await made.page(Paging(first.next, 2))
    assert [one.name for one in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert rest.next is None


async def test_tags_come_and_go_with_it(made: ProvisioningTemplates, registry: Registry) -> None:
    await create(made, tags={"site": "hall"})
    arn = made.arn("T")
    assert arn == "arn:aws:iot:eu-west-1:123456789012:provisioningtemplate/T"
    assert await registry.tags.list(arn) == {"site": "hall"}
    await made.delete("T")
    with pytest.raises(ResourceNotFound):
        await registry.tags.list(arn)
    assert await registry.tags.of(arn) == {}
    with pytest.raises(ResourceNotFound):
        await made.delete("T")


async def test_what_a_ca_names_stays(
    made: ProvisioningTemplates, documents: Documents, registry: Registry, clock: FakeClock
) -> None:
    async def used(name: str) -> bool:
        return name == "T"

    named = ProvisioningTemplates(ProvisioningRecords(documents), registry.arns, clock, registry.tags, used)
    await create(named, template=JITP, type_=TemplateType.JITP)
    with pytest.raises(DeleteConflict):
        await named.delete("T")
    await made.delete("T")


async def test_there_are_256_and_no_more(slow_registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """General reference. Those who make the last ones at once do not make more."""
    assert templates.MOST == 256
    monkeypatch.setattr(templates, "MOST", 3)
    made = slow_registry.provisioning_templates
    results = await asyncio.gather(*(create(made, f"T{n}") for n in range(8)), return_exceptions=True)
    assert sum(result is None for result in results) == 3
    assert all(result is None or isinstance(result, LimitExceeded) for result in results)
    there = [one.name for one in (await made.page(Paging())).items]
    assert len(there) == 3
    await asyncio.gather(*(made.delete(name) for name in there[:2]))
    await create(made, "another")
    await create(made, "last")
    with pytest.raises(LimitExceeded):
        await create(made, "more")
