from collections.abc import Awaitable, Callable

import pytest

from fogbank.errors import DeleteConflict, InvalidRequest, LimitExceeded, ResourceNotFound
from fogbank.registry.paging import Paging
from fogbank.registry.records import Certificate
from fogbank.registry.registry import Registry

Enrol = Callable[[], Awaitable[Certificate]]
POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'
NOBODY = "arn:aws:iot:eu-west-1:123456789012:cert/" + "0" * 64


@pytest.fixture
async def arn(registry: Registry, enrol: Enrol) -> str:
    return registry.certificates.arn((await enrol()).id)


async def test_a_policy_is_listed_from_both_ends(registry: Registry, arn: str) -> None:
    for name in ("b", "a"):
        await registry.policies.create(name, POLICY)
        await registry.policy_attachments.attach(name, arn)
    await registry.policy_attachments.attach("a", arn)  # once more changes nothing
    assert (await registry.policy_attachments.of_target(arn, Paging())).items == ["a", "b"]
    assert (await registry.policy_attachments.targets("a", Paging())).items == [arn]
    await registry.policy_attachments.detach("a", arn)
    assert (await registry.policy_attachments.of_target(arn, Paging())).items == ["b"]
    assert (await registry.policy_attachments.targets("a", Paging())).items == []


async def test_lists_are_paged_both_ways(registry: Registry, enrol: Enrol) -> None:
    await registry.policies.create("p", POLICY)
    arns = sorted([registry.certificates.arn((await enrol()).id) for _ in range(5)])
    for one in arns:
        await registry.policy_attachments.attach("p", one)
    listed: list[str] = []
    token = None
    for expected in (2, 2, 1):
        page = await registry.policy_attachments.targets("p", Paging(token, 2))
        assert len(page.items) == expected
        listed += page.items
        token = page.next
    assert (listed, token) == (arns, None)

    for name in ("q", "r"):
        await registry.policies.create(name, POLICY)
        await registry.policy_attachments.attach(name, arns[0])
    first = await registry.policy_attachments.of_target(arns[0], Paging(size=2))
    second = await registry.policy_attachments.of_target(arns[0], Paging(first.next, 2))
    assert first.items + second.items == ["p", "q", "r"]


async def test_ten_policies_are_the_most(registry: Registry, arn: str) -> None:
    """General reference, IoT Core security limits."""
    for number in range(11):
        await registry.policies.create(f"p{number}", POLICY)
    for number in range(10):
        await registry.policy_attachments.attach(f"p{number}", arn)
    with pytest.raises(LimitExceeded, match="10"):
        await registry.policy_attachments.attach("p10", arn)
    await registry.policy_attachments.attach("p9", arn)


async def test_attaching_needs_both(registry: Registry, arn: str) -> None:
    with pytest.raises(ResourceNotFound, match="Policy"):
        await registry.policy_attachments.attach("p", arn)
    await registry.policies.create("p", POLICY)
    with pytest.raises(ResourceNotFound, match="certificate"):
        await registry.policy_attachments.attach("p", NOBODY)


async def test_detaching_minds_the_target_only(registry: Registry, arn: str) -> None:
    """As infrastructure tools rely on it: no error for an unknown policy, "Invalid Target" for an unknown target."""
    await registry.policy_attachments.detach("none-such", arn)
    with pytest.raises(InvalidRequest, match="Invalid Target"):
        await registry.policy_attachments.detach("none-such", NOBODY)


async def test_an_attached_policy_is_not_deleted(registry: Registry, arn: str) -> None:
    await registry.policies.create("p", POLICY)
    await registry.policy_attachments.attach("p", arn)
    with pytest.raises(DeleteConflict) as refused:
        await registry.policies.delete("p")
    expected = "The policy cannot be deleted as the policy is attached to one or more principals (name=p)"
    assert refused.value.message == expected
    await registry.policy_attachments.detach("p", arn)
    await registry.policies.delete("p")


async def test_other_targets_are_refused(registry: Registry) -> None:
    for call in (
        registry.policy_attachments.attach("p", "x"),
        registry.policy_attachments.detach("p", "x"),
        registry.policy_attachments.of_target("x", Paging()),
        registry.thing_principals.attach("t", "x"),
        registry.thing_principals.detach("t", "x"),
        registry.thing_principals.of_principal("x", Paging()),
    ):
        with pytest.raises(InvalidRequest, match="Invalid Target"):
            await call


async def test_lists_of_what_is_not_there_are_not_found(registry: Registry) -> None:
    with pytest.raises(ResourceNotFound):
        await registry.policy_attachments.of_target(NOBODY, Paging())
    with pytest.raises(ResourceNotFound):
        await registry.policy_attachments.targets("p", Paging())
