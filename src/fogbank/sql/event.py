"""What a statement is evaluated on: one message with its context, parsed at most once however many rules look at it."""

import os
import random
import uuid
from collections.abc import Callable
from typing import Any, Final

import msgspec

from fogbank.sql.values import Value, from_json
from fogbank.sql.version import Version

_BASIC_INGEST: Final = "$aws/rules/"


_NAMES: Final = {
    "content_type": "contentType",
    "response_topic": "responseTopic",
    "correlation_data": "correlationData",
    "format_indicator": "payloadFormatIndicator",
    "user_properties": "userProperties",
}
"""As JSON they bear the names of the republish action's headers."""


class MqttProperties(msgspec.Struct, frozen=True, rename=_NAMES):
    """The MQTT 5 properties of a message that SQL can see."""

    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: str | None = None
    """In base64, as SQL gives it."""
    format_indicator: str = "UNSPECIFIED_BYTES"
    """`UNSPECIFIED_BYTES` or `UTF8_DATA`."""
    user_properties: tuple[tuple[str, str], ...] = ()


class Chance(msgspec.Struct, frozen=True):
    """Where `newuuid()` and `rand()` get theirs from. Tests bring their own."""

    uuid: Callable[[], str]
    fraction: Callable[[], float]
    """At least 0, less than 1."""


CHANCE: Final = Chance(lambda: str(uuid.UUID(bytes=os.urandom(16), version=4)), random.random)

NO_PROPERTIES: Final = MqttProperties()


_UNPARSED: Final = object()


class Event(msgspec.Struct, kw_only=True, eq=False, repr_omit_defaults=True):
    """One message and its context. Its payload is parsed when first asked for, then kept."""

    topic: str
    payload: bytes
    client_id: str | None = None
    """None where the message did not come over MQTT."""
    principal: str = ""
    timestamp_ms: int = 0
    """When the rules engine saw the message, in milliseconds since the epoch."""
    account_id: str = ""
    source_ip: str | None = None
    trace_id: str | None = None
    mqtt: MqttProperties = NO_PROPERTIES
    chance: Chance = CHANCE
    _exact: Any = _UNPARSED
    _whole: Any = _UNPARSED

    def value(self, version: Version) -> Value:
        """The payload as JSON, numbers as `version` has them; Undefined where it isn't JSON."""
        value: Value
        if version is Version.V2015_10_08:
            value = self._exact
            if value is _UNPARSED:
                value = self._exact = from_json(self.payload, version)
        else:
            value = self._whole
            if value is _UNPARSED:
                value = self._whole = from_json(self.payload, version)
        return value

    @property
    def basic_ingest(self) -> bool:
        """Whether the message was published straight to a rule, `$aws/rules/<rule>/...`."""
        return self.topic.startswith(_BASIC_INGEST)

    @property
    def visible_topic(self) -> str:
        """The topic as SQL sees it: without the `$aws/rules/<rule>/` of Basic Ingest."""
        if not self.basic_ingest:
            return self.topic
        return self.topic.removeprefix(_BASIC_INGEST).partition("/")[2]
