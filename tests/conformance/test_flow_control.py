"""Receive Maximum in both directions: MQTT 5, 3.3.4 and 4.9."""

import pytest
from tests.conformance import packets
from tests.conformance.conftest import NewClient
from tests.conformance.packets import V5, Kind
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds


@holds(v5="3.3.4-9 3.3.4-10 4.9.0-1 4.9.0-2 4.9.0-3")
@pytest.mark.parametrize("maximum", [1, 3])
@pytest.mark.parametrize("qos", [1, 2])
def test_no_more_is_under_way_than_the_client_can_take(new: NewClient, name: str, maximum: int, qos: int) -> None:
    subscriber, publisher = new(V5).connect(receive_maximum=maximum), new(V5).connect()
    subscriber.subscribe(f"{name}/#", qos=qos)
    for number in range(8):
        publisher.publish(f"{name}/a", b"%d" % number, qos)
    under_way = subscriber.ping()
    assert len(under_way) == maximum
    publisher.publish(f"{name}/zero", b"QoS 0")
    # Neither QoS 0 nor any other packet waits for the quota.
    assert [message.payload for message in subscriber.ping()] == [b"QoS 0"]
    assert subscriber.subscribe(f"{name}/b", qos=1).codes == (1,)
    got = [message.payload for message in under_way]
    for message in under_way:
        subscriber.settle(message)
    while len(got) < 8:
        got.append(subscriber.message().payload)
    assert got == [b"%d" % number for number in range(8)]


@holds(v5="3.3.4-9 4.9.0-2")
def test_at_qos_2_pubcomp_gives_the_place_back_and_pubrec_does_not(new: NewClient, name: str) -> None:
    subscriber, publisher = new(V5).connect(receive_maximum=1), new(V5).connect()
    subscriber.subscribe(name, qos=2)
    for number in range(2):
        publisher.publish(name, b"%d" % number, 2)
    first = subscriber.expect(Kind.PUBLISH)
    subscriber.acknowledge(Kind.PUBREC, first.packet_id)
    assert subscriber.expect(Kind.PUBREL).packet_id == first.packet_id
    assert subscriber.ping() == []
    subscriber.acknowledge(Kind.PUBCOMP, first.packet_id)
    assert subscriber.message().payload == b"1"


@holds(v5="3.3.4-9 4.9.0-2 4.4.0-2")
@pytest.mark.parametrize("qos", [1, 2])
def test_a_refusal_gives_the_place_back(new: NewClient, name: str, qos: int) -> None:
    subscriber, publisher = new(V5).connect(receive_maximum=1), new(V5).connect()
    subscriber.subscribe(name, qos=qos)
    for number in range(2):
        publisher.publish(name, b"%d" % number, qos)
    first = subscriber.expect(Kind.PUBLISH)
    subscriber.acknowledge(Kind.PUBACK if qos == 1 else Kind.PUBREC, first.packet_id, 0x80)
    assert subscriber.message().payload == b"1"


@holds(v5="4.9.0-1 4.9.0-2 4.4.0-1")
def test_the_quota_is_each_connections_own(new: NewClient, name: str) -> None:
    """It is no part of the session (4.9): who comes back gets as many as it says then."""
    subscriber, publisher = new(V5).connect(name, receive_maximum=2, **lasting(V5)), new(V5).connect()
    subscriber.subscribe(name, qos=1)
    for number in range(6):
        publisher.publish(name, b"%d" % number, 1)
    assert len(subscriber.ping()) == 2
    subscriber.drop()
    again = new(V5).connect(name, receive_maximum=4, **lasting(V5))
    under_way = again.ping()
    assert [(message.payload, message.dup) for message in under_way] == [
        (b"0", True),
        (b"1", True),
        (b"2", False),
        (b"3", False),
    ]


@holds(v5="3.3.4-7 4.13.1-1")
def test_a_client_that_sends_more_than_the_servers_maximum_is_disconnected(new: NewClient, name: str) -> None:
    """QoS 2 without PUBREL: the server has the message, the identifier stays in use. Up to the maximum all is well."""
    client = new(V5).connect(name)
    maximum = client.granted().get("receive_maximum", 65_535)
    some = min(maximum, 2_000)
    client.send(*(packets.publish(V5, name, b"", 2, number) for number in range(1, some + 1)))
    assert [client.expect(Kind.PUBREC).packet_id for _ in range(some)] == list(range(1, some + 1))
    if maximum < 65_535:  # else there are no identifiers to exceed it with
        client.send(*(packets.publish(V5, name, b"", 2, number) for number in range(some + 1, maximum + 2)))
        assert client.rest()[-1].code == 0x93


@holds(v5="3.3.4-7 4.9.0-3")
def test_the_quota_comes_back_with_each_acknowledgement(new: NewClient, name: str) -> None:
    client = new(V5).connect()
    maximum = client.granted().get("receive_maximum", 65_535)
    for number in range(2 * min(maximum, 200)):
        client.publish(name, b"", 1 + number % 2)
