from collections.abc import Awaitable, Callable

import pytest

from fogbank.errors import InvalidRequest, ResourceNotFound
from fogbank.registry.records import Certificate
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging

Enrol = Callable[[], Awaitable[Certificate]]
NOBODY = "arn:aws:iot:eu-west-1:123456789012:cert/" + "0" * 64


@pytest.fixture
async def arn(registry: Registry, enrol: Enrol) -> str:
    for name in ("lamp", "fan"):
        await registry.things.create(name)
    return registry.certificates.arn((await enrol()).id)


async def _things(registry: Registry, arn: str, exclusive: bool | None = None) -> list[tuple[str, bool]]:
    page = await registry.thing_principals.of_principal(arn, Paging(), exclusive=exclusive)
    return [(one.thing, one.exclusive) for one in page.items]


async def test_attachments_are_listed_from_both_ends(registry: Registry, arn: str) -> None:
    await registry.thing_principals.attach("lamp", arn)
    await registry.thing_principals.attach("fan", arn)
    await registry.thing_principals.attach("fan", arn)
    assert await _things(registry, arn) == [("fan", False), ("lamp", False)]
    page = await registry.thing_principals.of_thing("lamp", Paging())
    assert [registry.certificates.arn(one.certificate) for one in page.items] == [arn]
    await registry.thing_principals.detach("lamp", arn)
    assert await _things(registry, arn) == [("fan", False)]
    assert (await registry.thing_principals.of_thing("lamp", Paging())).items == []


async def test_exclusively_means_no_other_thing(registry: Registry, arn: str) -> None:
    """Developer guide, exclusive-thing."""
    await registry.thing_principals.attach("lamp", arn, exclusive=True)
    for exclusive in (None, False, True):
        with pytest.raises(InvalidRequest, match="attached to thing lamp exclusively"):
            await registry.thing_principals.attach("fan", arn, exclusive=exclusive)
    await registry.thing_principals.attach("lamp", arn)
    assert await _things(registry, arn) == [("lamp", True)]


async def test_a_shared_certificate_cannot_become_exclusive(registry: Registry, arn: str) -> None:
    await registry.thing_principals.attach("lamp", arn)
    with pytest.raises(InvalidRequest, match="exclusively as well"):
        await registry.thing_principals.attach("fan", arn, exclusive=True)
    await registry.thing_principals.attach("fan", arn)
    with pytest.raises(InvalidRequest):
        await registry.thing_principals.attach("fan", arn, exclusive=True)


async def test_the_type_of_an_only_attachment_can_change(registry: Registry, arn: str) -> None:
    await registry.thing_principals.attach("lamp", arn)
    await registry.thing_principals.attach("lamp", arn, exclusive=True)
    assert await _things(registry, arn) == [("lamp", True)]
    await registry.thing_principals.attach("lamp", arn, exclusive=False)
    await registry.thing_principals.attach("fan", arn)


async def test_lists_can_be_of_one_type(registry: Registry, arn: str, enrol: Enrol) -> None:
    other = registry.certificates.arn((await enrol()).id)
    await registry.thing_principals.attach("lamp", arn, exclusive=True)
    await registry.thing_principals.attach("lamp", other)
    assert await _things(registry, arn, exclusive=False) == []
    assert await _things(registry, arn, exclusive=True) == [("lamp", True)]
    page = await registry.thing_principals.of_thing("lamp", Paging(), exclusive=False)
    assert [registry.certificates.arn(one.certificate) for one in page.items] == [other]


async def test_one_type_is_paged_too(registry: Registry, enrol: Enrol) -> None:
    await registry.things.create("hub")
    arns = sorted([registry.certificates.arn((await enrol()).id) for _ in range(6)])
    for number, one in enumerate(arns):
        await registry.thing_principals.attach("hub", one, exclusive=number % 2 == 0)
    first = await registry.thing_principals.of_thing("hub", Paging(size=2), exclusive=True)
    second = await registry.thing_principals.of_thing("hub", Paging(first.next, 2), exclusive=True)
    listed = [registry.certificates.arn(one.certificate) for one in first.items + second.items]
    assert (listed, second.next) == (arns[::2], None)


async def test_both_must_be_there(registry: Registry, arn: str) -> None:
    for call in (
        registry.thing_principals.attach("none-such", arn),
        registry.thing_principals.attach("lamp", NOBODY),
        registry.thing_principals.detach("none-such", arn),
        registry.thing_principals.of_thing("none-such", Paging()),
        registry.thing_principals.of_principal(NOBODY, Paging()),
    ):
        with pytest.raises(ResourceNotFound):
            await call


async def test_detaching_what_is_not_attached_changes_nothing(registry: Registry, arn: str) -> None:
    await registry.thing_principals.detach("lamp", arn)
    assert await _things(registry, arn) == []
