"""What outlives a connection: sessions, what waits in them, and what is sent again."""

from typing import Any

import pytest
from tests.conformance import packets
from tests.conformance.client import Client
from tests.conformance.conftest import NewClient, Pause
from tests.conformance.packets import V3, V5, Kind, Will
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds


@holds(v311="3.1.2-4 3.1.3-2 3.1.4-3 3.2.2-2 3.2.2-3 4.1.0-1", v5="3.1.2-5 3.1.2-6 3.1.2-23 3.1.3-2 3.1.4-4 3.2.2-3")
def test_a_session_is_resumed_with_its_subscriptions(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect(name, **lasting(version))
    assert not client.session_present
    client.subscribe(name, qos=1)
    client.disconnect()
    again = new(version).connect(name, **lasting(version))
    assert again.session_present
    new(version).connect().publish(name, b"1", 1)
    assert again.message().payload == b"1"


@holds(v311="3.1.2-4 4.1.0-1", v5="3.1.2-5 3.1.2-23")
def test_a_session_outlives_a_broken_connection(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect(name, **lasting(version))
    client.subscribe(name)
    client.drop()
    again = new(version).connect(name, **lasting(version))
    assert again.session_present
    new(version).connect().publish(name, b"1")
    assert again.message().payload == b"1"


@holds(v311="3.1.3-2", v5="3.1.3-2")
def test_sessions_of_two_ids_are_two(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect(name, **lasting(version))
    client.subscribe(name)
    client.disconnect()
    other = new(version).connect(name.upper(), **lasting(version))
    assert not other.session_present
    new(version).connect().publish(name, b"1")
    assert other.ping() == []


@holds(v311="3.1.2-6 3.1.4-3 3.2.2-1 3.2.2-3", v5="3.1.2-4 3.1.4-4 3.2.2-2")
def test_a_clean_start_discards_what_was(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect(name, **lasting(version))
    client.subscribe(name, qos=1)
    client.disconnect()
    publisher = new(version).connect()
    publisher.publish(name, b"waiting", 1)
    clean = new(version).connect(name)
    assert not clean.session_present
    publisher.publish(name, b"unwanted", 1)
    assert clean.ping() == []
    clean.disconnect()
    again = new(version).connect(name, **lasting(version))
    assert not again.session_present
    assert again.ping() == []


@holds(v311="3.1.2-6 3.2.2-3", v5="4.1.0-2 3.2.2-3")
def test_a_session_that_was_not_asked_to_last_ends_with_the_connection(new: NewClient, version: int, name: str) -> None:
    """In MQTT 5: a session expiry interval that is absent is 0 (3.1.2.11.2)."""
    client = new(version).connect(name)
    client.subscribe(name)
    client.disconnect()
    assert not new(version).connect(name, **lasting(version)).session_present


@holds(v5="3.1.2-4 3.1.2-23 3.2.2-2")
def test_a_session_may_start_clean_and_last(new: NewClient, name: str) -> None:
    new(V5).connect(name, **lasting(V5, clean=True)).disconnect()
    assert new(V5).connect(name, clean=False).session_present
    # That connection asked for no expiry interval: 0, whatever its session had before.


@holds(v311="3.1.2-5 4.5.0-1", v5="4.5.0-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_messages_wait_for_a_client_that_is_away(new: NewClient, version: int, name: str, qos: int) -> None:
    client = new(version).connect(name, **lasting(version))
    client.subscribe(f"{name}/#", qos=2)
    client.disconnect()
    publisher = new(version).connect()
    for number in range(20):
        publisher.publish(f"{name}/{number % 2}", b"%d" % number, qos)
    again = new(version).connect(name, **lasting(version))
    waited = [again.message() for _ in range(20)]
    assert [message.payload for message in waited] == [b"%d" % number for number in range(20)]
    assert {(message.qos, message.dup) for message in waited} == {(qos, False)}


@holds(v5="4.1.0-2")
def test_a_session_ends_when_its_time_is_up(new: NewClient, name: str) -> None:
    """Its will says when: it is due at the end of the session, long before its own delay."""
    watcher = new(V5).connect()
    watcher.subscribe(name)
    will = Will(name, properties={"will_delay_interval": 600})
    new(V5).connect(name, clean=False, session_expiry_interval=1, will=will).drop()
    assert watcher.message().payload == b"will"
    assert not new(V5).connect(name, **lasting(V5)).session_present


@holds(v311="4.1.0-2", v5="4.1.0-1 4.4.0-1")
def test_a_session_does_not_end_before_its_connection(new: NewClient, name: str, pause: Pause) -> None:
    """Nor is what waits for an acknowledgement sent again while the connection lasts."""
    client = new(V5).connect(name, session_expiry_interval=1)
    older = new(V3).connect()
    for one in (client, older):
        one.subscribe(name, qos=1)
    publisher = new(V5).connect()
    publisher.publish(name, b"1", 1)
    assert [one.expect(Kind.PUBLISH).payload for one in (client, older)] == [b"1", b"1"]
    pause(2)
    assert [one.ping() for one in (client, older)] == [[], []]
    publisher.publish(name, b"2", 1)
    assert [one.expect(Kind.PUBLISH).payload for one in (client, older)] == [b"2", b"2"]


@holds(v5="3.1.2-23 4.1.0-2")
def test_disconnect_may_give_the_session_another_time(new: NewClient, name: str) -> None:
    """3.14.2.2.2."""
    new(V5).connect(name, **lasting(V5)).disconnect(session_expiry_interval=0)
    assert not new(V5).connect(name, **lasting(V5)).session_present
    longest = 0xFFFFFFFF
    new(V5).connect(name, clean=False, session_expiry_interval=1).disconnect(session_expiry_interval=longest)
    assert new(V5).connect(name, **lasting(V5)).session_present


@holds(v5="4.13.1-1")
def test_disconnect_cannot_make_a_session_last_that_was_not_to(new: NewClient, name: str) -> None:
    """3.14.2.2.2: a protocol error."""
    client = new(V5).connect(name)
    client.send(packets.disconnect(V5, session_expiry_interval=60))
    client.refused(0x82)
    assert not new(V5).connect(name, **lasting(V5)).session_present


# --- what is sent again ---


def unacknowledged(client: Client, publisher: Client, topic: str, qos: int, count: int = 3) -> list[Any]:
    """Some messages that the client got and did not acknowledge."""
    client.subscribe(topic, qos=qos)
    for number in range(count):
        publisher.publish(topic, b"%d" % number, qos)
    return [client.expect(Kind.PUBLISH) for _ in range(count)]


@holds(
    v311="2.3.1-4 3.3.1-1 4.3.2-1 4.3.3-1 4.4.0-1 4.6.0-1",
    v5="3.3.1-1 4.3.2-1 4.3.2-2 4.3.2-3 4.3.3-1 4.3.3-2 4.3.3-3 4.4.0-1 4.6.0-1",
)
@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_not_acknowledged_is_sent_again(new: NewClient, version: int, name: str, qos: int) -> None:
    client = new(version).connect(name, **lasting(version))
    first = unacknowledged(client, new(version).connect(), name, qos)
    assert len({message.packet_id for message in first}) == 3
    assert {(message.qos, message.dup) for message in first} == {(qos, False)}
    client.drop()
    again = new(version).connect(name, **lasting(version))
    second = [again.expect(Kind.PUBLISH) for _ in range(3)]
    assert [(m.packet_id, m.payload) for m in second] == [(m.packet_id, m.payload) for m in first]
    assert {(message.qos, message.dup) for message in second} == {(qos, True)}
    for message in second:
        again.settle(message)
    again.disconnect()
    assert new(version).connect(name, **lasting(version)).ping() == []


@holds(v311="4.3.2-1 4.4.0-1", v5="4.3.2-3 4.4.0-1")
def test_only_what_was_not_acknowledged_is_sent_again(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect(name, **lasting(version))
    messages = unacknowledged(client, new(version).connect(), name, 1)
    client.acknowledge(Kind.PUBACK, messages[1].packet_id)
    assert client.ping() == []
    client.drop()
    again = new(version).connect(name, **lasting(version))
    assert [again.message().payload for _ in range(2)] == [b"0", b"2"]
    assert again.ping() == []


@holds(v311="4.3.3-1 4.4.0-1", v5="4.3.3-4 4.3.3-5 4.3.3-6 4.4.0-1 3.6.2-1")
def test_after_pubrec_the_pubrel_is_sent_again_and_never_the_publish(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect(name, **lasting(version))
    messages = unacknowledged(client, new(version).connect(), name, 2, count=2)
    for message in messages:
        client.acknowledge(Kind.PUBREC, message.packet_id)
        assert client.expect(Kind.PUBREL).packet_id == message.packet_id
    client.drop()
    again = new(version).connect(name, **lasting(version))
    assert [again.expect(Kind.PUBREL).packet_id for _ in messages] == [message.packet_id for message in messages]
    for message in messages:
        again.acknowledge(Kind.PUBCOMP, message.packet_id)
    assert again.ping() == []
    again.drop()
    assert new(version).connect(name, **lasting(version)).ping() == []


@holds(v311="4.3.3-2", v5="4.3.3-10 4.3.3-11")
def test_a_qos_2_message_sent_again_after_a_break_is_delivered_once(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name, qos=2)
    publisher = new(version).connect(f"{name}-p", **lasting(version))
    publisher.send(packets.publish(version, name, b"once", 2, 7))
    assert publisher.expect(Kind.PUBREC).packet_id == 7
    publisher.drop()
    again = new(version).connect(f"{name}-p", **lasting(version))
    again.send(packets.publish(version, name, b"once", 2, 7, dup=True))
    assert again.expect(Kind.PUBREC).packet_id == 7
    again.acknowledge(Kind.PUBREL, 7)
    assert again.expect(Kind.PUBCOMP).packet_id == 7
    again.publish(name, b"end", 2)
    assert [message.payload for message in watcher.messages(b"end")] == [b"once"]


@holds(v5="4.4.0-2 4.3.3-4")
@pytest.mark.parametrize("qos", [1, 2])
def test_what_the_client_refused_is_not_sent_again(new: NewClient, name: str, qos: int) -> None:
    client = new(V5).connect(name, **lasting(V5))
    messages = unacknowledged(client, new(V5).connect(), name, qos)
    for message in messages:
        client.acknowledge(Kind.PUBACK if qos == 1 else Kind.PUBREC, message.packet_id, 0x80)
    assert client.ping() == []
    client.drop()
    assert new(V5).connect(name, **lasting(V5)).ping() == []
