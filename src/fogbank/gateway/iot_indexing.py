"""The IoT API of what is indexed: GetIndexingConfiguration to DescribeIndex (developer guide, managing-index)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fogbank.errors import InvalidRequest
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.page_token import read_token, write_token
from fogbank.registry.index.configuration import Field, FieldType, GeoLocation, GroupIndexing, ThingIndexing, ThingMode
from fogbank.registry.index.service import IndexService
from fogbank.search.geography import Order

SOCKET_INFORMATION = "GET_THING_CONNECTIVITY_DATA"
"""The one API for which `filter.connectivity.includeSocketInformation` can be asked (API reference,
ConnectivityFilter)."""


class IotIndexingApi:
    """GetIndexingConfiguration, UpdateIndexingConfiguration, ListIndices and DescribeIndex."""

    def __init__(self, index: IndexService) -> None:
        self._index = index

    @operation("iot", "GetIndexingConfiguration")
    async def get_indexing_configuration(self, call: Call) -> Members:
        now = self._index.configuration
        return {
            "thingIndexingConfiguration": _described_things(now.things),
            "thingGroupIndexingConfiguration": _described_groups(now.groups),
        }

    @operation("iot", "UpdateIndexingConfiguration")
    async def update_indexing_configuration(self, call: Call) -> Members:
        things = call.params.get("thingIndexingConfiguration")
        groups = call.params.get("thingGroupIndexingConfiguration")
        await self._index.configure(
            things=None if things is None else _read_things(things),
            groups=None if groups is None else _read_groups(groups),
        )
        await self._index.caught_up()
        return {}

    @operation("iot", "ListIndices")
    async def list_indices(self, call: Call) -> Members:
        after, limit = read_token(call.params.get("nextToken")), call.params.get("maxResults") or 500
        names = [name for name in sorted(self._index.names()) if name > after]
        return {
            "indexNames": names[:limit],
            "nextToken": write_token(names[limit - 1]) if len(names) > limit else None,
        }

    @operation("iot", "DescribeIndex")
    async def describe_index(self, call: Call) -> Members:
        name = call.params["indexName"]
        return {
            "indexName": name,
            "indexStatus": self._index.status(name).value,
            "schema": self._index.schema(name),
        }


def _read_things(given: Mapping[str, Any]) -> ThingIndexing:
    """What is left out is OFF. Raises InvalidRequest where managed fields other than ours are asked for."""
    filter_ = given.get("filter") or {}
    read = ThingIndexing(
        mode=ThingMode(given["thingIndexingMode"]),
        connectivity=given.get("thingConnectivityIndexingMode") == "STATUS",
        device_defender=given.get("deviceDefenderIndexingMode") == "VIOLATIONS",
        named_shadows=given.get("namedShadowIndexingMode") == "ON",
        custom_fields=_read_fields(given.get("customFields")),
        shadow_names=tuple(filter_.get("namedShadowNames") or ()),
        geo_locations=tuple(
            GeoLocation(place.get("name") or "", Order(place.get("order") or Order.LAT_LON.value))
            for place in filter_.get("geoLocations") or ()
        ),
        socket_information=_read_socket_information(filter_.get("connectivity") or {}),
    )
    _check_managed(given.get("managedFields"), read.managed_fields)
    return read


def _read_groups(given: Mapping[str, Any]) -> GroupIndexing:
    read = GroupIndexing(
        on=given["thingGroupIndexingMode"] == "ON", custom_fields=_read_fields(given.get("customFields"))
    )
    _check_managed(given.get("managedFields"), read.managed_fields)
    return read


def _read_fields(given: Sequence[Mapping[str, Any]] | None) -> tuple[Field, ...]:
    return tuple(_read_field(one) for one in given or ())


def _read_field(given: Mapping[str, Any]) -> Field:
    name, type_ = given.get("name"), given.get("type")
    if name is None or type_ is None:
        raise InvalidRequest("A field needs a name and a type")
    return Field(name, FieldType(type_))


def _read_socket_information(given: Mapping[str, Any]) -> bool:
    asked = given.get("includeSocketInformation") or ()
    if unknown := [one for one in asked if one != SOCKET_INFORMATION]:
        raise InvalidRequest(
            f"filter.connectivity.includeSocketInformation: {unknown[0]!r} is not supported; there is"
            f" {SOCKET_INFORMATION}"
        )
    return bool(asked)


def _check_managed(given: Sequence[Mapping[str, Any]] | None, ours: Iterable[Field]) -> None:
    """What comes from GetIndexingConfiguration may be sent back (API reference: managed fields cannot be modified)."""
    for one in _read_fields(given):
        if one not in ours:
            raise InvalidRequest(
                f"managedFields cannot be changed: {one.name[:200]!r} of type {one.type.value} is not among those"
                " that these modes have"
            )


def _described_things(things: ThingIndexing) -> Members:
    filter_: Members = {}
    if things.shadow_names:
        filter_["namedShadowNames"] = list(things.shadow_names)
    if things.geo_locations:
        filter_["geoLocations"] = [{"name": one.name, "order": one.order.value} for one in things.geo_locations]
    if things.socket_information:
        filter_["connectivity"] = {"includeSocketInformation": [SOCKET_INFORMATION]}
    return {
        "thingIndexingMode": things.mode.value,
        "thingConnectivityIndexingMode": "STATUS" if things.connectivity else "OFF",
        "deviceDefenderIndexingMode": "VIOLATIONS" if things.device_defender else "OFF",
        "namedShadowIndexingMode": "ON" if things.named_shadows else "OFF",
        "managedFields": _described_fields(things.managed_fields),
        "customFields": _described_fields(things.custom_fields),
        "filter": filter_ or None,
    }


def _described_groups(groups: GroupIndexing) -> Members:
    return {
        "thingGroupIndexingMode": "ON" if groups.on else "OFF",
        "managedFields": _described_fields(groups.managed_fields),
        "customFields": _described_fields(groups.custom_fields),
    }


def _described_fields(fields: Iterable[Field]) -> list[Members]:
    return [{"name": one.name, "type": one.type.value} for one in fields]
