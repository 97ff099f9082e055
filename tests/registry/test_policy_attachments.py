from collections.abc import Awaitable, Callable

import pytest

from fogbank.errors import DeleteConflict, InvalidRequest, LimitExceeded, ResourceNotFound
from fogbank.ports import Put
from fogbank.registry.records import Certificate
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging

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


@pytest.fixture
async def groups(registry: Registry) -> list[str]:
    """The ARNs of house > upstairs > bath, and the policies a to e."""
    for name, parent in (("house", None), ("upstairs", "house"), ("bath", "upstairs")):
        await registry.thing_groups.create(name, parent=parent)
    for name in "abcde":
        await registry.policies.create(name, POLICY)
    return [registry.thing_groups.arn(name) for name in ("house", "upstairs", "bath")]


async def test_a_group_holds_two_policies(registry: Registry, groups: list[str]) -> None:
    """General reference, IoT Core security limits."""
    house = groups[0]
    for policy in "ab":
        await registry.policy_attachments.attach(policy, house)
    with pytest.raises(LimitExceeded, match="2"):
        await registry.policy_attachments.attach("c", house)
    assert (await registry.policy_attachments.of_target(house, Paging())).items == ["a", "b"]
    assert (await registry.policy_attachments.targets("a", Paging())).items == [house]
    await registry.policy_attachments.detach("a", house)
    await registry.policy_attachments.attach("c", house)


async def test_a_group_inherits(registry: Registry, groups: list[str]) -> None:
    """API reference, ListAttachedPolicies: recursively, the policies of parent groups too."""
    house, upstairs, bath = groups
    for policy, group in (("d", house), ("b", house), ("b", upstairs), ("c", bath), ("a", bath)):
        await registry.policy_attachments.attach(policy, group)
    listed = registry.policy_attachments.of_target
    assert (await listed(bath, Paging())).items == ["a", "c"]
    assert (await listed(bath, Paging(), recursive=True)).items == ["a", "b", "c", "d"]
    assert (await listed(upstairs, Paging(), recursive=True)).items == ["b", "d"]
    first = await listed(bath, Paging(size=3), recursive=True)
    assert first.items + (await listed(bath, Paging(first.next, 3), recursive=True)).items == ["a", "b", "c", "d"]


async def test_a_cognito_identity_holds_ten(registry: Registry) -> None:
    identity = "eu-west-1:8d0b9e1c-1111-4222-8333-444455556666"
    assert (await registry.policy_attachments.of_target(identity, Paging())).items == []
    for number in range(11):
        await registry.policies.create(f"p{number:02}", POLICY)
    for number in range(10):
        await registry.policy_attachments.attach(f"p{number:02}", identity)
    with pytest.raises(LimitExceeded):
        await registry.policy_attachments.attach("p10", identity)
    await registry.policy_attachments.detach("p00", identity)
    assert (await registry.policy_attachments.targets("p01", Paging())).items == [identity]
    assert len((await registry.policy_attachments.of_target(identity, Paging())).items) == 9


async def test_groups_that_are_not_there(registry: Registry, groups: list[str]) -> None:
    nowhere = registry.thing_groups.arn("nowhere")
    with pytest.raises(ResourceNotFound, match="nowhere"):
        await registry.policy_attachments.attach("a", nowhere)
    with pytest.raises(ResourceNotFound, match="nowhere"):
        await registry.policy_attachments.of_target(nowhere, Paging(), recursive=True)
    with pytest.raises(InvalidRequest, match="Invalid Target"):
        await registry.policy_attachments.detach("a", nowhere)


async def test_a_policy_on_a_group_alone_is_not_deleted_until_the_group_is(
    registry: Registry, groups: list[str]
) -> None:
    await registry.policy_attachments.attach("a", groups[2])
    with pytest.raises(DeleteConflict):
        await registry.policies.delete("a")
    await registry.thing_groups.delete("bath")
    await registry.policies.delete("a")


async def test_attachments_that_an_earlier_version_wrote_are_read(
    registry: Registry, arn: str, documents: MemoryDocuments
) -> None:
    """They named the certificate in their body as well."""
    await registry.policies.create("p", POLICY)
    id_ = arn.rpartition("/")[2]
    body = f'{{"certificate":"{id_}","policy":"p","created":1.0}}'.encode()
    await documents.commit(Put("policy-attachment", f"cert/{id_}/p", body, indexes={"policy": ["p"]}))
    assert (await registry.policy_attachments.of_target(arn, Paging())).items == ["p"]
    assert (await registry.policy_attachments.targets("p", Paging())).items == [arn]
