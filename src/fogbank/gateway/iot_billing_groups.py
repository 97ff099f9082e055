"""The IoT API of billing groups and of the things in them."""

from collections.abc import Mapping
from typing import Any

from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.named import named
from fogbank.registry.registry import Registry
from fogbank.registry.tags import checked_tags
from fogbank.storage.paging import Paging


class IotBillingGroupsApi:
    """CreateBillingGroup to ListThingsInBillingGroup."""

    def __init__(self, registry: Registry) -> None:
        self._groups = registry.billing_groups
        self._members = registry.billing_members
        self._thing_arn = registry.things.arn

    @operation("iot", "CreateBillingGroup")
    async def create_billing_group(self, call: Call) -> Members:
        group = await self._groups.create(
            call.params["billingGroupName"], _description(call.params), tags=checked_tags(call.params.get("tags"))
        )
        return {
            "billingGroupName": group.name,
            "billingGroupArn": self._groups.arn(group.name),
            "billingGroupId": group.id,
        }

    @operation("iot", "DescribeBillingGroup")
    async def describe_billing_group(self, call: Call) -> Members:
        group = await self._groups.describe(call.params["billingGroupName"])
        return {
            "billingGroupName": group.name,
            "billingGroupArn": self._groups.arn(group.name),
            "billingGroupId": group.id,
            "version": group.version,
            "billingGroupProperties": {"billingGroupDescription": group.description},
            "billingGroupMetadata": {"creationDate": group.created},
        }

    @operation("iot", "ListBillingGroups")
    async def list_billing_groups(self, call: Call) -> Members:
        page = await self._groups.page(_paging(call.params), call.params.get("namePrefixFilter") or "")
        groups = [{"groupName": one.name, "groupArn": self._groups.arn(one.name)} for one in page.items]
        return {"billingGroups": groups, "nextToken": page.next}

    @operation("iot", "UpdateBillingGroup")
    async def update_billing_group(self, call: Call) -> Members:
        group = await self._groups.update(
            call.params["billingGroupName"],
            _description(call.params),
            expected_version=call.params.get("expectedVersion"),
        )
        return {"version": group.version}

    @operation("iot", "DeleteBillingGroup")
    async def delete_billing_group(self, call: Call) -> Members:
        name, version = call.params["billingGroupName"], call.params.get("expectedVersion")
        await self._groups.delete(name, expected_version=version)
        return {}

    @operation("iot", "AddThingToBillingGroup")
    async def add_thing_to_billing_group(self, call: Call) -> Members:
        await self._members.join(self._thing(call.params), self._group(call.params))
        return {}

    @operation("iot", "RemoveThingFromBillingGroup")
    async def remove_thing_from_billing_group(self, call: Call) -> Members:
        await self._members.leave(self._thing(call.params), self._group(call.params))
        return {}

    @operation("iot", "ListThingsInBillingGroup")
    async def list_things_in_billing_group(self, call: Call) -> Members:
        page = await self._members.things_in(call.params["billingGroupName"], _paging(call.params))
        return {"things": page.items, "nextToken": page.next}

    def _thing(self, params: Mapping[str, Any]) -> str:
        return named(params, "thing", self._thing_arn(""))

    def _group(self, params: Mapping[str, Any]) -> str:
        return named(params, "billingGroup", self._groups.arn(""))


def _description(params: Mapping[str, Any]) -> str | None:
    description: str | None = (params.get("billingGroupProperties") or {}).get("billingGroupDescription")
    return description


def _paging(params: Mapping[str, Any]) -> Paging:
    return Paging(params.get("nextToken"), params.get("maxResults"))
