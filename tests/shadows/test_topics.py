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
