import asyncio
import logging
import resource
from collections.abc import Iterator

import pytest

from fogbank.transport import deadlines, half_open
from fogbank.transport.half_open import HalfOpen


class Wire(asyncio.Transport):
    """Knows whether it was aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Loop(asyncio.SelectorEventLoop):
    """Time that passes when it is told to."""

    now = 100.0

    def time(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.call_soon(self.call_soon, self.stop)  # what is due now runs in the turn between
        self.run_forever()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def book(loop: Loop) -> HalfOpen:
    return HalfOpen(loop, most=3)


def test_who_stays_silent_is_ended(loop: Loop, book: HalfOpen, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    early, talking, late = Wire(), Wire(), Wire()
    book.enter(early)
    book.enter(talking)
    loop.pass_time(half_open.PATIENCE / 2)
    book.enter(late)
    book.leave(talking)
    loop.pass_time(half_open.PATIENCE / 2)
    assert (early.aborted, late.aborted, len(book)) == (True, False, 1)
    loop.pass_time(half_open.PATIENCE / 2)
    assert (talking.aborted, late.aborted, len(book)) == (False, True, 0)
    assert len(caplog.records) == 2
    book.enter(talking)  # the timer starts again
    loop.pass_time(half_open.PATIENCE)
    assert talking.aborted


def test_who_enters_again_gets_its_time_anew(loop: Loop, book: HalfOpen) -> None:
    one, other = Wire(), Wire()
    book.enter(one)
    book.enter(other)
    loop.pass_time(half_open.PATIENCE * 0.9)
    book.enter(one)
    loop.pass_time(half_open.PATIENCE * 0.2)
    assert (one.aborted, other.aborted) == (False, True)
    loop.pass_time(half_open.PATIENCE)
    assert one.aborted


def test_the_oldest_makes_room_and_the_log_says_so_once(
    loop: Loop, book: HalfOpen, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "fogbank")
    wires = [Wire() for _ in range(10)]
    for wire in wires:
        book.enter(wire)
        assert len(book) <= 3
    assert [wire.aborted for wire in wires] == [True] * 7 + [False] * 3
    loop.pass_time(half_open.PATIENCE)
    assert [record.getMessage() for record in caplog.records] == ["7 connections ended: more than 3 were half-open"]
    book.enter(Wire())
    loop.pass_time(half_open.PATIENCE)
    assert len(caplog.records) == 1


def test_the_end(loop: Loop, book: HalfOpen) -> None:
    wires = [Wire(), Wire()]
    for wire in wires:
        book.enter(wire)
    book.leave(Wire())
    book.close()
    assert all(wire.aborted for wire in wires)
    assert len(book) == 0
    loop.pass_time(2 * half_open.PATIENCE)


def test_few_descriptors_mean_few_half_open_connections(monkeypatch: pytest.MonkeyPatch, loop: Loop) -> None:
    for descriptors, most in (
        (1024, 256),
        (1 << 20, deadlines.MOST),
        (resource.RLIM_INFINITY, deadlines.MOST),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=descriptors: (soft, soft))
        assert HalfOpen(loop)._most == most
