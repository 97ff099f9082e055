import asyncio

import pytest
from tests.jobs.bench import Bench, BrokenDocuments

from fogbank.errors import InternalFailure, InvalidRequest, ServiceUnavailable
from fogbank.jobs.ledger import BATCH, Ledger, Unit
from fogbank.jobs.records import JobText, Outgoing, Records
from fogbank.ports import StorageError
from fogbank.testing import FakeClock


class Desk:
    """A ledger over documents that may refuse."""

    def __init__(self) -> None:
        self.documents = BrokenDocuments()
        self.records = Records(self.documents)
        self.told: list[Outgoing] = []
        self.ledger = Ledger(self.documents, self.records, FakeClock(), self.tell, [])

    async def tell(self, key: str, outgoing: Outgoing) -> None:
        self.told.append(outgoing)

    async def add(self, unit: Unit, key: str = "count") -> int:
        """One more, by what is there."""
        found = await unit.get(self.records.texts, key)
        count = 1 if found is None else int(found.text) + 1
        await asyncio.sleep(0)
        unit.put(self.records.texts, key, JobText(str(count)))
        unit.notify("thing", listed=True, next_=False)
        return count


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_many_writers_lose_nothing_and_share_commits(desk: Desk) -> None:
    counts = await asyncio.gather(*(desk.ledger.run(desk.add) for _ in range(1000)))
    assert counts == list(range(1, 1001))
    assert desk.documents.commits == -(-1000 // BATCH)
    stored = await desk.records.texts.get("count")
    assert stored is not None
    assert stored.value.text == "1000"


async def test_a_piece_that_raises_leaves_nothing_and_costs_the_others_nothing(desk: Desk) -> None:
    async def refuse(unit: Unit) -> None:
        await desk.add(unit)
        raise InvalidRequest("no")

    async def fail(unit: Unit) -> None:
        await desk.add(unit)
        raise RuntimeError("a fault of ours, which nobody is told of")

    work = (desk.add, refuse, fail, desk.add)
    first, refusal, failure, last = await asyncio.gather(
        *(desk.ledger.run(one) for one in work), return_exceptions=True
    )
    assert (first, last) == (1, 2)
    assert isinstance(refusal, InvalidRequest)
    assert isinstance(failure, InternalFailure)
    assert "ours" not in failure.message


async def test_a_commit_that_fails_fails_all_and_tells_nobody(desk: Desk) -> None:
    desk.documents.failure = StorageError("disk full")
    results = await asyncio.gather(*(desk.ledger.run(desk.add) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, StorageError) for result in results)
    assert desk.told == []
    desk.documents.failure = None
    assert await desk.ledger.run(desk.add) == 1


async def test_what_is_told_is_stored_with_the_change(desk: Desk) -> None:
    await desk.ledger.run(desk.add)
    await desk.ledger.close()
    [stored] = await desk.records.outgoing.scan()
    assert desk.told == [stored.value]


async def test_to_read_alone_writes_nothing(desk: Desk) -> None:
    assert await desk.ledger.run(lambda unit: unit.get(desk.records.texts, "count")) is None
    assert desk.documents.commits == 0


async def test_who_gives_up_waiting_undoes_nothing(desk: Desk) -> None:
    waiting = asyncio.ensure_future(desk.ledger.run(desk.add))
    await asyncio.sleep(0)
    waiting.cancel()
    assert await desk.ledger.run(desk.add) == 2


async def test_work_that_comes_just_as_the_last_is_done_is_not_forgotten(desk: Desk) -> None:
    for _ in range(20):
        done = desk.ledger.submit(desk.add)
        follower: list[asyncio.Future[int]] = []
        done.add_done_callback(lambda _, follower=follower: follower.append(desk.ledger.submit(desk.add)))  # type: ignore[misc]
        await done
        await asyncio.sleep(0)
        await asyncio.wait_for(follower[0], 5)


async def test_after_the_end_nothing_is_taken(desk: Desk) -> None:
    last = desk.ledger.submit(desk.add)
    await desk.ledger.close()
    assert last.result() == 1
    with pytest.raises(ServiceUnavailable):
        desk.ledger.submit(desk.add)


async def test_a_scan_sees_what_the_batch_has_written(desk: Desk) -> None:
    texts = desk.records.texts

    async def begin(unit: Unit) -> None:
        for key in ("a/1", "a/2", "a/3", "b/1"):
            unit.put(texts, key, JobText(key))

    async def change(unit: Unit) -> list[str]:
        unit.delete(texts, "a/1")
        unit.put(texts, "a/0", JobText("new"))
        return [key for key, _ in await unit.scan(texts, "a/", 2)]

    await desk.ledger.run(begin)
    changed, seen = await asyncio.gather(
        desk.ledger.run(change), desk.ledger.run(lambda unit: unit.scan(texts, "a/", 10))
    )
    assert changed == ["a/0", "a/2"]
    assert [key for key, _ in seen] == ["a/0", "a/2", "a/3"]
    assert [one.key for one in await texts.scan()] == ["a/0", "a/2", "a/3", "b/1"]


async def test_a_whole_service_ends_with_what_was_asked_of_it() -> None:
    bench = Bench()
    await bench.start()
    await bench.create("job", "g")
    asked = asyncio.ensure_future(bench.service.jobs.cancel("job"))
    await asyncio.sleep(0)
    await bench.close()
    assert (await asked).status.value == "CANCELED"
