"""The first packet of a connection, which must be CONNECT. [MQTT-3.1.0-1]"""

from typing import TYPE_CHECKING

from fogbank.mqtt import ReasonCode, Version
from fogbank.mqtt.codec import PacketType, check_flags, decode_length
from fogbank.mqtt.errors import PacketTooLarge, ProtocolViolation, UnsupportedVersion
from fogbank.mqtt.packets import Connect

if TYPE_CHECKING:
    from fogbank.broker.connection import Connection

_VERSION_5 = b"\0\4MQTT\5"
"""How the body of a CONNECT of MQTT 5 begins; whatever begins otherwise is answered in the way of 3.1.1."""


def greet(connection: "Connection", data: bytes) -> None:
    """Take a chunk of what comes first, and hand CONNECT over when it is whole."""
    if connection.missing:
        joined = connection.join(data)
        if joined is None:
            return
        data = joined
    try:
        extent = _extent(connection, data)
        if extent is None:
            return
        body, end = extent
        connection.speak(_version(data[body : body + len(_VERSION_5)]))
        connect = Connect.decode(data[body:end])
    except UnsupportedVersion as unsupported:
        connection.speak(Version.V5 if unsupported.level > Version.V5 else Version.V3_1_1)
        connection.refuse(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, str(unsupported))
        return
    except ProtocolViolation as violation:
        if connection.has_properties:
            connection.refuse(violation.code, str(violation))  # (MQTT 5.0, 4.13.1)
        else:
            connection.fail(violation)
        return
    connection.ask(connect, data[end:])


def _extent(connection: "Connection", data: bytes) -> tuple[int, int] | None:
    """Where the packet's body begins and ends; None, and what there is is kept, while it is not whole."""
    if check_flags(data[0]) is not PacketType.CONNECT:
        raise ProtocolViolation("the first packet is not CONNECT [MQTT-3.1.0-1]")
    decoded = decode_length(data, 1)
    if decoded is None:
        connection.keep(data, 0, len(data) + 1)
        return None
    length, body = decoded
    most = connection.quotas.max_packet
    if length > most:
        raise PacketTooLarge(f"a CONNECT of {length} bytes; {most} are allowed")
    if len(data) < body + length:
        connection.keep(data, 0, body + length)
        return None
    return body, body + length


def _version(head: bytes) -> Version:
    return Version.V5 if head == _VERSION_5 else Version.V3_1_1
