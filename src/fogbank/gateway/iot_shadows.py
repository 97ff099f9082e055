"""Device shadows over HTTP, for apps with an access key and devices with a certificate."""

from fogbank.clock import Clock
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.device_rights import DeviceRights
from fogbank.shadows.service import ShadowService
from fogbank.shadows.undocumented import NAMES_PER_PAGE


class IotShadowsApi:
    """GetThingShadow, UpdateThingShadow, DeleteThingShadow and ListNamedShadowsForThing."""

    def __init__(self, shadows: ShadowService, rights: DeviceRights, clock: Clock) -> None:
        self._shadows = shadows
        self._rights = rights
        self._clock = clock

    @operation("iot-data", "GetThingShadow")
    async def get_thing_shadow(self, call: Call) -> Members:
        thing, name = await self._shadow(call)
        return {"payload": await self._shadows.get(thing, name)}

    @operation("iot-data", "UpdateThingShadow")
    async def update_thing_shadow(self, call: Call) -> Members:
        thing, name = await self._shadow(call)
        return {"payload": await self._shadows.update(thing, name, call.params["payload"])}

    @operation("iot-data", "DeleteThingShadow")
    async def delete_thing_shadow(self, call: Call) -> Members:
        thing, name = await self._shadow(call)
        return {"payload": await self._shadows.delete(thing, name)}

    @operation("iot-data", "ListNamedShadowsForThing")
    async def list_named_shadows_for_thing(self, call: Call) -> Members:
        thing = call.params["thingName"]
        await self._rights.check(call, "thing", thing, kind="shadow")
        limit = call.params.get("pageSize") or NAMES_PER_PAGE
        page = await self._shadows.names(thing, limit, call.params.get("nextToken"))
        return {"results": page.names, "nextToken": page.next_token, "timestamp": int(self._clock.time())}

    async def _shadow(self, call: Call) -> tuple[str, str | None]:
        """The thing and shadow name, where the caller may do to them what the operation does."""
        thing, name = call.params["thingName"], call.params.get("shadowName")
        await self._rights.check(call, "thing", thing if name is None else f"{thing}/{name}", kind="shadow")
        return thing, name
