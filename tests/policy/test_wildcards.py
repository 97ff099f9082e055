import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.policy.wildcards import Token, Wildcard, agreement, literal, matcher, tokens_of


def naive(pattern: list[Token], text: str) -> bool:
    """What the words of the developer guide say, letter by letter."""
    if not pattern:
        return not text
    first, rest = pattern[0], pattern[1:]
    if first is Wildcard.ANY:
        return any(naive(rest, text[skip:]) for skip in range(len(text) + 1))
    if first is Wildcard.ONE:
        return bool(text) and naive(rest, text[1:])
    assert isinstance(first, str)
    return text.startswith(first) and naive(rest, text[len(first) :])


letters = st.sampled_from("ab/*?")
patterns = st.lists(st.one_of(st.sampled_from(Wildcard), st.text(letters, min_size=1, max_size=3)), max_size=7)

# Two letters, few of them, and many stars: where the runs of a pattern get into each other's way.
crowded = st.text("ab", max_size=5)
crowded_patterns = st.lists(st.sampled_from([Wildcard.ANY, Wildcard.ANY, Wildcard.ONE, "a", "b", "ab"]), max_size=6)


@settings(max_examples=1000)
@given(crowded_patterns, crowded)
def test_agrees_with_the_naive_matcher_where_it_is_crowded(pattern: list[Token], text: str) -> None:
    assert matcher(pattern)(text) is naive(pattern, text)


@given(patterns, st.text(letters, max_size=10))
def test_agrees_with_the_naive_matcher(pattern: list[Token], text: str) -> None:
    assert matcher(pattern)(text) is naive(pattern, text)


@given(patterns, st.data())
def test_matches_what_was_made_from_the_pattern(pattern: list[Token], data: st.DataObject) -> None:
    made = {Wildcard.ANY: st.text(letters, max_size=5), Wildcard.ONE: letters}
    text = "".join(token if isinstance(token, str) else data.draw(made[token]) for token in pattern)
    assert matcher(pattern)(text)


@given(st.text(letters))
def test_tokens_keep_the_text(text: str) -> None:
    assert literal(tokens_of(text)) == text
    assert all(token not in ("*", "?") for token in tokens_of(text))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        # developer guide, iot-action-resources and pub-sub-policy
        ("topicfilter/some/*/topic", "topicfilter/some/+/topic", True),
        ("topicfilter/some/*/topic", "topicfilter/some/a/b/topic", True),
        ("topicfilter/some/+/topic", "topicfilter/some/+/topic", True),
        ("topicfilter/some/+/topic", "topicfilter/some/a/topic", False),
        ("topicfilter/a/*", "topicfilter/a/#", True),
        ("topicfilter/a/*", "topicfilter/a/", True),
        ("topicfilter/a/#", "topicfilter/a/b", False),
        ("topic/?", "topic/a", True),
        ("topic/?", "topic//", True),
        ("topic/?", "topic/", False),
        ("topic/?", "topic/ab", False),
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("Topic", "topic", False),
        ("*?x", "x", False),
        ("a*a", "a", False),
        ("*a*a*", "a", False),
        ("*ab*b", "ab", False),
        ("*ab*b", "abb", True),
        ("*ab*ba*", "aba", False),
        ("*ab*ba*", "abba", True),
        ("*a?a*", "aba", True),
        ("*a?a*", "aab", False),
        ("topic/*\n", "topic/a\nb\n", True),
    ],
)
def test_examples(pattern: str, text: str, expected: bool) -> None:
    assert matcher(tokens_of(pattern))(text) is expected


def test_a_hostile_pattern_costs_no_more_than_a_tame_one() -> None:
    matches = matcher(tokens_of("*a" * 200 + "b"))
    start = time.perf_counter()
    assert not matches("a" * 10_000)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("topic/a", "topic/a", 7),
        ("topic/a", "topic/b", 6),
        ("topic/a", "topic/ab", 7),
        ("topic/a", "top", 3),
        ("", "topic", 0),
        ("iot:*:topic/room", "iot:x:topic/device", 4 + 7),
        ("iot:*:topic/room", "iot:topic:topic/ro", 4 + 9),
        ("iot:*:*:topic/*", "iot:r:1:topic/a", 4 + 1 + 7),
        ("a?c", "abd", 2),
        ("*b?d", "xbyz", 2),
        ("*", "", 0),
    ],
)
def test_how_far_a_pattern_agrees(pattern: str, text: str, expected: int) -> None:
    assert agreement(tokens_of(pattern), text) == expected


def test_agreement_with_many_stars_is_no_work() -> None:
    assert agreement(tokens_of("*a" * 1000), "a" * 256) == 256
