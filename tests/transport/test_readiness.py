import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from fogbank.transport import readiness
from fogbank.transport.readiness import READABLE, WRITABLE, Readiness

from .tls_pair import turns, until


class Reader:
    """Waits for one end of a socket pair."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.events: list[int] = []
        self.on_ready: Callable[[], object] = lambda: None

    @property
    def descriptor(self) -> int:
        return self.ours.fileno()

    def ready(self, events: int) -> None:
        self.events.append(events)
        self.on_ready()

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
async def book() -> AsyncIterator[Readiness]:
    book = Readiness(asyncio.get_running_loop())
    yield book
    book.close()


@pytest.fixture
def readers() -> "list[Reader]":
    return [Reader() for _ in range(10)]


@pytest.fixture(autouse=True)
async def _cleared(readers: list[Reader], book: Readiness) -> AsyncIterator[None]:
    yield
    for reader in readers:
        book.forget(reader.descriptor)
        reader.close()


async def test_it_tells_of_what_was_asked_for(book: Readiness, readers: list[Reader]) -> None:
    one, other, *_ = readers
    book.watch(one.descriptor, READABLE, one)
    book.watch(other.descriptor, READABLE, other)
    await turns()
    assert (one.events, other.events) == ([], [])
    one.theirs.send(b"x")
    await until(lambda: one.events)
    assert (one.events[0], other.events) == (READABLE, [])
    book.watch(one.descriptor, READABLE | WRITABLE, one)
    one.events.clear()
    await until(lambda: one.events)
    assert one.events[0] == READABLE | WRITABLE
    book.forget(one.descriptor)
    book.forget(one.descriptor)
    one.events.clear()
    await turns()
    assert (one.events, len(book)) == ([], 1)


async def test_who_is_forgotten_in_the_same_turn_hears_no_more(book: Readiness, readers: list[Reader]) -> None:
    first, second, *_ = readers
    first.on_ready = lambda: book.forget(second.descriptor)
    second.on_ready = lambda: book.forget(first.descriptor)
    for reader in (first, second):
        book.watch(reader.descriptor, READABLE, reader)
        reader.theirs.send(b"x")
    await turns()
    assert sorted((bool(first.events), bool(second.events))) == [False, True]


async def test_turns_are_short_and_everybody_gets_one(
    book: Readiness, readers: list[Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads here, so all are ready all the time."""
    monkeypatch.setattr(readiness, "SLICE", 0.0)  # one a turn
    for reader in readers:
        book.watch(reader.descriptor, READABLE, reader)
        reader.theirs.send(b"x")
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1

    for reader in readers:
        reader.on_ready = count
    others = 0
    while seen < 3 * len(readers):
        await asyncio.sleep(0)
        others += 1
    assert others >= 3 * len(readers)  # the loop turned in between
    assert {len(reader.events) for reader in readers} == {3}


async def test_a_turn_ends_when_all_are_served(book: Readiness, readers: list[Reader]) -> None:
    for reader in readers:
        book.watch(reader.descriptor, READABLE, reader)
        reader.theirs.send(b"x")
    await until(lambda: readers[0].events)
    assert all(reader.events for reader in readers)
