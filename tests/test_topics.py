"""Topics against MQTT 3.1.1 section 4.7: its own examples, and a naive matcher that walks character by character."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fogbank.topics import InvalidTopic, check_filter, check_topic, is_event, matches

LEVELS = st.text(alphabet="ab$ é", max_size=2)
TOPICS = st.lists(LEVELS, min_size=1, max_size=5).map("/".join).filter(bool)
FILTERS = st.builds(
    lambda levels, end: "/".join(levels + end),
    st.lists(st.one_of(LEVELS, st.just("+")), min_size=1, max_size=5),
    st.sampled_from([[], ["#"]]),
).filter(bool) | st.just("#")


def naive(pattern: str, text: str, *, start: bool = True) -> bool:
    """One character of the filter at a time, by the words of the standard."""
    if start and text[0] == "$" and pattern[0] in "#+":
        return False
    if pattern == "#":
        return True
    if pattern == "/#" and text == "":
        return True  # "sport/#" also matches the singular "sport", since # includes the parent level
    if pattern == "":
        return text == ""
    if pattern[0] == "+":
        level, _, _ = text.partition("/")
        return naive(pattern[1:], text[len(level) :], start=False)
    return text[:1] == pattern[0] and naive(pattern[1:], text[1:], start=False)


@given(FILTERS, TOPICS)
@example("a/#", "a")
@example("a/+", "a/")
@example("+/+", "/a")
@example("$a/#", "$a")
def test_matching_agrees_with_the_naive_matcher(filter_: str, topic: str) -> None:
    assert matches(check_filter(filter_), check_topic(topic)) == naive(filter_, topic)


@given(TOPICS, st.data())
def test_a_filter_made_from_a_topic_matches_it(topic: str, data: st.DataObject) -> None:
    levels = topic.split("/")
    wild = [data.draw(st.sampled_from([level, "+"]), label="level") for level in levels]
    kept = data.draw(st.integers(0, len(wild)), label="kept")
    filter_ = "/".join(wild if kept == len(wild) else [*wild[:kept], "#"])
    if filter_ and not (topic.startswith("$") and filter_[0] in "+#"):
        assert matches(check_filter(filter_), topic)


@pytest.mark.parametrize(
    ("filter_", "topic", "expected"),
    [  # the examples of MQTT 3.1.1, sections 4.7.1.2, 4.7.1.3 and 4.7.2
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "sport", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/monitor/Clients", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/monitor/Clients", True),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
        ("ACCOUNTS", "Accounts", False),
    ],
)
def test_the_examples_of_the_standard(filter_: str, topic: str, expected: bool) -> None:
    assert matches(filter_, topic) is expected
    assert naive(filter_, topic) is expected


@pytest.mark.parametrize("filter_", ["#", "+", "/", "sport/+/player1", "sport/tennis/#", "+/tennis/#", "a" * 65535])
def test_valid_filters(filter_: str) -> None:
    assert check_filter(filter_) == filter_


@pytest.mark.parametrize(
    ("filter_", "rule"),
    [
        ("", "MQTT-4.7.3-1"),
        ("a\0b", "MQTT-4.7.3-2"),
        ("a" * 65536, "MQTT-4.7.3-3"),
        ("é" * 32768, "MQTT-4.7.3-3"),
        ("sport/tennis/#/ranking", "MQTT-4.7.1-2"),
        ("#/", "MQTT-4.7.1-2"),
        ("sport/tennis#", "MQTT-4.7.1-3"),
        ("sport+", "MQTT-4.7.1-3"),
        ("++", "MQTT-4.7.1-3"),
    ],
)
def test_invalid_filters_name_the_rule(filter_: str, rule: str) -> None:
    with pytest.raises(InvalidTopic, match=rule):
        check_filter(filter_)


@pytest.mark.parametrize("topic", ["a", "/", "//", " ", "$SYS/a", "é" * 32767, "a" * 65535])
def test_valid_topics(topic: str) -> None:
    assert check_topic(topic) == topic


@pytest.mark.parametrize(
    ("topic", "rule"),
    [
        ("", "MQTT-4.7.3-1"),
        ("a\0", "MQTT-4.7.3-2"),
        ("a" * 65536, "MQTT-4.7.3-3"),
        ("a/+", "MQTT-3.3.2-2"),
        ("a#", "MQTT-3.3.2-2"),
    ],
)
def test_invalid_topics_name_the_rule(topic: str, rule: str) -> None:
    with pytest.raises(InvalidTopic, match=rule):
        check_topic(topic)


@pytest.mark.parametrize(
    ("topic", "event"),
    [
        ("$aws/events", True),
        ("$aws/events/", True),
        ("$aws/events/presence/connected/lamp", True),
        ("$aws/eventsful", False),
        ("aws/events/x", False),
        ("$aws/things/x/shadow/update", False),
    ],
)
def test_where_the_platform_alone_speaks(topic: str, event: bool) -> None:
    assert is_event(topic) is event
