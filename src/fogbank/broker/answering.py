"""What a client is answered, in the order of what it has sent.

An answer that rests on what is not on disk yet is *owed*, and those after it wait behind it.
"""

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from fogbank.broker.reasons import DisconnectReason, Refused
from fogbank.mqtt import Properties, ReasonCode
from fogbank.mqtt.errors import ProtocolViolation
from fogbank.mqtt.packets import Connack, Disconnect, Puback, Pubcomp, Pubrec, Suback, Unsuback

if TYPE_CHECKING:
    from fogbank.broker.connection import Connection

Answer: TypeAlias = Connack | Puback | Pubrec | Pubcomp | Suback | Unsuback


def answer(connection: "Connection", packet: Answer, entries: int, count: int = 0) -> None:
    """Send what rests on what has been entered into the journal since it had `entries`, and acknowledges `count`
    messages. Raises Refused where the client takes no packet of its size."""
    data = fitted(connection, packet)
    if data is None:
        text = f"{type(packet).__name__.upper()} is larger than the {connection.largest} bytes that the client takes"
        raise Refused(DisconnectReason.CLIENT_ERROR, text, ReasonCode.PACKET_TOO_LARGE)
    if connection.journal.entries != entries:
        owe(connection, data, count)
    elif connection.owed:
        owe_behind(connection, data, count)
    else:
        connection.line.write(data)


def fitted(connection: "Connection", packet: Answer | Disconnect) -> bytes | None:
    """A packet as the client takes it: without its reason string where that makes it too large; None: not at all.
    [MQTT-3.1.2-24] [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.9.2-1] [MQTT-3.14.2-3]"""
    data = packet.encode(connection.version)
    if connection.largest and len(data) > connection.largest:
        data = msgspec.structs.replace(packet, properties=Properties()).encode(connection.version)
        return data if len(data) <= connection.largest else None
    return data


def owe(connection: "Connection", data: bytes, count: int) -> None:
    """Send `data`, which acknowledges `count` messages, when all that is in the journal is durable."""
    ticket = connection.journal.ticket
    if not connection.owed or connection.owed[-1][0] != ticket:
        connection.journal.when_durable(partial(_pay, connection, ticket))
    _owe(connection, ticket, data, count)


def owe_behind(connection: "Connection", data: bytes, count: int) -> None:
    """Send `data` after all that is owed, which there must be."""
    assert connection.owed
    _owe(connection, connection.owed[-1][0], data, count)


def _owe(connection: "Connection", ticket: int, data: bytes, count: int) -> None:
    if isinstance(connection.owed, tuple):
        connection.owed = deque()
    connection.owed.append((ticket, data, count))
    connection.unacknowledged += count
    if connection.unacknowledged >= connection.quotas.receive_maximum:
        if connection.has_properties and connection.unacknowledged > connection.quotas.receive_maximum:
            raise ProtocolViolation(
                f"{connection.unacknowledged} unacknowledged messages; {connection.quotas.receive_maximum} are allowed"
                " [MQTT-3.3.4-7]",
                code=ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
            )
        if not connection.held_by_owed:
            connection.held_by_owed = True
            connection.line.hold()


def _pay(connection: "Connection", ticket: int, durable: bool) -> None:
    """The journal has come as far as `ticket`."""
    if not durable:
        connection.end(DisconnectReason.SERVER_ERROR, "what it sent could not be written")
    owed = connection.owed
    while owed and owed[0][0] <= ticket:
        _, data, count = owed.popleft()
        connection.unacknowledged -= count
        if connection.is_connected:
            connection.line.write(data)
    if connection.held_by_owed and connection.unacknowledged < connection.quotas.receive_maximum:
        connection.held_by_owed = False
        connection.line.let_go()
