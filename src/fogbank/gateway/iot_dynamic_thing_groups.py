"""The IoT API of dynamic thing groups; what they share with static ones is in `iot_thing_groups`."""

from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.index.dynamic_groups import DynamicGroups
from fogbank.registry.registry import Registry
from fogbank.registry.tags import checked_tags
from fogbank.registry.things import AttributeUpdate


class IotDynamicThingGroupsApi:
    """CreateDynamicThingGroup, UpdateDynamicThingGroup and DeleteDynamicThingGroup."""

    def __init__(self, groups: DynamicGroups, registry: Registry) -> None:
        self._groups = groups
        self._arn = registry.thing_groups.arn

    @operation("iot", "CreateDynamicThingGroup")
    async def create_dynamic_thing_group(self, call: Call) -> Members:
        properties = call.params.get("thingGroupProperties") or {}
        group = await self._groups.create(
            call.params["thingGroupName"],
            call.params["queryString"],
            index=call.params.get("indexName"),
            version=call.params.get("queryVersion"),
            description=properties.get("thingGroupDescription"),
            attributes=(properties.get("attributePayload") or {}).get("attributes"),
            tags=checked_tags(call.params.get("tags")),
        )
        dynamic = group.dynamic
        assert dynamic is not None
        return {
            "thingGroupName": group.name,
            "thingGroupArn": self._arn(group.name),
            "thingGroupId": group.id,
            "indexName": dynamic.index,
            "queryString": dynamic.text,
            "queryVersion": dynamic.version,
        }

    @operation("iot", "UpdateDynamicThingGroup")
    async def update_dynamic_thing_group(self, call: Call) -> Members:
        properties = call.params["thingGroupProperties"]
        payload = properties.get("attributePayload") or {}
        attributes = payload.get("attributes")
        group = await self._groups.update(
            call.params["thingGroupName"],
            query=call.params.get("queryString"),
            index=call.params.get("indexName"),
            version=call.params.get("queryVersion"),
            description=properties.get("thingGroupDescription"),
            attributes=None if attributes is None else AttributeUpdate(attributes, bool(payload.get("merge"))),
            expected_version=call.params.get("expectedVersion"),
        )
        return {"version": group.version}

    @operation("iot", "DeleteDynamicThingGroup")
    async def delete_dynamic_thing_group(self, call: Call) -> Members:
        await self._groups.delete(call.params["thingGroupName"], expected_version=call.params.get("expectedVersion"))
        return {}
