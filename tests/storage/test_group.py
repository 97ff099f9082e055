"""What batches come to together, before anything is written."""

import pytest

from fogbank.ports import Delete, Discard, DiscardAll, Expect, Keep, Put, StaleVersion
from fogbank.storage.group import Append, Batch, Drop, Group, Remove, addresses


def put(key: str, body: bytes = b"", expect: int | None = None) -> Put:
    return Put("thing", key, body, expect)


def test_many_puts_come_to_the_last_one() -> None:
    group = Group({("thing", "lamp"): 7}, 1)
    assert [group.apply([put("lamp", str(n).encode())]) for n in range(3)] == [[8], [9], [10]]
    assert group.documents == {("thing", "lamp"): (10, put("lamp", b"2"))}


def test_a_stale_batch_adds_nothing() -> None:
    group = Group({("thing", "lamp"): 7}, 1)
    with pytest.raises(StaleVersion):
        group.apply([put("other"), Delete("thing", "lamp"), put("lamp", expect=7)])
    assert group.documents == {}
    assert group.apply([put("lamp", expect=7)]) == [8]


def test_a_delete_hides_the_stored_version() -> None:
    group = Group({("thing", "lamp"): 7}, 1)
    assert group.apply([Delete("thing", "lamp", 7)]) == [0]
    assert group.apply([put("lamp", expect=0)]) == [1]


def test_only_stored_items_are_left_to_remove() -> None:
    group = Group({}, 5)
    assert group.apply(Append("a", [b"1", b"2"])) == [5, 6]
    group.apply(Remove("a", [4, 5]))
    group.apply(Remove("b", [6]))
    assert (group.items, group.removed, group.next_sequence) == ({6: ("a", b"2")}, {(4, "a")}, 7)


def test_a_drop_takes_the_new_items_before_it_and_not_those_after_it() -> None:
    group = Group({}, 1)
    for batch in (Append("a", [b"1"]), Append("b", [b"2"]), Drop("a"), Append("a", [b"3"])):
        group.apply(batch)
    assert (group.items, group.dropped) == ({2: ("b", b"2"), 3: ("a", b"3")}, {"a"})


def test_an_expectation_stages_nothing() -> None:
    group = Group({("thing", "lamp"): 7}, 1)
    assert group.apply([Expect("thing", "lamp", 7), Expect("thing", "other", 0)]) == [7, 0]
    assert group.documents == {}
    assert group.apply([put("lamp"), Expect("thing", "lamp", 8)]) == [8, 8]
    with pytest.raises(StaleVersion):
        group.apply([Expect("thing", "lamp", 7)])


def test_a_stale_batch_changes_no_backlog() -> None:
    group = Group({}, 1)
    with pytest.raises(StaleVersion):
        group.apply([Keep("c", 1, b""), DiscardAll("d"), Discard("e", [1]), put("lamp", expect=1)])
    assert not group.backlogs


def test_backlogs_come_to_a_net_effect_per_owner() -> None:
    group = Group({}, 1)
    group.apply([Keep("c", 1, b"1"), Keep("c", 2, b"2"), Keep("d", 1, b"")])
    group.apply([Discard("c", [1]), DiscardAll("d")])
    assert group.backlogs["c"].kept == {2: Keep("c", 2, b"2")}
    assert group.backlogs["d"].emptied
    assert group.backlogs["d"].kept == {}


def test_addresses_are_those_of_documents() -> None:
    batches: list[Batch] = [[put("a"), put("b")], Append("queue", [b"1"]), Drop("queue"), [Delete("rule", "a")], []]
    batches.append([Keep("c", 1, b""), Expect("rule", "b", 1), Discard("c", [1]), DiscardAll("c")])
    assert addresses(batches) == {("thing", "a"), ("thing", "b"), ("rule", "a"), ("rule", "b")}
