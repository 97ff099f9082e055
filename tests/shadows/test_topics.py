import contextlib
import string

import pytest

from fogbank.errors import InvalidRequest
from fogbank.shadows.topics import REQUEST_FILTERS, Operation, ShadowId, parse_request_topic
from fogbank.topics import check_filter, matches


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("shadow", [ShadowId("lamp"), ShadowId("lamp", "night")])
def test_a_request_topic_is_heard_once_and_answered_one_level_below(shadow: ShadowId, operation: Operation) -> None:
    answer = shadow.topic(operation, "accepted")
    asked = answer.removesuffix("/accepted")
    assert parse_request_topic(asked) == (shadow, operation)
    assert [matches(filter_, asked) for filter_ in REQUEST_FILTERS].count(True) == 1
    assert not any(matches(filter_, answer) for filter_ in REQUEST_FILTERS)


def test_topics_as_the_guide_spells_them() -> None:
    """Developer guide, device-shadow-mqtt."""
    assert ShadowId("t").topic(Operation.UPDATE, "delta") == "$aws/things/t/shadow/update/delta"
    assert ShadowId("t", "n").topic(Operation.GET, "rejected") == "$aws/things/t/shadow/name/n/get/rejected"
    for filter_ in REQUEST_FILTERS:
        check_filter(filter_)


def test_other_topics_are_not_requests() -> None:
    with pytest.raises(ValueError, match="not a topic for shadow requests"):
        parse_request_topic("$aws/things/t/jobs/get")


@pytest.mark.parametrize(
    ("shadow", "allowed"),
    [
        (ShadowId("aZ09:_-"), True),
        (ShadowId("a" * 128, "$aZ09:_-"), True),
        (ShadowId("a", "b" * 64), True),
        (ShadowId(""), False),
        (ShadowId("a" * 129), False),
        (ShadowId("a b"), False),
        (ShadowId("a/b"), False),
        (ShadowId("ä"), False),
        (ShadowId("a\n"), False),
        (ShadowId("$a"), False),
        (ShadowId("a", ""), False),
        (ShadowId("a", "b" * 65), False),
        (ShadowId("a", "b/c"), False),
    ],
)
def test_names(shadow: ShadowId, allowed: bool) -> None:
    if allowed:
        shadow.check()
    else:
        with pytest.raises(InvalidRequest, match=r"Invalid (thing|shadow)Name"):
            shadow.check()


def test_every_other_character_is_forbidden() -> None:
    """API reference, thingName: [a-zA-Z0-9:_-]+, shadowName: [$a-zA-Z0-9:_-]+."""
    allowed = set(string.ascii_letters + string.digits + ":_-")
    for character in map(chr, [*range(256), 0x2028, 0xFF21, 0x1F600]):
        for shadow, more in ((ShadowId(f"a{character}"), set()), (ShadowId("a", f"a{character}"), {"$"})):
            with contextlib.nullcontext() if character in allowed | more else pytest.raises(InvalidRequest):
                shadow.check()


@pytest.mark.parametrize(
    "rest", ["", "x", "get/x", "update/accepted", "name", "name/n", "name/n/x", "name/n/get/x", "//"]
)
def test_topics_below_the_prefix_that_the_guide_does_not_know_are_ordinary_ones(rest: str) -> None:
    assert not any(matches(filter_, f"$aws/things/lamp/shadow/{rest}") for filter_ in REQUEST_FILTERS)
