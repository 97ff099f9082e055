"""What is gathered, when it is written, and who is told."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.broker import journal as journal_module
from fogbank.broker.journal import LAZY, RETRY, Journal
from fogbank.broker.runs import Run
from fogbank.message import Message
from fogbank.ports import Delete, Discard, DiscardAll, Keep, Put, StorageError
from fogbank.storage.memory import MemoryBacklogs, MemoryDocuments
from fogbank.tasks import Tasks
from fogbank.testing import FakeClock

from .server import Disk, Timers, settle

RUN = Run.of(Message("a", b"x", 1))


class Desk:
    """A journal and all it stands on."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.timers = Timers(self.clock)
        self.disk = Disk()
        self.tasks = Tasks("journal")
        self.journal = Journal(self.disk, self.timers, self.tasks)
        self.told: list[tuple[str, bool]] = []

    def tell(self, name: str) -> None:
        self.journal.when_durable(lambda durable: self.told.append((name, durable)))

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        self.timers.go_off()
        await settle()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.tasks.close()


async def test_a_turn_of_the_loop_is_one_commit(desk: Desk) -> None:
    desk.journal.keep("s", 1, RUN)
    desk.journal.change(Put("k", "d", b"1"))
    desk.journal.change(Put("k", "d", b"2"))
    desk.tell("both")
    assert desk.told == []
    await settle()
    assert desk.told == [("both", True)]
    assert desk.disk.commits == [(Put("k", "d", b"2"), Keep("s", 1, RUN.encode(), 1))]


async def test_nobody_is_told_before_the_commit_and_all_in_order(desk: Desk) -> None:
    desk.disk.held = True
    desk.journal.keep("s", 1, RUN)
    desk.tell("first")
    await settle()
    desk.journal.keep("s", 2, RUN)
    desk.tell("second")
    await settle()
    assert desk.told == []
    desk.disk.let_through()
    await settle()
    assert desk.told == [("first", True)]
    desk.disk.let_through()
    await settle()
    assert desk.told == [("first", True), ("second", True)]


async def test_with_nothing_to_write_one_is_told_after_what_is_under_way(desk: Desk) -> None:
    desk.disk.held = True
    desk.journal.keep("s", 1, RUN)
    await settle()
    desk.tell("later")
    await settle()
    assert desk.told == []
    desk.disk.let_through()
    await settle()
    assert desk.told == [("later", True)]


async def test_a_commit_that_fails_is_told_and_does_not_stop_the_next(desk: Desk) -> None:
    desk.disk.broken = True
    desk.journal.keep("s", 1, RUN)
    desk.tell("lost")
    with pytest.raises(StorageError):
        await desk.journal.durable()
    await desk.journal.settled()
    desk.disk.broken = False
    desk.journal.keep("s", 2, RUN)
    desk.tell("kept")
    await desk.journal.durable()
    assert desk.told == [("lost", False), ("kept", True)]
    assert await desk.disk.read("s") == [(2, RUN.encode())]


async def test_one_that_fails_when_told_keeps_the_truth_from_nobody(desk: Desk) -> None:
    def stumble(durable: bool) -> None:
        raise RuntimeError

    desk.disk.broken = True
    desk.journal.keep("s", 1, RUN)
    desk.journal.when_durable(stumble)
    desk.tell("behind it")
    await settle()
    desk.disk.broken = False
    desk.journal.keep("s", 2, RUN)
    await settle()
    assert desk.told == [("behind it", False)]
    assert len(desk.disk.commits) == 1


async def test_what_arrives_at_once_never_touches_the_disk(desk: Desk) -> None:
    desk.journal.keep("s", 1, RUN)
    desk.tell("kept")
    desk.journal.discard("s", 1)
    await settle()
    assert desk.told == [("kept", True)]
    assert desk.disk.commits == []


async def test_what_nobody_waits_for_is_written_a_little_later(desk: Desk) -> None:
    entries = desk.journal.entries
    desk.journal.discard("s", 1)
    desk.journal.discard_all("t")
    desk.journal.change(Delete("k", "d"), lazily=True)
    await settle()
    assert desk.disk.commits == []
    assert desk.journal.entries == entries
    await desk.advance(LAZY)
    assert desk.disk.commits == [(Delete("k", "d"), DiscardAll("t"), Discard("s", [1]))]


async def test_what_came_during_a_commit_and_nobody_waits_for_is_written_too(desk: Desk) -> None:
    desk.disk.held = True
    desk.journal.keep("s", 1, RUN)
    await settle()
    desk.journal.discard("s", 1)
    await desk.disk.release()
    await desk.advance(LAZY)
    assert await desk.disk.read("s") == []


OWNERS = st.sampled_from("st")
NUMBERS = st.integers(1, 3)
ENTRIES = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), OWNERS, NUMBERS),
        st.tuples(st.just("replace"), OWNERS, NUMBERS),
        st.tuples(st.just("discard"), OWNERS, NUMBERS),
        st.tuples(st.just("end"), OWNERS, NUMBERS),
        st.tuples(st.just("commit"), OWNERS, NUMBERS),
        st.tuples(st.just("begin"), OWNERS, NUMBERS),
    ),
    max_size=30,
)


@given(ENTRIES)
async def test_the_disk_comes_to_hold_what_was_entered(entries: list[tuple[str, str, int]]) -> None:
    """Against entries applied one by one; a number that was kept is kept anew only after it was discarded."""
    desk = Desk()
    model: dict[str, dict[int, bytes]] = {"s": {}, "t": {}}
    desk.disk.held = True
    for what, owner, number in entries:
        if what == "keep" and number not in model[owner]:
            desk.journal.keep(owner, number, RUN)
            model[owner][number] = RUN.encode()
        elif what == "replace":
            desk.journal.replace(owner, number, b"replaced")
            model[owner][number] = b"replaced"
        elif what == "discard":
            desk.journal.discard(owner, number)
            model[owner].pop(number, None)
        elif what == "end":
            desk.journal.discard_all(owner)
            model[owner].clear()
        elif what == "begin":
            await settle()
        elif what == "commit" and desk.disk.is_waited_for:
            desk.disk.let_through()
            await settle()
    await desk.disk.release()
    await desk.advance(LAZY)
    await desk.journal.settled()
    for owner, rows in model.items():
        assert dict(await desk.disk.read(owner)) == rows
    await desk.tasks.close()


# --- commits that fail ---


async def test_what_has_happened_anyway_is_tried_again(desk: Desk) -> None:
    """A session that ended must not be there after the next start, because the disk was full for a moment."""
    desk.journal.keep("old", 1, RUN)
    desk.journal.change(Put("session", "old", b"1"))
    await desk.journal.settled()
    desk.disk.broken = True
    desk.journal.discard_all("old")
    desk.journal.change(Delete("session", "old"))
    desk.journal.change(Put("session", "new", b"1"))
    with pytest.raises(StorageError):
        await desk.journal.durable()
    desk.disk.broken = False
    await desk.advance(RETRY)
    assert await desk.disk.read("old") == []
    assert [record.key for record in await desk.disk.documents.scan("session")] == ["new"]


async def test_a_newer_change_comes_before_one_that_failed(desk: Desk) -> None:
    desk.disk.held = desk.disk.broken = True
    desk.journal.change(Put("k", "d", b"old"))
    await settle()
    desk.journal.change(Put("k", "d", b"new"))
    desk.disk.let_through()
    await settle()
    desk.disk.broken = False
    await desk.disk.release()
    await desk.advance(RETRY)
    found = await desk.disk.documents.get("k", "d")
    assert found is not None
    assert found.body == b"new"


async def test_a_message_that_could_not_be_kept_is_not_kept_later(desk: Desk) -> None:
    """Its publisher has been told, and sends it again."""
    desk.disk.broken = True
    desk.journal.keep("s", 1, RUN)
    desk.journal.replace("s", -7, b"moved")
    await settle()
    desk.disk.broken = False
    await desk.advance(RETRY)
    assert await desk.disk.read("s", after=-10) == [(-7, b"moved")]


async def test_a_step_that_failed_is_taken_whole(desk: Desk) -> None:
    """A QoS 2 message moves by a discard and a keep: one without the other would lose or double it."""
    desk.journal.keep("s", 1, RUN)
    await desk.journal.settled()
    desk.disk.broken = True
    desk.journal.discard("s", 1)
    desk.journal.replace("s", -7, b"moved")
    await settle()
    assert await desk.disk.read("s", after=-10) == [(1, RUN.encode())]
    desk.disk.broken = False
    await desk.advance(RETRY)
    assert await desk.disk.read("s", after=-10) == [(-7, b"moved")]


async def test_a_disk_that_stays_broken_fills_neither_memory_nor_log(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_module, "MOST_AGAIN", 50)
    desk.disk.broken = True
    for number in range(200):
        desk.journal.discard("s", number)
        await settle()
    for _ in range(10):
        await desk.advance(RETRY)
    assert sum(map(len, desk.journal._next.discarded.values())) <= 200
    desk.journal.discard("s", 1000)
    for _ in range(3):
        await desk.advance(RETRY)
    assert sum(map(len, desk.journal._next.discarded.values())) <= 50
    assert len(caplog.records) <= 20


WHATEVER = st.sampled_from(["replace", "discard", "end", "put", "delete", "turn", "break", "mend"])
UNCONDITIONAL = st.lists(st.tuples(WHATEVER, OWNERS, NUMBERS), max_size=40)


@given(UNCONDITIONAL)
async def test_the_disk_comes_to_hold_it_whatever_fails(entries: list[tuple[str, str, int]]) -> None:
    """All but new messages, against entries applied one by one."""
    desk = Desk()
    rows: dict[str, dict[int, bytes]] = {"s": {}, "t": {}}
    documents: dict[str, bytes] = {}
    for place, (what, owner, number) in enumerate(entries):
        body = str(place).encode()
        match what:
            case "replace":
                desk.journal.replace(owner, number, body)
                rows[owner][number] = body
            case "discard":
                desk.journal.discard(owner, number)
                rows[owner].pop(number, None)
            case "end":
                desk.journal.discard_all(owner)
                rows[owner].clear()
            case "put":
                desk.journal.change(Put("k", owner, body), lazily=number == 1)
                documents[owner] = body
            case "delete":
                desk.journal.change(Delete("k", owner), lazily=number == 1)
                documents.pop(owner, None)
            case "turn":
                await desk.advance(number * LAZY)
            case _:
                desk.disk.broken = what == "break"
    await desk.advance(RETRY)
    desk.disk.broken = False
    await desk.advance(RETRY)
    await desk.journal.settled()
    for owner, kept in rows.items():
        assert dict(await desk.disk.read(owner)) == kept
    assert {record.key: record.body for record in await desk.disk.documents.scan("k")} == documents
    await desk.tasks.close()


async def test_the_memory_backlogs_are_a_model() -> None:
    """A discard and a keep of one number in one commit: the order counts."""
    backlogs = MemoryBacklogs(MemoryDocuments())
    await backlogs.commit(Keep("s", 1, b"1"), Discard("s", [1]), Keep("s", 1, b"2"))
    assert await backlogs.read("s") == [(1, b"2")]
