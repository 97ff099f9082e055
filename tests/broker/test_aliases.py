"""Topic aliases, both ways, against a peer that keeps its own table. (MQTT 5.0, 3.3.2.3.4)"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.broker.aliases import Aliases, ClientAliases
from fogbank.mqtt import ReasonCode
from fogbank.mqtt.errors import ProtocolViolation

TOPICS = st.lists(st.sampled_from([b"\0\1a", b"\0\1b", b"\0\1c", b"\0\1d"]), max_size=30)


@given(TOPICS, st.integers(0, 5))
def test_a_client_can_tell_every_topic(topics: list[bytes], most: int) -> None:
    """[MQTT-3.1.2-26] [MQTT-3.1.2-27] Each alias is sent with its topic once before it is sent alone."""
    aliases = Aliases(most)
    known: dict[int, bytes] = {}
    for topic in topics:
        alias, is_known = aliases.of(topic)
        assert 0 <= alias <= most
        if is_known:
            assert known[alias] == topic
        elif alias:
            assert alias not in known
            known[alias] = topic
    assert len(known) == min(most, len(set(topics)))


@given(st.lists(st.tuples(st.none() | st.integers(1, 4), st.sampled_from(["", "a", "b"])), max_size=30))
def test_what_a_client_means(sent: list[tuple[int | None, str]]) -> None:
    """The last topic that came with an alias; aliases above the maximum, and those that were not set, are errors."""
    most = 3
    aliases = ClientAliases(most)
    table: dict[int, str] = {}
    for alias, topic in sent:
        if alias is None:
            expected = topic or None
        elif alias > most:
            expected = None
        elif topic:
            expected = table[alias] = topic
        else:
            expected = table.get(alias)
        if expected is None:
            with pytest.raises(ProtocolViolation):
                aliases.resolve(alias, topic)
        else:
            assert aliases.resolve(alias, topic) == expected


def test_one_above_the_maximum_is_called_that() -> None:
    """[MQTT-3.3.2-9]"""
    with pytest.raises(ProtocolViolation) as violation:
        ClientAliases(8).resolve(9, "a")
    assert violation.value.code is ReasonCode.TOPIC_ALIAS_INVALID
