"""Every registry event with every member: developer guide, registry-events."""

from typing import Any

import pytest
from tests.registry.published import Published

from fogbank.ports import EventType
from fogbank.registry.happenings import Happening, HierarchyHappening
from fogbank.registry.records import PropagatingAttribute
from fogbank.registry.registry import Registry
from fogbank.registry.things import AttributeUpdate
from fogbank.testing.clock import FakeClock

ACCOUNT = {"accountId": "123456789012"}
ARN = "arn:aws:iot:eu-west-1:123456789012:"


@pytest.fixture(autouse=True)
async def everything(registry: Registry) -> None:
    await registry.event_configurations.update({category.value: True for category in EventType})


def _told(published: Published) -> list[tuple[str, dict[str, Any]]]:
    """Topics below `$aws/events/`, and documents without what all have."""
    told = []
    for topic, document in published.take():
        for name in ("eventId", "timestamp"):
            del document[name]
        told.append((topic.removeprefix("$aws/events/"), document))
    return told


async def test_things(registry: Registry, published: Published) -> None:
    made = await registry.things.create("lamp", attributes={"a": "1"})
    event = {
        "eventType": "THING_EVENT",
        **ACCOUNT,
        "thingId": made.id,
        "thingName": "lamp",
        "versionNumber": 1,
        "thingTypeName": None,
        "attributes": {"a": "1"},
    }
    assert _told(published) == [("thing/lamp/created", {**event, "operation": "CREATED"})]
    await registry.things.update("lamp", attributes=AttributeUpdate({"b": "2"}))
    event |= {"versionNumber": 2, "attributes": {"b": "2"}}
    assert _told(published) == [("thing/lamp/updated", {**event, "operation": "UPDATED"})]
    await registry.things.delete("lamp")
    assert _told(published) == [("thing/lamp/deleted", {**event, "operation": "DELETED"})]


async def test_the_type_of_a_thing(registry: Registry, published: Published) -> None:
    await registry.thing_types.create("light")
    await registry.thing_types.create("heater")
    published.take()
    made = await registry.things.create("lamp", type_name="light")
    event = {"eventType": "THING_TYPE_ASSOCIATION_EVENT", "thingId": made.id, "thingName": "lamp"}
    place = "thingTypeAssociation/thing/lamp/thingType"
    added = (f"{place}/light/added", {**event, "thingTypeName": "light", "operation": "ADDED"})
    removed = (f"{place}/light/removed", {**event, "thingTypeName": "light", "operation": "REMOVED"})
    assert _told(published)[1:] == [added]
    await registry.things.update("lamp", type_name="light")
    assert [topic for topic, _ in _told(published)] == ["thing/lamp/updated"]
    await registry.things.update("lamp", type_name="heater")
    told = _told(published)
    assert [topic for topic, _ in told] == [f"{place}/light/removed", "thing/lamp/updated", f"{place}/heater/added"]
    assert told[0] == removed
    await registry.things.update("lamp", remove_type=True)
    assert [topic for topic, _ in _told(published)] == [f"{place}/heater/removed", "thing/lamp/updated"]
    await registry.things.update("lamp", type_name="light")
    published.take()
    await registry.things.delete("lamp")
    told = _told(published)
    assert (told[0], told[1][0]) == (removed, "thing/lamp/deleted")


async def test_thing_types(registry: Registry, published: Published, clock: FakeClock) -> None:
    propagating = [PropagatingAttribute(key="c", thing_attribute="colour")]
    made = await registry.thing_types.create("light", "shines", ["a"], propagating=propagating)
    event: dict[str, Any] = {
        "eventType": "THING_TYPE_EVENT",
        **ACCOUNT,
        "thingTypeId": made.id,
        "thingTypeName": "light",
        "isDeprecated": False,
        "deprecationDate": None,
        "searchableAttributes": ["a"],
        "propagatingAttributes": [{"userPropertyKey": "c", "thingAttribute": "colour"}],
        "description": "shines",
    }
    assert _told(published) == [("thingType/light/created", {**event, "operation": "CREATED"})]
    await registry.thing_types.update("light", "glows", None)
    event["description"] = "glows"
    assert _told(published) == [("thingType/light/updated", {**event, "operation": "UPDATED"})]
    await registry.thing_types.deprecate("light")
    event |= {"isDeprecated": True, "deprecationDate": int(clock.time() * 1000)}
    assert _told(published) == [("thingType/light/updated", {**event, "operation": "UPDATED"})]
    await clock.advance(300)
    await registry.thing_types.delete("light")
    assert _told(published) == [("thingType/light/deleted", {**event, "operation": "DELETED"})]


async def test_thing_groups(registry: Registry, published: Published) -> None:
    house = await registry.thing_groups.create("house", description="ours", attributes={"street": "1"})
    event: dict[str, Any] = {
        "eventType": "THING_GROUP_EVENT",
        **ACCOUNT,
        "thingGroupId": house.id,
        "thingGroupName": "house",
        "versionNumber": 1,
        "parentGroupName": None,
        "parentGroupId": None,
        "description": "ours",
        "rootToParentThingGroups": [],
        "attributes": {"street": "1"},
        "dynamicGroupMappingId": None,
    }
    assert _told(published) == [("thingGroup/house/created", {**event, "operation": "CREATED"})]
    floor = await registry.thing_groups.create("floor", parent="house")
    published.take()
    room = await registry.thing_groups.create("room", parent="floor")
    hierarchy = {
        "eventType": "THING_GROUP_HIERARCHY_EVENT",
        **ACCOUNT,
        "thingGroupId": floor.id,
        "thingGroupName": "floor",
        "childGroupId": room.id,
        "childGroupName": "room",
    }
    place = "thingGroupHierarchy/thingGroup/floor/childThingGroup/room"
    created, added = _told(published)
    assert created[0] == "thingGroup/room/created"
    assert (created[1]["parentGroupName"], created[1]["parentGroupId"]) == ("floor", floor.id)
    assert created[1]["rootToParentThingGroups"] == [
        {"groupArn": f"{ARN}thinggroup/house", "groupId": house.id},
        {"groupArn": f"{ARN}thinggroup/floor", "groupId": floor.id},
    ]
    assert added == (f"{place}/added", {**hierarchy, "operation": "ADDED"})
    await registry.thing_groups.update("room", description="small")
    [updated] = _told(published)
    assert updated[0] == "thingGroup/room/updated"
    assert (updated[1]["versionNumber"], updated[1]["description"]) == (2, "small")
    assert updated[1]["parentGroupId"] == floor.id
    await registry.thing_groups.delete("room")
    removed, deleted = _told(published)
    assert removed == (f"{place}/removed", {**hierarchy, "operation": "REMOVED"})
    assert (deleted[0], deleted[1]["versionNumber"]) == ("thingGroup/room/deleted", 2)


async def test_memberships(registry: Registry, published: Published) -> None:
    thing = await registry.things.create("lamp")
    house, garden = [await registry.thing_groups.create(name) for name in ("house", "garden")]
    published.take()
    await registry.group_members.update("lamp", join=["house"])
    [(topic, added)] = _told(published)
    place = "thingGroupMembership/thingGroup/house/thing/lamp"
    assert topic == f"{place}/added"
    membership = added.pop("membershipId")
    assert added == {
        "eventType": "THING_GROUP_MEMBERSHIP_EVENT",
        "operation": "ADDED",
        **ACCOUNT,
        "groupArn": f"{ARN}thinggroup/house",
        "groupId": house.id,
        "thingArn": f"{ARN}thing/lamp",
        "thingId": thing.id,
    }
    await registry.group_members.update("lamp", join=["garden"], leave=["house"])
    removed, joined = _told(published)
    assert removed == (f"{place}/removed", {**added, "operation": "REMOVED", "membershipId": membership})
    assert joined[1]["groupId"] == garden.id
    assert joined[1]["membershipId"] != membership
    await registry.group_members.update("lamp", join=["house"])
    published.take()
    await registry.thing_groups.delete("garden")
    assert [topic for topic, _ in _told(published)] == [
        "thingGroupMembership/thingGroup/garden/thing/lamp/removed",
        "thingGroup/garden/deleted",
    ]
    await registry.things.delete("lamp")
    (topic, gone), (last, _) = _told(published)
    assert (topic, last) == (f"{place}/removed", "thing/lamp/deleted")
    assert (gone["groupId"], gone["thingId"]) == (house.id, thing.id)


def test_the_categories_are_those_of_all_happenings() -> None:
    assert {one.category for one in Happening.__subclasses__()} == set(Happening.CATEGORIES)
    assert HierarchyHappening.category in Happening.CATEGORIES
