"""What `get_registry_data` of AWS IoT SQL is answered: what the API answers the operation of that name, as JSON."""

import msgspec

from fogbank.gateway.call import Call, Caller, operations

PLATFORM = Caller("", "")
"""Rules ask in the name of roles, whose rights were checked before."""


class RegistryData:
    """Answers operations of API modules about one thing."""

    def __init__(self, *apis: object) -> None:
        self._handlers = {name: handler for api in apis for (_, name), handler in operations(api)}

    async def answer(self, operation: str, thing: str) -> bytes:
        """The answer to `operation` about `thing`. Raises ServiceError."""
        call = Call("iot", operation, {"thingName": thing}, PLATFORM, "")
        members = await self._handlers[operation](call)
        return msgspec.json.encode({name: value for name, value in members.items() if value is not None})
