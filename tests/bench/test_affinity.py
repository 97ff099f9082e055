"""Cores are chosen apart, and given back."""

import os

import pytest
from bench.affinity import Cores, choose, given_cores, machine_cores, parse_cpu_list, pinned


@pytest.mark.parametrize(
    ("allowed", "siblings", "chosen"),
    [
        ({0, 1, 2, 3}, {}, Cores(broker=(3,), generator=2)),
        ({0, 1, 2, 3}, {3: {2, 3}, 2: {2, 3}}, Cores(broker=(3,), generator=1)),
        ({0, 1, 2, 3}, {3: {1, 3}}, Cores(broker=(3,), generator=2)),
        ({0, 1}, {0: {0, 1}, 1: {0, 1}}, Cores(broker=(1,), generator=0)),  # two threads of one core: all there is
        ({5}, {5: {5}}, Cores(broker=(5,), generator=5)),
    ],
)
def test_choose(allowed: set[int], siblings: dict[int, set[int]], chosen: Cores) -> None:
    assert choose(allowed, siblings) == chosen
    assert chosen.shared == (len(allowed) == 1)


@pytest.mark.parametrize(
    ("text", "cores"), [("0\n", {0}), ("0-1\n", {0, 1}), ("0,4", {0, 4}), ("0-2,8,10-11", {0, 1, 2, 8, 10, 11})]
)
def test_parse_cpu_list(text: str, cores: set[int]) -> None:
    assert parse_cpu_list(text) == cores


def test_given_cores_are_taken_at_their_word() -> None:
    core = machine_cores().generator
    assert given_cores(f"{core},{core}") == Cores(broker=(core,), generator=core)
    assert given_cores(f"{core},{core},{core}") == Cores(broker=(core, core), generator=core)


@pytest.mark.parametrize("text", ["", "1", "one,two", "0,100000", "0;1"])
def test_given_cores_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        given_cores(text)


def test_pinned_is_undone() -> None:
    before = os.sched_getaffinity(0)
    core = machine_cores().generator
    with pinned({core}):
        assert os.sched_getaffinity(0) == {core}
        with pinned(None):
            assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before
