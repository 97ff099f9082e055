"""Topic names, filters and how they match: chapter 4.7."""

from itertools import product

import pytest
from tests.conformance import packets
from tests.conformance.client import Client
from tests.conformance.conftest import NewClient
from tests.conformance.packets import V5, Kind
from tests.conformance.statements import holds

TOPICS = ["", "/", "a", "/a", "a/", "a/b", "a//b", "a/b/c", "A", "é", "e\u0301", "a b", "\u200b", "$x", "$x/a"]
FILTERS = [*TOPICS, "#", "/#", "+", "+/+", "/+", "+/#", "a/#", "a/+", "a/+/+", "+/b", "+/+/c", "a/b/#", "a/b/c/#"]


def matches(topic_filter: str, topic: str) -> bool:
    """4.7, level by level."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        if len(levels) < len(wanted):
            return False
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(one in ("+", level) for one, level in zip(wanted, levels, strict=True))


@holds(v311="3.3.2-3 4.7.1-2 4.7.1-3 4.7.3-4 4.5.0-1", v5="3.3.2-3 4.7.1-1 4.7.1-2 4.7.3-4 4.5.0-1")
@pytest.mark.parametrize("topic_filter", FILTERS)
def test_filters_match_level_by_level(new: NewClient, version: int, name: str, topic_filter: str) -> None:
    subscriber, publisher = new(version).connect(), new(version).connect()
    assert subscriber.subscribe(f"{name}/{topic_filter}").codes == (0,)
    topics = [f"{name}/{topic}" for topic in TOPICS]
    publisher.send(*(packets.publish(version, topic, b"x") for topic in [*topics, name]))
    assert publisher.ping() == []
    got = [message.topic for message in subscriber.ping()]
    expected = [topic for topic in [*topics, name] if matches(f"{name}/{topic_filter}", topic)]
    assert got == expected


@holds(v311="4.7.2-1", v5="4.7.2-1")
def test_wildcards_at_the_start_do_not_match_dollar_topics(new: NewClient, version: int, name: str) -> None:
    """Whether a server passes such a message on at all is its own choice: then to the exact filter alone."""
    wild, exact = new(version).connect(), new(version).connect()
    wild.subscribe("#", f"+/{name}", "+/#", f"+/{name}/#")
    exact.subscribe(f"$conformance/{name}")
    publisher = new(version).connect()
    publisher.send(packets.publish(version, f"$conformance/{name}", b"x"))
    publisher.ping_or_end()
    assert all(message.payload == b"x" for message in exact.ping())
    topics = {message.topic for message in wild.ping()}
    assert not any(topic.startswith("$") for topic in topics)


@holds(v311="4.7.1-2 4.7.1-3 4.7.3-1", v5="4.7.1-1 4.7.1-2 4.7.3-1")
@pytest.mark.parametrize(
    "topic_filter", ["", "a#", "#a", "#/a", "a/#/b", "##", "a+", "+a", "a/+b/c", "++", "a/b+", "/#/", "+#"]
)
@pytest.mark.parametrize("kind", ["SUBSCRIBE", "UNSUBSCRIBE"])
def test_bad_filters_are_refused(new: NewClient, version: int, topic_filter: str, kind: str) -> None:
    """By closing the connection, or by a code that says so."""
    client = new(version).connect()
    if kind == "SUBSCRIBE":
        client.send(packets.subscribe(version, 1, (topic_filter, 0)))
        answer = client.ping_or_end()
        if [packet.kind for packet in answer] == [Kind.SUBACK]:
            assert answer[0].codes == ((0x8F,) if version == V5 else (0x80,))
            return
    else:
        client.send(packets.unsubscribe(version, 1, topic_filter))
        answer = client.ping_or_end()
        if [packet.kind for packet in answer] == [Kind.UNSUBACK]:
            assert answer[0].codes in ((), (0x8F,), (0x11,))
            return
    assert [packet.kind for packet in answer] in ([], [Kind.DISCONNECT])
    assert all(packet.code in (0x81, 0x82, 0x8F) for packet in answer)
    client.refused(0x81, 0x82, 0x8F)


@holds(v311="4.7.3-4", v5="4.7.3-4")
def test_names_are_not_normalised(new: NewClient, version: int, name: str) -> None:
    names = ["é", "e\u0301", "É", "ﬁ", "fi", " ", "\u00a0", "a/../b", "b", "%61", "a\\b", "\U0001f9a9"]
    publisher = new(version).connect()
    subscribers: list[Client] = []
    for one in names:
        subscribers.append(new(version).connect())
        subscribers[-1].subscribe(f"{name}/{one}")
    for one in names:
        publisher.publish(f"{name}/{one}", one.encode())
    got = [[message.payload.decode() for message in subscriber.ping()] for subscriber in subscribers]
    assert got == [[one] for one in names]


def test_the_model_itself() -> None:
    """The examples of 4.7.1."""
    sport = "sport/tennis/player1"
    for topic in (sport, f"{sport}/ranking", f"{sport}/score/wimbledon"):
        assert matches(f"{sport}/#", topic)
    assert matches("sport/#", "sport")
    assert not matches("sport/+", "sport")
    assert matches("sport/+", "sport/")
    assert matches("/+", "/finance")
    assert not matches("+", "/finance")
    assert all(matches("#", topic) for topic in TOPICS)
    assert sum(matches(one, other) for one, other in product(FILTERS, TOPICS)) > len(FILTERS)
