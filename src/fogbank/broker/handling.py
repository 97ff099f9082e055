"""Packets of a connected client, the readable way: each to what it is for."""

from typing import TYPE_CHECKING

from fogbank.broker import publishing, subscribing
from fogbank.broker.reasons import DisconnectReason
from fogbank.mqtt.codec import PacketType, check_flags
from fogbank.mqtt.errors import ProtocolViolation
from fogbank.mqtt.packets import PINGRESP, Disconnect, check_empty

if TYPE_CHECKING:
    from fogbank.broker.connection import Connection


def handle(connection: "Connection", first: int, body: bytes) -> None:
    """Handle any packet of a connected client. Raises ProtocolViolation and Refused."""
    packet_type = check_flags(first)
    match packet_type:
        case PacketType.PUBLISH:
            publishing.publish(connection, first, body)
        case PacketType.PUBACK:
            publishing.puback(connection, body)
        case PacketType.PUBREC | PacketType.PUBREL | PacketType.PUBCOMP if connection.quotas.max_qos < 2:
            raise ProtocolViolation(f"{packet_type.name}: quality of service 2 is not served")
        case PacketType.PUBREC:
            publishing.pubrec(connection, body)
        case PacketType.PUBREL:
            publishing.pubrel(connection, body)
        case PacketType.PUBCOMP:
            publishing.pubcomp(connection, body)
        case PacketType.SUBSCRIBE:
            subscribing.subscribe(connection, body)
        case PacketType.UNSUBSCRIBE:
            subscribing.unsubscribe(connection, body)
        case PacketType.PINGREQ:
            check_empty(packet_type, body)
            connection.line.write(PINGRESP)
        case PacketType.DISCONNECT:
            _disconnect(connection, Disconnect.decode(body, connection.version))
        case PacketType.CONNECT:
            raise ProtocolViolation("a second CONNECT [MQTT-3.1.0-2]")
        case PacketType.AUTH:
            raise ProtocolViolation("AUTH, but CONNECT named no authentication method (MQTT 5.0, 4.12)")
        case _:
            raise ProtocolViolation(f"a client does not send {packet_type.name}")


def _disconnect(connection: "Connection", packet: Disconnect) -> None:
    expiry = packet.properties.session_expiry
    if expiry is not None:
        if expiry and not connection.session.expiry:
            raise ProtocolViolation("DISCONNECT sets an expiry for a session that had none (MQTT 5.0, 3.14.2.2.2)")
        connection.session.expiry = min(expiry, connection.quotas.session_expiry)
    if not packet.code:
        connection.will = None  # [MQTT-3.14.4-3]
    connection.end(DisconnectReason.CLIENT_INITIATED_DISCONNECT)
