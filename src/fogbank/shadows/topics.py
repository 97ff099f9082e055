"""The reserved topics of shadows (developer guide, device-shadow-mqtt), and what they say of a request."""

import enum
import re

import msgspec

from fogbank.errors import InvalidRequest

THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}", re.ASCII)
SHADOW_NAME = re.compile(r"[$a-zA-Z0-9:_-]{1,64}", re.ASCII)


class Operation(enum.Enum):
    """What can be asked of a shadow, as its topic spells it."""

    GET = "get"
    UPDATE = "update"
    DELETE = "delete"


REQUEST_FILTERS = tuple(
    f"$aws/things/+/shadow/{name}{operation.value}" for name in ("", "name/+/") for operation in Operation
)
"""All that a client publishes to; the answers' topics are one level deeper."""


class ShadowId(msgspec.Struct, frozen=True):
    """Which shadow. `name` is None for the classic one."""

    thing: str
    name: str | None = None

    def __str__(self) -> str:
        return self.thing if self.name is None else f"{self.thing}/{self.name}"

    @property
    def label(self) -> str:
        """The name for error texts: the classic shadow goes by its thing's."""
        return self.thing if self.name is None else self.name

    def topic(self, operation: Operation, kind: str) -> str:
        """The topic for answers of a `kind`: `accepted`, `rejected`, `delta`, `documents`."""
        name = "" if self.name is None else f"name/{self.name}/"
        return f"$aws/things/{self.thing}/shadow/{name}{operation.value}/{kind}"

    def check(self) -> None:
        """Raise InvalidRequest where a name cannot be one."""
        if THING_NAME.fullmatch(self.thing) is None:
            raise InvalidRequest(f"Invalid thingName: {self.thing!r} must match {THING_NAME.pattern}")
        if self.name is not None and SHADOW_NAME.fullmatch(self.name) is None:
            raise InvalidRequest(f"Invalid shadowName: {self.name!r} must match {SHADOW_NAME.pattern}")


def parse_request_topic(topic: str) -> tuple[ShadowId, Operation]:
    """The shadow and the operation of a topic that matches one of `REQUEST_FILTERS`."""
    match topic.split("/"):
        case ["$aws", "things", thing, "shadow", operation]:
            return ShadowId(thing), Operation(operation)
        case ["$aws", "things", thing, "shadow", "name", name, operation]:
            return ShadowId(thing, name), Operation(operation)
    raise ValueError(f"{topic!r} is not a topic for shadow requests")
