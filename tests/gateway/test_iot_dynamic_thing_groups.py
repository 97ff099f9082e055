"""Dynamic thing groups as boto3 sees them (developer guide, dynamic-thing-groups)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.gateway.fleet_api import FleetApi, fleet_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[FleetApi]:
    async with fleet_api(tmp_path) as api:
        await api.call("create_thing", thingName="attic", attributePayload={"attributes": {"temperature": "61"}})
        await api.call("create_thing", thingName="cellar", attributePayload={"attributes": {"temperature": "60"}})
        yield api


async def test_the_guides_story(api: FleetApi) -> None:
    made = await api.call(
        "create_dynamic_thing_group",
        thingGroupName="RoomTooWarm",
        queryString="attributes.temperature>60",
        tags=[{"Key": "team", "Value": "heat"}],
    )
    id_ = made.pop("thingGroupId")
    arn = "arn:aws:iot:eu-west-1:123456789012:thinggroup/RoomTooWarm"
    assert made == {
        "thingGroupName": "RoomTooWarm",
        "thingGroupArn": made["thingGroupArn"],
        "indexName": "AWS_Things",
        "queryString": "attributes.temperature>60",
        "queryVersion": "2017-09-30",
    }
    assert made["thingGroupArn"].endswith(":thinggroup/RoomTooWarm")
    await api.settle()
    found = await api.call("describe_thing_group", thingGroupName="RoomTooWarm")
    assert {name: found[name] for name in ("status", "version", "indexName", "queryString", "queryVersion")} == {
        "status": "ACTIVE",
        "version": 1,
        "indexName": "AWS_Things",
        "queryString": "attributes.temperature>60",
        "queryVersion": "2017-09-30",
    }
    assert found["thingGroupId"] == id_
    assert (await api.call("list_things_in_thing_group", thingGroupName="RoomTooWarm"))["things"] == ["attic"]
    groups = (await api.call("list_thing_groups_for_thing", thingName="attic"))["thingGroups"]
    assert [one["groupName"] for one in groups] == ["RoomTooWarm"]
    assert [one["groupName"] for one in (await api.call("list_thing_groups"))["thingGroups"]] == ["RoomTooWarm"]
    tags = await api.call("list_tags_for_resource", resourceArn=made["thingGroupArn"])
    assert tags["tags"] == [{"Key": "team", "Value": "heat"}]
    updated = await api.call(
        "update_dynamic_thing_group",
        thingGroupName="RoomTooWarm",
        thingGroupProperties={
            "thingGroupDescription": "warmer than 59F",
            "attributePayload": {"attributes": {"floor": "3"}},
        },
        queryString="attributes.temperature>59",
        expectedVersion=1,
    )
    assert updated == {"version": 2}
    await api.settle()
    found = await api.call("describe_thing_group", thingGroupName="RoomTooWarm")
    assert found["thingGroupProperties"] == {
        "thingGroupDescription": "warmer than 59F",
        "attributePayload": {"attributes": {"floor": "3"}},
    }
    both = await api.call("list_things_in_thing_group", thingGroupName="RoomTooWarm")
    assert both["things"] == ["attic", "cellar"]
    assert await api.call("delete_dynamic_thing_group", thingGroupName="RoomTooWarm", expectedVersion=2) == {}
    assert (await api.refused("describe_thing_group", thingGroupName="RoomTooWarm"))[1] == "ResourceNotFoundException"
    assert arn.split(":")[5] == made["thingGroupArn"].split(":")[5]


async def test_a_static_group_has_no_query(api: FleetApi) -> None:
    await api.call("create_thing_group", thingGroupName="house")
    found = await api.call("describe_thing_group", thingGroupName="house")
    assert not {"status", "queryString", "indexName", "queryVersion"} & found.keys()


async def test_static_groups_come_first_where_asked(api: FleetApi) -> None:
    for number in range(10):
        await api.call("create_dynamic_thing_group", thingGroupName=f"g{number}", queryString="thingName:attic")
    await api.settle()
    for name in ("house", "garden"):
        await api.call("create_thing_group", thingGroupName=name)
    join = {"thingGroupName": "house", "thingName": "attic"}
    assert (await api.refused("add_thing_to_thing_group", **join))[1] == "InvalidRequestException"
    await api.call("add_thing_to_thing_group", **join, overrideDynamicGroups=True)
    both = {"thingName": "attic", "thingGroupsToAdd": ["garden"]}
    assert (await api.refused("update_thing_groups_for_thing", **both))[1] == "InvalidRequestException"
    await api.call("update_thing_groups_for_thing", **both, overrideDynamicGroups=True)
    groups = (await api.call("list_thing_groups_for_thing", thingName="attic"))["thingGroups"]
    assert {"house", "garden"} <= {one["groupName"] for one in groups}
    assert len(groups) == 10


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("create_dynamic_thing_group", {"queryString": '"a'}, (400, "InvalidQueryException")),
        ("create_dynamic_thing_group", {"queryString": "a b c d e f"}, (400, "InvalidQueryException")),
        ("create_dynamic_thing_group", {"queryString": "*"}, (409, "ResourceAlreadyExistsException")),
        ("create_dynamic_thing_group", {}, (400, "InvalidRequestException")),
        (
            "create_dynamic_thing_group",
            {"queryString": "*", "indexName": "AWS_ThingGroups"},
            (400, "InvalidRequestException"),
        ),
        (
            "update_dynamic_thing_group",
            {"thingGroupProperties": {}, "expectedVersion": 5},
            (409, "VersionConflictException"),
        ),
        ("update_dynamic_thing_group", {}, (400, "InvalidRequestException")),
        (
            "update_dynamic_thing_group",
            {"thingGroupProperties": {}, "queryString": "a b c d e f"},
            (400, "InvalidQueryException"),
        ),
        ("delete_dynamic_thing_group", {"expectedVersion": 5}, (409, "VersionConflictException")),
        ("update_thing_group", {"thingGroupProperties": {}}, (400, "InvalidRequestException")),
        ("delete_thing_group", {}, (400, "InvalidRequestException")),
    ],
)
async def test_errors(api: FleetApi, operation: str, params: dict[str, object], expected: tuple[int, str]) -> None:
    await api.call("create_dynamic_thing_group", thingGroupName="some", queryString="thingName:attic")
    assert (await api.refused(operation, thingGroupName="some", **params))[:2] == expected
