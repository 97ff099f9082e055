"""Why a connection ended, in AWS's words, and the exception that ends one."""

import enum

from fogbank.errors import FogbankError


class DisconnectReason(enum.Enum):
    """`disconnectReason` of lifecycle events. (AWS IoT developer guide, "Lifecycle events")"""

    AUTH_ERROR = "AUTH_ERROR"
    CLIENT_ERROR = "CLIENT_ERROR"
    CLIENT_INITIATED_DISCONNECT = "CLIENT_INITIATED_DISCONNECT"
    CONNECTION_LOST = "CONNECTION_LOST"
    DUPLICATE_CLIENTID = "DUPLICATE_CLIENTID"
    FORBIDDEN_ACCESS = "FORBIDDEN_ACCESS"
    MQTT_KEEP_ALIVE_TIMEOUT = "MQTT_KEEP_ALIVE_TIMEOUT"
    SERVER_ERROR = "SERVER_ERROR"
    SERVER_INITIATED_DISCONNECT = "SERVER_INITIATED_DISCONNECT"


class Refused(FogbankError):
    """What the client asked for ends its connection; the text says why, for the log."""

    def __init__(self, reason: DisconnectReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
