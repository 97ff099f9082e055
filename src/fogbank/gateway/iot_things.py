"""The IoT API of things and of the principals attached to them."""

from collections.abc import Mapping
from typing import Any

from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.records import Thing
from fogbank.registry.registry import Registry
from fogbank.registry.things import AttributeUpdate, Search
from fogbank.storage.paging import Paging

_EXCLUSIVE = {"EXCLUSIVE_THING": True, "NON_EXCLUSIVE_THING": False}
_TYPE = {exclusive: name for name, exclusive in _EXCLUSIVE.items()}


class IotThingsApi:
    """CreateThing to DeleteThing, AttachThingPrincipal to ListPrincipalThingsV2."""

    def __init__(self, registry: Registry) -> None:
        self._things = registry.things
        self._principals = registry.thing_principals
        self._principal_arn = registry.certificates.arn
        self._billing_group_of = registry.billing_members.group_of

    @operation("iot", "CreateThing")
    async def create_thing(self, call: Call) -> Members:
        payload = call.params.get("attributePayload") or {}
        thing = await self._things.create(
            call.params["thingName"],
            type_name=call.params.get("thingTypeName"),
            attributes=payload.get("attributes"),
            billing_group=call.params.get("billingGroupName"),
        )
        return {"thingName": thing.name, "thingArn": self._things.arn(thing.name), "thingId": thing.id}

    @operation("iot", "DescribeThing")
    async def describe_thing(self, call: Call) -> Members:
        thing = await self._things.describe(call.params["thingName"])
        return {
            "defaultClientId": thing.name,
            "thingId": thing.id,
            "billingGroupName": await self._billing_group_of(thing.name),
            **self._summary(thing),
        }

    @operation("iot", "ListThings")
    async def list_things(self, call: Call) -> Members:
        search = Search(
            attribute=call.params.get("attributeName"),
            value=call.params.get("attributeValue"),
            prefix=bool(call.params.get("usePrefixAttributeValue")),
            type_name=call.params.get("thingTypeName"),
        )
        page = await self._things.page(_paging(call.params), search)
        return {"things": [self._summary(thing) for thing in page.items], "nextToken": page.next}

    @operation("iot", "UpdateThing")
    async def update_thing(self, call: Call) -> Members:
        payload = call.params.get("attributePayload") or {}
        attributes = payload.get("attributes")
        await self._things.update(
            call.params["thingName"],
            attributes=None if attributes is None else AttributeUpdate(attributes, bool(payload.get("merge"))),
            type_name=call.params.get("thingTypeName"),
            remove_type=bool(call.params.get("removeThingType")),
            expected_version=call.params.get("expectedVersion"),
        )
        return {}

    @operation("iot", "DeleteThing")
    async def delete_thing(self, call: Call) -> Members:
        await self._things.delete(call.params["thingName"], expected_version=call.params.get("expectedVersion"))
        return {}

    @operation("iot", "AttachThingPrincipal")
    async def attach_thing_principal(self, call: Call) -> Members:
        await self._principals.attach(
            call.params["thingName"], call.params["principal"], exclusive=_exclusive(call.params)
        )
        return {}

    @operation("iot", "DetachThingPrincipal")
    async def detach_thing_principal(self, call: Call) -> Members:
        await self._principals.detach(call.params["thingName"], call.params["principal"])
        return {}

    @operation("iot", "ListThingPrincipals")
    async def list_thing_principals(self, call: Call) -> Members:
        page = await self._principals.of_thing(call.params["thingName"], _paging(call.params))
        return {"principals": [self._principal_arn(one.certificate) for one in page.items], "nextToken": page.next}

    @operation("iot", "ListThingPrincipalsV2")
    async def list_thing_principals_v2(self, call: Call) -> Members:
        page = await self._principals.of_thing(
            call.params["thingName"], _paging(call.params), exclusive=_exclusive(call.params)
        )
        objects = [
            {"principal": self._principal_arn(one.certificate), "thingPrincipalType": _TYPE[one.exclusive]}
            for one in page.items
        ]
        return {"thingPrincipalObjects": objects, "nextToken": page.next}

    @operation("iot", "ListPrincipalThings")
    async def list_principal_things(self, call: Call) -> Members:
        page = await self._principals.of_principal(call.params["principal"], _paging(call.params))
        return {"things": [one.thing for one in page.items], "nextToken": page.next}

    @operation("iot", "ListPrincipalThingsV2")
    async def list_principal_things_v2(self, call: Call) -> Members:
        page = await self._principals.of_principal(
            call.params["principal"], _paging(call.params), exclusive=_exclusive(call.params)
        )
        objects = [{"thingName": one.thing, "thingPrincipalType": _TYPE[one.exclusive]} for one in page.items]
        return {"principalThingObjects": objects, "nextToken": page.next}

    def _summary(self, thing: Thing) -> Members:
        return {
            "thingName": thing.name,
            "thingTypeName": thing.type_name,
            "thingArn": self._things.arn(thing.name),
            "attributes": thing.attributes,
            "version": thing.version,
        }


def _paging(params: Mapping[str, Any]) -> Paging:
    return Paging(params.get("nextToken"), params.get("maxResults"))


def _exclusive(params: Mapping[str, Any]) -> bool | None:
    """The gateway has checked the value against the model's enumeration."""
    type_ = params.get("thingPrincipalType")
    return None if type_ is None else _EXCLUSIVE[type_]
