"""A lane alone: how many at once, in which order, and what becomes of each."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import Forbidden, ServiceUnavailable
from fogbank.message import Message
from fogbank.ports import RoleRights
from fogbank.rules.actions.base import ActionFailed, Firing, Need, Plan, Results
from fogbank.rules.faults import Faults
from fogbank.rules.lane import EAGER_WORKERS, WORKERS, Delivery, Failure, Lane
from fogbank.sql import Event
from fogbank.tasks import Tasks
from fogbank.testing import FakeClock
from fogbank.trace import Trace


class Scripted:
    """An action that does what its script says of each firing, by its number, when it is let."""

    kind, title, target, role = "scripted", "ScriptedAction", "target", "arn:role"
    durable = True
    retry_delays: Sequence[float] = (1.0, 2.0)

    def __init__(self, most: int = 1, linger: float = 0.0) -> None:
        self.most, self.linger = most, linger
        self.calls: list[list[int]] = []
        self.script: dict[int, list[ActionFailed | None]] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = 0
        self.error: Exception | None = None

    def plan(self, firing: Firing) -> Plan:
        number = int(firing.output)
        if number < 0:
            raise ActionFailed("negative", resource="nowhere")
        return Plan("r", number, Need("do", f"arn:{number}"))

    async def perform(self, plans: Sequence[Plan]) -> Results:
        self.calls.append([plan.request for plan in plans])
        self.under_way += 1
        await self.gate.wait()
        self.under_way -= 1
        if self.error is not None:
            raise self.error
        return [self.script[plan.request].pop(0) if self.script.get(plan.request) else None for plan in plans]


class Bench:
    """A lane, and what it told of each delivery."""

    def __init__(self, action: Scripted, rights: RoleRights | None = None) -> None:
        self.clock, self.tasks = FakeClock(), Tasks("lane")
        self.told: list[tuple[int, str | None]] = []
        self.lane = Lane(
            action,
            self._settle,
            rule="r",
            role="",
            source="arn:rule",
            rights=rights,
            tasks=self.tasks,
            faults=Faults(logging.getLogger("lane"), "r"),
            clock=self.clock,
            trace=Trace(self.clock),
        )

    def _settle(self, delivery: Delivery, failure: Failure | None) -> None:
        self.told.append((int(delivery.firing.output), None if failure is None else failure.error_message))

    def put(self, *numbers: int) -> None:
        for number in numbers:
            payload = b"%d" % number
            firing = Firing(Message("t", payload), Event(topic="t", payload=payload), payload)
            assert self.lane.put(Delivery(firing, 1)) is None


def failing(message: str, *, transient: bool) -> ActionFailed:
    return ActionFailed(message, resource="r", transient=transient)


async def test_one_that_comes_alone_goes_at_once() -> None:
    action = Scripted(most=10)
    bench = Bench(action)
    bench.put(1)
    await bench.clock.advance(0)
    assert action.calls == [[1]]


async def test_those_that_come_together_go_together() -> None:
    action = Scripted(most=10)
    bench = Bench(action)
    bench.put(*range(25))
    await bench.clock.advance(0)
    assert [len(call) for call in action.calls] == [10, 10, 5]
    assert [number for call in action.calls for number in call] == list(range(25))


async def test_while_calls_are_under_way_those_that_come_gather() -> None:
    action = Scripted(most=10)
    bench = Bench(action)
    action.gate.clear()
    for number in range(20):
        bench.put(number)
        await bench.clock.advance(0)
    assert [len(call) for call in action.calls] == [*[1] * EAGER_WORKERS, 10]
    action.gate.set()
    await bench.tasks.drain()
    assert [len(call) for call in action.calls[EAGER_WORKERS:]] == [10, 20 - EAGER_WORKERS - 10]


async def test_calls_at_once_are_bounded() -> None:
    action = Scripted()
    bench = Bench(action)
    action.gate.clear()
    bench.put(*range(100))
    await bench.clock.advance(0)
    assert action.under_way == WORKERS
    action.gate.set()
    await bench.tasks.drain()
    assert sorted(number for number, _ in bench.told) == list(range(100))
    assert len(bench.tasks) == 0


async def test_those_that_linger_go_when_their_time_is_over_or_the_batch_is_full() -> None:
    action = Scripted(most=3, linger=0.5)
    bench = Bench(action)
    bench.put(1)
    await bench.clock.advance(0.4)
    bench.put(2)
    await bench.clock.advance(0.1)
    assert action.calls == [[1, 2]]
    bench.put(3, 4, 5, 6)
    await bench.clock.advance(0)
    assert action.calls[1:] == [[3, 4, 5]]
    await bench.clock.advance(0.5)
    assert action.calls[2:] == [[6]]


async def test_those_of_a_batch_that_may_pass_are_tried_again_and_the_rest_is_settled() -> None:
    action = Scripted(most=10)
    bench = Bench(action)
    busy, wrong = failing("busy", transient=True), failing("wrong", transient=False)
    action.script = {1: [busy, None], 2: [wrong], 3: [busy, busy, busy]}
    bench.put(0, 1, 2, 3, -1)
    await bench.clock.advance(0)
    assert bench.told == [(-1, "negative"), (0, None), (2, "wrong")]
    await bench.clock.advance(1)
    assert bench.told[3:] == [(1, None)]
    await bench.clock.advance(2)
    assert bench.told[4:] == [(3, "busy")]
    assert action.calls == [[0, 1, 2, 3], [1, 3], [3]]


@pytest.mark.parametrize("error", [failing("all of it", transient=False), ZeroDivisionError("ours")])
async def test_what_a_whole_batch_fails_of_is_told_of_each(error: Exception) -> None:
    action = Scripted(most=10)
    bench = Bench(action)
    action.error = error
    bench.put(1, 2)
    await bench.tasks.drain()
    assert [number for number, _ in bench.told] == [1, 2]
    assert all(str(error) in (told or "") for _, told in bench.told)


async def test_a_role_without_the_right_fails_with_the_reason() -> None:
    class Rights:
        async def check(self, role_arn: str, action: str, resource: str, *, source: str | None = None) -> None:
            if resource == "arn:2":
                raise Forbidden(f"{role_arn} may not {action} on {resource} for {source}")

    action = Scripted(most=10)
    bench = Bench(action, Rights())
    bench.put(1, 2, 3)
    await bench.tasks.drain()
    assert action.calls == [[1, 3]]
    assert sorted(bench.told) == [(1, None), (2, "arn:role may not do on arn:2 for arn:rule"), (3, None)]


@pytest.mark.parametrize(
    ("error", "told", "tries"),
    [(ServiceUnavailable("later"), "later", 3), (ZeroDivisionError("ours"), "ZeroDivisionError('ours')", 1)],
)
async def test_rights_that_cannot_be_looked_up_fail_the_action(error: Exception, told: str, tries: int) -> None:
    asked = 0

    class Rights:
        async def check(self, role_arn: str, action: str, resource: str, *, source: str | None = None) -> None:
            nonlocal asked
            asked += 1
            raise error

    action = Scripted()
    bench = Bench(action, Rights())
    bench.put(1)
    await bench.clock.advance(10)
    assert (action.calls, asked) == ([], tries)
    [(_, reason)] = bench.told
    assert told in (reason or "")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 2)), max_size=60),
    st.integers(1, 7),
    st.sampled_from([0.0, 0.3]),
)
def test_each_is_performed_once_and_told_once(steps: list[tuple[int, float]], most: int, linger: float) -> None:
    """Whatever the rhythm, and whatever the size of batches."""

    async def run() -> None:
        action = Scripted(most=most, linger=linger)
        bench = Bench(action)
        count = 0
        for arrivals, pause in steps:
            bench.put(*range(count, count + arrivals))
            count += arrivals
            if pause > 1:
                await bench.clock.advance(pause - 1)
        await bench.clock.advance(10)
        assert sorted(number for call in action.calls for number in call) == list(range(count))
        assert sorted(bench.told, key=_number) == [(number, None) for number in range(count)]
        assert all(len(call) <= most for call in action.calls)
        assert len(bench.tasks) == 0

    asyncio.run(run())


def _number(told: tuple[int, Any]) -> int:
    return told[0]
