"""The asynchronous queues over storage that outlives them, as after kill -9, with a clock that stands still."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from fogbank.errors import ResourceNotFound, ServiceUnavailable
from fogbank.functions import events
from fogbank.functions.errors import TooManyRequests
from fogbank.functions.events import EventQueues
from fogbank.functions.failures import Failure
from fogbank.functions.invocation import Invocation, Outcome
from fogbank.storage.memory import MemoryQueue
from fogbank.testing import FakeClock

FAILURE = Failure(b'{"errorMessage":"no"}', "")
SUCCESS = Outcome(payload=b"null")
FAILED = Outcome(payload=b"{}", failure=FAILURE)


class Functions:
    """What the events are run by: answers by script, remembers when it was asked."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._start = clock.time()
        self.answer: Callable[[str], Outcome | Exception] = lambda _: SUCCESS
        self.asked: list[tuple[float, str]] = []
        self.going = asyncio.Event()
        self.going.set()
        self.at_work = 0
        self.most_at_work = 0

    async def run(self, name: str, invocation: Invocation) -> Outcome:
        self.asked.append((self._clock.time() - self._start, invocation.request_id))
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await self.going.wait()
        finally:
            self.at_work -= 1
        answer = self.answer(invocation.request_id)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def order(self) -> list[str]:
        return [request_id for _, request_id in self.asked]


def event(request_id: str) -> Invocation:
    return Invocation(request_id=request_id, payload=b'{"a": "\xc3\xa4"}', function_arn="arn", client_context="{}")


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def functions(clock: FakeClock) -> Functions:
    return Functions(clock)


@pytest.fixture
async def queues(queue: MemoryQueue, clock: FakeClock, functions: Functions) -> AsyncIterator[EventQueues]:
    queues = EventQueues(queue, clock, functions.run)
    await queues.start(lambda _: True)
    yield queues
    await queues.close()


async def restarted(queue: MemoryQueue, clock: FakeClock, functions: Functions) -> EventQueues:
    queues = EventQueues(queue, clock, functions.run)
    await queues.start(lambda name: name != "deleted")
    return queues


async def test_runs_in_order_and_leaves_nothing(queues: EventQueues, queue: MemoryQueue, functions: Functions) -> None:
    for number in range(40):
        await queues.append("f", event(str(number)))
    await asyncio.sleep(0)
    await FakeClock().advance(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert functions.order == [str(number) for number in range(40)]
    assert await queue.names() == []


async def test_an_event_is_stored_before_it_is_accepted(
    queue: MemoryQueue, clock: FakeClock, functions: Functions
) -> None:
    queues = EventQueues(queue, clock, functions.run)
    await queues.append("f", event("r"))
    assert await queue.names() == ["functions.events/f"]
    await queues.close()


async def test_retries_after_one_and_two_minutes_then_gives_up(
    queues: EventQueues,
    queue: MemoryQueue,
    clock: FakeClock,
    functions: Functions,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Developer guide, "Asynchronous invocation": one minute before the second, two before the third attempt."""
    functions.answer = lambda _: FAILED
    await queues.append("f", event("r"))
    await clock.advance(59)
    assert [at for at, _ in functions.asked] == [0]
    await clock.advance(3600)
    assert [at for at, _ in functions.asked] == [0, 60, 180]
    assert await queue.names() == []
    assert "event r dropped after 3 attempts: no" in caplog.text


async def test_a_retry_that_succeeds_is_the_last(
    queues: EventQueues, queue: MemoryQueue, clock: FakeClock, functions: Functions
) -> None:
    functions.answer = lambda _: FAILED if len(functions.asked) == 1 else SUCCESS
    await queues.append("f", event("r"))
    await clock.advance(3600)
    assert [at for at, _ in functions.asked] == [0, 60]
    assert await queue.names() == []


async def test_a_waiting_retry_holds_up_nothing(queues: EventQueues, clock: FakeClock, functions: Functions) -> None:
    functions.answer = lambda request_id: FAILED if request_id == "bad" else SUCCESS
    await queues.append("f", event("bad"))
    await clock.advance(10)
    await queues.append("f", event("good"))
    await clock.advance(10)
    assert functions.asked == [(0, "bad"), (10, "good")]


async def test_throttled_events_back_off_for_up_to_six_hours(
    queues: EventQueues,
    queue: MemoryQueue,
    clock: FakeClock,
    functions: Functions,
    caplog: pytest.LogCaptureFixture,
) -> None:
    functions.answer = lambda _: TooManyRequests("Rate Exceeded.")
    await queues.append("f", event("r"))
    await clock.advance(7 * 3600)
    times = [at for at, _ in functions.asked]
    assert times[:10] == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511]
    assert times[10] - times[9] == 300
    assert times[-1] <= 6 * 3600
    assert await queue.names() == []
    assert "dropped for its age: Rate Exceeded." in caplog.text


@pytest.mark.parametrize("error", [ServiceUnavailable("closing"), OSError("no processes")])
async def test_faults_of_the_platform_do_not_count_as_attempts(
    error: Exception, queues: EventQueues, clock: FakeClock, functions: Functions
) -> None:
    functions.answer = lambda _: error if len(functions.asked) < 6 else FAILED
    await queues.append("f", event("r"))
    await clock.advance(3600)
    assert len(functions.asked) == 5 + 3


async def test_goes_on_after_a_kill(queue: MemoryQueue, clock: FakeClock, functions: Functions) -> None:
    """At work, waiting for a retry, or not yet begun: all is there again, and no attempt is forgotten."""
    functions.answer = lambda request_id: FAILED
    before = await restarted(queue, clock, functions)
    await before.append("f", event("failed"))
    await clock.advance(1)
    functions.going.clear()
    await before.append("f", event("at work"))
    await clock.advance(1)
    await before.append("g", event("also"))
    await queue.append("functions.events/deleted", b"{}")
    await before.close()
    functions.going.set()
    functions.asked.clear()

    after = await restarted(queue, clock, functions)
    assert await queue.names() == ["functions.events/f", "functions.events/g"]
    await clock.advance(3600)
    times = {request_id: [at for at, one in functions.asked if one == request_id] for _, request_id in functions.asked}
    assert times == {"failed": [60, 180], "at work": [2, 62, 182], "also": [2, 62, 182]}
    assert await queue.names() == []
    await after.close()


async def test_the_event_is_the_same_after_a_restart(
    queue: MemoryQueue, clock: FakeClock, functions: Functions
) -> None:
    before = EventQueues(queue, clock, functions.run)
    await before.append("f", event("r"))
    await before.close()
    seen: list[Invocation] = []

    async def run(name: str, invocation: Invocation) -> Outcome:
        seen.append(invocation)
        return SUCCESS

    after = EventQueues(queue, clock, run)
    await after.start(lambda _: True)
    await clock.advance(1)
    assert seen == [event("r")]
    await after.close()


async def test_an_entry_that_is_no_event_stops_nothing(
    queue: MemoryQueue, clock: FakeClock, functions: Functions, caplog: pytest.LogCaptureFixture
) -> None:
    await queue.append("functions.events/f", *[b"{}"] * 20, b"no JSON")
    queues = await restarted(queue, clock, functions)
    await queues.append("f", event("good"))
    await clock.advance(1)
    assert functions.order == ["good"]
    assert await queue.names() == []
    assert "is no event and was removed" in caplog.text
    await queues.close()


async def test_runs_only_so_many_at_once(queue: MemoryQueue, clock: FakeClock, functions: Functions) -> None:
    functions.going.clear()
    queues = EventQueues(queue, clock, functions.run, concurrency=10)
    for number in range(20):
        await queues.append("slow", event(f"s{number}"))
    await clock.advance(0)
    assert functions.at_work == events.FUNCTION_CONCURRENCY
    await queues.append("other", event("o"))
    await clock.advance(0)
    assert "o" in functions.order  # a slow function leaves room for others
    functions.going.set()
    await clock.advance(0)
    await clock.advance(0)
    assert len(functions.asked) == 21
    assert functions.most_at_work <= 10
    await queues.close()


async def test_bounds_the_backlog(
    queues: EventQueues, functions: Functions, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BACKLOG", 2)
    functions.going.clear()
    await queues.append("f", event("1"))
    await queues.append("f", event("2"))
    with pytest.raises(TooManyRequests, match="2 events wait for f"):
        await queues.append("f", event("3"))
    await queues.append("g", event("4"))
    functions.going.set()
    await clock.advance(0)
    await queues.append("f", event("5"))


async def test_dropping_a_function_drops_its_events(
    queues: EventQueues, queue: MemoryQueue, clock: FakeClock, functions: Functions
) -> None:
    functions.answer = lambda _: FAILED
    functions.going.clear()
    await queues.append("f", event("at work"))
    await clock.advance(0)
    await queues.drop("f")
    functions.going.set()
    await clock.advance(3600)
    assert functions.order == ["at work"]
    assert await queue.names() == []


async def test_events_of_a_function_that_vanished_are_dropped(
    queues: EventQueues, queue: MemoryQueue, clock: FakeClock, functions: Functions
) -> None:
    functions.answer = lambda _: ResourceNotFound("gone")
    await queues.append("f", event("r"))
    await clock.advance(3600)
    assert len(functions.asked) == 1
    assert await queue.names() == []
