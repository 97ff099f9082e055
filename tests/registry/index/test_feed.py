"""The feed gathers names, and works them off at a bounded share of the time."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from fogbank.registry.index import feed as module
from fogbank.registry.index.feed import LEAST, QUIET, REST, RETRY, WITHIN, Feed
from fogbank.testing.clock import FakeClock


class Worker:
    """Takes `seconds` for each round, and notes what it was given."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.seconds = 0.0
        self.rounds: list[set[str]] = []
        self.times: list[float] = []
        self.failures = 0
        self.rests: list[float] = []

    async def rest(self) -> None:
        self.rests.append(self.clock.monotonic())

    async def __call__(self, things: set[str], reviews: set[str], groups: set[str]) -> None:
        self.times.append(self.clock.monotonic())
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        if self.seconds:
            await self.clock.sleep(self.seconds)
        self.rounds.append(things | reviews | groups)


@pytest.fixture
def worker(clock: FakeClock) -> Worker:
    return Worker(clock)


@pytest.fixture
def overflows() -> list[None]:
    return []


@pytest.fixture
async def feed(worker: Worker, clock: FakeClock, overflows: list[None]) -> AsyncIterator[Feed]:
    feed = Feed(worker, clock, lambda: overflows.append(None), worker.rest)
    feed.start()
    await clock.advance(0)
    yield feed
    await feed.close()


async def test_what_finds_it_idle_is_worked_off_at_once(feed: Feed, worker: Worker, clock: FakeClock) -> None:
    feed.thing("a")
    feed.group("g")
    await clock.advance(0)
    assert worker.rounds == [{"a", "g"}]


async def test_a_name_is_worked_off_once_however_often_it_comes(feed: Feed, worker: Worker, clock: FakeClock) -> None:
    for _ in range(10):
        for _ in range(1000):
            feed.thing("a")
        await clock.advance(REST / 20)
    await clock.advance(10)
    assert len(worker.rounds) == 2


async def test_a_flood_has_it_work_a_fifth_of_the_time(feed: Feed, worker: Worker, clock: FakeClock) -> None:
    worker.seconds = 0.3
    for _ in range(900):
        feed.thing("a")
        await clock.advance(0.01)
    assert 9 / 1.5 - 1 <= len(worker.rounds) <= 9 / 1.5 + 1


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.4, 0.7, 0.8])
async def test_a_change_waits_no_longer_than_two_seconds(
    feed: Feed, worker: Worker, clock: FakeClock, seconds: float
) -> None:
    """One that comes when a round has just begun waits for that, the rest, and the next one."""
    worker.seconds = seconds
    for _ in range(1000):
        feed.thing("a")
        await clock.advance(0.01)
    gaps = [later - earlier for earlier, later in itertools.pairwise(worker.times)]
    assert max(gaps) + seconds <= WITHIN + 0.02


async def test_it_rests_however_long_it_worked(feed: Feed, worker: Worker, clock: FakeClock) -> None:
    worker.seconds = 2
    for _ in range(100):
        feed.thing("a")
        await clock.advance(0.1)
    assert len(worker.rounds) == 10 // (2 + 2 * LEAST)


async def test_settled_waits_for_what_came_before_it(feed: Feed, worker: Worker, clock: FakeClock) -> None:
    feed.thing("a")
    await feed.settled(1)
    feed.thing("b")
    await feed.settled(1)  # cuts the rest short: the clock stands still
    assert worker.rounds[:2] == [{"a"}, {"b"}]


async def test_settled_waits_for_the_round_under_way(feed: Feed, worker: Worker, clock: FakeClock) -> None:
    worker.seconds = 0.5
    feed.thing("a")
    await clock.advance(0.1)
    waiting = asyncio.create_task(feed.settled(5))
    await clock.advance(0.3)
    assert not waiting.done()
    await clock.advance(2)
    assert waiting.done()
    await waiting
    assert worker.rounds[0] == {"a"}


async def test_settled_gives_up_in_time(feed: Feed, worker: Worker, clock: FakeClock) -> None:
    worker.seconds = 60
    feed.thing("a")
    waiting = asyncio.create_task(feed.settled(1))
    await clock.advance(0.9)
    assert not waiting.done()
    await clock.advance(0.2)
    assert waiting.done()
    await waiting


async def test_settled_returns_at_once_where_nothing_waits(feed: Feed, clock: FakeClock) -> None:
    await asyncio.wait_for(feed.settled(1), 5)


async def test_many_who_wait_leave_half_of_the_time_to_others(feed: Feed, worker: Worker, clock: FakeClock) -> None:
    worker.seconds = 0.1
    for _ in range(400):
        feed.thing("a")
        waiting = asyncio.create_task(feed.settled(0.005))
        await clock.advance(0.01)
        await waiting
    assert len(worker.rounds) <= 4 / 0.2 + 1


async def test_who_is_to_fill_the_index_may_rest_less(feed: Feed, worker: Worker, clock: FakeClock) -> None:
    worker.seconds = 0.1
    waiting: asyncio.Task[None] | None = None
    for _ in range(100):
        if waiting is None or waiting.done():
            feed.thing("a")
            waiting = asyncio.create_task(feed.settled(60, rest=LEAST))
        await clock.advance(0.01)
    assert len(worker.rounds) >= 1 / (0.1 + 0.025) - 2
    await clock.advance(1)


async def test_what_fails_is_tried_again(
    feed: Feed, worker: Worker, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    worker.failures = 2
    feed.thing("a")
    await clock.advance(RETRY * 2 + REST * 3)
    assert worker.rounds == [{"a"}]
    assert caplog.text.count("the fleet index is not up to date") == 2


async def test_more_than_it_can_keep_in_mind_is_compared_instead(
    feed: Feed, worker: Worker, clock: FakeClock, overflows: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 100)
    worker.seconds = 0.1
    feed.thing("first")
    await clock.advance(0.05)
    for number in range(101):
        feed.thing(f"t{number}")
    await clock.advance(5)
    assert overflows == [None]
    assert worker.rounds == [{"first"}]


async def test_who_waits_when_it_ends_is_let_go(worker: Worker, clock: FakeClock, overflows: list[None]) -> None:
    feed = Feed(worker, clock, lambda: None, worker.rest)
    worker.seconds = 60
    feed.start()
    feed.thing("a")
    await clock.advance(0)
    waiting = asyncio.create_task(feed.settled(1000))
    await clock.advance(0)
    await feed.close()
    await asyncio.wait_for(waiting, 5)


async def test_when_nothing_changes_for_a_while_it_is_told_once(feed: Feed, worker: Worker, clock: FakeClock) -> None:
    await clock.advance(QUIET - 0.1)
    feed.thing("a")
    await clock.advance(REST + QUIET - 0.1)
    assert worker.rests == []
    await clock.advance(100)
    assert len(worker.rests) == 1
    feed.thing("b")
    await clock.advance(REST + QUIET + 100)
    assert (len(worker.rounds), len(worker.rests)) == (2, 2)


async def test_who_waits_for_a_round_that_fails_waits_for_the_next_one(
    feed: Feed, worker: Worker, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    worker.failures = 1
    feed.thing("a")
    waiting = asyncio.create_task(feed.settled(60))
    await clock.advance(RETRY / 2)
    assert not waiting.done()
    await clock.advance(RETRY)
    await waiting
    assert worker.rounds == [{"a"}]
    assert "the fleet index is not up to date" in caplog.text
