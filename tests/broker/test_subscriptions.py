"""The subscription tree against the plain definition of matching."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.broker.subscriptions import DEFAULT, Options, SubscriptionTree
from fogbank.topics import matches

levels = st.sampled_from(["", "a", "b", "$x"])
topics = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(bool)
filters = st.builds(
    lambda head, tail: "/".join([*head, *tail]),
    st.lists(st.one_of(levels, st.just("+")), min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
).filter(bool)
subscriptions = st.lists(st.tuples(filters, st.integers(0, 5), st.integers(0, 1)), max_size=20)


@given(subscriptions, st.lists(st.integers(0, 19), max_size=10), topics)
def test_matches_what_the_definition_matches(
    wanted: list[tuple[str, int, int]], removed: list[int], topic: str
) -> None:
    tree: SubscriptionTree[int] = SubscriptionTree()
    held: dict[tuple[str, int], int] = {}
    for filter_, subscriber, qos in wanted:
        tree.add(filter_, subscriber, Options(qos))
        held[filter_, subscriber] = qos
    for index in removed:
        if index < len(wanted):
            filter_, subscriber, _ = wanted[index]
            tree.remove(filter_, subscriber)
            held.pop((filter_, subscriber), None)
    expected: dict[int, list[int]] = {}
    for (filter_, subscriber), qos in held.items():
        if matches(filter_, topic):
            expected.setdefault(subscriber, []).append(qos)
    found = {subscriber: [options.qos for options in several] for subscriber, several in tree.match(topic).items()}
    assert {subscriber: sorted(several) for subscriber, several in found.items()} == {
        subscriber: sorted(several) for subscriber, several in expected.items()
    }


@given(subscriptions)
def test_removing_everything_leaves_an_empty_tree(wanted: list[tuple[str, int, int]]) -> None:
    tree: SubscriptionTree[int] = SubscriptionTree()
    for filter_, subscriber, qos in wanted:
        tree.add(filter_, subscriber, Options(qos))
    for filter_, subscriber, _ in wanted:
        tree.remove(filter_, subscriber)
    assert not tree._exact
    assert not tree._root.children


@pytest.mark.parametrize(("matches_parent", "found"), [(True, {1: [DEFAULT]}), (False, {})])
def test_the_parent_of_a_hash(matches_parent: bool, found: dict[int, list[Options]]) -> None:
    """MQTT 4.7.1.2; AWS IoT developer guide, "AWS IoT differences from MQTT specifications"."""
    tree: SubscriptionTree[int] = SubscriptionTree(hash_matches_parent=matches_parent)
    tree.add("sport/#", 1)
    assert tree.match("sport") == found
    assert tree.match("sport/") == tree.match("sport/a/b") == {1: [DEFAULT]}
