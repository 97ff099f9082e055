"""Maximum Packet Size in both directions, and what Request Problem Information leaves out: MQTT 5."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.conformance import packets
from tests.conformance.conftest import NewClient
from tests.conformance.packets import V5, Kind, Packet
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds


@holds(v5="3.1.2-24 3.1.2-25")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_is_too_large_for_the_client_is_dropped(new: NewClient, name: str, qos: int) -> None:
    subscriber, publisher = new(V5).connect(maximum_packet_size=200), new(V5).connect()
    subscriber.subscribe(name, qos=2)
    fits = 200 - 2 - 1 - (2 + len(name)) - 1 - (2 if qos else 0)  # two bytes of length, one of no properties
    for size in (10, fits, fits + 1, 10_000, fits - 1):
        publisher.publish(name, b"x" * size, qos)
    publisher.publish(name, b"end", qos)
    got = subscriber.messages(b"end")
    assert [len(message.payload) for message in got] == [10, fits, fits - 1]
    assert max(message.size for message in got) == 200


@holds(v5="3.1.2-25")
def test_what_is_too_large_does_not_count_as_under_way(new: NewClient, name: str) -> None:
    """As if it had been delivered: it takes no place of the Receive Maximum, and does not come back."""
    options = {"maximum_packet_size": 100, "receive_maximum": 2} | lasting(V5)
    subscriber, publisher = new(V5).connect(name, **options), new(V5).connect()
    subscriber.subscribe(name, qos=1)
    for _ in range(5):
        publisher.publish(name, b"x" * 200, 1)
    publisher.publish(name, b"end", 1)
    assert subscriber.messages(b"end") == []
    subscriber.drop()
    again = new(V5).connect(name, **lasting(V5))
    assert again.ping() == []


@holds(v5="3.1.2-24 3.1.2-25")
def test_what_waited_may_be_too_large_for_the_next_connection(new: NewClient, name: str) -> None:
    subscriber = new(V5).connect(name, **lasting(V5))
    subscriber.subscribe(name, qos=1)
    subscriber.disconnect()
    publisher = new(V5).connect()
    for payload in (b"x" * 500, b"small"):
        publisher.publish(name, payload, 1)
    again = new(V5).connect(name, maximum_packet_size=100, **lasting(V5))
    assert again.message().payload == b"small"
    assert again.ping() == []


@holds(v5="3.1.2-25")
def test_one_that_is_too_large_for_one_reaches_the_others(new: NewClient, name: str) -> None:
    small, large, publisher = new(V5).connect(name, maximum_packet_size=100), new(V5).connect(), new(V5).connect()
    for subscriber in (small, large):
        subscriber.subscribe(name)
    publisher.publish(name, b"x" * 200)
    assert len(large.message().payload) == 200
    assert small.ping() == []


@holds(v5="3.2.2-15 4.13.1-1")
def test_a_packet_too_large_for_the_server_is_refused(new: NewClient, name: str) -> None:
    """By its announced length already: the rest need not be sent."""
    client = new(V5).connect()
    maximum = client.granted().get("maximum_packet_size", 268_435_455 + 5)
    too_large = maximum - 4
    if too_large > 268_435_455:
        pytest.skip("this server takes whatever MQTT can express")
    client.send(b"\x30" + packets.length(too_large))
    client.refused(0x95)


@holds(v5="3.2.2-15")
def test_a_packet_as_large_as_the_server_takes_is_taken(new: NewClient, name: str) -> None:
    client = new(V5).connect()
    maximum = min(client.granted().get("maximum_packet_size", 1 << 20), 1 << 20)
    overhead = len(packets.publish(V5, name, b"x" * (maximum - 64), 1, 1)) - (maximum - 64)
    client.publish(name, b"x" * (maximum - overhead), 1)


def provoke(new: NewClient, name: str, **connect: Any) -> Iterator[Packet]:
    """Answers that a server is likely to explain: to bad filters, refused topics, unknown identifiers, protocol errors.

    A server whose CONNACK does not fit cannot but close the connection.
    """
    for provocation in (
        packets.subscribe(V5, 1, (f"{name}/#/x", 0)),
        packets.subscribe(V5, 1, (f"$share/{name}", 0)),
        packets.unsubscribe(V5, 2, f"{name}/never", f"{name}/#/x"),
        packets.publish(V5, f"$SYS/{name}", b"", 1, 3),
        packets.publish(V5, f"$SYS/{name}", b"", 2, 4),
        packets.publish(V5, "", b"", 1, 5, topic_alias=1),
        packets.acknowledgement(V5, Kind.PUBREL, 999),
        packets.acknowledgement(V5, Kind.PUBREC, 998),
        packets.publish(V5, f"{name}/+", b"", 1, 6),
    ):
        client = new(V5)
        client.send(packets.connect(V5, name, **connect), provocation, packets.connect(V5, name))
        yield from client.rest()
        client.close()


@holds(
    v5="3.1.2-24 3.2.2-19 3.4.2-2 3.5.2-2 3.6.2-2 3.7.2-2 3.9.2-1 3.11.2-1 3.14.2-3 3.14.2-2 3.14.2-1 3.4.2-1 3.5.2-1"
)
@pytest.mark.parametrize("size", [5, 12, 24, 32, 48, 64, 96])
def test_reasons_do_not_make_a_packet_too_large(new: NewClient, name: str, size: int) -> None:
    """And without that limit they are well-formed: reading checks it."""
    for packet in provoke(new, name, maximum_packet_size=size):
        assert packet.size <= size
    assert any(packet.kind is Kind.DISCONNECT for packet in provoke(new, name))


@holds(v5="3.2.2-19 3.1.2-24")
@pytest.mark.parametrize("size", [5, 8, 12, 20, 30, 50, 80])
def test_nor_a_connack_that_refuses(new: NewClient, name: str, size: int) -> None:
    client = new(V5)
    client.send(packets.connect(V5, name, authentication_method="none", maximum_packet_size=size))
    for packet in client.rest():
        assert packet.size <= size
        assert packet.code == 0x8C


@holds(v5="3.1.2-29")
def test_problem_information_may_be_declined(new: NewClient, name: str) -> None:
    allowed = {Kind.CONNACK, Kind.DISCONNECT, Kind.PUBLISH}
    for packet in provoke(new, name, request_problem_information=0):
        if packet.kind not in allowed:
            assert not {"reason_string", "user_property"} & packet.properties.keys()
    subscriber = new(V5).connect(request_problem_information=0)
    subscriber.subscribe(name)
    new(V5).connect().publish(name, user_property=("a", "b"))
    assert subscriber.message().properties == {"user_property": [("a", "b")]}
