"""The platform tells on reserved topics what happens in it: `$aws/events/...` (developer guide, registry-events).

Each category can be switched, and most are off: whoever makes a costly document asks `enabled` first, or hands over a
`Happening`, which makes its own when it is wanted.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock, milliseconds
from fogbank.message import Message
from fogbank.ports import EventType, Publisher
from fogbank.registry.event_configurations import EventConfigurations
from fogbank.registry.happenings import Happening

__all__ = ["EventType", "Events"]

log = logging.getLogger(__name__)


class Events:
    """Publishes what is enabled, at QoS 1 and with the platform as its origin. Port EventSink."""

    def __init__(self, configurations: EventConfigurations, publisher: Publisher, arns: Arns, clock: Clock) -> None:
        self._configurations = configurations
        self._publisher = publisher
        self._arns = arns
        self._clock = clock

    async def enabled(self, category: EventType) -> bool:
        """Whether events of this category are published."""
        return await self._configurations.enabled(category)

    async def emit(self, category: EventType, topic: str, document: Mapping[str, Any]) -> None:
        """Publish `document` as JSON, where `category` is enabled; on return it is as durable as its subscribers ask.

        Call it once what it tells of is durable. Never raises: what cannot be published is logged, and the change
        that it tells of stands.
        """
        try:
            if await self._configurations.enabled(category):
                await self._publisher.publish(Message(topic, msgspec.json.encode(document), qos=1))
        except Exception:
            log.exception("the event %s could not be published; what it tells of is stored", topic)

    async def announce(self, happenings: Callable[[], Iterable[Happening]]) -> None:
        """Emit what happened in the registry, in its order. Never raises."""
        try:
            if any(map((await self._configurations.describe()).of, Happening.CATEGORIES)):
                for happening in happenings():
                    if await self._configurations.enabled(happening.category):
                        await self.emit(happening.category, happening.topic, self._document(happening))
        except Exception:
            log.exception("events could not be published; what they tell of is stored")

    def _document(self, happening: Happening) -> dict[str, Any]:
        return {
            "eventType": f"{happening.category.value}_EVENT",
            "eventId": str(uuid.uuid4()),
            "timestamp": milliseconds(self._clock),
            "operation": happening.operation.value,
            **happening.members(self._arns),
        }
