"""The IoT API of thing groups and of the things in them; dynamic ones are made in `iot_dynamic_thing_groups`."""

from collections.abc import Mapping
from typing import Any

from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.named import named
from fogbank.registry.records import ThingGroup
from fogbank.registry.registry import Registry
from fogbank.registry.tags import checked_tags
from fogbank.registry.thing_groups import GroupSearch
from fogbank.registry.things import AttributeUpdate
from fogbank.storage.paging import Paging


class IotThingGroupsApi:
    """CreateThingGroup to ListThingsInThingGroup."""

    def __init__(self, registry: Registry) -> None:
        self._groups = registry.thing_groups
        self._members = registry.group_members
        self._thing_arn = registry.things.arn

    @operation("iot", "CreateThingGroup")
    async def create_thing_group(self, call: Call) -> Members:
        properties = call.params.get("thingGroupProperties") or {}
        group = await self._groups.create(
            call.params["thingGroupName"],
            parent=call.params.get("parentGroupName"),
            description=properties.get("thingGroupDescription"),
            attributes=(properties.get("attributePayload") or {}).get("attributes"),
            tags=checked_tags(call.params.get("tags")),
        )
        return {"thingGroupName": group.name, "thingGroupArn": self._groups.arn(group.name), "thingGroupId": group.id}

    @operation("iot", "DescribeThingGroup")
    async def describe_thing_group(self, call: Call) -> Members:
        group = await self._groups.describe(call.params["thingGroupName"])
        return {
            "thingGroupName": group.name,
            "thingGroupId": group.id,
            "thingGroupArn": self._groups.arn(group.name),
            "version": group.version,
            "thingGroupProperties": _properties(group),
            "thingGroupMetadata": {
                "parentGroupName": group.parent,
                "rootToParentThingGroups": [self._reference(name) for name in group.ancestors] or None,
                "creationDate": group.created,
            },
            **_query(group),
        }

    @operation("iot", "ListThingGroups")
    async def list_thing_groups(self, call: Call) -> Members:
        search = GroupSearch(
            parent=call.params.get("parentGroup"),
            prefix=call.params.get("namePrefixFilter") or "",
            recursive=call.params.get("recursive"),
        )
        page = await self._groups.page(_paging(call.params), search)
        return {"thingGroups": [self._reference(one.name) for one in page.items], "nextToken": page.next}

    @operation("iot", "UpdateThingGroup")
    async def update_thing_group(self, call: Call) -> Members:
        properties = call.params["thingGroupProperties"]
        payload = properties.get("attributePayload") or {}
        attributes = payload.get("attributes")
        group = await self._groups.update(
            call.params["thingGroupName"],
            description=properties.get("thingGroupDescription"),
            attributes=None if attributes is None else AttributeUpdate(attributes, bool(payload.get("merge"))),
            expected_version=call.params.get("expectedVersion"),
        )
        return {"version": group.version}

    @operation("iot", "DeleteThingGroup")
    async def delete_thing_group(self, call: Call) -> Members:
        name, version = call.params["thingGroupName"], call.params.get("expectedVersion")
        await self._groups.delete(name, expected_version=version)
        return {}

    @operation("iot", "AddThingToThingGroup")
    async def add_thing_to_thing_group(self, call: Call) -> Members:
        override = bool(call.params.get("overrideDynamicGroups"))
        await self._members.update(self._thing(call.params), join=[self._group(call.params)], override=override)
        return {}

    @operation("iot", "RemoveThingFromThingGroup")
    async def remove_thing_from_thing_group(self, call: Call) -> Members:
        await self._members.update(self._thing(call.params), leave=[self._group(call.params)])
        return {}

    @operation("iot", "UpdateThingGroupsForThing")
    async def update_thing_groups_for_thing(self, call: Call) -> Members:
        await self._members.update(
            self._thing(call.params),
            join=call.params.get("thingGroupsToAdd") or (),
            leave=call.params.get("thingGroupsToRemove") or (),
            override=bool(call.params.get("overrideDynamicGroups")),
        )
        return {}

    @operation("iot", "ListThingGroupsForThing")
    async def list_thing_groups_for_thing(self, call: Call) -> Members:
        page = await self._members.groups_of(call.params["thingName"], _paging(call.params))
        return {"thingGroups": [self._reference(name) for name in page.items], "nextToken": page.next}

    @operation("iot", "ListThingsInThingGroup")
    async def list_things_in_thing_group(self, call: Call) -> Members:
        page = await self._members.things_in(
            call.params["thingGroupName"], _paging(call.params), recursive=bool(call.params.get("recursive"))
        )
        return {"things": page.items, "nextToken": page.next}

    def _thing(self, params: Mapping[str, Any]) -> str:
        return named(params, "thing", self._thing_arn(""))

    def _group(self, params: Mapping[str, Any]) -> str:
        return named(params, "thingGroup", self._groups.arn(""))

    def _reference(self, name: str) -> Members:
        return {"groupName": name, "groupArn": self._groups.arn(name)}


def _properties(group: ThingGroup) -> Members:
    return {
        "thingGroupDescription": group.description,
        "attributePayload": {"attributes": group.attributes} if group.attributes else None,
    }


def _query(group: ThingGroup) -> Members:
    """What is described of dynamic groups alone."""
    dynamic = group.dynamic
    if dynamic is None:
        return {}
    return {
        "indexName": dynamic.index,
        "queryString": dynamic.text,
        "queryVersion": dynamic.version,
        "status": dynamic.status.value,
    }


def _paging(params: Mapping[str, Any]) -> Paging:
    return Paging(params.get("nextToken"), params.get("maxResults"))
