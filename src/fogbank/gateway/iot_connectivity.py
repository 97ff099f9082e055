"""The IoT API of things' connections, as the broker knows them at the moment it is asked."""

from fogbank.broker.connections import Connections
from fogbank.errors import ResourceNotFound
from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.registry import Registry


class IotConnectivityApi:
    """GetThingConnectivityData. AWS reads the fleet index, and has it only where connectivity is indexed; here the
    broker itself is asked, of the client whose ID is the thing's name."""

    def __init__(self, registry: Registry, connections: Connections) -> None:
        self._things = registry.things
        self._connections = connections

    @operation("iot", "GetThingConnectivityData")
    async def get_thing_connectivity_data(self, call: Call) -> Members:
        name = call.params["thingName"]
        await self._things.stored(name)
        try:
            status = self._connections.get(name)
        except ResourceNotFound:
            return {"thingName": name, "connected": False}
        known = {
            "thingName": name,
            "clientId": status.client_id,
            "connected": status.connected,
            "timestamp": status.since,
            "disconnectReason": status.reason,
            "keepAliveDuration": status.keep_alive,
            "cleanSession": status.is_clean,
            "sessionExpiry": status.session_expiry,
        }
        if call.params.get("includeSocketInformation"):
            known |= {
                "sourceIp": status.source.ip,
                "sourcePort": status.source.port,
                "targetIp": status.target.ip,
                "targetPort": status.target.port,
            }
        return known
