"""Runs against packets encoded one by one; what `test_inflight` says of numbering is not repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.broker.runs import Row, Run, pubacks
from fogbank.message import Message, MessageProperties
from fogbank.mqtt import Properties, Version
from fogbank.mqtt.packets import Puback, Publish
from fogbank.testing.device import decode_all

from .server import V3, V5

TOPICS = st.text("abc/é", min_size=1, max_size=80)
PROPERTIES = st.builds(
    MessageProperties,
    content_type=st.none() | st.text("xyz", max_size=140),
    correlation_data=st.none() | st.binary(max_size=4),
    user_properties=st.lists(st.tuples(st.text("k", max_size=3), st.text("v", max_size=3)), max_size=2).map(tuple),
)
MESSAGES = st.builds(
    Message,
    TOPICS,
    st.binary(max_size=200),
    st.sampled_from([0, 1, 2]),
    properties=PROPERTIES,
    expires_at=st.none() | st.just(5.0),
)


def only(run: Run) -> Publish:
    """The packet of a run; one that has no identifier yet, as it is given on the way out, is given one."""
    if run.qos and run.has_zero_id():
        run = run.numbered(1)
    [packet], used = decode_all(bytes(run.frames), run_version(run))
    assert used == len(run.frames) == run.size * run.count
    assert isinstance(packet, Publish)
    return packet


def run_version(run: Run) -> Version:
    return V5 if run.version == 5 else V3


def passed(message: Message) -> Properties:
    properties = message.properties
    return Properties(
        content_type=properties.content_type,
        correlation_data=properties.correlation_data,
        user_properties=properties.user_properties,
    )


@given(MESSAGES, st.sampled_from([V3, V5]))
def test_a_message_in_the_form_of_either_version(message: Message, version: int) -> None:
    run = Run.of(message).in_form(version)
    packet = only(run)
    assert (packet.topic, packet.payload, packet.qos) == (message.topic, message.payload, message.qos)
    assert packet.properties == (passed(message) if version == V5 else Properties())
    assert run.topic[2:].decode() == message.topic
    assert run.payloads() == [message.payload]
    assert run.expires_at == message.expires_at


@given(MESSAGES, st.sampled_from([0, 1, 2]), st.booleans(), st.lists(st.integers(1, 300), max_size=2))
def test_at_another_quality_of_service(message: Message, qos: int, retain: bool, identifiers: list[int]) -> None:
    run = Run.of(message)
    shown = run.at(qos, retain=retain, identifiers=tuple(identifiers))
    packet = only(shown)
    assert (packet.topic, packet.payload, packet.qos, packet.retain) == (message.topic, message.payload, qos, retain)
    if identifiers:
        assert packet.properties.subscription_identifiers == tuple(identifiers)
        assert only(shown.without_identifiers()).properties == passed(message)
    assert shown.expires_at == message.expires_at


@given(MESSAGES, st.booleans(), st.booleans())
def test_dressed_for_one_client(message: Message, expires: bool, aliased: bool) -> None:
    run = Run.of(message).in_form(V5)
    if message.qos:
        run = run.numbered(77)
    extra = (b"\x02\0\0\0\x09" if expires else b"") + (b"\x23\0\x05" if aliased else b"")
    packet = only(
        run.repeated().dressed(extra, b"\0\0" if aliased else run.topic)
        if message.qos
        else run.dressed(extra, b"\0\0" if aliased else run.topic)
    )
    assert packet.topic == ("" if aliased else message.topic)
    assert packet.properties.topic_alias == (5 if aliased else None)
    assert packet.properties.message_expiry == (9 if expires else None)
    assert packet.properties.content_type == message.properties.content_type
    assert (packet.packet_id, packet.dup) == ((77, True) if message.qos else (0, False))


@given(MESSAGES, st.integers(0, 2))
def test_what_is_kept_on_disk_comes_back(message: Message, step: int) -> None:
    run = Run.of(message)
    found, again = Run.decode(9, run.encode(step))
    assert found == step
    assert again.row == Row(9, 1, 1)
    assert again.encode(step) == run.encode(step)


def test_a_row_belongs_to_every_part() -> None:
    packets = b"".join(Publish("a", bytes([one]), 1, packet_id=one + 1).encode() for one in range(3))
    row = Row(1, 3, 3)
    run = Run(packets, len(packets) // 3, 5, 7, 3).kept_in(row)
    parts = [run.first(1), run.after(1), *run.singles(), run.numbered(9), run.repeated(), run.in_form(V5), run.at(0)]
    assert all(part.row is row for part in parts)
    assert [part.count for part in parts] == [1, 2, 1, 1, 1, 3, 3, 3, 3]
    assert run.after(1).payloads() == [b"\1", b"\2"]


@pytest.mark.parametrize(("first", "count"), [(1, 3), (254, 4), (65_533, 3)])
def test_the_acknowledgements_of_identifiers_in_order(first: int, count: int) -> None:
    assert pubacks(first, count) == b"".join(Puback(first + one).encode() for one in range(count))
