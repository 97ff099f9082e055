"""Shared subscriptions: MQTT 5, 4.8.2; Fogbank has them for MQTT 3.1.1 as well, as AWS does."""

import pytest
from tests.conformance import packets
from tests.conformance.client import Client
from tests.conformance.conftest import NewClient
from tests.conformance.packets import V5, Kind, Packet
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds


def drain(*clients: Client) -> list[list[Packet]]:
    """What each of them has got, acknowledged in full."""
    found = []
    for client in clients:
        messages = client.ping()
        for message in messages:
            client.settle(message)
        found.append(messages)
    return found


@holds(v5="4.8.2-1 4.8.2-2 4.5.0-1")
def test_each_message_goes_to_one_of_a_group(new: NewClient, version: int, name: str) -> None:
    members = [new(version).connect() for _ in range(3)]
    other_group, alone = new(version).connect(), new(version).connect()
    for member in members:
        assert member.subscribe(f"$share/g/{name}/+").codes == (0,)
    other_group.subscribe(f"$share/h/{name}/+")
    alone.subscribe(f"{name}/+")
    publisher = new(version).connect()
    for number in range(30):
        publisher.publish(f"{name}/a", b"%d" % number)
    *shares, other, all_of_them = drain(*members, other_group, alone)
    sent = sorted(b"%d" % number for number in range(30))
    assert sorted(message.payload for share in shares for message in share) == sent
    assert sorted(message.payload for message in other) == sent
    assert sorted(message.payload for message in all_of_them) == sent


@holds(v5="4.8.2-3")
@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_the_qos_granted_to_the_member_holds(new: NewClient, name: str, published: int, granted: int) -> None:
    member = new(V5).connect()
    member.subscribe(f"$share/g/{name}", qos=granted)
    new(V5).connect().publish(name, b"", published)
    assert member.message().qos == min(published, granted)


@holds(v5="4.8.2-1 4.8.2-2")
@pytest.mark.parametrize("topic_filter", ["$share//a", "$share/g+/a", "$share/g#/a", "$share/+/a", "$share/g/"])
def test_bad_shared_filters_are_refused(new: NewClient, topic_filter: str) -> None:
    client = new(V5).connect()
    client.send(packets.subscribe(V5, 1, (topic_filter, 0)))
    answer = client.ping_or_end()
    if [packet.kind for packet in answer] == [Kind.SUBACK]:
        assert answer[0].codes in ((0x8F,), (0x80,))
    else:
        assert [packet.kind for packet in answer] in ([], [Kind.DISCONNECT])
        assert all(packet.code in (0x81, 0x82, 0x8F) for packet in answer)


@holds(v5="4.8.2-4")
def test_a_delivery_that_was_begun_is_ended_with_the_same_client(new: NewClient, name: str) -> None:
    first, publisher = new(V5).connect(name, **lasting(V5)), new(V5).connect()
    first.subscribe(f"$share/g/{name}", qos=2)
    publisher.publish(name, b"1", 2)
    begun = first.expect(Kind.PUBLISH)
    second = new(V5).connect()
    second.subscribe(f"$share/g/{name}", qos=2)
    first.drop()
    assert second.ping() == []
    again = new(V5).connect(name, **lasting(V5))
    repeated = again.message()
    assert (repeated.packet_id, repeated.payload, repeated.dup) == (begun.packet_id, b"1", True)
    assert second.ping() == []


@holds(v5="4.8.2-5")
def test_if_its_session_ends_the_message_goes_to_no_other(new: NewClient, name: str) -> None:
    first, publisher = new(V5).connect(name), new(V5).connect()
    first.subscribe(f"$share/g/{name}", qos=2)
    publisher.publish(name, b"1", 2)
    assert first.expect(Kind.PUBLISH).payload == b"1"
    second = new(V5).connect()
    second.subscribe(f"$share/g/{name}", qos=2)
    first.disconnect()
    assert not new(V5).connect(name, **lasting(V5)).session_present
    assert second.ping() == []


@holds(v5="4.8.2-6 4.4.0-2")
@pytest.mark.parametrize("qos", [1, 2])
def test_what_one_member_refuses_goes_to_no_other(new: NewClient, name: str, qos: int) -> None:
    first, publisher = new(V5).connect(), new(V5).connect()
    first.subscribe(f"$share/g/{name}", qos=qos)
    publisher.publish(name, b"1", qos)
    refused = first.expect(Kind.PUBLISH)
    second = new(V5).connect()
    second.subscribe(f"$share/g/{name}", qos=qos)
    first.acknowledge(Kind.PUBACK if qos == 1 else Kind.PUBREC, refused.packet_id, 0x97)
    assert first.ping() == []
    first.disconnect()
    assert second.ping() == []


@holds(v5="3.10.4-1 3.10.4-2")
def test_a_member_that_leaves_gets_nothing_more(new: NewClient, version: int, name: str) -> None:
    first, second, publisher = (new(version).connect() for _ in range(3))
    for member in (first, second):
        member.subscribe(f"$share/g/{name}")
    first.unsubscribe(f"$share/g/{name}")
    for _ in range(10):
        publisher.publish(name)
    assert [len(messages) for messages in drain(first, second)] == [0, 10]


def test_a_member_that_is_gone_leaves_all_to_the_others(new: NewClient, version: int, name: str) -> None:
    """4.8.2: messages are shared among those there are."""
    first, second, publisher = (new(version).connect() for _ in range(3))
    for member in (first, second):
        member.subscribe(f"$share/g/{name}", qos=1)
    first.disconnect()
    for _ in range(10):
        publisher.publish(name, b"", 1)
    assert len(drain(second)[0]) == 10


@holds(v5="3.3.4-3 4.8.2-3")
def test_shared_and_own_subscriptions_are_two(new: NewClient, name: str) -> None:
    client, publisher = new(V5).connect(), new(V5).connect()
    client.subscribe(f"$share/g/{name}", subscription_identifier=1)
    client.subscribe(name, subscription_identifier=2)
    publisher.publish(name)
    named = [number for message in drain(client)[0] for number in message.properties["subscription_identifier"]]
    assert sorted(named) == [1, 2]
    assert client.unsubscribe(name).codes == (0,)
    publisher.publish(name)
    assert [message.properties for message in drain(client)[0]] == [{"subscription_identifier": [1]}]
