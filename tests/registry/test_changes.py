import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from tests.registry.conftest import HeldDocuments, SlowDocuments
from tests.registry.published import Published

from fogbank.errors import DeleteConflict, InvalidRequest, LimitExceeded, ResourceNotFound, ServiceUnavailable
from fogbank.message import Message
from fogbank.ports import EventType, Identity, StaleVersion
from fogbank.registry import changes
from fogbank.registry.records import CertificateStatus
from fogbank.registry.registry import Registry
from fogbank.registry.things import AttributeUpdate
from fogbank.storage.paging import Paging

POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'


COGNITO = "eu-west-1:8d0b9e1c-1111-4222-8333-444455556666"


async def _outcomes(*calls: Coroutine[Any, Any, Any]) -> list[type[BaseException] | None]:
    """What concurrent calls came to: the class of their error, or None."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    return [type(one) if isinstance(one, BaseException) else None for one in results]


async def _enrol(registry: Registry, csr: str, *, active: bool = True) -> str:
    made = await registry.certificates.create_from_request(csr, active=active)
    return registry.certificates.arn(made.id)


async def test_no_update_is_lost(slow_registry: Registry) -> None:
    registry = slow_registry
    await registry.thing_types.create("light")
    await registry.things.create("lamp", type_name="light")
    updates = [
        registry.things.update("lamp", attributes=AttributeUpdate({f"a{n}": "1"}, merge=True)) for n in range(20)
    ]
    await asyncio.gather(*updates)
    thing = await registry.things.describe("lamp")
    assert (len(thing.attributes), thing.version) == (20, 21)


async def test_of_many_who_expect_a_version_one_succeeds(slow_registry: Registry) -> None:
    await slow_registry.things.create("lamp")
    outcomes = await _outcomes(*(slow_registry.things.update("lamp", expected_version=1) for _ in range(8)))
    assert outcomes.count(None) == 1


async def test_many_make_the_same_thing_once(slow_registry: Registry) -> None:
    made = await asyncio.gather(*(slow_registry.things.create("lamp") for _ in range(8)))
    assert len({thing.id for thing in made}) == 1


async def test_ten_policies_stay_ten(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr)
    for number in range(14):
        await registry.policies.create(f"p{number}", POLICY)
    outcomes = await _outcomes(*(registry.policy_attachments.attach(f"p{number}", arn) for number in range(14)))
    assert sorted(outcomes, key=str) == [LimitExceeded] * 4 + [None] * 10
    assert len((await registry.policy_attachments.of_target(arn, Paging())).items) == 10


async def test_five_versions_stay_five(slow_registry: Registry) -> None:
    await slow_registry.policies.create("p", POLICY)
    outcomes = await _outcomes(*(slow_registry.policies.create_version("p", POLICY, default=True) for _ in range(7)))
    assert outcomes.count(None) == 4
    assert sorted((await slow_registry.policies.describe("p")).versions) == [1, 2, 3, 4, 5]


async def test_a_policy_is_attached_or_deleted_never_both(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr)
    await registry.policies.create("p", POLICY)
    outcomes = await _outcomes(registry.policy_attachments.attach("p", arn), registry.policies.delete("p"))
    held = (await registry.policy_attachments.of_target(arn, Paging())).items
    assert (outcomes, held) in (([None, DeleteConflict], ["p"]), ([ResourceNotFound, None], []))


async def test_a_thing_is_attached_or_deleted_never_both(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr)
    await registry.things.create("lamp")
    outcomes = await _outcomes(registry.thing_principals.attach("lamp", arn), registry.things.delete("lamp"))
    held = (await registry.thing_principals.of_principal(arn, Paging())).items
    assert (outcomes, len(held)) in (([None, InvalidRequest], 1), ([ResourceNotFound, None], 0))


async def test_a_certificate_is_attached_or_deleted_never_both(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr, active=False)
    await registry.things.create("lamp")
    await registry.policies.create("p", POLICY)
    outcomes = await _outcomes(
        registry.thing_principals.attach("lamp", arn),
        registry.policy_attachments.attach("p", arn),
        registry.certificates.delete(arn.rpartition("/")[2], force=True),
    )
    things = (await registry.thing_principals.of_thing("lamp", Paging())).items
    policies = (await registry.policy_attachments.targets("p", Paging())).items
    if outcomes[2] is None:
        assert (things, policies) == ([], [])
        await registry.policies.delete("p")
    else:
        assert outcomes == [None, None, DeleteConflict]
        assert (len(things), policies) == (1, [arn])


async def test_exclusive_means_exclusive_when_two_come_at_once(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr)
    for name in ("lamp", "fan"):
        await registry.things.create(name)
    outcomes = await _outcomes(
        registry.thing_principals.attach("lamp", arn, exclusive=True),
        registry.thing_principals.attach("fan", arn),
    )
    assert sorted(outcomes, key=str) == [InvalidRequest, None]


async def test_fifty_at_one_policy_do_not_meet(slow_documents: Any, slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    await registry.policies.create("p", POLICY)
    arns = [await _enrol(registry, csr) for _ in range(50)]
    before = slow_documents.commits
    assert set(await _outcomes(*(registry.policy_attachments.attach("p", arn) for arn in arns))) == {None}
    assert slow_documents.commits == before + 50
    assert len((await registry.policy_attachments.targets("p", Paging(size=250))).items) == 50


async def test_fifty_that_join_one_group_do_not_meet(slow_documents: Any, slow_registry: Registry) -> None:
    registry = slow_registry
    await registry.thing_groups.create("house")
    for number in range(50):
        await registry.things.create(f"t{number:02}")
    before = slow_documents.commits
    joins = (registry.group_members.update(f"t{number:02}", join=["house"]) for number in range(50))
    assert set(await _outcomes(*joins)) == {None}
    assert slow_documents.commits == before + 50
    assert len((await registry.group_members.things_in("house", Paging())).items) == 50


async def test_a_policy_that_many_attach_is_deleted_before_or_not_at_all(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arns = [await _enrol(registry, csr) for _ in range(6)]
    await registry.policies.create("p", POLICY)
    attaching = [registry.policy_attachments.attach("p", arn) for arn in arns]
    outcomes = await _outcomes(*attaching[:3], registry.policies.delete("p"), *attaching[3:])
    deleted = outcomes.pop(3)
    if deleted is None:
        assert outcomes == [ResourceNotFound] * 6
        for arn in arns:
            assert (await registry.policy_attachments.of_target(arn, Paging())).items == []
    else:
        assert (deleted, outcomes) == (DeleteConflict, [None] * 6)
        assert len((await registry.policy_attachments.targets("p", Paging())).items) == 6


async def test_who_attaches_a_policy_while_it_changes_hears_of_the_change(slow_registry: Registry, csr: str) -> None:
    """Either told by the one or by the other; and what is seen then is what is in effect in the end."""
    registry = slow_registry
    ids = [(await _enrol(registry, csr)).rpartition("/")[2] for _ in range(4)]
    await registry.policies.create("p", POLICY)
    other = POLICY.replace("iot:*", "iot:Connect")
    seen: dict[str, list[str]] = {}

    async def listener(identities: frozenset[str]) -> None:
        for id_ in identities:
            grant = await registry.principals.grant(Identity(id_, "", active=True), "x")
            seen[id_] = [one.document for one in grant.policies]

    registry.principals.watch(listener)
    await asyncio.gather(
        *(registry.policy_attachments.attach("p", registry.certificates.arn(one)) for one in ids[:2]),
        registry.policies.create_version("p", other, default=True),
        *(registry.policy_attachments.attach("p", registry.certificates.arn(one)) for one in ids[2:]),
    )
    assert seen == {id_: [other] for id_ in ids}


async def test_ten_groups_stay_ten_and_one_in_a_hierarchy(slow_registry: Registry) -> None:
    registry = slow_registry
    await registry.things.create("lamp")
    await registry.thing_groups.create("house")
    for number in range(3):
        await registry.thing_groups.create(f"room{number}", parent="house")
    for number in range(12):
        await registry.thing_groups.create(f"g{number}")
    rooms = (registry.group_members.update("lamp", join=[f"room{number}"]) for number in range(3))
    assert sorted(await _outcomes(*rooms), key=str) == [InvalidRequest] * 2 + [None]
    others = (registry.group_members.update("lamp", join=[f"g{number}"]) for number in range(12))
    assert sorted(await _outcomes(*others), key=str) == [InvalidRequest] * 3 + [None] * 9
    assert len((await registry.group_members.groups_of("lamp", Paging())).items) == 10


async def test_two_policies_of_a_group_stay_two(slow_registry: Registry) -> None:
    registry = slow_registry
    await registry.thing_groups.create("house")
    for number in range(4):
        await registry.policies.create(f"p{number}", POLICY)
    house = registry.thing_groups.arn("house")
    outcomes = await _outcomes(*(registry.policy_attachments.attach(f"p{number}", house) for number in range(4)))
    assert sorted(outcomes, key=str) == [LimitExceeded] * 2 + [None] * 2


async def test_a_group_is_joined_or_deleted_and_leaves_nothing_behind(
    slow_documents: Any, slow_registry: Registry
) -> None:
    registry = slow_registry
    await registry.things.create("lamp")
    await registry.things.create("fan")
    await registry.policies.create("p", POLICY)
    await registry.thing_groups.create("house")
    await registry.group_members.update("fan", join=["house"])
    outcomes = await _outcomes(
        registry.group_members.update("lamp", join=["house"]),
        registry.thing_groups.delete("house"),
        registry.policy_attachments.attach("p", registry.thing_groups.arn("house")),
        registry.thing_groups.create("room", parent="house"),
    )
    if outcomes[1] is None:
        assert outcomes[3] is InvalidRequest
        assert await slow_documents.scan("thing-group-member") == []
        assert await slow_documents.scan("policy-attachment") == []
        await registry.policies.delete("p")
    else:
        assert outcomes == [None, InvalidRequest, None, None]
        assert len(await slow_documents.scan("thing-group-member")) == 2


Step = Callable[[Registry, str], Coroutine[Any, Any, Any]]


@pytest.mark.parametrize(
    "step",
    [
        lambda it, arn: it.things.create("new", type_name="light"),
        lambda it, arn: it.things.update("lamp", type_name="light"),
        lambda it, arn: it.things.delete("fan"),
        lambda it, arn: it.thing_types.create("new"),
        lambda it, arn: it.thing_types.deprecate("light"),
        lambda it, arn: it.certificates.update(arn.rpartition("/")[2], CertificateStatus.INACTIVE),
        lambda it, arn: it.policies.create("new", POLICY),
        lambda it, arn: it.policies.create_version("p", POLICY, default=True),
        lambda it, arn: it.policy_attachments.attach("q", arn),
        lambda it, arn: it.policy_attachments.attach("q", it.thing_groups.arn("house")),
        lambda it, arn: it.policy_attachments.attach("q", COGNITO),
        lambda it, arn: it.thing_groups.create("new", parent="house"),
        lambda it, arn: it.thing_groups.update("house", description="new"),
        lambda it, arn: it.group_members.update("lamp", leave=["house"], join=["garden"]),
        lambda it, arn: it.things.delete("grouped"),
        lambda it, arn: it.things.create("new", billing_group="north"),
        lambda it, arn: it.billing_groups.create("new", tags={"k": "v"}),
        lambda it, arn: it.billing_groups.update("north", "new"),
        lambda it, arn: it.billing_members.join("fan", "north"),
        lambda it, arn: it.billing_members.leave("lamp", "north"),
        lambda it, arn: it.policies.create("new", POLICY, tags={"k": "v"}),
        lambda it, arn: it.thing_groups.create("new", tags={"k": "v"}),
        lambda it, arn: it.thing_types.create("new", tags={"k": "v"}),
        lambda it, arn: it.tags.add(it.thing_groups.arn("house"), {"k": "v"}),
        lambda it, arn: it.policy_attachments.detach("p", arn),
        lambda it, arn: it.thing_principals.attach("fan", arn),
        lambda it, arn: it.thing_principals.detach("lamp", arn),
    ],
)
async def test_every_call_is_one_batch(slow_documents: Any, slow_registry: Registry, csr: str, step: Step) -> None:
    """So that a kill finds all of it or nothing."""
    registry = slow_registry
    arn = await _furnished(registry, csr)
    before = slow_documents.commits
    await step(registry, arn)
    assert slow_documents.commits == before + 1


@pytest.mark.parametrize(
    "step",
    [
        lambda it, arn: it.policies.delete("q"),
        lambda it, arn: it.thing_groups.delete("house"),
        lambda it, arn: it.billing_groups.delete("north"),
    ],
)
async def test_a_removal_marks_and_then_is_one_batch(
    slow_documents: Any, slow_registry: Registry, csr: str, step: Step
) -> None:
    """See `removal`: a kill after the first leaves nothing that anybody can tell from before."""
    arn = await _furnished(slow_registry, csr)
    before = slow_documents.commits
    await step(slow_registry, arn)
    assert slow_documents.commits == before + 2


async def _furnished(registry: Registry, csr: str) -> str:
    """Something of everything; the ARN of a certificate."""
    arn = await _enrol(registry, csr)
    await registry.thing_types.create("light")
    for name in ("lamp", "fan", "grouped"):
        await registry.things.create(name)
    for name in ("house", "garden"):
        await registry.thing_groups.create(name)
    for name in ("lamp", "grouped"):
        await registry.group_members.update(name, join=["house"])
    for name in ("p", "q"):
        await registry.policies.create(name, POLICY)
    await registry.policy_attachments.attach("p", arn)
    await registry.thing_principals.attach("lamp", arn)
    await registry.billing_groups.create("north")
    await registry.billing_members.join("lamp", "north")
    return arn


async def test_what_became_durable_is_told_even_where_the_caller_went_away(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr)
    id_ = arn.rpartition("/")[2]
    heard: list[frozenset[str]] = []

    async def listener(identities: frozenset[str]) -> None:
        heard.append(identities)

    registry.principals.watch(listener)
    for turns in range(24):
        known = await registry.principals._certificates.get(id_)
        assert known is not None
        active = known.status is CertificateStatus.ACTIVE
        status = CertificateStatus.INACTIVE if active else CertificateStatus.ACTIVE
        heard.clear()
        revoking = asyncio.create_task(registry.certificates.update(id_, status))
        for _ in range(turns // 2):
            await asyncio.sleep(0)
        revoking.cancel()
        await asyncio.gather(revoking, return_exceptions=True)
        await registry.close()
        stored = (await registry.certificates.describe(id_)).status
        assert heard == ([frozenset((id_,))] if stored is status else [])
        known = await registry.principals._certificates.get(id_)
        assert known is not None
        assert known.status is stored


async def test_a_watcher_that_fails_does_not_stop_the_others(
    registry: Registry, csr: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[frozenset[str]] = []

    async def broken(identities: frozenset[str]) -> None:
        raise RuntimeError("no")

    async def listener(identities: frozenset[str]) -> None:
        heard.append(identities)

    registry.principals.watch(broken)
    registry.principals.watch(listener)
    with caplog.at_level(logging.ERROR):
        await _enrol(registry, csr)
    assert len(heard) == 1
    assert "a watcher of principals failed" in caplog.text


async def test_a_meeting_that_never_ends_is_told() -> None:
    attempts = 0

    async def attempt() -> None:
        nonlocal attempts
        attempts += 1
        raise StaleVersion("thing", "lamp", 1, 2)

    with pytest.raises(ServiceUnavailable, match="thing lamp"):
        await changes.settle(attempt)
    assert attempts == changes.ATTEMPTS


async def test_each_change_is_told_once_whoever_met_it(slow_registry: Registry, published: Published) -> None:
    """What was added is removed as often as it was added, by whichever of those who wanted it gone."""
    registry = slow_registry
    await registry.event_configurations.update({category.value: True for category in EventType})
    for _ in range(3):
        await registry.thing_groups.create("house")
        await registry.thing_groups.create("room", parent="house")
        for name in ("lamp", "fan"):
            await registry.things.create(name)
            await registry.group_members.update(name, join=["room"])
        published.take()
        await asyncio.gather(
            registry.things.delete("lamp"),
            registry.things.delete("lamp"),
            registry.thing_groups.delete("room"),
            registry.thing_groups.delete("room"),
            registry.group_members.update("fan", leave=["room"]),
            registry.group_members.update("fan", leave=["room"]),
            return_exceptions=True,
        )
        membership = "$aws/events/thingGroupMembership/thingGroup/room/thing"
        assert sorted(published.topics()) == [
            "$aws/events/thing/lamp/deleted",
            "$aws/events/thingGroup/room/deleted",
            "$aws/events/thingGroupHierarchy/thingGroup/house/childThingGroup/room/removed",
            f"{membership}/fan/removed",
            f"{membership}/lamp/removed",
        ]
        await registry.things.delete("fan")
        await registry.thing_groups.delete("house")


async def test_what_happened_is_durable_when_it_is_told(
    slow_documents: SlowDocuments, slow_registry: Registry, published: Published
) -> None:
    registry = slow_registry
    await registry.event_configurations.update({"THING": True})
    seen: list[int] = []

    async def look(message: Message) -> None:
        stored = await slow_documents.get("thing", "lamp")
        seen.append(0 if stored is None else stored.version)

    published.publish = look  # type: ignore[method-assign]
    await registry.things.create("lamp")
    assert seen == [1], "and told before the call is answered"
    await registry.things.update("lamp")
    await registry.things.delete("lamp")
    assert seen == [1, 2, 0]


@pytest.mark.parametrize("quicker", ["thing", "group"])
async def test_a_membership_that_two_remove_is_told_of_once(
    held_documents: HeldDocuments, held_registry: Registry, published: Published, quicker: str
) -> None:
    """A thing and its group go at the same time, each having seen the membership."""
    registry = held_registry
    await registry.event_configurations.update({"THING_GROUP_MEMBERSHIP": True})
    await registry.thing_groups.create("house")
    await registry.things.create("lamp")
    await registry.group_members.update("lamp", join=["house"])
    published.take()
    deletions = {
        "thing": partial(registry.things.delete, "lamp"),
        "group": partial(registry.thing_groups.delete, "house"),
    }
    held_documents.meanwhile = deletions.pop(quicker)
    [slower] = deletions.values()
    await slower()
    assert published.topics() == ["$aws/events/thingGroupMembership/thingGroup/house/thing/lamp/removed"]
    assert await held_documents.scan("thing-group-member") == []
