"""SearchIndex and the aggregations as boto3 sees them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.gateway.served import Served, serving

from fogbank.errors import ResourceNotFound
from fogbank.gateway.iot_search import IotSearchApi
from fogbank.registry.index.configuration import (
    Field,
    FieldType,
    GroupIndexing,
    IndexingConfiguration,
    IndexName,
    ThingIndexing,
    ThingMode,
)
from fogbank.registry.index.engine import FleetIndex
from fogbank.registry.index.entry import Connectivity, GroupEntry, ThingEntry

CONFIGURATION = IndexingConfiguration(
    things=ThingIndexing(
        mode=ThingMode.REGISTRY_AND_SHADOW,
        connectivity=True,
        named_shadows=True,
        custom_fields=(
            Field("attributes.n", FieldType.NUMBER),
            Field("attributes.color", FieldType.STRING),
            Field("shadow.reported.on", FieldType.BOOLEAN),
        ),
    ),
    groups=GroupIndexing(on=True),
)

CUSTOM = {field.name: field.type for field in CONFIGURATION.things.custom_fields}
LAMP = ThingEntry(
    name="lamp",
    id="11111111-2222-3333-4444-555555555555",
    stamp="",
    version=3,
    type_name="Lamp",
    group_names=("roof", "cellar"),
    billing_group="payer",
    attributes={"color": "red", "n": "75"},
    custom_fields=CUSTOM,
    shadows={
        None: {
            "state": {"desired": {"on": True}, "reported": {"on": False}, "delta": {"on": True}},
            "metadata": {"desired": {"on": {"timestamp": 5}}, "reported": {"on": {"timestamp": 6}}},
            "version": 7,
        },
        "night": {"state": {"reported": {"mode": "dim"}}, "metadata": {}, "version": 2},
    },
    connectivity=Connectivity(connected=False, timestamp=1556649874716, disconnect_reason="CONNECTION_LOST"),
)
PLAIN = ThingEntry(
    name="plain", id="p", stamp="", attributes={"n": "80"}, connectivity=Connectivity(), custom_fields=CUSTOM
)
BARE = ThingEntry(name="bare", id="b", stamp="")
ROOF = GroupEntry(
    name="roof", id="g-1", stamp="", version=4, description="on top", attributes={"a": "b"}, parent_names=("house",)
)


class Index:
    """IndexService, as far as searching goes."""

    configuration = CONFIGURATION

    def __init__(self, engine: FleetIndex) -> None:
        self.engine = engine
        self.late: list[ThingEntry] = []
        """What is indexed only by the time that searches wait for."""

    async def ready(self, name: str) -> IndexName:
        if name not in {one.value for one in IndexName}:
            raise ResourceNotFound(f"There is no index {name}")
        return IndexName(name)

    async def settled(self, within: float = 1.0) -> None:
        await self.engine.put(self.late)


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[Index]:
    engine = FleetIndex(tmp_path)
    await engine.open()
    await engine.put([LAMP, PLAIN, BARE])
    await engine.put([ROOF])
    yield Index(engine)
    await engine.close()


@pytest.fixture
async def served(index: Any) -> AsyncIterator[Served]:
    async with serving([IotSearchApi(index)]) as served:
        yield served


async def refusal(served: Served, operation: str, **params: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        await served.call(operation, **params)
    response = caught.value.response
    return (
        response["Error"]["Code"],
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"].get("Message", ""),
    )


async def test_a_thing_with_all_it_has(served: Served) -> None:
    answer = await served.call("search_index", queryString="thingName:lamp", queryVersion="2017-09-30")
    [thing] = answer["things"]
    shadow = json.loads(thing.pop("shadow"))
    assert answer == {"things": [thing], "thingGroups": []}
    assert thing == {
        "thingName": "lamp",
        "thingId": "11111111-2222-3333-4444-555555555555",
        "thingTypeName": "Lamp",
        "thingGroupNames": ["roof", "cellar", "payer"],
        "attributes": {"color": "red", "n": "75"},
        "connectivity": {"connected": False, "timestamp": 1556649874716, "disconnectReason": "CONNECTION_LOST"},
    }
    assert shadow == {
        "desired": {"on": True},
        "reported": {"on": False},
        "delta": {"on": True},
        "metadata": {"desired": {"on": {"timestamp": 5}}, "reported": {"on": {"timestamp": 6}}},
        "hasDelta": True,
        "version": 7,
        "name": {"night": {"reported": {"mode": "dim"}, "metadata": {}, "hasDelta": False, "version": 2}},
    }


async def test_what_a_thing_does_not_have_is_not_there(served: Served) -> None:
    answer = await served.call("search_index", queryString="thingName:(bare OR plain)")
    assert answer["things"] == [
        {"thingName": "bare", "thingId": "b", "thingGroupNames": [], "attributes": {}},
        {
            "thingName": "plain",
            "thingId": "p",
            "thingGroupNames": [],
            "attributes": {"n": "80"},
            "connectivity": {"connected": False},
        },
    ]


async def test_a_thing_group(served: Served) -> None:
    answer = await served.call("search_index", indexName="AWS_ThingGroups", queryString="parentGroupNames:house")
    assert answer == {
        "things": [],
        "thingGroups": [
            {
                "thingGroupName": "roof",
                "thingGroupId": "g-1",
                "thingGroupDescription": "on top",
                "attributes": {"a": "b"},
                "parentGroupNames": ["house"],
            }
        ],
    }


async def test_pages(served: Served) -> None:
    names, token = [], None
    while True:
        page = await served.call(
            "search_index", queryString="*", maxResults=1, **({} if token is None else {"nextToken": token})
        )
        names += [one["thingName"] for one in page["things"]]
        token = page.get("nextToken")
        if token is None:
            break
    assert names == ["bare", "lamp", "plain"]


async def test_a_search_waits_for_what_was_done_before_it(index: Index, served: Served) -> None:
    index.late.append(ThingEntry(name="late", id="l", stamp=""))
    assert [one["thingName"] for one in (await served.call("search_index", queryString="late"))["things"]] == ["late"]


@pytest.mark.parametrize(
    ("params", "code", "told"),
    [
        ({"queryString": "thingName:x AND"}, "InvalidQueryException", "at character 16: expected a term"),
        ({"queryString": " "}, "InvalidQueryException", "expected a term"),
        ({"queryString": '"x'}, "InvalidQueryException", "no closing"),
        ({"queryString": " OR ".join("a" * 100)}, "InvalidQueryException", "the limit is 12"),
        ({"queryString": "a OR " * 10_000 + "a"}, "InvalidQueryException", "the limit is 1000"),
        ({"queryString": "*", "maxResults": 501}, "InvalidRequestException", "between 1 and 500"),
        ({"queryString": "*", "nextToken": "ä"}, "InvalidRequestException", "nextToken"),
        ({"queryString": "*", "queryVersion": "2020-01-01"}, "InvalidRequestException", "2017-09-30"),
        ({"queryString": "*", "indexName": "AWS_Nothing"}, "ResourceNotFoundException", "AWS_Nothing"),
    ],
)
async def test_refusals(served: Served, params: dict[str, Any], code: str, told: str) -> None:
    found = await refusal(served, "search_index", **params)
    assert found[0] == code
    assert told in found[2]
    assert found[1] == (404 if code.startswith("ResourceNotFound") else 400)


async def test_statistics(served: Served) -> None:
    answer = await served.call("get_statistics", queryString="*", aggregationField="attributes.n")
    assert answer["statistics"] == {
        "count": 2,
        "average": 77.5,
        "sum": 155.0,
        "minimum": 75.0,
        "maximum": 80.0,
        "sumOfSquares": 12025.0,
        "variance": 6.25,
        "stdDeviation": 2.5,
    }
    by_default = await served.call("get_statistics", queryString="*")
    assert by_default["statistics"]["sum"] == 5.0  # the versions in the registry: 3, 1 and 1
    of_groups = await served.call("get_statistics", indexName="AWS_ThingGroups", queryString="*")
    assert of_groups["statistics"]["sum"] == 4.0
    assert await served.call("get_statistics", queryString="*", aggregationField="attributes.color") == {
        "statistics": {"count": 1}
    }
    assert await served.call("get_statistics", queryString="nothing") == {"statistics": {"count": 0}}
    truth = await served.call("get_statistics", queryString="*", aggregationField="shadow.reported.on")
    assert (truth["statistics"]["count"], truth["statistics"]["average"]) == (1, 0.0)


async def test_cardinality(served: Served) -> None:
    assert await served.call("get_cardinality", queryString="*", aggregationField="thingName") == {"cardinality": 3}
    assert await served.call("get_cardinality", queryString="x", aggregationField="thingName") == {"cardinality": 0}


async def test_percentiles(served: Served) -> None:
    answer = await served.call("get_percentiles", queryString="*", aggregationField="attributes.n")
    assert [one["percent"] for one in answer["percentiles"]] == [1, 5, 25, 50, 75, 95, 99]
    chosen = await served.call("get_percentiles", queryString="*", aggregationField="attributes.n", percents=[50.0])
    assert chosen == {"percentiles": [{"percent": 50.0, "value": 77.5}]}
    assert await served.call("get_percentiles", queryString="x", aggregationField="attributes.n") == {"percentiles": []}


async def test_buckets(served: Served) -> None:
    terms = {"termsAggregation": {"maxBuckets": 2}}
    answer = await served.call(
        "get_buckets_aggregation",
        queryString="*",
        aggregationField="registry.thingGroupNames",
        bucketsAggregationType=terms,
    )
    assert answer == {
        "totalCount": 3,
        "buckets": [{"keyValue": "cellar", "count": 1}, {"keyValue": "payer", "count": 1}],
    }
    truths = await served.call(
        "get_buckets_aggregation",
        queryString="*",
        aggregationField="connectivity.connected",
        bucketsAggregationType={"termsAggregation": {}},
    )
    assert truths["buckets"] == [{"keyValue": "false", "count": 2}]


@pytest.mark.parametrize(
    ("operation", "params", "code", "told"),
    [
        ("get_statistics", {"aggregationField": "attributes.other"}, "InvalidAggregationException", "attributes.other"),
        ("get_cardinality", {"aggregationField": "shadow.desired.on"}, "InvalidAggregationException", "custom"),
        ("get_percentiles", {"aggregationField": "attributes.color"}, "InvalidAggregationException", "String"),
        ("get_percentiles", {"percents": [1.0] * 101}, "InvalidRequestException", "100"),
        (
            "get_buckets_aggregation",
            {"aggregationField": "thingName", "bucketsAggregationType": {}},
            "InvalidAggregationException",
            "termsAggregation",
        ),
        ("get_statistics", {"queryString": "("}, "InvalidQueryException", "expected a term"),
        ("get_statistics", {"indexName": "none"}, "ResourceNotFoundException", "none"),
    ],
)
async def test_aggregations_that_cannot_be(
    served: Served, operation: str, params: dict[str, Any], code: str, told: str
) -> None:
    found = await refusal(served, operation, **({"queryString": "*"} | params))
    assert found[0] == code
    assert told in found[2]
