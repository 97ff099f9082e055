"""The line of messages that wait for answers: bounded, side by side, and handed on in their order."""

import asyncio
from typing import Any, cast

import pytest

from fogbank.message import Message
from fogbank.rules import asking
from fogbank.rules.asking import Asking, Question
from fogbank.sql import Answers, Event, Outcome, Query, Version
from fogbank.tasks import Tasks

FIRES = Outcome(True)


class Slow:
    """A query whose evaluation ends when it is told to; `answered` has the payloads for which it has begun."""

    def __init__(self) -> None:
        self.begun: list[bytes] = []
        self._ends: dict[bytes, asyncio.Future[Outcome]] = {}

    async def evaluate_asking(self, event: Event, answers: Answers) -> Outcome:
        self.begun.append(event.payload)
        self._ends[event.payload] = asyncio.get_running_loop().create_future()
        return await self._ends[event.payload]

    async def end(self, payload: bytes, outcome: Outcome | Exception = FIRES) -> None:
        if isinstance(outcome, Exception):
            self._ends[payload].set_exception(outcome)
        else:
            self._ends[payload].set_result(outcome)
        await settle()


class Line:
    """A line and what it has handed on."""

    def __init__(self) -> None:
        self.query = Slow()
        self.settled: list[Question] = []
        self.tasks = Tasks("test")
        self.asking = Asking(cast(Query, self.query), self.settled.append, self.tasks, "r")

    def put(self, payload: bytes) -> bool:
        nobody = Answers(cast(Any, None), Version.V2016_03_23)
        return self.asking.put(Question(Message("t", payload), Event(topic="t", payload=payload), nobody))

    @property
    def payloads(self) -> list[bytes]:
        return [question.message.payload for question in self.settled]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_outcomes_are_handed_on_in_the_order_of_the_messages() -> None:
    line = Line()
    for payload in (b"1", b"2", b"3"):
        assert line.put(payload)
    await settle()
    assert line.query.begun == [b"1", b"2", b"3"]
    await line.query.end(b"3")
    await line.query.end(b"2", Outcome(False))
    assert line.payloads == []
    await line.query.end(b"1")
    assert line.payloads == [b"1", b"2", b"3"]
    assert [question.outcome for question in line.settled] == [Outcome(True), Outcome(False), Outcome(True)]
    assert len(line.tasks) == 0


async def test_one_that_raises_does_not_hold_up_the_others() -> None:
    line = Line()
    for payload in (b"1", b"2"):
        line.put(payload)
    await settle()
    error = ArithmeticError("a bug of ours")
    await line.query.end(b"1", error)
    await line.query.end(b"2")
    assert [(question.outcome, question.error) for question in line.settled] == [(None, error), (Outcome(True), None)]


async def test_so_many_are_asked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "WORKERS", 2)
    line = Line()
    for payload in (b"1", b"2", b"3"):
        line.put(payload)
    await settle()
    assert line.query.begun == [b"1", b"2"]
    await line.query.end(b"2")
    assert line.query.begun == [b"1", b"2", b"3"]
    await line.query.end(b"1")
    await line.query.end(b"3")
    assert line.payloads == [b"1", b"2", b"3"]


async def test_it_is_bounded_in_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are done but wait for one before them count as well."""
    monkeypatch.setattr(asking, "MAX_WAITING", 2)
    line = Line()
    assert [line.put(b"1"), line.put(b"2"), line.put(b"3")] == [True, True, False]
    await settle()
    await line.query.end(b"2")
    assert not line.put(b"4")
    await line.query.end(b"1")
    assert line.put(b"5")
    await line.tasks.close()


async def test_it_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_WAITING_BYTES", 10)
    line = Line()
    assert [line.put(b"1" * 6), line.put(b"2" * 5), line.put(b"3" * 4)] == [True, False, True]
    await line.tasks.close()


async def test_half_of_it_is_left_to_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_WAITING_BYTES", 10)
    monkeypatch.setattr(asking, "MAX_WAITING", 4)
    line = Line()
    assert line.asking.has_room(100)
    line.put(b"1")
    assert [line.asking.has_room(4), line.asking.has_room(5)] == [True, False]
    line.put(b"2")
    assert not line.asking.has_room(1)
    await line.tasks.close()
