"""Indexing configurations and indices as boto3 sees them (developer guide, managing-index)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.fleet_api import FleetApi, fleet_api, named

EXAMPLE: dict[str, Any] = {
    "thingIndexingMode": "REGISTRY_AND_SHADOW",
    "thingConnectivityIndexingMode": "STATUS",
    "deviceDefenderIndexingMode": "VIOLATIONS",
    "namedShadowIndexingMode": "ON",
    "filter": {"namedShadowNames": ["thing1shadow"]},
    "customFields": [
        {"name": "shadow.desired.power", "type": "Boolean"},
        {"name": "attributes.version", "type": "Number"},
        {"name": "shadow.name.thing1shadow.desired.DefaultDesired", "type": "String"},
        {"name": "deviceDefender.securityProfile1.NUMBER_VALUE_BEHAVIOR.lastViolationValue.number", "type": "Number"},
    ],
}
"""The guide's."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[FleetApi]:
    async with fleet_api(tmp_path) as api:
        yield api


async def test_a_fresh_instance_has_everything_on(api: FleetApi) -> None:
    found = await api.call("get_indexing_configuration")
    things, groups = found["thingIndexingConfiguration"], found["thingGroupIndexingConfiguration"]
    assert things["thingIndexingMode"] == "REGISTRY_AND_SHADOW"
    assert things["thingConnectivityIndexingMode"] == "STATUS"
    assert things["namedShadowIndexingMode"] == "ON"
    assert things["deviceDefenderIndexingMode"] == "OFF"
    assert things["customFields"] == []
    assert "filter" not in things
    assert named(things["managedFields"])["shadow.name.*.hasDelta"] == "Boolean"
    assert groups["thingGroupIndexingMode"] == "ON"
    assert named(groups["managedFields"]) == {
        "description": "String",
        "parentGroupNames": "String",
        "thingGroupId": "String",
        "thingGroupName": "String",
        "version": "Number",
    }
    assert await api.call("list_indices") == {"indexNames": ["AWS_ThingGroups", "AWS_Things"]}
    await api.index.complete("AWS_Things")
    assert await api.call("describe_index", indexName="AWS_Things") == {
        "indexName": "AWS_Things",
        "indexStatus": "ACTIVE",
        "schema": "MULTI_INDEXING_MODE",
    }
    await api.index.complete("AWS_ThingGroups")
    assert await api.call("describe_index", indexName="AWS_ThingGroups") == {
        "indexName": "AWS_ThingGroups",
        "indexStatus": "ACTIVE",
        "schema": "THING_GROUPS",
    }


async def test_the_guides_example_goes_round(api: FleetApi) -> None:
    assert await api.call("update_indexing_configuration", thingIndexingConfiguration=EXAMPLE) == {}
    found = (await api.call("get_indexing_configuration"))["thingIndexingConfiguration"]
    assert {name: found[name] for name in EXAMPLE} == EXAMPLE
    assert len(found["managedFields"]) == 14
    await api.call("update_indexing_configuration", thingIndexingConfiguration=found)  # managed fields included
    assert (await api.call("get_indexing_configuration"))["thingIndexingConfiguration"] == found


async def test_places_and_sockets_go_round(api: FleetApi) -> None:
    given = {
        "thingIndexingMode": "REGISTRY_AND_SHADOW",
        "filter": {
            "geoLocations": [{"name": "shadow.reported.place", "order": "LonLat"}],
            "connectivity": {"includeSocketInformation": ["GET_THING_CONNECTIVITY_DATA"]},
        },
    }
    await api.call("update_indexing_configuration", thingIndexingConfiguration=given)
    found = (await api.call("get_indexing_configuration"))["thingIndexingConfiguration"]
    assert found["filter"] == given["filter"]
    given["filter"] = {"geoLocations": [{"name": "shadow.reported.place"}]}
    await api.call("update_indexing_configuration", thingIndexingConfiguration=given)
    found = (await api.call("get_indexing_configuration"))["thingIndexingConfiguration"]
    assert found["filter"] == {"geoLocations": [{"name": "shadow.reported.place", "order": "LatLon"}]}


async def test_what_a_request_leaves_out_is_off(api: FleetApi) -> None:
    await api.call("update_indexing_configuration", thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
    found = await api.call("get_indexing_configuration")
    things = found["thingIndexingConfiguration"]
    assert [things[f"{what}IndexingMode"] for what in ("thingConnectivity", "deviceDefender", "namedShadow")] == [
        "OFF"
    ] * 3
    assert found["thingGroupIndexingConfiguration"]["thingGroupIndexingMode"] == "ON"


async def test_what_is_off_is_not_there(api: FleetApi) -> None:
    await api.call(
        "update_indexing_configuration",
        thingIndexingConfiguration={"thingIndexingMode": "OFF"},
        thingGroupIndexingConfiguration={"thingGroupIndexingMode": "OFF"},
    )
    assert await api.call("list_indices") == {"indexNames": []}
    for name in ("AWS_Things", "AWS_ThingGroups", "nothing"):
        assert (await api.refused("describe_index", indexName=name))[:2] == (404, "ResourceNotFoundException")


async def test_lists_are_paged(api: FleetApi) -> None:
    first = await api.call("list_indices", maxResults=1)
    assert first["indexNames"] == ["AWS_ThingGroups"]
    assert await api.call("list_indices", maxResults=1, nextToken=first["nextToken"]) == {"indexNames": ["AWS_Things"]}
    assert (await api.refused("list_indices", nextToken="%"))[:2] == (400, "InvalidRequestException")


@pytest.mark.parametrize(
    ("things", "why"),
    [
        ({"thingIndexingMode": "SOME"}, "thingIndexingMode"),
        ({"thingIndexingMode": "OFF", "thingConnectivityIndexingMode": "STATUS"}, "thingConnectivityIndexingMode"),
        ({"thingIndexingMode": "REGISTRY", "customFields": [{"name": "nonsense", "type": "String"}]}, "nonsense"),
        ({"thingIndexingMode": "REGISTRY", "customFields": [{"name": "attributes.a"}]}, "name and a type"),
        ({"thingIndexingMode": "REGISTRY", "customFields": [{"name": "attributes.a", "type": "Text"}]}, "Text"),
        ({"thingIndexingMode": "REGISTRY", "managedFields": [{"name": "field1", "type": "String"}]}, "managedFields"),
        ({"thingIndexingMode": "REGISTRY", "managedFields": [{"name": "thingId", "type": "Number"}]}, "managedFields"),
        (
            {"thingIndexingMode": "REGISTRY", "filter": {"connectivity": {"includeSocketInformation": ["SEARCH"]}}},
            "SEARCH",
        ),
    ],
)
async def test_what_is_refused(api: FleetApi, things: dict[str, Any], why: str) -> None:
    status, code, message = await api.refused("update_indexing_configuration", thingIndexingConfiguration=things)
    assert (status, code) == (400, "InvalidRequestException")
    assert why in message
