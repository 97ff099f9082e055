"""Random packets and properties, valid ones, for hypothesis."""

from typing import Any, TypeVar

from hypothesis import strategies as st
from tests.mqtt.vectors import Packet

from fogbank.mqtt import NO_PROPERTIES, Properties, Version
from fogbank.mqtt.codec import PacketType
from fogbank.mqtt.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ReturnCode,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from fogbank.mqtt.packets import auth as auth_module
from fogbank.mqtt.packets import connack as connack_module
from fogbank.mqtt.packets import disconnect as disconnect_module
from fogbank.mqtt.packets import subscribe as subscribe_module
from fogbank.mqtt.packets import unsubscribe as unsubscribe_module
from fogbank.mqtt.properties import TABLE, WILL

T = TypeVar("T")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
blobs = st.binary(max_size=20)
ids = st.integers(1, 65535)
_uint16, _uint32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
_pairs = st.tuples(texts, texts)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "payload_format": st.integers(0, 1),
    "message_expiry": _uint32,
    "content_type": texts,
    "response_topic": texts.filter(lambda text: bool(text) and not {"+", "#"} & set(text)),
    "correlation_data": blobs,
    "session_expiry": _uint32,
    "assigned_client_id": texts,
    "server_keep_alive": _uint16,
    "authentication_method": texts,
    "authentication_data": blobs,
    "request_problem_information": st.booleans(),
    "will_delay": _uint32,
    "request_response_information": st.booleans(),
    "response_information": texts,
    "server_reference": texts,
    "reason_string": texts,
    "receive_maximum": st.integers(1, 0xFFFF),
    "topic_alias_maximum": _uint16,
    "topic_alias": st.integers(1, 0xFFFF),
    "maximum_qos": st.integers(0, 1),
    "retain_available": st.booleans(),
    "user_properties": st.lists(_pairs, max_size=5).map(tuple),
    "maximum_packet_size": st.integers(1, 0xFFFFFFFF),
    "wildcard_available": st.booleans(),
    "subscription_identifiers_available": st.booleans(),
    "shared_available": st.booleans(),
}
_identifiers = st.integers(1, 268_435_455)


def properties(place: int, needs: frozenset[str] = frozenset()) -> st.SearchStrategy[Properties]:
    """Any of the properties that may stand in `place`; those of `needs` always do."""
    values = VALUES | {
        "subscription_identifiers": st.lists(_identifiers, max_size=3 if place == PacketType.PUBLISH else 1).map(tuple)
    }
    fields = {row.field: values[row.field] for row in TABLE if place in row.places}
    required = {field: fields.pop(field) for field in needs}
    return st.fixed_dictionaries(required, optional=fields).filter(_has_method).map(lambda some: Properties(**some))


def _has_method(some: dict[str, Any]) -> bool:
    return "authentication_data" not in some or "authentication_method" in some


def _of(version: Version, place: int) -> st.SearchStrategy[Properties]:
    return properties(place) if version is Version.V5 else st.just(NO_PROPERTIES)


def connects(version: Version) -> st.SearchStrategy[Connect]:
    will = st.builds(Will, texts, blobs, st.integers(0, 2), st.booleans(), _of(version, WILL))
    password = st.none() | blobs
    users = st.tuples(texts, password) | st.tuples(st.none(), password if version is Version.V5 else st.none())
    start = (texts, st.booleans(), _uint16, st.none() | will, users, _of(version, PacketType.CONNECT))
    return st.tuples(*start).map(
        lambda some: Connect(some[0], some[1], some[2], some[3], some[4][0], some[4][1], version, some[5])
    )


def publishes(version: Version) -> st.SearchStrategy[Publish]:
    topics = texts.filter(bool)
    some = _of(version, PacketType.PUBLISH)
    at_most_once = st.builds(Publish, topics, blobs, st.just(0), st.booleans(), properties=some)
    others = st.builds(Publish, topics, blobs, st.integers(1, 2), st.booleans(), st.booleans(), ids, some)
    if version is Version.V3_1_1:
        return at_most_once | others
    alias = properties(PacketType.PUBLISH, frozenset({"topic_alias"}))
    return at_most_once | others | st.builds(Publish, st.just(""), blobs, properties=alias)


def acknowledgements(version: Version) -> st.SearchStrategy[Packet]:
    return st.one_of(
        [
            st.builds(type_, ids, st.sampled_from(sorted(type_.REASONS)), properties(type_.TYPE))
            if version is Version.V5
            else st.builds(type_, ids)
            for type_ in (Puback, Pubrec, Pubrel, Pubcomp)
        ]
    )


def _several(each: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(each, min_size=1, max_size=4).map(tuple)


def _subscriptions(version: Version) -> st.SearchStrategy[Subscription]:
    qos = st.integers(0, 2)
    if version is Version.V3_1_1:
        return st.builds(Subscription, texts, qos)
    filters = texts | texts.map(lambda text: "$share/group/" + text)
    return st.builds(Subscription, filters, qos, st.booleans(), st.booleans(), st.integers(0, 2)).filter(
        lambda one: not (one.no_local and one.topic_filter.startswith("$share/"))
    )


def packets(version: Version) -> st.SearchStrategy[Packet]:
    """Any packet of the version."""
    five = version is Version.V5
    connack_codes = sorted(connack_module.REASONS) if five else list(ReturnCode)
    suback_codes = sorted(subscribe_module.REASONS if five else subscribe_module.RETURN_CODES)
    unsuback_codes = sorted(unsubscribe_module.REASONS)
    some: list[st.SearchStrategy[Packet]] = [
        connects(version),
        st.builds(Connack, st.sampled_from(connack_codes), properties=_of(version, PacketType.CONNACK)),
        st.builds(Connack, session_present=st.just(True), properties=_of(version, PacketType.CONNACK)),
        publishes(version),
        acknowledgements(version),
        st.builds(
            Subscribe,
            ids,
            _several(_subscriptions(version)),
            _of(version, PacketType.SUBSCRIBE),
        ),
        st.builds(
            Suback,
            ids,
            _several(st.sampled_from(suback_codes)),
            _of(version, PacketType.SUBACK),
        ),
        st.builds(Unsubscribe, ids, _several(texts), _of(version, PacketType.UNSUBSCRIBE)),
    ]
    if not five:
        return st.one_of(*some, st.builds(Unsuback, ids), st.just(Disconnect()))
    method = properties(PacketType.AUTH, frozenset({"authentication_method"}))
    return st.one_of(
        *some,
        st.builds(
            Unsuback,
            ids,
            _several(st.sampled_from(unsuback_codes)),
            properties(PacketType.UNSUBACK),
        ),
        st.builds(Disconnect, st.sampled_from(sorted(disconnect_module.REASONS)), properties(PacketType.DISCONNECT)),
        st.builds(Auth, st.sampled_from(sorted(auth_module.REASONS)), method),
        st.just(Auth()),
    )
