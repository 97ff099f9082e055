"""Messages from and to real clients: both qualities of service, retained ones, wills, shared subscriptions."""

import pytest
from tests.e2e.clients.base import Arrived, Site, Will, take
from tests.e2e.clients.cable import Cable
from tests.e2e.clients.conftest import Make
from tests.e2e.clients.ways import WAYS, Way

from fogbank.cli.demo.inbox import eventually

pytestmark = pytest.mark.parametrize("way", WAYS, ids=str)


def described(message: Arrived) -> tuple[bytes, int, bool]:
    return message.payload, message.qos, message.retained


def test_messages_come_at_both_qualities_of_service(join: Make, name: str, topic: str) -> None:
    client = join(name)
    assert client.subscribe(f"{topic}/+", 1) == 1
    assert client.subscribe(f"{topic}/low/+", 0) == 0
    client.publish(f"{topic}/0", b"zero", 0)
    client.publish(f"{topic}/1", b"one", 1)
    client.publish(f"{topic}/low/1", b"\x00\xff", 1)
    assert described(take(client, f"{topic}/0")) == (b"zero", 0, False)
    assert described(take(client, f"{topic}/1")) == (b"one", 1, False)
    assert described(take(client, f"{topic}/low/1")) == (b"\x00\xff", 0, False)
    client.unsubscribe(f"{topic}/+")
    client.publish(f"{topic}/1", b"nobody hears", 1)
    client.publish(f"{topic}/low/2", b"last", 1)
    take(client, f"{topic}/low/2")
    assert client.messages.waiting() == []


def test_a_retained_message_comes_to_new_subscribers_until_it_is_taken_away(join: Make, name: str, topic: str) -> None:
    publisher = join(name)
    publisher.publish(topic, b"kept", retain=True)
    first = join(f"{name}-first")
    first.subscribe(topic)
    assert described(take(first, topic)) == (b"kept", 1, True)
    publisher.publish(topic, b"", retain=True)
    assert described(take(first, topic)) == (b"", 1, False)
    second = join(f"{name}-second")
    second.subscribe(topic)
    publisher.publish(topic, b"live")
    assert described(take(second, topic)) == (b"live", 1, False)


def test_a_will_is_published_where_the_connection_breaks(
    way: Way, site: Site, join: Make, name: str, topic: str
) -> None:
    observer = join(f"{name}-observer")
    observer.subscribe(topic)
    cable = Cable(site.address(way.door))
    join(name, will=Will(topic, b"lost"), port=cable.port)
    cable.cut()
    assert described(take(observer, topic)) == (b"lost", 1, False)


def test_a_session_is_kept_with_what_came_for_it(make: Make, join: Make, name: str, topic: str) -> None:
    client = make(name, persistent=True)
    assert client.connect().session_present is False
    client.subscribe(topic)
    client.close()
    publisher = join(f"{name}-publisher")
    for number in range(3):
        publisher.publish(topic, b"%d" % number)
    again = make(name, persistent=True)
    assert again.connect().session_present is True
    assert [take(again, topic).payload for _ in range(3)] == [b"0", b"1", b"2"]
    again.close()
    assert make(name).connect().session_present is False


def test_a_shared_subscription_gives_each_message_to_one(join: Make, name: str, topic: str) -> None:
    members = [join(f"{name}-{number}") for number in range(2)]
    for member in members:
        assert member.subscribe(f"$share/{name}/{topic}") == 1
    publisher = join(name)
    sent = [b"%d" % number for number in range(10)]
    for payload in sent:
        publisher.publish(topic, payload)

    def received() -> list[bytes]:
        return sorted(message.payload for member in members for message in member.messages.waiting())

    assert eventually("all messages", received, lambda payloads: len(payloads) >= len(sent)) == sent
