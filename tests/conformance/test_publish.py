"""PUBLISH and its acknowledgements: chapters 3.3 to 3.7 and 4.3."""

import pytest
from tests.conformance import packets
from tests.conformance.conftest import NewClient
from tests.conformance.packets import V3, V5, Kind, frame, properties, string
from tests.conformance.statements import holds


@holds(
    v311="2.3.1-1 2.3.1-5 2.3.1-6 3.3.1-2 3.3.2-1 3.3.2-3 3.3.4-1 4.3.1-1 4.3.2-1 4.3.2-2 4.3.3-1 4.3.3-2 4.5.0-1",
    v5="2.2.1-2 2.2.1-4 2.2.1-5 3.3.1-2 3.3.2-1 3.3.2-3 3.3.4-1 4.3.1-1 4.3.2-1 4.3.2-2 4.3.2-4 4.3.3-1 4.3.3-2"
    " 4.3.3-4 4.3.3-8 4.3.3-11 4.5.0-1 3.4.2-1 3.5.2-1 3.6.2-1 3.7.2-1",
)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_arrives_as_it_was_sent(new: NewClient, version: int, name: str, qos: int) -> None:
    watcher, publisher = new(version).connect(), new(version).connect()
    watcher.subscribe(name, qos=2)
    for payload in (b"", b"\x00", bytes(range(256)), b"x" * 70_000):
        publisher.publish(name, payload, qos)
        message = watcher.message()
        assert (message.topic, message.payload) == (name, payload)
        assert (message.qos, message.dup, message.retain) == (qos, False, False)


@holds(v311="3.3.4-1 4.5.0-1", v5="3.3.4-1 4.5.0-1")
def test_the_versions_reach_each_other(new: NewClient, name: str) -> None:
    older, newer = new(V3).connect(), new(V5).connect()
    for client in (older, newer):
        client.subscribe(name, qos=2)
    for publisher in (new(V3).connect(), new(V5).connect()):
        for qos in (0, 1, 2):
            publisher.publish(name, b"x", qos)
            assert [client.message().qos for client in (older, newer)] == [qos, qos]


@holds(v311="3.3.1-3", v5="3.3.1-3")
@pytest.mark.parametrize("qos", [1, 2])
def test_dup_is_not_passed_on(new: NewClient, version: int, name: str, qos: int) -> None:
    watcher, publisher = new(version).connect(), new(version).connect()
    watcher.subscribe(name, qos=2)
    publisher.publish(name, b"1", qos, dup=True)
    assert not watcher.message().dup


@holds(v311="4.3.2-2 2.3.1-6", v5="4.3.2-5 2.2.1-3")
def test_after_puback_the_identifier_means_a_new_message(new: NewClient, version: int, name: str) -> None:
    watcher, publisher = new(version).connect(), new(version).connect()
    watcher.subscribe(name, qos=1)
    for payload, dup in ((b"1", False), (b"2", False), (b"3", True)):
        publisher.send(packets.publish(version, name, payload, 1, 65_535, dup=dup))
        assert publisher.expect(Kind.PUBACK).packet_id == 65_535
        assert watcher.message().payload == payload


@holds(v311="4.3.3-2", v5="4.3.3-10 4.3.3-12")
def test_until_pubrel_a_repetition_is_the_same_message(new: NewClient, version: int, name: str) -> None:
    watcher, publisher = new(version).connect(), new(version).connect()
    watcher.subscribe(name, qos=2)
    for payload in (b"1", b"2"):  # the second shows that after PUBCOMP the identifier means a new message
        for dup in (False, True, True):
            publisher.send(packets.publish(version, name, payload, 2, 9, dup=dup))
            assert publisher.expect(Kind.PUBREC).packet_id == 9
        for _ in range(2):  # a PUBREL may be repeated as well
            publisher.acknowledge(Kind.PUBREL, 9)
            assert publisher.expect(Kind.PUBCOMP).packet_id == 9
    publisher.publish(name, b"end", 2)
    assert [message.payload for message in watcher.messages(b"end")] == [b"1", b"2"]


@holds(v5="3.7.2-1 3.6.2-1")
def test_an_unknown_identifier_is_said_to_be_one(new: NewClient) -> None:
    """0x92 (3.6.2.1, 3.7.2.1): PUBREL for no message; PUBREC for none."""
    client = new(V5).connect()
    client.acknowledge(Kind.PUBREL, 77)
    pubcomp = client.expect(Kind.PUBCOMP)
    assert (pubcomp.packet_id, pubcomp.code) == (77, 0x92)
    client.acknowledge(Kind.PUBREC, 78)
    pubrel = client.expect(Kind.PUBREL)
    assert (pubrel.packet_id, pubrel.code) == (78, 0x92)


@holds(v5="3.4.2-1 3.5.2-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_without_subscribers_is_acknowledged(new: NewClient, name: str, qos: int) -> None:
    answer = new(V5).connect().publish(name, b"", qos)
    assert answer is not None
    assert answer.code in (0, 0x10)


@holds(v311="2.3.1-1 4.8.0-1", v5="2.2.1-3 4.13.1-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_identifier_0_is_refused(new: NewClient, version: int, name: str, qos: int) -> None:
    client = new(version).connect()
    client.send(packets.publish(version, name, b"", qos, 0))
    client.refused(0x81, 0x82)


@holds(v311="3.3.1-4", v5="3.3.1-4 4.13.1-1")
def test_qos_3_is_refused(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect()
    client.send(frame(0x36, string(name) + b"\0\1" + properties(version, {})))
    client.refused(0x81)


@holds(v311="3.3.1-2 4.8.0-1", v5="3.3.1-2 4.13.1-1")
def test_dup_at_qos_0_is_refused(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect()
    client.send(packets.publish(version, name, dup=True))
    client.refused(0x81, 0x82)


@holds(v311="3.3.2-2 4.7.1-1 4.7.3-1 4.8.0-1", v5="3.3.2-2 4.7.0-1 4.7.3-1 4.13.1-1")
@pytest.mark.parametrize("topic", ["+", "#", "a/+/b", "a/#", "a+", ""])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_topic_name_has_no_wildcards_and_is_not_empty(new: NewClient, version: int, topic: str, qos: int) -> None:
    client = new(version).connect()
    client.send(packets.publish(version, topic, b"", qos, 1))
    client.refused(0x81, 0x82, 0x90)


@holds(v311="1.5.3-1 1.5.3-2 3.3.2-1 4.7.3-2", v5="1.5.4-1 1.5.4-2 3.3.2-1 4.7.3-2 4.13.1-1")
@pytest.mark.parametrize("topic", [b"\xff", b"a\xed\xbf\xbf", b"a\x00", b"\xc0\xaf", b"\xf4\x90\x80\x80"])
def test_a_topic_name_is_utf_8(new: NewClient, version: int, topic: bytes) -> None:
    client = new(version).connect()
    client.send(packets.publish(version, topic))
    client.refused(0x81, 0x82, 0x90)


@holds(v311="1.5.3-3 4.7.3-4", v5="1.5.4-3 4.7.3-4")
def test_a_byte_order_mark_is_a_character(new: NewClient, version: int, name: str) -> None:
    watcher, publisher = new(version).connect(), new(version).connect()
    watcher.subscribe(f"\ufeff{name}", f"{name}/\ufeffx")
    for topic in (f"\ufeff{name}", name, f"{name}/\ufeffx", f"{name}/x"):
        publisher.publish(topic, b"1")
    publisher.publish(f"\ufeff{name}", b"end")
    assert [message.topic for message in watcher.messages(b"end")] == [f"\ufeff{name}", f"{name}/\ufeffx"]


@holds(v311="4.7.3-3", v5="4.7.3-3")
def test_a_topic_name_may_be_as_long_as_a_string(new: NewClient, version: int, name: str) -> None:
    topic = name + "y" * (65_535 - len(name))
    watcher, publisher = new(version).connect(), new(version).connect()
    assert watcher.subscribe(topic).codes == (0,)
    publisher.publish(topic, b"1")
    assert watcher.message().topic == topic


@holds(v311="2.3.1-4 4.3.2-1", v5="2.2.1-4 4.3.2-1")
def test_identifiers_under_way_are_all_different(new: NewClient, version: int, name: str) -> None:
    watcher, publisher = new(version).connect(), new(version).connect()
    watcher.subscribe(name, qos=2)
    for number in range(20):
        publisher.publish(name, b"", 1 + number % 2)
    under_way = [watcher.expect(Kind.PUBLISH).packet_id for _ in range(20)]
    assert len(set(under_way)) == 20
    assert 0 not in under_way


@holds(v5="4.3.3-9")
def test_a_topic_that_is_refused_leaves_its_identifier_free(new: NewClient, name: str) -> None:
    """However a server refuses (no reader of `$` topics is allowed to matter here), the identifier serves again."""
    watcher, publisher = new(V5).connect(), new(V5).connect()
    watcher.subscribe(name, qos=2)
    publisher.send(packets.publish(V5, f"$SYS/{name}", b"", 2, 5))
    answer = publisher.expect(Kind.PUBREC)
    if answer.code < 0x80:
        publisher.acknowledge(Kind.PUBREL, 5)
        assert publisher.expect(Kind.PUBCOMP).packet_id == 5
    publisher.send(packets.publish(V5, name, b"new", 2, 5))
    assert publisher.expect(Kind.PUBREC).code < 0x80
    publisher.acknowledge(Kind.PUBREL, 5)
    assert publisher.expect(Kind.PUBCOMP).packet_id == 5
    assert watcher.message().payload == b"new"
