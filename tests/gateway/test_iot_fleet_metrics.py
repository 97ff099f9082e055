"""Fleet metrics as boto3 sees them (developer guide, managing-fleet-metrics)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.fleet_api import FleetApi, fleet_api

from fogbank.registry.index.fleet_metrics import FleetMetric

EXAMPLE: dict[str, Any] = {
    "metricName": "YourFleetMetricName",
    "queryString": "*",
    "period": 60,
    "aggregationField": "registry.version",
    "aggregationType": {"name": "Statistics", "values": ["sum"]},
}
"""The guide's."""


@pytest.fixture
def followed() -> dict[str, FleetMetric | None]:
    return {}


@pytest.fixture
async def api(tmp_path: Path, followed: dict[str, FleetMetric | None]) -> AsyncIterator[FleetApi]:
    async with fleet_api(tmp_path, followed.__setitem__) as api:
        yield api


async def test_the_guides_story(api: FleetApi, followed: dict[str, FleetMetric | None]) -> None:
    made = await api.call("create_fleet_metric", **EXAMPLE, tags=[{"Key": "team", "Value": "heat"}])
    assert made["metricName"] == "YourFleetMetricName"
    assert made["metricArn"].endswith(":fleetmetric/YourFleetMetricName")
    assert await api.call("list_fleet_metrics") == {"fleetMetrics": [made]}
    tags = await api.call("list_tags_for_resource", resourceArn=made["metricArn"])
    assert tags["tags"] == [{"Key": "team", "Value": "heat"}]
    found = await api.call("describe_fleet_metric", metricName="YourFleetMetricName")
    assert found.pop("creationDate") == found.pop("lastModifiedDate")
    assert found == {**EXAMPLE, **made, "queryVersion": "2017-09-30", "version": 1, "indexName": "AWS_Things"}
    changed = {**EXAMPLE, "period": 120, "aggregationType": {"name": "Statistics", "values": ["sum", "count"]}}
    assert await api.call("update_fleet_metric", **changed, indexName="AWS_Things", unit="Count") == {}
    found = await api.call("describe_fleet_metric", metricName="YourFleetMetricName")
    assert (found["version"], found["period"], found["unit"]) == (2, 120, "Count")
    assert found["aggregationType"] == changed["aggregationType"]
    running = followed["YourFleetMetricName"]
    assert running is not None
    assert running.period == 120
    assert await api.call("delete_fleet_metric", metricName="YourFleetMetricName") == {}
    assert await api.call("list_fleet_metrics") == {"fleetMetrics": []}
    assert followed == {"YourFleetMetricName": None}


async def test_lists_are_paged(api: FleetApi) -> None:
    for name in ("a", "b", "c"):
        await api.call("create_fleet_metric", **{**EXAMPLE, "metricName": name})
    first = await api.call("list_fleet_metrics", maxResults=2)
    second = await api.call("list_fleet_metrics", maxResults=2, nextToken=first["nextToken"])
    assert [one["metricName"] for one in first["fleetMetrics"] + second["fleetMetrics"]] == ["a", "b", "c"]
    assert "nextToken" not in second


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("create_fleet_metric", {**EXAMPLE, "period": 30}, (400, "InvalidRequestException")),
        ("create_fleet_metric", {**EXAMPLE, "period": 90}, (400, "InvalidRequestException")),
        ("create_fleet_metric", {**EXAMPLE, "queryString": "a:"}, (400, "InvalidQueryException")),
        ("create_fleet_metric", {**EXAMPLE, "aggregationField": "attributes.x"}, (400, "InvalidAggregationException")),
        ("create_fleet_metric", {**EXAMPLE, "indexName": "nothing"}, (404, "ResourceNotFoundException")),
        ("create_fleet_metric", {**EXAMPLE, "period": 120}, (409, "ResourceAlreadyExistsException")),
        ("create_fleet_metric", {"metricName": "x"}, (400, "InvalidRequestException")),
        ("create_fleet_metric", {**EXAMPLE, "unit": "Furlongs"}, (400, "InvalidRequestException")),
        (
            "update_fleet_metric",
            {"metricName": "YourFleetMetricName", "indexName": "AWS_Things", "expectedVersion": 3},
            (409, "VersionConflictException"),
        ),
        ("update_fleet_metric", {"metricName": "x", "indexName": "AWS_Things"}, (404, "ResourceNotFoundException")),
        (
            "delete_fleet_metric",
            {"metricName": "YourFleetMetricName", "expectedVersion": 3},
            (409, "VersionConflictException"),
        ),
        ("describe_fleet_metric", {"metricName": "x"}, (404, "ResourceNotFoundException")),
    ],
)
async def test_errors(api: FleetApi, operation: str, params: dict[str, object], expected: tuple[int, str]) -> None:
    await api.call("create_fleet_metric", **EXAMPLE)
    assert (await api.refused(operation, **params))[:2] == expected
