"""The IoT API of tags, of whatever resource."""

from fogbank.errors import InvalidRequest
from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.registry import Registry
from fogbank.registry.tags import check_key, checked_tags


class IotTagsApi:
    """TagResource, UntagResource and ListTagsForResource."""

    def __init__(self, registry: Registry) -> None:
        self._tags = registry.tags

    @operation("iot", "TagResource")
    async def tag_resource(self, call: Call) -> Members:
        await self._tags.add(call.params["resourceArn"], checked_tags(call.params["tags"]))
        return {}

    @operation("iot", "UntagResource")
    async def untag_resource(self, call: Call) -> Members:
        keys = [check_key(key) for key in call.params["tagKeys"]]
        await self._tags.remove(call.params["resourceArn"], keys)
        return {}

    @operation("iot", "ListTagsForResource")
    async def list_tags_for_resource(self, call: Call) -> Members:
        """All at once: a resource has fewer tags than any page has room for, so that there is never a second one."""
        if call.params.get("nextToken"):
            raise InvalidRequest("Invalid nextToken: all tags of a resource are on its first page")
        tags = await self._tags.list(call.params["resourceArn"])
        return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
