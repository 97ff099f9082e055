"""Why a connection ended, in AWS's words and in MQTT 5's, and the exception that ends one."""

import enum

import msgspec

from fogbank.errors import FogbankError
from fogbank.mqtt import ReasonCode


class DisconnectReason(enum.Enum):
    """`disconnectReason` of lifecycle events. (AWS IoT developer guide, "Lifecycle events")"""

    API_INITIATED_DISCONNECT = "API_INITIATED_DISCONNECT"
    AUTH_ERROR = "AUTH_ERROR"
    CLIENT_ERROR = "CLIENT_ERROR"
    CLIENT_INITIATED_DISCONNECT = "CLIENT_INITIATED_DISCONNECT"
    CONNECTION_LOST = "CONNECTION_LOST"
    CUSTOMAUTH_TTL_EXPIRATION = "CUSTOMAUTH_TTL_EXPIRATION"
    DUPLICATE_CLIENTID = "DUPLICATE_CLIENTID"
    FORBIDDEN_ACCESS = "FORBIDDEN_ACCESS"
    MQTT_KEEP_ALIVE_TIMEOUT = "MQTT_KEEP_ALIVE_TIMEOUT"
    SERVER_ERROR = "SERVER_ERROR"
    SERVER_INITIATED_DISCONNECT = "SERVER_INITIATED_DISCONNECT"
    THROTTLED = "THROTTLED"
    WEBSOCKET_TTL_EXPIRATION = "WEBSOCKET_TTL_EXPIRATION"


TOLD: dict[DisconnectReason, ReasonCode] = {
    DisconnectReason.API_INITIATED_DISCONNECT: ReasonCode.ADMINISTRATIVE_ACTION,
    DisconnectReason.AUTH_ERROR: ReasonCode.NOT_AUTHORIZED,
    DisconnectReason.CLIENT_ERROR: ReasonCode.PROTOCOL_ERROR,
    DisconnectReason.CUSTOMAUTH_TTL_EXPIRATION: ReasonCode.MAXIMUM_CONNECT_TIME,
    DisconnectReason.DUPLICATE_CLIENTID: ReasonCode.SESSION_TAKEN_OVER,
    DisconnectReason.FORBIDDEN_ACCESS: ReasonCode.NOT_AUTHORIZED,
    DisconnectReason.MQTT_KEEP_ALIVE_TIMEOUT: ReasonCode.KEEP_ALIVE_TIMEOUT,
    DisconnectReason.SERVER_ERROR: ReasonCode.UNSPECIFIED_ERROR,
    DisconnectReason.SERVER_INITIATED_DISCONNECT: ReasonCode.SERVER_SHUTTING_DOWN,
    DisconnectReason.THROTTLED: ReasonCode.QUOTA_EXCEEDED,
    DisconnectReason.WEBSOCKET_TTL_EXPIRATION: ReasonCode.MAXIMUM_CONNECT_TIME,
}
"""What an MQTT 5 client is told by DISCONNECT, unless there is something more precise; of other reasons nothing.

0xA0 at the end of a connection's lifetime is UNVERIFIED: AWS names neither code.
"""


IN_ORDER = frozenset(
    {
        DisconnectReason.API_INITIATED_DISCONNECT,
        DisconnectReason.CUSTOMAUTH_TTL_EXPIRATION,
        DisconnectReason.WEBSOCKET_TTL_EXPIRATION,
    }
)
"""Nothing is wrong where a connection ends by these: somebody has asked for it, or its time is over."""

DENIED = "not authorized; the server's log and trace say why"
"""What a client is told of a decision by policies. Which of them lacks what would help a stranger to get in."""


REFUSAL = 0x80
"""Reason codes from here on are refusals. (MQTT 5.0, 2.4)"""


class Problem(msgspec.Struct, frozen=True):
    """Why a client does not get what it asked for."""

    code: ReasonCode
    text: str


class Refused(FogbankError):
    """What the client asked for ends its connection; the text says why, for the log and for MQTT 5's reason string."""

    def __init__(self, reason: DisconnectReason, message: str, code: ReasonCode | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = TOLD[reason] if code is None else code


class Throttled(Refused):
    """A rate is exceeded: the message is refused where there is a way to say so, and else discarded."""

    def __init__(self, message: str) -> None:
        super().__init__(DisconnectReason.THROTTLED, message)
