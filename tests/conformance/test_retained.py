"""Retained messages: chapter 3.3.1.3, and Retain Handling and Retain As Published of MQTT 5 (3.8.3.1)."""

import pytest
from tests.conformance.client import Client
from tests.conformance.conftest import NewClient, Pause
from tests.conformance.packets import (
    RETAIN_AS_PUBLISHED,
    RETAIN_IF_NEW,
    RETAIN_NEVER,
    V5,
)
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds


def retained(client: Client, topic_filter: str, options: int = 0) -> list[tuple[str, bytes, int, bool]]:
    """What a subscription at QoS 2 brings at once: topic, payload, QoS and RETAIN."""
    client.subscribe(topic_filter, qos=2, options=options)
    found = client.ping()
    for message in found:
        client.settle(message)
    return [(one.topic, one.payload, one.qos, one.retain) for one in found]


@holds(v311="3.3.1-5 3.3.1-6 3.3.1-8", v5="3.3.1-5 3.3.1-9")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_new_subscription_gets_what_is_retained(new: NewClient, version: int, name: str, qos: int) -> None:
    publisher = new(version).connect()
    publisher.publish(f"{name}/a", b"1", qos, retain=True)
    publisher.publish(f"{name}/b", b"2", qos, retain=True)
    subscriber = new(version).connect()
    assert retained(subscriber, f"{name}/a") == [(f"{name}/a", b"1", qos, True)]
    assert sorted(retained(subscriber, f"{name}/+")) == [
        (f"{name}/a", b"1", qos, True),
        (f"{name}/b", b"2", qos, True),
    ]
    assert retained(subscriber, f"{name}/c") == []


@holds(v311="3.3.1-5 3.3.1-7", v5="3.3.1-5")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_last_one_is_retained(new: NewClient, version: int, name: str, qos: int) -> None:
    publisher = new(version).connect()
    for payload, other in ((b"1", 1), (b"2", 2), (b"3", qos)):
        publisher.publish(name, payload, other, retain=True)
    assert retained(new(version).connect(), name) == [(name, b"3", qos, True)]


@holds(v311="3.3.1-9", v5="3.3.1-12")
def test_who_subscribed_before_gets_it_as_any_other(new: NewClient, version: int, name: str) -> None:
    subscriber = new(version).connect()
    subscriber.subscribe(name)
    new(version).connect().publish(name, b"1", retain=True)
    assert not subscriber.message().retain


@holds(v311="3.3.1-10 3.3.1-11", v5="3.3.1-6 3.3.1-7")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_empty_one_ends_it(new: NewClient, version: int, name: str, qos: int) -> None:
    watcher, publisher = new(version).connect(), new(version).connect()
    publisher.publish(name, b"1", 1, retain=True)
    assert len(retained(watcher, name)) == 1
    publisher.publish(name, b"", qos, retain=True)
    empty = watcher.message()
    assert (empty.topic, empty.payload, empty.qos, empty.retain) == (name, b"", qos, False)
    assert retained(new(version).connect(), name) == []


@holds(v311="3.3.1-12", v5="3.3.1-8")
def test_without_retain_nothing_changes(new: NewClient, version: int, name: str) -> None:
    publisher = new(version).connect()
    publisher.publish(f"{name}/none", b"1", 1)
    publisher.publish(f"{name}/one", b"kept", 1, retain=True)
    publisher.publish(f"{name}/one", b"2", 1)
    publisher.publish(f"{name}/one", b"", 1)
    assert retained(new(version).connect(), f"{name}/#") == [(f"{name}/one", b"kept", 1, True)]


@holds(v311="3.1.2-7")
def test_what_is_retained_outlives_the_session_of_its_publisher(new: NewClient, version: int, name: str) -> None:
    publisher = new(version).connect(name)
    publisher.publish(name, b"1", 1, retain=True)
    publisher.disconnect()
    new(version).connect(name).drop()
    assert retained(new(version).connect(), name) == [(name, b"1", 1, True)]


@holds(v311="3.8.4-6", v5="3.8.4-8")
def test_what_is_retained_comes_at_the_lesser_qos(new: NewClient, version: int, name: str) -> None:
    new(version).connect().publish(name, b"1", 2, retain=True)
    subscriber = new(version).connect()
    subscriber.subscribe(name, qos=1)
    message = subscriber.message()
    assert (message.qos, message.retain) == (1, True)


@holds(v311="3.8.4-3", v5="3.3.1-9 3.8.4-4")
def test_a_renewed_subscription_gets_it_again(new: NewClient, version: int, name: str) -> None:
    new(version).connect().publish(name, b"1", 1, retain=True)
    subscriber = new(version).connect()
    assert [len(retained(subscriber, name)) for _ in range(3)] == [1, 1, 1]


@holds(v5="3.3.1-10")
def test_a_subscription_may_ask_for_it_only_if_new(new: NewClient, name: str) -> None:
    new(V5).connect().publish(name, b"1", 1, retain=True)
    subscriber = new(V5).connect()
    counts = [len(retained(subscriber, name, RETAIN_IF_NEW)) for _ in range(3)]
    subscriber.unsubscribe(name)
    assert [*counts, len(retained(subscriber, name, RETAIN_IF_NEW))] == [1, 0, 0, 1]


@holds(v5="3.3.1-10")
def test_a_subscription_of_a_resumed_session_is_not_new(new: NewClient, name: str) -> None:
    new(V5).connect().publish(name, b"1", 1, retain=True)
    subscriber = new(V5).connect(name, **lasting(V5))
    assert len(retained(subscriber, name, RETAIN_IF_NEW)) == 1
    subscriber.disconnect()
    assert retained(new(V5).connect(name, **lasting(V5)), name, RETAIN_IF_NEW) == []


@holds(v5="3.3.1-11")
def test_a_subscription_may_ask_for_none(new: NewClient, name: str) -> None:
    new(V5).connect().publish(name, b"1", 1, retain=True)
    subscriber = new(V5).connect()
    assert [retained(subscriber, name, RETAIN_NEVER) for _ in range(2)] == [[], []]


@holds(v5="3.3.1-12 3.3.1-13")
@pytest.mark.parametrize("retain", [False, True])
def test_retain_may_stay_as_published(new: NewClient, name: str, retain: bool) -> None:
    keeping, plain = new(V5).connect(), new(V5).connect()
    keeping.subscribe(name, options=RETAIN_AS_PUBLISHED)
    plain.subscribe(name)
    new(V5).connect().publish(name, b"1", retain=retain)
    assert keeping.message().retain is retain
    assert plain.message().retain is False


@holds(v5="3.3.1-9")
def test_shared_subscriptions_get_nothing_retained(new: NewClient, name: str) -> None:
    """3.8.3.1, 4.8.2."""
    new(V5).connect().publish(name, b"1", 1, retain=True)
    assert retained(new(V5).connect(), f"$share/g/{name}") == []


@holds(v5="3.3.2-5 3.3.2-6 3.3.1-5")
def test_what_is_retained_expires(new: NewClient, name: str, pause: Pause) -> None:
    publisher = new(V5).connect()
    publisher.publish(f"{name}/short", b"1", 1, retain=True, message_expiry_interval=1)
    publisher.publish(f"{name}/long", b"1", 1, retain=True, message_expiry_interval=100)
    pause(2)
    subscriber = new(V5).connect()
    subscriber.subscribe(f"{name}/#")
    found = subscriber.ping()
    assert [message.topic for message in found] == [f"{name}/long"]
    assert 90 <= found[0].properties["message_expiry_interval"] <= 99
