"""What changes of one owner's backlog come to."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fogbank.ports import Discard, DiscardAll, Keep
from fogbank.storage.backlog import BacklogChange, ranges

NUMBERS = st.integers(1, 8)
CHANGES = st.lists(
    st.one_of(
        st.builds(Keep, st.just("c"), NUMBERS, st.binary(max_size=2)),
        st.builds(Discard, st.just("c"), st.lists(NUMBERS, max_size=4)),
        st.just(DiscardAll("c")),
    ),
    max_size=12,
)


@given(st.dictionaries(NUMBERS, st.binary(max_size=2)), CHANGES)
def test_the_net_effect_is_that_of_the_changes_one_by_one(
    stored: dict[int, bytes], changes: list[Keep | Discard | DiscardAll]
) -> None:
    naive = dict(stored)
    net = BacklogChange()
    for change in changes:
        net.apply(change)
        match change:
            case Keep(_, number, body):
                naive[number] = body
            case Discard(_, numbers):
                naive = {number: body for number, body in naive.items() if number not in numbers}
            case DiscardAll():
                naive = {}
    left = {} if net.emptied else {n: body for n, body in stored.items() if n not in net.discarded}
    assert {**left, **{number: kept.body for number, kept in net.kept.items()}} == naive


def test_what_is_kept_and_then_discarded_is_forgotten() -> None:
    change = BacklogChange()
    for one in (Keep("c", 1, b"1"), Keep("c", 2, b"2"), Discard("c", range(1, 3))):
        change.apply(one)
    assert change.kept == {}
    assert change.discarded == [1, 2], "they may have been stored before"


def test_after_all_was_discarded_there_is_nothing_stored_to_discard() -> None:
    change = BacklogChange()
    for one in (Discard("c", [1]), Keep("c", 2, b"2"), DiscardAll("c"), Discard("c", [3])):
        change.apply(one)
    assert (change.emptied, change.discarded, change.kept) == (True, [], {})


@given(st.lists(st.integers(-5, 30)))
def test_ranges_hold_the_numbers_and_are_as_few_as_may_be(numbers: list[int]) -> None:
    found = ranges(numbers)
    assert [n for first, last in found for n in range(first, last + 1)] == sorted(set(numbers))
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(found))
