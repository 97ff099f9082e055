"""The IoT API of thing types."""

from collections.abc import Mapping
from typing import Any

from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.records import PropagatingAttribute, ThingType
from fogbank.registry.registry import Registry
from fogbank.registry.tags import checked_tags
from fogbank.storage.paging import Paging


class IotThingTypesApi:
    """CreateThingType to DeleteThingType."""

    def __init__(self, registry: Registry) -> None:
        self._types = registry.thing_types

    @operation("iot", "CreateThingType")
    async def create_thing_type(self, call: Call) -> Members:
        properties = _properties(call)
        type_ = await self._types.create(
            call.params["thingTypeName"],
            properties.get("thingTypeDescription"),
            properties.get("searchableAttributes") or (),
            propagating=_propagating(properties) or (),
            tags=checked_tags(call.params.get("tags")),
        )
        return {"thingTypeName": type_.name, "thingTypeArn": self._types.arn(type_.name), "thingTypeId": type_.id}

    @operation("iot", "DescribeThingType")
    async def describe_thing_type(self, call: Call) -> Members:
        type_ = await self._types.describe(call.params["thingTypeName"])
        return {"thingTypeId": type_.id, **self._summary(type_)}

    @operation("iot", "ListThingTypes")
    async def list_thing_types(self, call: Call) -> Members:
        paging = Paging(call.params.get("nextToken"), call.params.get("maxResults"))
        page = await self._types.page(paging, name=call.params.get("thingTypeName"))
        return {"thingTypes": [self._summary(type_) for type_ in page.items], "nextToken": page.next}

    @operation("iot", "UpdateThingType")
    async def update_thing_type(self, call: Call) -> Members:
        properties = _properties(call)
        await self._types.update(
            call.params["thingTypeName"],
            properties.get("thingTypeDescription"),
            properties.get("searchableAttributes"),
            _propagating(properties),
        )
        return {}

    @operation("iot", "DeprecateThingType")
    async def deprecate_thing_type(self, call: Call) -> Members:
        await self._types.deprecate(call.params["thingTypeName"], undo=bool(call.params.get("undoDeprecate")))
        return {}

    @operation("iot", "DeleteThingType")
    async def delete_thing_type(self, call: Call) -> Members:
        await self._types.delete(call.params["thingTypeName"])
        return {}

    def _summary(self, type_: ThingType) -> Members:
        return {
            "thingTypeName": type_.name,
            "thingTypeArn": self._types.arn(type_.name),
            "thingTypeProperties": {
                "thingTypeDescription": type_.description,
                "searchableAttributes": list(type_.searchable),
                "mqtt5Configuration": _mqtt5_configuration(type_),
            },
            "thingTypeMetadata": {
                "deprecated": type_.deprecated is not None,
                "deprecationDate": type_.deprecated,
                "creationDate": type_.created,
            },
        }


def _properties(call: Call) -> Mapping[str, Any]:
    return call.params.get("thingTypeProperties") or {}


def _propagating(properties: Mapping[str, Any]) -> list[PropagatingAttribute] | None:
    """None where the request says nothing of it."""
    given = (properties.get("mqtt5Configuration") or {}).get("propagatingAttributes")
    if given is None:
        return None
    return [
        PropagatingAttribute(
            key=one.get("userPropertyKey") or "",
            thing_attribute=one.get("thingAttribute"),
            connection_attribute=one.get("connectionAttribute"),
        )
        for one in given
    ]


def _mqtt5_configuration(type_: ThingType) -> Members | None:
    if not type_.propagating:
        return None
    return {"propagatingAttributes": [one.members() for one in type_.propagating]}
