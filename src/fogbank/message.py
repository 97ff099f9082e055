"""A published message and where it came from: what in-process subscribers (rules, shadows, jobs) are given."""

import msgspec


class Origin(msgspec.Struct, frozen=True):
    """Who published. `principal` is the certificate ID, access key ID of the publisher, `""` for the platform."""

    principal: str = ""
    client_id: str | None = None
    """The MQTT client ID; None where the message did not come over MQTT."""
    source_ip: str | None = None
    hops: int = 0
    """How many republish actions the message has been through: what stops a rule that feeds itself."""


PLATFORM = Origin()
"""The platform itself: lifecycle events, shadow answers."""


class Message(msgspec.Struct, frozen=True):
    """One PUBLISH, decoded. Topic and payload are as the publisher sent them; the payload may be any bytes."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    origin: Origin = PLATFORM
    will: bool = False
    """Whether this is the will of a client that was lost; the shadow service ignores those."""
