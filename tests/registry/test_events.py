import logging
import uuid
from typing import Any

import pytest
from tests.registry.published import Published

from fogbank.message import PLATFORM, Message
from fogbank.ports import EventType
from fogbank.registry.events import Events
from fogbank.registry.happenings import Operation, ThingHappening
from fogbank.registry.records import Thing
from fogbank.registry.registry import Registry
from fogbank.testing.clock import FakeClock

ALL = {category.value: True for category in EventType}


@pytest.fixture
def events(registry: Registry) -> Events:
    return registry.events


async def test_what_is_enabled_is_published_by_the_platform(
    registry: Registry, events: Events, published: Published
) -> None:
    await events.emit(EventType.JOB, "$aws/events/job/1/completed", {"a": 1})
    assert published.messages == []
    await registry.event_configurations.update({"JOB": True})
    assert await events.enabled(EventType.JOB)
    await events.emit(EventType.JOB, "$aws/events/job/1/completed", {"a": 1})
    [message] = published.messages
    assert message == Message("$aws/events/job/1/completed", b'{"a":1}', qos=1, origin=PLATFORM)


async def test_emitting_never_raises(
    registry: Registry, events: Events, published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    await registry.event_configurations.update(ALL)

    async def broken(message: Message) -> None:
        raise OSError("disk full")

    published.publish = broken  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR):
        await events.emit(EventType.JOB, "$aws/events/job/1/completed", {"a": 1})
        await events.emit(EventType.JOB, "$aws/events/job/2/completed", {"a": object()})
        await registry.things.create("lamp")
    assert [one.getMessage().split(" could")[0] for one in caplog.records] == [
        "the event $aws/events/job/1/completed",
        "the event $aws/events/job/2/completed",
        "the event $aws/events/thing/lamp/created",
    ]
    assert (await registry.things.describe("lamp")).version == 1


async def test_documents_are_made_only_where_they_are_wanted(registry: Registry, events: Events) -> None:
    asked: list[str] = []

    def happenings() -> list[ThingHappening]:
        asked.append("asked")
        return [ThingHappening(Operation.CREATED, Thing(name="lamp", id="1"))]

    await events.announce(happenings)
    await registry.event_configurations.update({"JOB": True, "CERTIFICATE": True})
    await events.announce(happenings)
    assert asked == []
    await registry.event_configurations.update({"THING_GROUP": True})
    await events.announce(happenings)
    assert asked == ["asked"]


async def test_what_all_documents_have(registry: Registry, published: Published, clock: FakeClock) -> None:
    await registry.event_configurations.update(ALL)
    await registry.things.create("lamp")
    await registry.things.update("lamp")
    (_, first), (_, second) = published.take()
    assert first["eventType"] == second["eventType"] == "THING_EVENT"
    assert first["timestamp"] == int(clock.time() * 1000)
    assert uuid.UUID(first["eventId"]) != uuid.UUID(second["eventId"])


@pytest.mark.parametrize(
    ("category", "places"),
    [
        (EventType.THING, ["thing/lamp"]),
        (EventType.THING_TYPE_ASSOCIATION, ["thingTypeAssociation/thing/lamp/thingType/light"]),
        (EventType.THING_TYPE, ["thingType/light"]),
        (EventType.THING_GROUP, ["thingGroup/house", "thingGroup/room"]),
        (EventType.THING_GROUP_HIERARCHY, ["thingGroupHierarchy/thingGroup/house/childThingGroup/room"]),
        (EventType.THING_GROUP_MEMBERSHIP, ["thingGroupMembership/thingGroup/room/thing/lamp"]),
    ],
)
async def test_each_category_has_a_switch_of_its_own(
    registry: Registry, published: Published, category: EventType, places: list[str]
) -> None:
    """Topics: developer guide, registry-events."""
    await registry.event_configurations.update({one.value: one is category for one in EventType})
    await _make(registry)
    topics = published.topics()
    assert [topic.removeprefix("$aws/events/").rpartition("/")[0] for topic in topics] == places
    assert {topic.rpartition("/")[2] for topic in topics} <= {"created", "added"}


async def _make(registry: Registry) -> None:
    await registry.thing_types.create("light")
    await registry.things.create("lamp", type_name="light")
    await registry.thing_groups.create("house")
    await registry.thing_groups.create("room", parent="house")
    await registry.group_members.update("lamp", join=["room"])


async def test_nothing_that_changes_nothing_is_told(registry: Registry, published: Published) -> None:
    await _make(registry)
    await registry.event_configurations.update(ALL)
    calls: list[Any] = [
        registry.things.create("lamp", type_name="light"),
        registry.thing_types.create("light"),
        registry.thing_types.deprecate("light", undo=True),
        registry.thing_groups.create("room", parent="house"),
        registry.group_members.update("lamp", join=["room"], leave=["house"]),
        registry.things.delete("none"),
        registry.thing_groups.delete("none"),
    ]
    for call in calls:
        await call
    assert published.topics() == []
