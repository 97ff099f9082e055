"""What can be wrong with bytes that claim to be MQTT."""

from fogbank.errors import FogbankError


class ProtocolViolation(FogbankError):
    """The peer broke a rule of MQTT; its connection ends. [MQTT-4.8.0-1]"""


class MalformedPacket(ProtocolViolation):
    """The bytes are no packet."""


class PacketTooLarge(ProtocolViolation):
    """The packet is larger than the receiver takes."""


class UnsupportedVersion(ProtocolViolation):
    """A protocol level that is not served. [MQTT-3.1.2-2]"""
