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


class MessageProperties(msgspec.Struct, frozen=True, kw_only=True):
    """What an MQTT 5 publisher tells the receivers, passed on unaltered. (MQTT 5.0, 3.3.2.3)"""

    payload_format: int | None = None
    """1 says that the payload is UTF-8 text, 0 that it is bytes."""
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    """In the order in which they were sent; names may repeat. [MQTT-3.3.2-18]"""


NO_PROPERTIES = MessageProperties()


class Message(msgspec.Struct, frozen=True):
    """One PUBLISH, decoded. Topic and payload are as the publisher sent them; the payload may be any bytes."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    origin: Origin = PLATFORM
    will: bool = False
    """Whether this is the will of a client that was lost; the shadow service ignores those."""
    properties: MessageProperties = NO_PROPERTIES
    expires_at: float | None = None
    """Wall-clock seconds (`Clock.time`) after which it is not delivered any more; None: never."""
