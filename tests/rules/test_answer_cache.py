"""Answers that are kept for a while."""

import asyncio

import pytest

from fogbank.rules import answer_cache
from fogbank.rules.answer_cache import AnswerCache
from fogbank.testing import FakeClock


class Source:
    """Counts how often it is asked, and answers with the count."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None

    async def __call__(self) -> int:
        await asyncio.sleep(0)
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.asked


@pytest.fixture
def source() -> Source:
    return Source()


async def test_an_answer_is_kept_for_its_time(fake_clock: FakeClock, source: Source) -> None:
    cache: AnswerCache[int] = AnswerCache(900, fake_clock)
    assert [await cache.get("a", source), await cache.get("a", source)] == [1, 1]
    await fake_clock.advance(899)
    assert await cache.get("a", source) == 1
    await fake_clock.advance(1)
    assert await cache.get("a", source) == 2
    assert await cache.get("b", source) == 3


async def test_who_asks_while_another_does_waits_for_the_same_answer(fake_clock: FakeClock, source: Source) -> None:
    cache: AnswerCache[int] = AnswerCache(900, fake_clock)
    assert await asyncio.gather(*(cache.get("a", source) for _ in range(10))) == [1] * 10


async def test_errors_are_not_kept(fake_clock: FakeClock, source: Source) -> None:
    cache: AnswerCache[int] = AnswerCache(900, fake_clock)
    source.error = LookupError("not there yet")
    with pytest.raises(LookupError):
        await cache.get("a", source)
    source.error = None
    assert await cache.get("a", source) == 2


async def test_the_one_that_was_used_longest_ago_goes_first(
    fake_clock: FakeClock, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_cache, "MAX_ENTRIES", 2)
    cache: AnswerCache[int] = AnswerCache(900, fake_clock)
    await cache.get("a", source)
    await cache.get("b", source)
    await cache.get("a", source)
    await cache.get("c", source)
    assert await cache.get("a", source) == 1
    assert await cache.get("b", source) == 4
