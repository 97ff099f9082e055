"""What MQTT 5 adds, as real clients see it."""

import pytest
from tests.e2e.clients.base import Properties, take
from tests.e2e.clients.conftest import Make
from tests.e2e.clients.ways import ALIASING, MQTT5, Way

of_all = pytest.mark.parametrize("way", MQTT5, ids=str)
of_those_that_alias = pytest.mark.parametrize("way", ALIASING, ids=str)


@of_all
def test_properties_pass_from_one_client_to_another(join: Make, name: str, topic: str) -> None:
    client = join(name)
    client.subscribe(topic)
    properties = Properties(
        user=(("unit", "°C"), ("unit", "K"), ("site", "")), content_type="application/json", correlation=b"\x00\xff"
    )
    client.publish(topic, b"21.5", properties=properties)
    assert take(client, topic).properties == properties


@of_all
def test_a_request_is_answered_where_it_asks_to_be(join: Make, name: str, topic: str) -> None:
    asking, answering = join(f"{name}-asks"), join(f"{name}-answers")
    asking.subscribe(f"{topic}/answers")
    answering.subscribe(f"{topic}/requests")
    asked = Properties(response_topic=f"{topic}/answers", correlation=b"seven")
    asking.publish(f"{topic}/requests", b"how warm?", properties=asked)
    request = take(answering, f"{topic}/requests").properties
    assert request.response_topic is not None
    answering.publish(request.response_topic, b"21.5", properties=Properties(correlation=request.correlation))
    answer = take(asking, f"{topic}/answers")
    assert (answer.payload, answer.properties.correlation) == (b"21.5", b"seven")


@of_all
def test_the_time_that_is_left_comes_with_a_message(make: Make, join: Make, name: str, topic: str) -> None:
    """Whole seconds; less than the test takes pass in between."""
    sleeper = make(name, persistent=True)
    sleeper.connect()
    sleeper.subscribe(topic)
    sleeper.close()
    join(f"{name}-publisher").publish(topic, b"soon stale", properties=Properties(expiry=300))
    again = make(name, persistent=True)
    again.connect()
    left = take(again, topic).properties.expiry
    assert left is not None
    assert 270 < left <= 300


@of_all
def test_a_client_without_a_name_is_given_one(make: Make) -> None:
    first, second = make("").connect().client_id, make("").connect().client_id
    assert first
    assert first != second


@of_those_that_alias
def test_topic_aliases_stand_for_topics_both_ways(way: Way, join: Make, name: str, topic: str) -> None:
    client = join(name, aliases=True)
    client.subscribe(f"{topic}/#")
    topics = [f"{topic}/{number}" for number in range(3)] * 3
    for number, each in enumerate(topics):
        client.publish(each, b"%d" % number)
    arrived = [client.messages.take(f"message {number}") for number in range(len(topics))]
    assert [(one.topic, one.payload) for one in arrived] == [(one, b"%d" % n) for n, one in enumerate(topics)]
    if way.library == "mqttjs":  # the others do not show it
        assert any(one.alias for one in arrived)
