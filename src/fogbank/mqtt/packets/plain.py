"""The packets that are nothing but their fixed header: PINGREQ, PINGRESP, and in 3.1.1 DISCONNECT. (3.12 to 3.14)"""

from fogbank.mqtt.codec import PacketType
from fogbank.mqtt.errors import MalformedPacket

PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"
DISCONNECT = b"\xe0\x00"


def check_empty(packet_type: PacketType, body: bytes) -> None:
    """These packets have no body."""
    if body:
        raise MalformedPacket(f"{packet_type.name} with a body of {len(body)} bytes")
