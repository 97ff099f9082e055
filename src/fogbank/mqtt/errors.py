"""What can be wrong with bytes that claim to be MQTT."""

from fogbank.errors import FogbankError
from fogbank.mqtt.reasons import ReasonCode


class ProtocolViolation(FogbankError):
    """The peer broke a rule of MQTT; its connection ends. [MQTT-4.8.0-1] [MQTT-4.13.1-1]

    `code` is what an MQTT 5 peer is told by DISCONNECT or CONNACK.
    """

    code: ReasonCode = ReasonCode.PROTOCOL_ERROR

    def __init__(self, message: str, *, code: ReasonCode | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class MalformedPacket(ProtocolViolation):
    """The bytes are no packet."""

    code = ReasonCode.MALFORMED_PACKET


class PacketTooLarge(ProtocolViolation):
    """The packet is larger than the receiver takes."""

    code = ReasonCode.PACKET_TOO_LARGE


class UnsupportedVersion(ProtocolViolation):
    """A protocol that is known and not served: `name` and `level` say which. [MQTT-3.1.2-2]"""

    code = ReasonCode.UNSUPPORTED_PROTOCOL_VERSION

    def __init__(self, name: str, level: int) -> None:
        super().__init__(f"protocol level {level} of {name} is not served, only MQTT 3.1.1 (4) and 5.0 (5)")
        self.name = name
        self.level = level
