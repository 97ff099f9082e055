"""What clients publish, the readable way: PUBLISH with rare flags or properties, and the packets of QoS 2.

What is plain and frequent is done by `ingest`.
"""

from typing import TYPE_CHECKING

from fogbank.broker.answering import answer, owe
from fogbank.broker.quotas import NEVER
from fogbank.broker.reasons import REFUSAL, DisconnectReason, Refused, Throttled
from fogbank.broker.retained import RetainedFull
from fogbank.message import NO_PROPERTIES, Message, MessageProperties
from fogbank.mqtt import Properties, ReasonCode
from fogbank.mqtt.errors import PacketTooLarge, ProtocolViolation
from fogbank.mqtt.packets import Puback, Pubcomp, Publish, Pubrec, Pubrel

if TYPE_CHECKING:
    from fogbank.broker.connection import Connection
    from fogbank.broker.quotas import Quotas


def publish(connection: "Connection", first: int, body: bytes) -> None:
    """Any PUBLISH. Raises ProtocolViolation and Refused."""
    packet = Publish.decode(first, body, connection.version)
    receive_maximum = connection.quotas.receive_maximum
    if packet.qos > connection.quotas.max_qos:
        raise ProtocolViolation(
            f"PUBLISH with quality of service {packet.qos}; {connection.quotas.max_qos} is the highest that is served"
            " [MQTT-3.2.2-11]",
            code=ReasonCode.QOS_NOT_SUPPORTED,
        )
    topic = packet.topic
    if connection.aliases is not None:
        topic = connection.aliases.resolve(packet.properties.topic_alias, topic)
    if len(packet.payload) > connection.quotas.max_payload:
        raise PacketTooLarge(f"a payload of {len(packet.payload)} bytes; {connection.quotas.max_payload} are allowed")
    if packet.qos == 2 and packet.packet_id in connection.session.received:
        owe(connection, Pubrec(packet.packet_id).encode(connection.version), 0)  # taken before [MQTT-4.3.3-10]
        return
    if packet.qos == 2 and connection.has_properties and len(connection.session.received) >= receive_maximum:
        raise ProtocolViolation(
            f"more than {receive_maximum} messages without PUBREL [MQTT-3.3.4-7]",
            code=ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
        )
    connection.published += 1
    if connection.throttle is not None and not connection.throttle.take():
        return  # discarded: not acknowledged either
    entries = connection.journal.entries
    try:
        _deliver(connection, packet, topic)
    except Refused as refused:
        # 3.1.1 has no way to refuse a PUBLISH but to disconnect; 5.0 has one, from QoS 1 on
        can_say = connection.has_properties and packet.qos
        if isinstance(refused, Throttled) and not can_say:
            return
        if not can_say:
            raise
        connection.complain("%s", refused)
        _acknowledge(connection, packet, entries, refused.code, str(refused))
        return
    _acknowledge(connection, packet, entries, ReasonCode.SUCCESS, "")


def _deliver(connection: "Connection", packet: Publish, topic: str) -> None:
    """Check and route the message."""
    quotas = connection.quotas
    route = connection.route(topic.encode())
    if problem := properties_problem(packet.properties, quotas):
        raise Refused(DisconnectReason.CLIENT_ERROR, problem, ReasonCode.QUOTA_EXCEEDED)
    if packet.retain:
        reserved = topic.startswith("$") and not quotas.retained_reserved
        if reserved or connection.router.is_reserved(topic):
            raise Refused(
                DisconnectReason.CLIENT_ERROR, f"no message is retained on {topic!r}", ReasonCode.TOPIC_NAME_INVALID
            )
        connection.allow(connection.authorizer.retain(topic), "publish", topic)
        rates = connection.host.rates
        if rates is not None and (excess := rates.retain(repr(connection), topic)):
            raise Throttled(excess)
    message = Message(
        topic,
        packet.payload,
        packet.qos,
        packet.retain,
        connection.origin,
        properties=message_properties(packet.properties, connection.authorizer.properties),
        expires_at=expiry(connection.host.clock.time(), packet.properties, quotas),
    )
    try:
        connection.router.deliver(message)
    except RetainedFull as full:
        raise Refused(DisconnectReason.THROTTLED, str(full), ReasonCode.QUOTA_EXCEEDED) from None
    if connection.flow.blocked:
        connection.hold_back(route)
    if connection.trace.active:
        connection.trace_publish(topic, 1)


def _acknowledge(connection: "Connection", packet: Publish, entries: int, code: ReasonCode, why: str) -> None:
    """PUBACK or PUBREC, once what it acknowledges is on disk."""
    if packet.qos == 1:
        answer(connection, Puback(packet.packet_id, code, connection.explanation(why, code)), entries, count=1)
    elif packet.qos == 2:
        if code < REFUSAL:
            connection.host.sessions.received(connection.session, packet.packet_id)
        answer(connection, Pubrec(packet.packet_id, code, connection.explanation(why, code)), entries)


# --- acknowledgements ---


def puback(connection: "Connection", body: bytes) -> None:
    """PUBACK with a reason code or properties; plain ones are taken by `ingest`."""
    connection.session.acknowledge_one(Puback.decode(body, connection.version).packet_id)


def pubrec(connection: "Connection", body: bytes) -> None:
    """The client has taken a QoS 2 message, or refused it. [MQTT-4.3.3-3] [MQTT-4.3.3-4]"""
    packet = Pubrec.decode(body, connection.version)
    if packet.code >= REFUSAL:
        connection.session.acknowledge_one(packet.packet_id)
    elif not connection.session.release(packet.packet_id):
        answer = Pubrel(packet.packet_id, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND)
        connection.line.write(answer.encode(connection.version))


def pubrel(connection: "Connection", body: bytes) -> None:
    """The client lets go of the identifier of a QoS 2 message. [MQTT-4.3.3-11]"""
    packet = Pubrel.decode(body, connection.version)
    entries = connection.journal.entries
    known = connection.host.sessions.let_go(connection.session, packet.packet_id)
    code = ReasonCode.SUCCESS if known else ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
    answer(connection, Pubcomp(packet.packet_id, code), entries)


def pubcomp(connection: "Connection", body: bytes) -> None:
    """The exchange of a QoS 2 message towards the client is over."""
    connection.session.complete(Pubcomp.decode(body, connection.version).packet_id)


# --- properties ---


def properties_problem(properties: Properties, quotas: "Quotas") -> str | None:
    """What is too much about the properties of a PUBLISH or a will; None where nothing is.

    Raises ProtocolViolation for a subscription identifier, which only servers send. [MQTT-3.3.4-6]
    """
    if properties.subscription_identifiers:
        raise ProtocolViolation("PUBLISH from a client with a subscription identifier [MQTT-3.3.4-6]")
    for name, value, most in (
        ("content type", (properties.content_type or "").encode(), quotas.max_content_type),
        ("correlation data", properties.correlation_data or b"", quotas.max_correlation_data),
    ):
        if len(value) > most:
            return f"the {name} has {len(value)} bytes; {most} are allowed"
    return user_properties_problem(properties, quotas)


def user_properties_problem(properties: Properties, quotas: "Quotas") -> str | None:
    """Whether user properties are larger than they may be together."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in properties.user_properties)
    if size > quotas.max_user_properties:
        return f"the user properties have {size} bytes together; {quotas.max_user_properties} are allowed"
    return None


def message_properties(properties: Properties, added: tuple[tuple[str, str], ...] = ()) -> MessageProperties:
    """What receivers are passed on, those user properties last that are `added`. [MQTT-3.3.2-4] [MQTT-3.3.2-15]
    [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20]"""
    passed = MessageProperties(
        payload_format=properties.payload_format,
        content_type=properties.content_type,
        response_topic=properties.response_topic,
        correlation_data=properties.correlation_data,
        user_properties=properties.user_properties + added,
    )
    return NO_PROPERTIES if passed == NO_PROPERTIES else passed


def expiry(now: float, properties: Properties, quotas: "Quotas") -> float | None:
    """When a message with these properties expires, seconds since the epoch."""
    interval = properties.message_expiry
    if interval is None:
        return None
    shortest, longest = quotas.message_expiry
    interval = max(shortest, min(interval, longest))
    return None if interval == NEVER else now + interval
