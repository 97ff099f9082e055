"""The clock that stands still: what a test may rely on when it moves it."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from fogbank.clock import Clock, SystemClock, milliseconds
from fogbank.testing import FakeClock


async def test_time_stands_still_until_it_is_moved(fake_clock: FakeClock) -> None:
    clock: Clock = fake_clock
    before = clock.time(), clock.monotonic()
    await asyncio.sleep(0)
    assert (clock.time(), clock.monotonic()) == before
    await fake_clock.advance(1.5)
    assert (clock.time() - before[0], clock.monotonic() - before[1]) == (1.5, 1.5)
    assert milliseconds(clock) == 1_700_000_001_500


@given(st.lists(st.integers(0, 20), max_size=8), st.lists(st.integers(0, 12), max_size=5))
def test_sleepers_wake_at_their_own_times_in_order(delays: list[int], steps: list[int]) -> None:
    async def scenario() -> None:
        clock = FakeClock(start=0)
        woken: list[tuple[float, int]] = []

        async def sleeper(number: int, delay: int) -> None:
            await clock.sleep(delay)
            woken.append((clock.time(), number))

        sleeping = [asyncio.create_task(sleeper(number, delay)) for number, delay in enumerate(delays)]
        for step in [0, *steps]:
            await clock.advance(step)
            due = [(float(delay), number) for number, delay in enumerate(delays) if delay <= clock.time()]
            assert woken == sorted(due)
        for task in sleeping:
            task.cancel()
        await asyncio.gather(*sleeping, return_exceptions=True)

    asyncio.run(scenario())


async def test_one_that_sleeps_again_wakes_again_within_the_same_advance(fake_clock: FakeClock) -> None:
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            await fake_clock.sleep(10)
            ticks.append(fake_clock.time() - 1_700_000_000)

    task = asyncio.create_task(tick())
    await fake_clock.advance(35)
    assert ticks == [10, 20, 30]
    await fake_clock.advance(5)
    assert ticks == [10, 20, 30, 40]
    task.cancel()


async def test_a_cancelled_sleeper_is_passed_over(fake_clock: FakeClock) -> None:
    sleeper = asyncio.create_task(fake_clock.sleep(5))
    await asyncio.sleep(0)
    sleeper.cancel()
    await fake_clock.advance(10)
    assert sleeper.cancelled()


async def test_the_past_and_now_are_reached_without_moving_time(fake_clock: FakeClock) -> None:
    sleepers = [asyncio.create_task(fake_clock.sleep(seconds)) for seconds in (0, -5)]
    await fake_clock.advance(0)
    assert all(sleeper.done() for sleeper in sleepers)
    assert fake_clock.time() == 1_700_000_000


async def test_the_system_clock_runs() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.time() > 1_700_000_000
