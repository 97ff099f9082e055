import asyncio
from typing import Any

import msgspec
from tests.gateway.toy import until

from fogbank.gateway.exchange import AsgiMessage
from fogbank.gateway.trace import BACKLOG, Backlog, TraceStreams
from fogbank.testing import FakeClock
from fogbank.trace import Trace, TraceEvent


def events(count: int) -> list[TraceEvent]:
    return [TraceEvent("publish", "success", float(number)) for number in range(count)]


def documents(lines: bytes) -> list[Any]:
    return [msgspec.json.decode(line) for line in lines.splitlines()]


async def test_events_come_as_lines_in_order() -> None:
    backlog = Backlog()
    for event in events(3):
        backlog.put(event)
    assert [one["time"] for one in documents(await backlog.lines())] == [0.0, 1.0, 2.0]


async def test_a_slow_reader_loses_events_and_is_told_how_many() -> None:
    backlog = Backlog()
    for event in events(BACKLOG + 7):
        backlog.put(event)
    *kept, last = documents(await backlog.lines())
    assert [one["time"] for one in kept] == [float(number) for number in range(BACKLOG)]
    assert (last["status"], last["dropped"]) == ("dropped", 7)
    assert last["reason"] == "7 events dropped: this reader is too slow"
    backlog.put(events(1)[0])
    assert len(documents(await backlog.lines())) == 1


async def test_what_json_does_not_know_is_told_as_text() -> None:
    backlog = Backlog()
    backlog.put(TraceEvent("rule", "failure", 0.0, detail={"error": ValueError("x")}))
    assert documents(await backlog.lines())[0]["detail"] == {"error": "x"}


async def test_a_closed_backlog_gives_what_it_has_and_then_nothing() -> None:
    backlog = Backlog()
    backlog.put(events(1)[0])
    backlog.close()
    assert documents(await backlog.lines())
    assert await backlog.lines() == b""
    assert await backlog.lines() == b""


async def test_nobody_listens_once_the_reader_has_gone() -> None:
    trace, gone, sent = Trace(FakeClock()), asyncio.Event(), list[AsgiMessage]()

    async def receive() -> AsgiMessage:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    serving = asyncio.create_task(TraceStreams(trace).serve(receive, send, []))
    await until(lambda: trace.active)
    trace.emit("publish", "success", topic="a")
    await until(lambda: len(sent) == 3)
    gone.set()
    await serving
    assert not trace.active
    assert documents(sent[2]["body"])[0]["topic"] == "a"


async def test_a_reader_that_does_not_take_anything_holds_nobody_up() -> None:
    trace = Trace(FakeClock())

    async def never() -> AsgiMessage:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: AsgiMessage) -> None:
        if message.get("body"):
            await never()

    serving = asyncio.create_task(TraceStreams(trace).serve(never, send, []))
    await until(lambda: trace.active)
    for _ in range(5 * BACKLOG):
        trace.emit("publish", "success")
    serving.cancel()
    await asyncio.wait([serving])
    assert not trace.active
