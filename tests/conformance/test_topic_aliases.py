"""Topic aliases in both directions: MQTT 5, 3.3.2.3.4."""

from typing import Any

import pytest
from tests.conformance import packets
from tests.conformance.client import Client
from tests.conformance.conftest import NewClient
from tests.conformance.packets import V5
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds


@holds(v5="3.3.2-12 3.2.2-17")
def test_every_alias_up_to_the_servers_maximum_serves(new: NewClient, name: str) -> None:
    watcher, publisher = new(V5).connect(), new(V5).connect()
    watcher.subscribe(f"{name}/#")
    maximum = publisher.granted()["topic_alias_maximum"]
    assert maximum > 0
    some = sorted({1, 2, maximum // 2 or 1, maximum})
    for alias in some:
        publisher.publish(f"{name}/{alias}", b"with the name", topic_alias=alias)
    for alias in some:
        publisher.publish("", b"by alias", topic_alias=alias)
    got = [watcher.message() for _ in range(2 * len(some))]
    assert [message.topic for message in got] == [f"{name}/{alias}" for alias in some] * 2
    assert all("topic_alias" not in message.properties for message in got)


@holds(v5="3.3.2-12")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_alias_may_be_given_to_another_topic(new: NewClient, name: str, qos: int) -> None:
    watcher, publisher = new(V5).connect(), new(V5).connect()
    watcher.subscribe(f"{name}/#", qos=2)
    for topic in (f"{name}/a", "", f"{name}/b", ""):
        publisher.publish(topic, b"", qos, topic_alias=1)
    assert [watcher.message().topic[-1] for _ in range(4)] == ["a", "a", "b", "b"]


@holds(v5="3.3.2-8 4.13.1-1")
def test_alias_0_is_refused(new: NewClient, name: str) -> None:
    client = new(V5).connect()
    client.send(packets.publish(V5, name, topic_alias=0))
    client.refused(0x94)


@holds(v5="4.13.1-1")
def test_an_alias_without_meaning_is_refused(new: NewClient) -> None:
    client = new(V5).connect()
    client.send(packets.publish(V5, "", topic_alias=1))
    client.refused(0x82, 0x94)


@holds(v5="3.3.2-7")
def test_aliases_end_with_the_connection(new: NewClient, name: str) -> None:
    client = new(V5).connect(name, **lasting(V5))
    client.publish(f"{name}/a", b"", topic_alias=1)
    client.disconnect()
    again = new(V5).connect(name, **lasting(V5))
    assert again.session_present
    again.send(packets.publish(V5, "", topic_alias=1))
    again.refused(0x82, 0x94)


@holds(v5="3.3.2-7")
def test_aliases_are_each_connections_own(new: NewClient, name: str) -> None:
    watcher, one, other = new(V5).connect(), new(V5).connect(), new(V5).connect()
    watcher.subscribe(f"{name}/#")
    one.publish(f"{name}/one", topic_alias=1)
    other.publish(f"{name}/other", topic_alias=1)
    one.publish("", topic_alias=1)
    assert [watcher.message().topic for _ in range(3)] == [f"{name}/one", f"{name}/other", f"{name}/one"]


def topics(client: Client, count: int) -> tuple[list[str], list[int]]:
    """The topics of that many messages, by their aliases where they have no name; and the aliases."""
    meaning: dict[int, str] = {}
    found, aliases = [], []
    for _ in range(count):
        message = client.message()
        if "topic_alias" in message.properties:
            aliases.append(message.properties["topic_alias"])
            meaning[aliases[-1]] = message.topic or meaning[aliases[-1]]
        found.append(message.topic or meaning[aliases[-1]])
    return found, aliases


@holds(v5="3.1.2-26 3.3.2-11 3.3.2-8")
@pytest.mark.parametrize("maximum", [1, 2, 65_535])
@pytest.mark.parametrize("qos", [0, 1])
def test_the_servers_aliases_keep_to_the_clients_maximum(new: NewClient, name: str, maximum: int, qos: int) -> None:
    watcher, publisher = new(V5).connect(topic_alias_maximum=maximum), new(V5).connect()
    watcher.subscribe(f"{name}/#", qos=1)
    sent = [f"{name}/{number % 4}" for number in range(12)]
    for topic in sent:
        publisher.publish(topic, b"", qos)
    found, aliases = topics(watcher, len(sent))
    assert found == sent
    assert all(0 < alias <= maximum for alias in aliases)


@holds(v5="3.1.2-27")
@pytest.mark.parametrize("options", [{}, {"topic_alias_maximum": 0}], ids=["none", "0"])
def test_a_client_without_a_maximum_gets_no_aliases(new: NewClient, name: str, options: dict[str, Any]) -> None:
    watcher, publisher = new(V5).connect(**options), new(V5).connect()
    watcher.subscribe(name)
    for _ in range(3):
        publisher.publish(name)
    assert topics(watcher, 3) == ([name] * 3, [])


@holds(v5="3.3.2-7")
def test_the_servers_aliases_end_with_the_connection(new: NewClient, name: str) -> None:
    options = lasting(V5) | {"topic_alias_maximum": 10}
    watcher, publisher = new(V5).connect(name, **options), new(V5).connect()
    watcher.subscribe(name, qos=1)
    for _ in range(2):
        publisher.publish(name, b"", 1)
    assert topics(watcher, 2)[0] == [name, name]
    watcher.drop()
    publisher.publish(name, b"", 1)
    assert topics(new(V5).connect(name, **options), 1)[0] == [name]


@holds(v5="3.3.2-7 4.4.0-1")
def test_what_is_sent_again_has_its_topic(new: NewClient, name: str) -> None:
    """An alias of the lost connection would mean nothing on the new one."""
    options = lasting(V5) | {"topic_alias_maximum": 10}
    watcher, publisher = new(V5).connect(name, **options), new(V5).connect()
    watcher.subscribe(name, qos=1)
    for _ in range(3):
        publisher.publish(name, b"", 1)
    assert len(watcher.ping()) == 3  # unacknowledged
    watcher.drop()
    assert topics(new(V5).connect(name, **options), 3)[0] == [name] * 3
