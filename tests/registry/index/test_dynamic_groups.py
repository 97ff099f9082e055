"""Dynamic thing groups (developer guide, dynamic-thing-groups)."""

import asyncio

import pytest
from tests.registry.index.fleet import Fleet, Site

from fogbank.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound, VersionConflict
from fogbank.registry.index.configuration import ThingIndexing, ThingMode
from fogbank.registry.records import DynamicStatus
from fogbank.registry.things import AttributeUpdate
from fogbank.search import InvalidQuery
from fogbank.storage.paging import Paging

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}'


async def settle(fleet: Fleet) -> None:
    """Until all groups are filled, and what they cause is indexed."""
    await fleet.index.settled()
    await fleet.index.dynamic_groups.filled()
    await fleet.index.settled()


async def members(fleet: Fleet, group: str) -> list[str]:
    await settle(fleet)
    return (await fleet.registry.group_members.things_in(group, Paging())).items


async def groups_of(fleet: Fleet, thing: str) -> list[str]:
    await settle(fleet)
    return (await fleet.registry.group_members.groups_of(thing, Paging())).items


async def status(fleet: Fleet, group: str) -> DynamicStatus:
    dynamic = (await fleet.registry.thing_groups.describe(group)).dynamic
    assert dynamic is not None
    return dynamic.status


async def room(fleet: Fleet, name: str, celsius: int) -> None:
    await fleet.registry.things.create(name)
    fleet.shadows.report(name, celsius=celsius)


async def test_a_group_has_the_things_that_its_query_finds(fleet: Fleet) -> None:
    await room(fleet, "attic", 35)
    await room(fleet, "cellar", 12)
    group = await fleet.index.dynamic_groups.create("warm", "shadow.reported.celsius>30")
    assert group.dynamic is not None
    assert group.dynamic.status is DynamicStatus.BUILDING
    assert await members(fleet, "warm") == ["attic"]
    assert await status(fleet, "warm") is DynamicStatus.ACTIVE
    assert await fleet.found("thingGroupNames:warm") == ["attic"]


async def test_things_join_and_leave_as_they_change(fleet: Fleet) -> None:
    await fleet.index.dynamic_groups.create("warm", "shadow.reported.celsius>30")
    await room(fleet, "attic", 35)
    await room(fleet, "cellar", 12)
    assert await members(fleet, "warm") == ["attic"]
    fleet.shadows.report("attic", celsius=20)
    fleet.shadows.report("cellar", celsius=31)
    assert await members(fleet, "warm") == ["cellar"]
    assert await groups_of(fleet, "attic") == []
    await fleet.registry.things.delete("cellar")
    assert await members(fleet, "warm") == []


async def test_another_query_finds_other_things(fleet: Fleet) -> None:
    await room(fleet, "attic", 35)
    await room(fleet, "cellar", 12)
    await fleet.index.dynamic_groups.create("some", "shadow.reported.celsius>30")
    assert await members(fleet, "some") == ["attic"]
    group = await fleet.index.dynamic_groups.update("some", query="shadow.reported.celsius<20", expected_version=1)
    assert group.version == 2
    assert await status(fleet, "some") is DynamicStatus.REBUILDING
    assert await members(fleet, "some") == ["cellar"]
    assert await status(fleet, "some") is DynamicStatus.ACTIVE


async def test_a_description_alone_leaves_the_members_in_peace(fleet: Fleet) -> None:
    await fleet.index.dynamic_groups.create("some", "*")
    await settle(fleet)
    updated = await fleet.index.dynamic_groups.update(
        "some", description="all", attributes=AttributeUpdate({"a": "1"}), query="*"
    )
    assert (updated.version, updated.description, updated.attributes) == (2, "all", {"a": "1"})
    assert await status(fleet, "some") is DynamicStatus.ACTIVE


async def test_creating_once_more_is_no_error_if_it_is_the_same(fleet: Fleet) -> None:
    first = await fleet.index.dynamic_groups.create("some", "*", description="all")
    assert (await fleet.index.dynamic_groups.create("some", "*", description="all")).id == first.id
    with pytest.raises(ResourceAlreadyExists):
        await fleet.index.dynamic_groups.create("some", "thingName:a", description="all")
    with pytest.raises(ResourceAlreadyExists):
        await fleet.registry.thing_groups.create("some", description="all")
    await fleet.registry.thing_groups.create("static")
    with pytest.raises(ResourceAlreadyExists):
        await fleet.index.dynamic_groups.create("static", "*")


async def test_a_deleted_group_is_gone_for_good(fleet: Fleet) -> None:
    await room(fleet, "attic", 35)
    await fleet.index.dynamic_groups.create("some", "*")
    assert await groups_of(fleet, "attic") == ["some"]
    with pytest.raises(VersionConflict):
        await fleet.index.dynamic_groups.delete("some", expected_version=7)
    await fleet.index.dynamic_groups.delete("some", expected_version=1)
    await fleet.index.dynamic_groups.delete("some")
    fleet.shadows.report("attic", celsius=1)
    assert await groups_of(fleet, "attic") == []
    assert await fleet.found("thingGroupNames:some") == []


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("thingName:a b c d e", None),
        ("thingName:a b c d e f", InvalidQuery),  # five terms at most
        ('thingName:"a', InvalidQuery),
    ],
)
async def test_queries_are_checked(fleet: Fleet, query: str, error: type[Exception] | None) -> None:
    if error is None:
        await fleet.index.dynamic_groups.create("some", query)
        return
    with pytest.raises(error):
        await fleet.index.dynamic_groups.create("some", query)
    with pytest.raises(ResourceNotFound):
        await fleet.registry.thing_groups.describe("some")
    await fleet.index.dynamic_groups.create("some", "*")
    with pytest.raises(error):
        await fleet.index.dynamic_groups.update("some", query=query)


async def test_other_indices_and_languages_are_refused(fleet: Fleet) -> None:
    with pytest.raises(InvalidRequest, match="AWS_Things"):
        await fleet.index.dynamic_groups.create("some", "*", index="AWS_ThingGroups")
    with pytest.raises(InvalidRequest, match="queryVersion"):
        await fleet.index.dynamic_groups.create("some", "*", version="2038-01-19")


async def test_static_operations_are_refused(fleet: Fleet) -> None:
    registry = fleet.registry
    await room(fleet, "attic", 35)
    await fleet.index.dynamic_groups.create("some", "*")
    await registry.thing_groups.create("static")
    await registry.policies.create("p", POLICY)
    for refused in (
        registry.group_members.update("attic", join=["some"]),
        registry.group_members.update("attic", leave=["some"]),
        registry.thing_groups.create("child", parent="some"),
        registry.thing_groups.update("some", description="x"),
        registry.thing_groups.delete("some"),
        registry.policy_attachments.attach("p", registry.thing_groups.arn("some")),
    ):
        with pytest.raises(InvalidRequest, match="dynamic thing group"):
            await refused
    for refused in (
        fleet.index.dynamic_groups.update("static", query="*"),
        fleet.index.dynamic_groups.delete("static"),
    ):
        with pytest.raises(InvalidRequest, match="not a dynamic thing group"):
            await refused


async def test_a_hundred_are_the_most_however_many_come_at_once(fleet: Fleet) -> None:
    create = fleet.index.dynamic_groups.create
    made = await asyncio.gather(*(create(f"g{n}", "thingName:nobody") for n in range(103)), return_exceptions=True)
    assert [type(one) for one in made if isinstance(one, Exception)] == [LimitExceeded] * 3


async def test_a_hundred_groups_are_the_most(fleet: Fleet) -> None:
    for number in range(100):
        await fleet.index.dynamic_groups.create(f"g{number}", "thingName:nobody")
    with pytest.raises(LimitExceeded):
        await fleet.index.dynamic_groups.create("more", "*")
    await fleet.index.dynamic_groups.create("g7", "thingName:nobody")
    await fleet.index.dynamic_groups.delete("g7")
    await fleet.index.dynamic_groups.create("more", "*")


async def statically(fleet: Fleet, thing: str, count: int) -> None:
    for number in range(count):
        await fleet.registry.thing_groups.create(f"s{number}")
        await fleet.registry.group_members.update(thing, join=[f"s{number}"])


async def test_of_too_many_groups_the_oldest_win(fleet: Fleet, site: Site) -> None:
    await room(fleet, "attic", 35)
    await statically(fleet, "attic", 8)
    for name in ("old", "middle", "young"):
        await fleet.index.dynamic_groups.create(name, "shadow.reported.celsius>30")
        await settle(fleet)
        await site.clock.advance(1)
    assert (await groups_of(fleet, "attic"))[:2] == ["middle", "old"]
    await fleet.index.dynamic_groups.delete("middle")
    fleet.shadows.report("attic", celsius=36)
    assert (await groups_of(fleet, "attic"))[:1] == ["old"]
    assert "young" in await groups_of(fleet, "attic")


async def test_an_older_group_that_a_thing_comes_to_match_displaces_a_younger_one(fleet: Fleet, site: Site) -> None:
    await room(fleet, "attic", 35)
    await statically(fleet, "attic", 9)
    await fleet.index.dynamic_groups.create("old", "shadow.reported.celsius<30")
    await settle(fleet)
    await site.clock.advance(1)
    await fleet.index.dynamic_groups.create("young", "shadow.reported.celsius:*")
    assert "young" in await groups_of(fleet, "attic")
    fleet.shadows.report("attic", celsius=20)
    groups = await groups_of(fleet, "attic")
    assert "old" in groups
    assert "young" not in groups


async def test_static_groups_win_where_the_caller_says_so(fleet: Fleet, site: Site) -> None:
    await room(fleet, "attic", 35)
    await statically(fleet, "attic", 8)
    await fleet.index.dynamic_groups.create("old", "*")
    await settle(fleet)
    await site.clock.advance(1)
    await fleet.index.dynamic_groups.create("young", "*")
    await settle(fleet)
    await fleet.registry.thing_groups.create("more")
    with pytest.raises(InvalidRequest, match="10 thing groups"):
        await fleet.registry.group_members.update("attic", join=["more"])
    await fleet.registry.group_members.update("attic", join=["more"], override=True)
    groups = await groups_of(fleet, "attic")
    assert "more" in groups
    assert "old" in groups
    assert "young" not in groups


async def test_a_query_does_not_see_its_own_group(fleet: Fleet) -> None:
    """Else the thing would go in and out for ever."""
    await room(fleet, "attic", 35)
    await fleet.index.dynamic_groups.create("paradox", "NOT thingGroupNames:paradox")
    assert await members(fleet, "paradox") == ["attic"]
    await fleet.registry.thing_groups.create("house")
    await fleet.index.dynamic_groups.create("inside", "thingGroupNames:house")
    await fleet.registry.group_members.update("attic", join=["house"])
    assert await members(fleet, "inside") == ["attic"]


async def test_groups_outlive_the_server(site: Site) -> None:
    async with site.up() as fleet:
        await room(fleet, "attic", 35)
        await fleet.index.dynamic_groups.create("warm", "shadow.reported.celsius>30")
        assert await members(fleet, "warm") == ["attic"]
    async with site.up() as fleet:
        assert await members(fleet, "warm") == ["attic"]
        await room(fleet, "kitchen", 40)
        fleet.shadows.report("attic", celsius=1)
        assert await members(fleet, "warm") == ["kitchen"]


async def test_what_a_crash_interrupts_is_taken_up_again(site: Site) -> None:
    async with site.up() as fleet:
        await room(fleet, "attic", 35)
        assert await fleet.found("*") == ["attic"]
        await fleet.index.dynamic_groups.create("warm", "shadow.reported.celsius>30")  # and down, before it is filled
    async with site.up() as fleet:
        assert await members(fleet, "warm") == ["attic"]
        assert await status(fleet, "warm") is DynamicStatus.ACTIVE


async def test_indexing_cannot_be_switched_off_below_them(fleet: Fleet) -> None:
    await fleet.index.dynamic_groups.create("some", "*")
    off = ThingIndexing(mode=ThingMode.OFF)
    with pytest.raises(InvalidRequest, match="dynamic thing group"):
        await fleet.index.configure(things=off)
    await fleet.index.dynamic_groups.delete("some")
    await fleet.index.configure(things=off)
    with pytest.raises(ResourceNotFound, match="AWS_Things"):
        await fleet.index.dynamic_groups.create("some", "*")


async def test_events_tell_of_groups_and_members(fleet: Fleet) -> None:
    await fleet.registry.event_configurations.update({"THING_GROUP": True, "THING_GROUP_MEMBERSHIP": True})
    await room(fleet, "attic", 35)
    await fleet.index.dynamic_groups.create("warm", "shadow.reported.celsius>30")
    await settle(fleet)
    fleet.shadows.report("attic", celsius=3)
    await settle(fleet)
    await fleet.index.dynamic_groups.update("warm", query="thingName:attic")
    await settle(fleet)
    await fleet.index.dynamic_groups.delete("warm")
    events = fleet.published.take()
    membership = "$aws/events/thingGroupMembership/thingGroup/warm/thing/attic"
    assert [topic for topic, _ in events] == [
        "$aws/events/thingGroup/warm/created",
        f"{membership}/added",
        f"{membership}/removed",
        "$aws/events/thingGroup/warm/updated",
        f"{membership}/added",
        f"{membership}/removed",
        "$aws/events/thingGroup/warm/deleted",
    ]
    mappings = [
        document["dynamicGroupMappingId"] for topic, document in events if topic.startswith("$aws/events/thingGroup/")
    ]
    assert all(mappings)
    assert mappings[0] != mappings[1] == mappings[2]
