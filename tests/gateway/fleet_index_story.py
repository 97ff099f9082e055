"""The fleet index, from its configuration to what searches, dynamic groups and fleet metrics make of it."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

PATIENCE = 20.0


def tell(iot: Any, data: Any) -> None:
    _configure(iot)
    for name, celsius in (("attic", 35), ("roof", 40), ("cellar", 12)):
        iot.create_thing(thingName=name, attributePayload={"attributes": {"celsius": str(celsius)}})
        data.update_thing_shadow(thingName=name, payload=json.dumps({"state": {"reported": {"celsius": celsius}}}))
    _search(iot)
    _group(iot)
    _metric(iot)
    for name in ("attic", "roof", "cellar"):
        data.delete_thing_shadow(thingName=name)
        iot.delete_thing(thingName=name)
    assert iot.search_index(queryString="attributes.celsius:*")["things"] == []


def _configure(iot: Any) -> None:
    before = iot.get_indexing_configuration()["thingIndexingConfiguration"]
    field = {"name": "attributes.celsius", "type": "Number"}
    iot.update_indexing_configuration(thingIndexingConfiguration={**before, "customFields": [field]})
    assert iot.get_indexing_configuration()["thingIndexingConfiguration"]["customFields"] == [field]
    names = iot.list_indices()["indexNames"]
    _eventually(lambda: all(iot.describe_index(indexName=name)["indexStatus"] == "ACTIVE" for name in names))


def _search(iot: Any) -> None:
    found = iot.search_index(queryString="shadow.reported.celsius>30")["things"]
    assert [one["thingName"] for one in found] == ["attic", "roof"]
    asked = {"queryString": "attributes.celsius:*", "aggregationField": "attributes.celsius"}
    assert iot.get_statistics(**asked)["statistics"]["maximum"] == 40
    assert iot.get_cardinality(**asked)["cardinality"] == 3
    assert iot.get_percentiles(**asked, percents=[50.0])["percentiles"] == [{"percent": 50.0, "value": 35.0}]
    buckets = iot.get_buckets_aggregation(**asked, bucketsAggregationType={"termsAggregation": {"maxBuckets": 2}})
    assert buckets["totalCount"] == 3


def _group(iot: Any) -> None:
    group = {"thingGroupName": "warm"}
    iot.create_dynamic_thing_group(**group, queryString="shadow.reported.celsius>30")
    _eventually(lambda: iot.describe_thing_group(**group)["status"] == "ACTIVE")
    assert iot.list_things_in_thing_group(**group)["things"] == ["attic", "roof"]
    iot.update_dynamic_thing_group(**group, queryString="shadow.reported.celsius>39", thingGroupProperties={})
    _eventually(lambda: iot.list_things_in_thing_group(**group)["things"] == ["roof"])
    iot.delete_dynamic_thing_group(**group)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_thing_group(**group)


def _metric(iot: Any) -> None:
    iot.create_fleet_metric(
        metricName="heat",
        queryString="*",
        aggregationType={"name": "Statistics", "values": ["average"]},
        aggregationField="attributes.celsius",
        period=60,
    )
    iot.update_fleet_metric(metricName="heat", indexName="AWS_Things", period=120)
    assert iot.describe_fleet_metric(metricName="heat")["period"] == 120
    assert [one["metricName"] for one in iot.list_fleet_metrics()["fleetMetrics"]] == ["heat"]
    iot.delete_fleet_metric(metricName="heat")
    assert iot.list_fleet_metrics()["fleetMetrics"] == []


def _eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
