"""In which order messages and acknowledgements come: chapter 4.6."""

import pytest
from tests.conformance import packets
from tests.conformance.conftest import NewClient
from tests.conformance.packets import Kind
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds

COUNT = 100


@holds(v311="4.6.0-5 4.6.0-6", v5="4.6.0-5 4.6.0-6")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_come_in_the_order_they_were_sent(new: NewClient, version: int, name: str, qos: int) -> None:
    subscribers = [new(version).connect() for _ in range(2)]
    for subscriber in subscribers:
        subscriber.subscribe(f"{name}/#", qos=2)
    publisher = new(version).connect()
    for number in range(1, COUNT + 1):
        publisher.send(packets.publish(version, f"{name}/a", b"%d" % number, qos, number))
        if qos == 2:
            assert publisher.expect(Kind.PUBREC).packet_id == number
            publisher.acknowledge(Kind.PUBREL, number)
            assert publisher.expect(Kind.PUBCOMP).packet_id == number
        elif qos == 1 and not number % 10:  # ten under way at a time, fewer than any Receive Maximum
            assert [publisher.expect(Kind.PUBACK).packet_id for _ in range(10)] == list(range(number - 9, number + 1))
    for subscriber in subscribers:
        got = [subscriber.message().payload for _ in range(COUNT)]
        assert got == [b"%d" % number for number in range(1, COUNT + 1)]


@holds(v311="4.6.0-1 4.6.0-6", v5="4.6.0-1 4.6.0-5")
def test_what_is_sent_again_comes_before_what_waited(new: NewClient, version: int, name: str) -> None:
    subscriber = new(version).connect(name, **lasting(version))
    subscriber.subscribe(name, qos=1)
    publisher = new(version).connect()
    for number in range(5):
        publisher.publish(name, b"%d" % number, 1)
    assert [subscriber.expect(Kind.PUBLISH).payload for _ in range(5)] == [b"%d" % number for number in range(5)]
    subscriber.disconnect()
    for number in range(5, 10):
        publisher.publish(name, b"%d" % number, 1)
    again = new(version).connect(name, **lasting(version))
    got = [again.message() for _ in range(10)]
    assert [message.payload for message in got] == [b"%d" % number for number in range(10)]
    assert [message.dup for message in got] == [True] * 5 + [False] * 5


@pytest.mark.parametrize("qos", [1, 2])
def test_acknowledgements_come_in_the_order_of_the_messages(new: NewClient, version: int, name: str, qos: int) -> None:
    """[MQTT-4.6.0-2] and the two after it bind clients; a server that keeps to them is easier to follow."""
    publisher = new(version).connect()
    sent = [5, 3, 9, 1, 7]
    for packet_id in sent:
        publisher.send(packets.publish(version, name, b"", qos, packet_id))
    kind = Kind.PUBACK if qos == 1 else Kind.PUBREC
    assert [publisher.expect(kind).packet_id for _ in sent] == sent
    if qos == 2:
        for packet_id in sent:
            publisher.acknowledge(Kind.PUBREL, packet_id)
        assert [publisher.expect(Kind.PUBCOMP).packet_id for _ in sent] == sent


def test_pubrels_come_in_the_order_of_the_pubrecs(new: NewClient, version: int, name: str) -> None:
    """[MQTT-4.6.0-4], likewise."""
    subscriber, publisher = new(version).connect(), new(version).connect()
    subscriber.subscribe(name, qos=2)
    for _ in range(5):
        publisher.publish(name, b"", 2)
    got = [subscriber.expect(Kind.PUBLISH).packet_id for _ in range(5)]
    for packet_id in got:
        subscriber.acknowledge(Kind.PUBREC, packet_id)
    assert [subscriber.expect(Kind.PUBREL).packet_id for _ in got] == got
