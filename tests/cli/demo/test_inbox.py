import threading

import pytest

from fogbank.cli.demo.inbox import Inbox, NotSeen, check, eventually


def test_the_first_wanted_thing_is_taken_and_the_others_stay() -> None:
    inbox: Inbox[int] = Inbox()
    for number in (1, 2, 4, 6):
        inbox.put(number)
    assert inbox.take("an even number", lambda number: number % 2 == 0) == 2
    assert inbox.take("an even number", lambda number: number % 2 == 0) == 4
    assert inbox.waiting() == [1, 6]
    inbox.clear()
    assert inbox.waiting() == []


def test_what_comes_later_is_waited_for() -> None:
    inbox: Inbox[str] = Inbox()
    waiting = threading.Event()

    def wanted(item: str) -> bool:
        waiting.set()
        return item == "late"

    def put_later() -> None:
        waiting.wait()
        inbox.put("late")

    inbox.put("early")
    thread = threading.Thread(target=put_later)
    thread.start()
    assert inbox.take("what is late", wanted, float("inf")) == "late"
    thread.join()


def test_what_does_not_come_is_said_with_what_came_instead() -> None:
    inbox: Inbox[int] = Inbox()
    with pytest.raises(NotSeen) as nothing:
        inbox.take("a number", seconds=0)
    assert (nothing.value.expected, nothing.value.seen) == ("a number within 0 s", "nothing")
    for number in range(5):
        inbox.put(number)
    with pytest.raises(NotSeen) as others:
        inbox.take("a seven", lambda number: number == 7, seconds=0)
    assert others.value.seen == "2; 3; 4"


def test_a_closed_inbox_gives_what_it_has_and_does_not_wait() -> None:
    inbox: Inbox[int] = Inbox()
    inbox.put(1)
    inbox.close("it ended")
    inbox.close("again")
    assert inbox.take("a number", seconds=float("inf")) == 1
    with pytest.raises(NotSeen, match=r"nothing \(it ended\)"):
        inbox.take("a number", seconds=float("inf"))


def test_eventually_reads_until_it_is_so_and_no_longer_than_it_may() -> None:
    values = iter(range(10))
    assert eventually("three", lambda: next(values), lambda value: value == 3) == 3
    with pytest.raises(NotSeen, match="expected a false truth within 0 s; seen: True"):
        eventually("a false truth", lambda: True, lambda value: not value, seconds=0)


def test_check() -> None:
    check("seen", True, "expected")
    with pytest.raises(NotSeen, match="expected expected; seen: seen"):
        check("seen", False, "expected")
