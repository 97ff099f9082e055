"""The IoT API of event configurations: which events of registry and jobs are published."""

from fogbank.gateway.call import Call, Members, operation
from fogbank.ports import EventType
from fogbank.registry.registry import Registry


class IotEventsApi:
    """DescribeEventConfigurations and UpdateEventConfigurations."""

    def __init__(self, registry: Registry) -> None:
        self._configurations = registry.event_configurations

    @operation("iot", "DescribeEventConfigurations")
    async def describe_event_configurations(self, call: Call) -> Members:
        configuration = await self._configurations.describe()
        return {
            "eventConfigurations": {one.value: {"Enabled": configuration.of(one)} for one in EventType},
            "creationDate": configuration.created,
            "lastModifiedDate": configuration.modified,
        }

    @operation("iot", "UpdateEventConfigurations")
    async def update_event_configurations(self, call: Call) -> Members:
        """A category that is named without `Enabled` is switched off, as JSON's absent boolean is false."""
        given = call.params.get("eventConfigurations") or {}
        await self._configurations.update({name: bool(one.get("Enabled")) for name, one in given.items()})
        return {}
