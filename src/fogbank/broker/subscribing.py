"""SUBSCRIBE and UNSUBSCRIBE: what a client may have, what it is granted, and the retained messages it gets at once."""

from typing import TYPE_CHECKING

import msgspec

from fogbank.broker.publishing import user_properties_problem
from fogbank.broker.runs import Run
from fogbank.broker.sharing import PREFIX, parse_shared
from fogbank.broker.subscriptions import Options, has_wildcard
from fogbank.mqtt import ReasonCode
from fogbank.mqtt.errors import ProtocolViolation
from fogbank.mqtt.packets import Suback, Subscribe, Subscription, Unsuback, Unsubscribe
from fogbank.topics import InvalidTopic, check_filter

if TYPE_CHECKING:
    from fogbank.broker.connection import Connection

REFUSAL = 0x80


class Problem(msgspec.Struct, frozen=True):
    """Why a client may not subscribe to a filter."""

    code: ReasonCode
    text: str


def subscribe(connection: "Connection", body: bytes) -> None:
    """Answer SUBSCRIBE once what it has changed is on disk, then send retained messages."""
    packet = Subscribe.decode(body, connection.version)
    quotas = connection.quotas
    identifiers = packet.properties.subscription_identifiers
    if identifiers and not quotas.subscription_identifiers:
        raise ProtocolViolation(
            "SUBSCRIBE with a subscription identifier, which is not served (MQTT 5.0, 3.2.2.3.12)",
            code=ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
        )
    if not quotas.lowers_qos and any(one.qos > quotas.max_qos for one in packet.filters):
        raise ProtocolViolation(
            f"SUBSCRIBE at a quality of service above {quotas.max_qos}", code=ReasonCode.QOS_NOT_SUPPORTED
        )
    too_much: Problem | None = None
    if len(packet.filters) > quotas.filters_per_subscribe:
        text = f"SUBSCRIBE with {len(packet.filters)} filters; {quotas.filters_per_subscribe} are allowed"
        too_much = Problem(ReasonCode.QUOTA_EXCEEDED, text)
    elif text := user_properties_problem(packet.properties, quotas) or "":
        too_much = Problem(ReasonCode.QUOTA_EXCEEDED, text)
    identifier = identifiers[0] if identifiers else 0
    entries = connection.journal.entries
    codes: list[int] = []
    retained: list[tuple[Subscription, Options]] = []
    problems = []
    for asked in packet.filters:
        problem = too_much or _problem(connection, asked)
        if problem is not None:
            _refuse(connection, asked, problem)
            problems.append(problem.text)
            codes.append(problem.code)
            continue
        options = Options(min(asked.qos, quotas.max_qos), asked.no_local, asked.retain_as_published, identifier)
        is_new = connection.host.sessions.subscribe(connection.session, asked.topic_filter, options)
        connection.tell("subscribe", "success", asked.topic_filter)
        codes.append(options.qos)
        if _gets_retained(connection, asked, is_new=is_new):
            retained.append((asked, options))
    why = "; ".join(dict.fromkeys(problems))
    answer = Suback(packet.packet_id, tuple(codes), connection.explanation(why))
    connection.answer(answer.encode(connection.version), entries)
    if retained:
        _after_answer(connection, retained)
    granted = [asked.topic_filter for asked, code in zip(packet.filters, codes, strict=True) if code < REFUSAL]
    if granted:
        connection.host.subscribed(connection, granted)


def unsubscribe(connection: "Connection", body: bytes) -> None:
    """Answer UNSUBSCRIBE once what it has changed is on disk."""
    packet = Unsubscribe.decode(body, connection.version)
    entries = connection.journal.entries
    codes = []
    given_up = []
    for filter_ in packet.filters:
        known = connection.host.sessions.unsubscribe(connection.session, filter_)
        reports = connection.quotas.reports_unknown_filters
        codes.append(ReasonCode.SUCCESS if known or not reports else ReasonCode.NO_SUBSCRIPTION_EXISTED)
        if known:
            given_up.append(filter_)
    connection.answer(Unsuback(packet.packet_id, tuple(codes)).encode(connection.version), entries)
    if given_up:
        connection.host.unsubscribed(connection, given_up)


def _problem(connection: "Connection", asked: Subscription) -> Problem | None:
    """Why the client may not subscribe; None where it may."""
    filter_ = asked.topic_filter
    quotas = connection.quotas
    try:
        if filter_.startswith(PREFIX):
            shared = parse_shared(filter_)
            if len(shared.name.encode()) > quotas.max_share_name:
                text = f"the share name has {len(shared.name.encode())} bytes; {quotas.max_share_name} are allowed"
                return Problem(ReasonCode.TOPIC_FILTER_INVALID, text)
        else:
            check_filter(filter_)
    except InvalidTopic as error:
        return Problem(ReasonCode.TOPIC_FILTER_INVALID, str(error))
    if excess := quotas.topic_problem(filter_):
        return Problem(ReasonCode.TOPIC_FILTER_INVALID, excess)
    session = connection.session
    if len(session.subscriptions) >= quotas.subscriptions_per_connection and filter_ not in session.subscriptions:
        text = f"{quotas.subscriptions_per_connection} subscriptions per connection are allowed"
        return Problem(ReasonCode.QUOTA_EXCEEDED, text)
    decision = connection.authorizer.subscribe(filter_)
    if not decision.allowed:
        return Problem(ReasonCode.NOT_AUTHORIZED, decision.reason)
    if filter_.startswith(PREFIX) and (excess := connection.host.sessions.group_problem(session, filter_)):
        return Problem(ReasonCode.QUOTA_EXCEEDED, excess)
    return None


def _refuse(connection: "Connection", asked: Subscription, problem: Problem) -> None:
    connection.complain("may not subscribe: %s", problem.text)
    connection.tell("subscribe", "denied", asked.topic_filter, problem.text)


# --- retained messages ---


def _gets_retained(connection: "Connection", asked: Subscription, *, is_new: bool) -> bool:
    """Whether the subscription is one that gets retained messages now. [MQTT-3.3.1-9] to [MQTT-3.3.1-11]"""
    if asked.topic_filter.startswith(PREFIX):  # (MQTT 5.0, 4.8.2)
        return False
    if has_wildcard(asked.topic_filter) and not connection.quotas.retained_by_wildcard:
        return False
    return asked.retain_handling == 0 or (asked.retain_handling == 1 and is_new)


def _after_answer(connection: "Connection", retained: list[tuple[Subscription, Options]]) -> None:
    """Send retained messages, behind SUBACK where that has to wait."""

    def send(durable: bool) -> None:
        if durable and connection.is_connected:
            for asked, options in retained:
                _send_retained(connection, asked.topic_filter, options)

    if connection.owed:
        connection.journal.when_durable(send)
    else:
        send(True)


def _send_retained(connection: "Connection", filter_: str, options: Options) -> None:
    session = connection.session
    for message in connection.host.retained.match(filter_):
        if not session.may_receive(message.topic):
            continue
        qos = min(message.qos, options.qos)
        run = Run.of(message, qos=qos, retain=True)
        if options.identifier:
            run = run.at(qos, retain=True, identifiers=(options.identifier,))
        if qos:
            session.send(run)
        else:
            session.send_at_most_once(run)
