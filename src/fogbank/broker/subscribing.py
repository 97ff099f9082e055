"""SUBSCRIBE and UNSUBSCRIBE: what a client may have, what it is granted, and the retained messages it gets at once."""

from typing import TYPE_CHECKING

from fogbank.broker.answering import answer
from fogbank.broker.publishing import user_properties_problem
from fogbank.broker.reasons import DENIED, REFUSAL, Problem
from fogbank.broker.runs import Run
from fogbank.broker.session import READ_AHEAD
from fogbank.broker.sharing import PREFIX, parse_shared
from fogbank.broker.subscriptions import Options, has_wildcard
from fogbank.message import Message
from fogbank.mqtt import ReasonCode
from fogbank.mqtt.errors import ProtocolViolation
from fogbank.mqtt.packets import Suback, Subscribe, Subscription, Unsuback, Unsubscribe
from fogbank.topics import InvalidTopic, check_filter

if TYPE_CHECKING:
    from fogbank.broker.connection import Connection

AT_ONCE = 200
"""Retained messages that a client is sent before others get their turn."""
PAUSE = 0.01
"""Seconds until a client that has not taken those yet is offered more."""


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
    elif text := user_properties_problem(packet.properties, quotas) or _rate_problem(connection, packet) or "":
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
            problems.append(DENIED if problem.code is ReasonCode.NOT_AUTHORIZED else problem.text)
            codes.append(problem.code)
            continue
        options = Options(min(asked.qos, quotas.max_qos), asked.no_local, asked.retain_as_published, identifier)
        is_new = connection.host.sessions.subscribe(connection.session, asked.topic_filter, options)
        connection.tell("subscribe", "success", asked.topic_filter)
        codes.append(options.qos)
        if _gets_retained(connection, asked, is_new=is_new):
            retained.append((asked, options))
    granted = [asked.topic_filter for asked, code in zip(packet.filters, codes, strict=True) if code < REFUSAL]
    if granted:
        connection.host.sessions.save(connection.session)
    why = "; ".join(dict.fromkeys(problems))
    answer(connection, Suback(packet.packet_id, tuple(codes), connection.explanation(why)), entries)
    if retained:
        _after_answer(connection, retained)
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
    if given_up:
        connection.host.sessions.save(connection.session)
    answer(connection, Unsuback(packet.packet_id, tuple(codes)), entries)
    if given_up:
        connection.host.unsubscribed(connection, given_up)


def _rate_problem(connection: "Connection", packet: Subscribe) -> str | None:
    rates = connection.host.rates
    return None if rates is None else rates.subscribe(repr(connection), len(packet.filters))


def _problem(connection: "Connection", asked: Subscription) -> Problem | None:
    """Why the client may not subscribe; None where it may."""
    filter_ = asked.topic_filter
    quotas = connection.quotas
    try:
        if filter_.startswith(PREFIX):
            shared = parse_shared(filter_)
            plain = shared.filter
            if len(shared.name.encode()) > quotas.max_share_name:
                text = f"the share name has {len(shared.name.encode())} bytes; {quotas.max_share_name} are allowed"
                return Problem(ReasonCode.TOPIC_FILTER_INVALID, text)
        else:
            plain = check_filter(filter_)
    except InvalidTopic as error:
        return Problem(ReasonCode.TOPIC_FILTER_INVALID, str(error))
    if not connection.router.may_subscribe(plain):  # which code AWS answers is UNVERIFIED
        return Problem(ReasonCode.TOPIC_FILTER_INVALID, f"nobody can subscribe to {filter_!r}, only publish")
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
    """Send what the filter matches now; as much at a time as the client takes, so that none is lost to a full queue."""
    messages = connection.host.retained.match(filter_)
    _send_some(connection, filter_, options, messages, 0)


def _send_some(
    connection: "Connection", filter_: str, options: Options, messages: list[Message], position: int
) -> None:
    session = connection.session
    if not connection.is_connected or filter_ not in session.subscriptions:
        return
    if position and (connection.line.full or session.queued >= READ_AHEAD):
        connection.flow.later(PAUSE, _send_some, connection, filter_, options, messages, position)
        return
    end = position + AT_ONCE
    for message in messages[position:end]:
        kept = connection.host.retained.get(message.topic)
        if kept is not None and kept.message is message and session.may_receive(message.topic):
            _send(connection, message, options)  # a newer one has been sent already: as one that was published
    if end < len(messages):
        connection.flow.soon(lambda: _send_some(connection, filter_, options, messages, end))


def _send(connection: "Connection", message: Message, options: Options) -> None:
    session = connection.session
    qos = min(message.qos, options.qos)
    run = Run.of(message, qos=qos, retain=True)
    if options.identifier:
        run = run.at(qos, retain=True, identifiers=(options.identifier,))
    if qos:
        session.send(run)
    else:
        session.send_at_most_once(run)
