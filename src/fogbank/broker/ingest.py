"""The hot path: a chunk of bytes from a connected client, all its packets, in one pass.

Here speed outranks plainness. A QoS 0 or 1 PUBLISH is never made into an object: topic and payload are slices of the
chunk. Packets that follow one another with the same length and topic, as a busy device sends them, are taken as one
*run*: authorised once, routed once, and handed to the receivers as the very bytes that came in, at QoS 1 with packet
identifiers of their own (see `runs`). Every other packet, and a PUBLISH with a rare flag or with properties, takes the
readable way (`handling`).
"""

from typing import TYPE_CHECKING, Final

from fogbank.broker.answering import owe, owe_behind
from fogbank.broker.handling import handle
from fogbank.broker.reasons import Refused
from fogbank.broker.runs import Run
from fogbank.message import Message
from fogbank.mqtt.codec import check_flags, decode_length
from fogbank.mqtt.errors import MalformedPacket, PacketTooLarge, ProtocolViolation

if TYPE_CHECKING:
    from fogbank.broker.connection import Connection
    from fogbank.broker.router import Route

TURNS: Final = 1000
"""Packets or runs of one chunk that are handled before others get their turn: a few milliseconds' worth."""

WORTH: Final = 16
"""Bytes of a packet handled the readable way that count as one more: a SUBSCRIBE of eight filters is much work."""

PUBLISH_QOS_0: Final = 0x30
PUBLISH_QOS_1: Final = 0x32
PUBACK: Final = 0x40
PUBACK_HEAD: Final = b"\x40\x02"
PUBACK_0: Final = b"\x40\x02\0\0"
SMALL: Final = 127
"""The most that one byte says of a packet's length; no limit is below."""


def feed(connection: "Connection", data: bytes) -> None:
    """Handle every whole packet in what was left over plus `data`; keep the rest for the next chunk."""
    connection.heard = True
    if connection.missing:
        joined = connection.join(data)
        if joined is None:
            return
        data = joined
    position = 0
    end = len(data)
    turns = TURNS
    try:
        while position < end:
            turns -= 1
            if turns < 0:
                connection.put_off(data[position:])
                return
            # the fixed header
            body = position + 2
            if body > end:
                connection.keep(data, position, 2)
                return
            first = data[position]
            length = data[position + 1]
            if length > SMALL:
                decoded = decode_length(data, position + 1)
                if decoded is None:
                    connection.keep(data, position, end - position + 1)
                    return
                length, body = decoded
                if connection.has_properties and not length >> 7 * (body - position - 2):
                    raise MalformedPacket(f"the length {length} takes more bytes than it needs [MQTT-1.5.5-1]")
                if length > connection.quotas.max_packet:
                    raise PacketTooLarge(f"a packet of {length} bytes; {connection.quotas.max_packet} are allowed")
            stop = body + length
            if stop > end:
                check_flags(first)  # a peer that talks something else is not waited for
                connection.keep(data, position, stop - position)
                return

            if first == PUBLISH_QOS_0:
                position = _publish_at_most_once(connection, data, position, body, stop)
            elif first == PUBLISH_QOS_1:
                position = _publish_at_least_once(connection, data, position, body, stop)
            elif first == PUBACK and data[position + 1] == 2:
                position = connection.session.acknowledge(data, position)
            else:
                position = _other(connection, data, first, body, stop)
                turns -= length // WORTH
                if not connection.is_connected:
                    return
    except Refused as refused:
        connection.end(refused.reason, str(refused), refused.code)
    except ProtocolViolation as violation:
        connection.fail(violation)


def _other(connection: "Connection", data: bytes, first: int, body: int, stop: int) -> int:
    handle(connection, first, data[body:stop])
    return stop


def _topic_end(data: bytes, body: int, stop: int) -> int:
    """Where the topic ends that begins at `body` with its length."""
    if stop - body < 2:
        raise MalformedPacket("PUBLISH without a topic")
    topic_end = body + 2 + (data[body] << 8 | data[body + 1])
    if topic_end > stop:
        raise MalformedPacket(f"the topic ends {topic_end - stop} bytes behind its packet")
    return topic_end


def _run_end(data: bytes, position: int, topic_end: int, stop: int) -> int:
    """Where the run of packets ends that have the length and the topic of the one at `position`."""
    size = stop - position
    last = len(data) - size
    prefix = data[position:topic_end]
    starts = data.startswith
    while stop <= last and starts(prefix, stop):
        stop += size
    return stop


def _publish_at_most_once(connection: "Connection", data: bytes, position: int, body: int, stop: int) -> int:
    if connection.singly:
        return _other(connection, data, PUBLISH_QOS_0, body, stop)
    topic_end = _topic_end(data, body, stop)
    start = topic_end
    if connection.has_properties:
        if topic_end >= stop or data[topic_end]:
            return _other(connection, data, PUBLISH_QOS_0, body, stop)
        start += 1
    if stop - start > connection.quotas.max_payload:
        raise PacketTooLarge(f"a payload of {stop - start} bytes; {connection.quotas.max_payload} are allowed")
    route = connection.route(data[body + 2 : topic_end])
    size = stop - position
    run_end = stop if stop + size > len(data) else _run_end(data, position, start, stop)
    count = (run_end - position) // size
    run = Run(data[position:run_end], size, topic_end - position, start - position, count, connection.version)
    connection.published += count
    connection.router.send(route, run, connection.session.client_id)
    if connection.flow.blocked:
        connection.hold_back(route)
    if route.handlers:
        _hand_over(connection, route, run, 0)
    if connection.trace.active:
        connection.trace_publish(route.topic, count)
    return run_end


def _publish_at_least_once(connection: "Connection", data: bytes, position: int, body: int, stop: int) -> int:
    if connection.singly:
        return _other(connection, data, PUBLISH_QOS_1, body, stop)
    topic_end = _topic_end(data, body, stop)
    start = topic_end + 2
    if connection.has_properties:
        if start >= stop or data[start]:
            return _other(connection, data, PUBLISH_QOS_1, body, stop)
        start += 1
    payload_size = stop - start
    if payload_size < 0:
        raise MalformedPacket("PUBLISH at QoS 1 without a packet identifier [MQTT-2.3.1-1] [MQTT-2.2.1-2]")
    if payload_size > connection.quotas.max_payload:
        raise PacketTooLarge(f"a payload of {payload_size} bytes; {connection.quotas.max_payload} are allowed")
    topic = data[body + 2 : topic_end]
    try:
        route = connection.route(topic)
    except Refused:
        if not connection.has_properties:
            raise
        return _other(connection, data, PUBLISH_QOS_1, body, stop)  # MQTT 5 has an answer for it
    size = stop - position
    run_end = stop if stop + size > len(data) else _run_end(data, position, topic_end, stop)
    count = (run_end - position) // size
    if connection.has_properties and data[start - 1 : run_end : size].count(0) != count:
        run_end, count = stop, 1
    run = Run(data[position:run_end], size, topic_end - position, start - position, count, connection.version)
    if count == 1:  # the shorter way for what comes singly
        answers = PUBACK_HEAD + data[topic_end : topic_end + 2]
        is_zero = answers == PUBACK_0
    else:
        answers = run.acknowledgements()
        is_zero = run.has_zero_id()
    if is_zero:
        raise MalformedPacket("the packet identifier is 0 [MQTT-2.3.1-1] [MQTT-2.2.1-3]")
    connection.published += count
    journal = connection.journal
    entries = journal.entries
    connection.router.send(route, run, connection.session.client_id)
    if route.handlers:
        _hand_over(connection, route, run, 1)
    if journal.entries != entries:
        owe(connection, answers, count)
    elif connection.owed:
        owe_behind(connection, answers, count)
    else:
        connection.line.write(answers)
    if connection.flow.blocked:
        connection.hold_back(route)
    if connection.trace.active:
        connection.trace_publish(route.topic, count)
    return run_end


def _hand_over(connection: "Connection", route: "Route", run: Run, qos: int) -> None:
    """Give each message to the in-process subscribers: rules, shadows, jobs."""
    origin = connection.origin
    topic = route.topic
    for payload in run.payloads():
        message = Message(topic, payload, qos, False, origin)
        route.hand_over(message)
