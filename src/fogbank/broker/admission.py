"""CONNECT: what is wrong with one that is well-formed, and what an accepted one is answered."""

from fogbank.broker.aliases import Aliases, ClientAliases
from fogbank.broker.connection import Connection
from fogbank.broker.publishing import expiry, message_properties, properties_problem, user_properties_problem
from fogbank.broker.quotas import Quotas
from fogbank.broker.reasons import Problem
from fogbank.broker.session import Session
from fogbank.broker.wills import Will
from fogbank.message import Message, Origin
from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.codec import MAX_REMAINING_LENGTH
from fogbank.mqtt.packets import Connack, Connect
from fogbank.mqtt.packets import Will as WillPacket
from fogbank.topics import InvalidTopic, check_topic

MAX_ALIASES = 1000
"""Topic aliases that are used towards a client, however many it would take."""


def problem(connect: Connect, quotas: Quotas) -> Problem | None:
    """What is wrong with CONNECT, before anybody asks who it is."""
    properties = connect.properties
    if properties.authentication_method is not None:
        text = f"the authentication method {properties.authentication_method[:64]!r} is not served (MQTT 5.0, 4.12)"
        return Problem(ReasonCode.BAD_AUTHENTICATION_METHOD, text)
    size = len(connect.client_id.encode())
    if size > quotas.max_client_id:
        text = f"the client ID has {size} bytes; {quotas.max_client_id} are allowed"
        return Problem(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, text)
    if not connect.client_id and connect.version == Version.V3_1_1 and not connect.clean_start:
        return Problem(
            ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, "an empty client ID with a persistent session [MQTT-3.1.3-8]"
        )
    largest = properties.maximum_packet_size
    if largest is not None and largest < quotas.min_client_packet:
        # which code AWS answers is UNVERIFIED
        text = f"a maximum packet size of {largest}; {quotas.min_client_packet} is the smallest that may be asked for"
        return Problem(ReasonCode.UNSPECIFIED_ERROR, text)
    if excess := user_properties_problem(properties, quotas):
        return Problem(ReasonCode.QUOTA_EXCEEDED, excess)
    return None if connect.will is None else _will_problem(connect.will, quotas)


def _will_problem(will: WillPacket, quotas: Quotas) -> Problem | None:
    try:
        check_topic(will.topic)
    except InvalidTopic as error:
        return Problem(ReasonCode.TOPIC_NAME_INVALID, f"the will: {error}")
    if will.qos > quotas.max_qos:
        text = f"the will has quality of service {will.qos}; {quotas.max_qos} is the highest that is served"
        return Problem(ReasonCode.QOS_NOT_SUPPORTED, f"{text} [MQTT-3.2.2-12]")
    if excess := quotas.publish_problem(will.topic):
        return Problem(ReasonCode.TOPIC_NAME_INVALID, f"the will: {excess}")
    if will.retain and will.topic.startswith("$") and not quotas.retained_reserved:
        return Problem(ReasonCode.TOPIC_NAME_INVALID, f"the will: no message is retained on {will.topic!r}")
    if len(will.payload) > quotas.max_payload:
        text = f"the will has {len(will.payload)} bytes; {quotas.max_payload} are allowed"
        return Problem(ReasonCode.QUOTA_EXCEEDED, text)
    if excess := properties_problem(will.properties, quotas):
        return Problem(ReasonCode.QUOTA_EXCEEDED, f"the will: {excess}")
    return None


def session_expiry(connect: Connect, quotas: Quotas) -> int:
    """Seconds that the session outlives the connection."""
    if connect.version == Version.V3_1_1:
        return 0 if connect.clean_start else quotas.session_expiry
    return min(connect.properties.session_expiry or 0, quotas.session_expiry)


def will(connect: Connect, origin: Origin, quotas: Quotas) -> Will | None:
    """The will of an accepted client."""
    packet = connect.will
    if packet is None:
        return None
    properties = packet.properties
    message = Message(
        packet.topic,
        packet.payload,
        packet.qos,
        packet.retain,
        origin,
        will=True,
        properties=message_properties(properties),
    )
    lasts = expiry(0.0, properties, quotas)
    return Will(message, properties.will_delay or 0, None if lasts is None else int(lasts))


def agree(connection: Connection, session: Session, connect: Connect, quotas: Quotas) -> None:
    """What client and server have told one another that they take, on this connection."""
    properties = connect.properties
    session.window = min(quotas.inflight, properties.receive_maximum or quotas.inflight)  # [MQTT-3.3.4-9]
    session.largest = properties.maximum_packet_size or 0
    aliases = min(properties.topic_alias_maximum or 0, MAX_ALIASES)
    session.aliases = Aliases(aliases) if aliases else None
    session.particular = bool(session.largest or aliases)
    if connect.version == Version.V5:
        connection.aliases = ClientAliases(quotas.topic_aliases)


def keep_alive(connect: Connect, quotas: Quotas) -> int:
    """The keep-alive that holds, in seconds; 0: none."""
    shortest, longest, default = quotas.keep_alive
    if connect.version == Version.V5:
        longest = min(longest, quotas.server_keep_alive)
    return max(shortest, min(connect.keep_alive, longest)) if connect.keep_alive else default


def accepted(connect: Connect, session: Session, quotas: Quotas, *, present: bool, alive: int) -> Connack:
    """CONNACK. (MQTT 5.0, 3.2.2.3)"""
    if connect.version == Version.V3_1_1:
        return Connack(session_present=present)
    asked = connect.properties
    properties = Properties(
        session_expiry=session.expiry if session.expiry != (asked.session_expiry or 0) else None,
        receive_maximum=quotas.receive_maximum,
        maximum_qos=quotas.max_qos if quotas.max_qos < 2 else None,
        retain_available=True,
        maximum_packet_size=quotas.max_packet if quotas.max_packet < MAX_REMAINING_LENGTH else None,
        assigned_client_id=None if connect.client_id else session.client_id,
        topic_alias_maximum=quotas.topic_aliases,
        wildcard_available=True,
        subscription_identifiers_available=quotas.subscription_identifiers,
        shared_available=True,
        server_keep_alive=alive if alive != connect.keep_alive else None,
    )
    return Connack(ReasonCode.SUCCESS, present, properties)
