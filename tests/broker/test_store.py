"""Rows: which are in memory, which on disk alone, and how many they are."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fogbank.broker.runs import Run
from fogbank.broker.store import RELEASED, SENT, WAITING, Store
from fogbank.message import Message

from .server import Disk, settle
from .test_journal import Desk


def run_of(number: int, qos: int = 1, size: int = 1) -> Run:
    return Run.of(Message("a", bytes([number]) * size, qos))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.tasks.close()


def new_store(desk: Desk) -> Store:
    return Store("s", desk.journal, desk.disk)


async def after_a_start(disk: Disk, desk: Desk) -> Store:
    return Store("s", desk.journal, disk, (await disk.owners()).get("s"))


async def read_all(store: Store, page: int = 100) -> list[tuple[int, bytes]]:
    found = []
    while store.behind:
        runs, store.loaded = await store.read(page)
        found += [(step, run.payloads()[0]) for step, run in runs]
    return found


async def test_what_is_in_memory_is_not_read(desk: Desk) -> None:
    store = new_store(desk)
    found = [store.behind]
    for number, in_memory in ((1, True), (2, False)):
        store.keep(run_of(number), in_memory=in_memory)
        found.append(store.behind)
    assert found == [False, False, True]
    assert await read_all(store) == [(WAITING, b"\2")]


async def test_what_is_not_written_yet_is_waited_for(desk: Desk) -> None:
    store = new_store(desk)
    desk.disk.held = True
    store.keep(run_of(1), in_memory=False)
    await settle()
    desk.disk.let_through()
    desk.disk.held = False
    assert await read_all(store) == [(WAITING, b"\1")]


async def test_what_could_not_be_written_is_not_waited_for_for_ever(desk: Desk) -> None:
    store = new_store(desk)
    desk.disk.broken = True
    store.keep(run_of(1), in_memory=False)
    assert await read_all(store) == []
    assert not store.behind


async def test_what_comes_while_one_waits_for_others_is_read_next(desk: Desk) -> None:
    """It is in a later commit than the one that is waited for: not to be found yet, and not to be taken for missing."""
    desk.journal.keep("other", 1, run_of(1))
    store = new_store(desk)
    store.loaded = -1  # as after a start, where nothing waits
    desk.disk.held = True
    await settle()
    reading = asyncio.create_task(store.read(10))
    await settle()
    desk.journal.keep("other", 2, run_of(1))
    desk.disk.let_through()
    await settle()
    store.keep(run_of(7), in_memory=False)
    desk.disk.let_through()
    await settle()
    runs, store.loaded = await reading
    assert runs == []
    await desk.disk.release()
    assert await read_all(store) == [(WAITING, b"\7")]


async def test_messages_are_counted_as_they_arrive(desk: Desk) -> None:
    store = new_store(desk)
    runs = [store.keep(run_of(number, size=number), in_memory=True) for number in (1, 2, 3)]
    assert (store.messages, store.size) == (3, sum(run.size for run in runs))
    store.done(runs[1], 1)
    assert (store.messages, store.size) == (2, runs[0].size + runs[2].size)
    await desk.journal.settled()
    assert [number for number, _ in await desk.disk.read("s")] == [1, 3]


async def test_a_row_goes_with_its_last_message(desk: Desk) -> None:
    store = new_store(desk)
    packets = run_of(1).frames + run_of(2).frames
    run = store.keep(Run(packets, run_of(1).size, run_of(1).offset, run_of(1).start, 2), in_memory=True)
    await desk.journal.settled()
    store.done(run.first(1), 1)
    await desk.journal.settled()
    assert len(await desk.disk.read("s")) == 1
    store.done(run.after(1), 1)
    await desk.advance(1)
    assert await desk.disk.read("s") == []


async def test_the_count_comes_to_nothing_after_a_start_too(desk: Desk) -> None:
    """The bodies on disk are larger than the packets; a difference that stayed would take room for ever."""
    before = new_store(desk)
    for number in (1, 2):
        before.keep(run_of(number), in_memory=False)
    await desk.journal.settled()
    store = await after_a_start(desk.disk, desk)
    runs, store.loaded = await store.read(10)
    for _, run in runs:
        store.done(run, 1)
    assert (store.messages, store.size) == (0, 0)


async def test_what_is_on_its_way_is_read_before_what_waits(desk: Desk) -> None:
    """In the order of sending: its identifiers must be known before others are given, whatever the size of a page."""
    store = new_store(desk)
    runs = [store.keep(run_of(number, 2), in_memory=True) for number in range(1, 6)]
    await desk.journal.settled()
    store.progress(runs[3].numbered(9), SENT)
    store.progress(runs[1].numbered(7), SENT)
    store.progress(runs[1].numbered(7), RELEASED)
    await desk.journal.settled()
    again = await after_a_start(desk.disk, desk)
    assert (again.messages, again.last) == (5, 5)
    assert await read_all(again, page=1) == [
        (SENT, b"\4"),
        (RELEASED, b"\2"),
        (WAITING, b"\1"),
        (WAITING, b"\3"),
        (WAITING, b"\5"),
    ]
    store.done(runs[1], 1)
    store.done(runs[3], 1)
    await desk.advance(1)
    assert [number for number, _ in await desk.disk.read("s")] == [1, 3, 5]


async def test_what_is_on_its_way_keeps_its_place_over_starts(desk: Desk) -> None:
    """Its first number may be given again, and that message moves too: it must not take the place of the other."""
    store = new_store(desk)
    expected = []
    for start in range(3):
        for number in range(2):
            payload = 2 * start + number
            run = store.keep(run_of(payload, 2), in_memory=True)
            store.progress(run.numbered(payload + 1), SENT)
            expected.append((SENT, bytes([payload])))
        await desk.journal.settled()
        store = await after_a_start(desk.disk, desk)
        assert store.messages == len(expected)
        assert await read_all(store, page=1) == expected


async def test_nor_where_a_message_of_qos_1_holds_the_last_number(desk: Desk) -> None:
    store = new_store(desk)
    store.keep(run_of(1), in_memory=True)
    store.progress(store.keep(run_of(2, 2), in_memory=True).numbered(7), SENT)
    await desk.journal.settled()
    store = await after_a_start(desk.disk, desk)
    assert await read_all(store) == [(SENT, b"\2"), (WAITING, b"\1")]
    store.progress(store.keep(run_of(3, 2), in_memory=True).numbered(8), SENT)
    await desk.journal.settled()
    store = await after_a_start(desk.disk, desk)
    assert await read_all(store) == [(SENT, b"\2"), (SENT, b"\3"), (WAITING, b"\1")]


async def test_numbers_go_on_where_all_is_on_its_way(desk: Desk) -> None:
    store = new_store(desk)
    store.progress(store.keep(run_of(1, 2), in_memory=True).numbered(1), SENT)
    await desk.journal.settled()
    again = await after_a_start(desk.disk, desk)
    kept = again.keep(run_of(2), in_memory=False)
    assert kept.row is not None
    assert kept.row.number > 0
    assert await read_all(again) == [(SENT, b"\1"), (WAITING, b"\2")]
