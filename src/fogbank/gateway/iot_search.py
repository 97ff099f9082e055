"""The IoT API of finding things and thing groups: SearchIndex, and aggregations (developer guide, index-aggregate)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.page_token import read_token, write_token
from fogbank.registry.errors import InvalidAggregation
from fogbank.registry.index.configuration import FieldType, IndexName
from fogbank.registry.index.engine import Statistics
from fogbank.registry.index.entry import Connectivity, GroupEntry, ThingEntry
from fogbank.registry.index.service import IndexService
from fogbank.search import Query, parse

QUERY_VERSION = "2017-09-30"
USUAL_PAGE, LARGEST_PAGE = 100, 500
"""(general reference, fleet indexing quotas; API_SearchIndex still says 100 for the latter)"""
USUAL_PERCENTS = (1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0)
MOST_PERCENTS = 100
"""(developer guide, managing-index, "Maximum values")"""
USUAL_BUCKETS = 10
_USUAL_FIELD = {IndexName.THINGS: "registry.version", IndexName.THING_GROUPS: "version"}
"""What is aggregated where the caller names no field (developer guide, index-aggregate); that of groups UNVERIFIED."""


class IotSearchApi:
    """SearchIndex, GetStatistics, GetCardinality, GetPercentiles and GetBucketsAggregation."""

    def __init__(self, index: IndexService) -> None:
        self._index = index

    @operation("iot", "SearchIndex")
    async def search_index(self, call: Call) -> Members:
        limit = call.params.get("maxResults") or USUAL_PAGE
        if not 1 <= limit <= LARGEST_PAGE:
            raise InvalidRequest(f"maxResults is between 1 and {LARGEST_PAGE}, not {limit}")
        after = read_token(call.params.get("nextToken"))
        index, query = await self._asked(call.params)
        if index is IndexName.THINGS:
            things = await self._index.engine.things(query, limit=limit, after=after)
            return {
                "things": [_thing(one) for one in things.items],
                "thingGroups": [],
                "nextToken": _token(things.next),
            }
        groups = await self._index.engine.groups(query, limit=limit, after=after)
        return {"things": [], "thingGroups": [_group(one) for one in groups.items], "nextToken": _token(groups.next)}

    @operation("iot", "GetStatistics")
    async def get_statistics(self, call: Call) -> Members:
        index, query = await self._asked(call.params)
        field, type_ = self._field(index, call.params)
        return {"statistics": _statistics(await self._index.engine.statistics(index, query, field, type_))}

    @operation("iot", "GetCardinality")
    async def get_cardinality(self, call: Call) -> Members:
        index, query = await self._asked(call.params)
        field, type_ = self._field(index, call.params)
        return {"cardinality": await self._index.engine.cardinality(index, query, field, type_)}

    @operation("iot", "GetPercentiles")
    async def get_percentiles(self, call: Call) -> Members:
        index, query = await self._asked(call.params)
        field, type_ = self._field(index, call.params)
        if type_ is not FieldType.NUMBER:
            raise InvalidAggregation(f"Percentiles are of numbers, and {field} is a {type_.value}")
        percents = call.params.get("percents") or USUAL_PERCENTS
        if len(percents) > MOST_PERCENTS:
            raise InvalidRequest(f"At most {MOST_PERCENTS} percents can be asked for, not {len(percents)}")
        found = await self._index.engine.percentiles(index, query, field, percents)
        return {"percentiles": [{"percent": percent, "value": value} for percent, value in found.items()]}

    @operation("iot", "GetBucketsAggregation")
    async def get_buckets_aggregation(self, call: Call) -> Members:
        terms = call.params["bucketsAggregationType"].get("termsAggregation")
        if terms is None:
            raise InvalidAggregation("bucketsAggregationType needs termsAggregation, the one type there is")
        index, query = await self._asked(call.params)
        field, type_ = self._field(index, call.params)
        found = await self._index.engine.buckets(index, query, field, type_, terms.get("maxBuckets") or USUAL_BUCKETS)
        return {
            "totalCount": found.total,
            "buckets": [{"keyValue": value, "count": count} for value, count in found.buckets],
        }

    async def _asked(self, params: Mapping[str, Any]) -> tuple[IndexName, Query]:
        """The index, once it can be asked and knows what was done before this call, and the query."""
        version = params.get("queryVersion")
        if version not in (None, "", QUERY_VERSION):
            raise InvalidRequest(f"queryVersion is {QUERY_VERSION}, not {version[:64]!r}")
        index = await self._index.ready(params.get("indexName") or IndexName.THINGS.value)
        query = parse(params["queryString"])
        await self._index.settled()
        return index, query

    def _field(self, index: IndexName, params: Mapping[str, Any]) -> tuple[str, FieldType]:
        """The field to aggregate, and as what. Raises InvalidAggregation."""
        field = params.get("aggregationField") or _USUAL_FIELD[index]
        type_ = self._index.configuration.of(index).type_of(field)
        if type_ is None:
            raise InvalidAggregation(
                f"{field[:200]} cannot be aggregated: it is neither a managed field nor a custom one of the index"
                f" {index.value}; UpdateIndexingConfiguration with customFields makes it one"
            )
        return field, type_


def _token(name: str | None) -> str | None:
    return None if name is None else write_token(name)


def _thing(thing: ThingEntry) -> Members:
    shadow = thing.shadow_document()
    return {
        "thingName": thing.name,
        "thingId": thing.id,
        "thingTypeName": thing.type_name,
        "thingGroupNames": list(thing.all_group_names),
        "attributes": thing.attributes,
        "shadow": None if shadow is None else msgspec.json.encode(shadow).decode(),
        "connectivity": None if thing.connectivity is None else _connectivity(thing.connectivity),
    }


def _connectivity(known: Connectivity) -> Members:
    return {
        "connected": known.connected,
        "timestamp": known.timestamp,
        "disconnectReason": known.disconnect_reason,
        "clientId": known.client_id,
        "keepAliveDuration": known.keep_alive,
        "sessionExpiry": known.session_expiry,
        "cleanSession": known.clean_session,
    }


def _group(group: GroupEntry) -> Members:
    return {
        "thingGroupName": group.name,
        "thingGroupId": group.id,
        "thingGroupDescription": group.description,
        "attributes": group.attributes,
        "parentGroupNames": list(group.parent_names),
    }


def _statistics(found: Statistics) -> Members:
    return {
        "count": found.count,
        "average": found.average,
        "sum": found.sum,
        "minimum": found.minimum,
        "maximum": found.maximum,
        "sumOfSquares": found.sum_of_squares,
        "variance": found.variance,
        "stdDeviation": found.std_deviation,
    }
