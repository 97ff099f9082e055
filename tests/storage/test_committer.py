"""Group commit, apart from any database: who shares a group, who is told what, and what the thread survives."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from fogbank.ports import StorageError
from fogbank.storage.committer import Committer, Outcome
from fogbank.storage.group import Append, Batch


class Disk:
    """Stands for what writes. `slow` holds it until `finish`; the outcome of a batch is what its queue is called."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.failure: Exception | None = None
        self.reached = threading.Event()
        self.ready = threading.Event()
        self.ready.set()

    def write(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        names = [batch.queue for batch in batches if isinstance(batch, Append)]
        self.groups.append(names)
        self.reached.set()
        assert self.ready.wait(10)
        if self.failure is not None:
            raise self.failure
        return [ValueError(name) if name.startswith("bad") else [int(name)] for name in names]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def committer(disk: Disk) -> AsyncIterator[Committer]:
    committer = Committer("the test store", disk.write)
    yield committer
    disk.ready.set()
    await committer.close()


def start(committer: Committer, name: str) -> asyncio.Task[list[int]]:
    return asyncio.create_task(committer.commit(Append(name, ())))


async def busy(disk: Disk, committer: Committer) -> asyncio.Task[list[int]]:
    """The disk is at work on a first batch and will not be done before `ready` is set."""
    disk.ready.clear()
    first = start(committer, "0")
    await asyncio.to_thread(disk.reached.wait, 10)
    return first


async def test_all_who_wait_while_the_disk_is_busy_share_the_next_group(disk: Disk, committer: Committer) -> None:
    first = await busy(disk, committer)
    others = [start(committer, str(n)) for n in range(1, 200)]
    await asyncio.sleep(0)
    disk.ready.set()
    assert await asyncio.gather(first, *others) == [[n] for n in range(200)]
    assert disk.groups == [["0"], [str(n) for n in range(1, 200)]]
    assert (committer.groups, committer.batches) == (2, 200)


async def test_nobody_is_told_before_the_disk_is_done(disk: Disk, committer: Committer) -> None:
    first = await busy(disk, committer)
    assert not first.done()
    disk.ready.set()
    assert await first == [0]


async def test_a_group_wakes_its_event_loop_once(
    disk: Disk, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await busy(disk, committer)
    others = [start(committer, str(n)) for n in range(1, 50)]
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    calls: list[object] = []
    call_soon_threadsafe = loop.call_soon_threadsafe

    def counted(*args: object, **kwargs: object) -> asyncio.Handle:
        if threading.current_thread().name == "fogbank-commits":
            calls.append(args)
        return call_soon_threadsafe(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    disk.ready.set()
    await asyncio.gather(first, *others)
    assert len(calls) == 2


async def test_callers_are_woken_in_the_order_of_their_batches(disk: Disk, committer: Committer) -> None:
    woken: list[int] = []

    async def call(number: int) -> None:
        woken.extend(await committer.commit(Append(str(number), ())))

    await busy(disk, committer)
    calls = [asyncio.create_task(call(number)) for number in range(1, 20)]
    await asyncio.sleep(0)
    disk.ready.set()
    await asyncio.gather(*calls)
    assert woken == list(range(1, 20))


async def test_one_bad_batch_fails_alone(disk: Disk, committer: Committer) -> None:
    first = await busy(disk, committer)
    good, bad, also_good = (start(committer, name) for name in ("1", "bad", "2"))
    await asyncio.sleep(0)
    disk.ready.set()
    assert await first == [0]
    with pytest.raises(ValueError, match="bad"):
        await bad
    assert [await good, await also_good] == [[1], [2]]


async def test_an_unforeseen_failure_is_told_to_everyone_and_logged_and_the_thread_lives_on(
    disk: Disk, committer: Committer, caplog: pytest.LogCaptureFixture
) -> None:
    disk.failure = ZeroDivisionError("a fault of ours")
    outcomes = await asyncio.gather(start(committer, "1"), start(committer, "2"), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["the test store failed: ZeroDivisionError('a fault of ours')"] * 2
    assert all(isinstance(outcome, StorageError) for outcome in outcomes)
    assert "writing to the test store failed unexpectedly" in caplog.text
    disk.failure = None
    assert await start(committer, "3") == [3]


async def test_a_caller_who_gives_up_disturbs_nobody(disk: Disk, committer: Committer) -> None:
    await busy(disk, committer)
    impatient, patient = start(committer, "1"), start(committer, "2")
    await asyncio.sleep(0)
    impatient.cancel()
    disk.ready.set()
    assert await patient == [2]
    assert disk.groups[1] == ["1", "2"]


async def test_callers_of_several_event_loops_share_a_group(disk: Disk, committer: Committer) -> None:
    await busy(disk, committer)
    here = start(committer, "1")
    handed_over = threading.Event()

    async def call() -> list[int]:
        task = start(committer, "2")
        await asyncio.sleep(0)
        handed_over.set()
        return await task

    elsewhere = asyncio.create_task(asyncio.to_thread(asyncio.run, call()))
    await asyncio.to_thread(handed_over.wait, 10)
    disk.ready.set()
    assert [await here, await elsewhere] == [[1], [2]]
    assert len(disk.groups) == 2


async def test_a_loop_that_has_ended_keeps_nobody_from_being_told(disk: Disk, committer: Committer) -> None:
    await busy(disk, committer)
    ended = asyncio.new_event_loop()
    abandoned = ended.create_task(committer.commit(Append("1", ())))
    ended.call_soon(ended.stop)
    ended_in = threading.Thread(target=ended.run_forever)
    ended_in.start()
    ended_in.join()
    ended.close()
    abandoned._log_destroy_pending = False  # type: ignore[attr-defined]
    here = start(committer, "2")
    await asyncio.sleep(0)
    disk.ready.set()
    assert await here == [2]


async def test_closing_writes_what_was_handed_over_and_takes_no_more(disk: Disk, committer: Committer) -> None:
    await busy(disk, committer)
    waiting = [start(committer, str(n)) for n in range(1, 10)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(committer.close())
    await asyncio.sleep(0)
    with pytest.raises(StorageError, match="the test store is closed"):
        await committer.commit(Append("late", ()))
    disk.ready.set()
    await closing
    assert await asyncio.gather(*waiting) == [[n] for n in range(1, 10)]
    await committer.close()
