"""Retained messages over HTTP. (Developer guide, "MQTT retained messages"; API reference)"""

import msgspec

from fogbank.broker.retained import Retained, RetainedMessage
from fogbank.errors import InvalidRequest, ResourceNotFound
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.device_rights import DeviceRights
from fogbank.gateway.page_token import read_token, write_token
from fogbank.topics import InvalidTopic, check_topic

TOPICS_PER_PAGE = 200
"""Where the request does not say: as many as it may ask for. UNVERIFIED."""


class IotRetainedApi:
    """GetRetainedMessage and ListRetainedMessages."""

    def __init__(self, retained: Retained, rights: DeviceRights) -> None:
        self._retained = retained
        self._rights = rights

    @operation("iot-data", "GetRetainedMessage")
    async def get_retained_message(self, call: Call) -> Members:
        topic = call.params["topic"]
        try:
            check_topic(topic)
        except InvalidTopic as error:
            raise InvalidRequest(str(error)) from None
        await self._rights.check(call, "topic", topic, kind="receive")
        found = self._retained.get(topic)
        if found is None:
            raise ResourceNotFound(f"No retained message exists for topic: '{topic}'")
        message = found.message
        return {
            "topic": topic,
            "payload": message.payload,
            "qos": message.qos,
            "lastModifiedTime": found.modified_at,
            "userProperties": _user_properties(found),
        }

    @operation("iot-data", "ListRetainedMessages")
    async def list_retained_messages(self, call: Call) -> Members:
        """By topic. A device may list all or none: the resource of the action is `*`."""
        await self._rights.check(call, "*", kind="receive")
        limit = call.params.get("maxResults") or TOPICS_PER_PAGE
        found = self._retained.page(read_token(call.params.get("nextToken")), limit + 1)
        page = found[:limit]
        return {
            "retainedTopics": [_summary(one) for one in page],
            "nextToken": write_token(page[-1].message.topic) if len(found) > limit else None,
        }


def _summary(retained: RetainedMessage) -> Members:
    message = retained.message
    return {
        "topic": message.topic,
        "payloadSize": len(message.payload),
        "qos": message.qos,
        "lastModifiedTime": retained.modified_at,
    }


def _user_properties(retained: RetainedMessage) -> bytes | None:
    """`[{"name": "value"}, ...]`, one object each, since names may repeat."""
    pairs = retained.message.properties.user_properties
    return msgspec.json.encode([{name: value} for name, value in pairs]) if pairs else None
