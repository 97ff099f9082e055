"""Waiting for something, but not for ever: who is in time, who is not, and that nothing is left behind."""

import asyncio
from typing import Any

import pytest

from fogbank.errors import ResourceNotFound
from fogbank.patience import invoke_within, wait_for
from fogbank.ports import InvocationResult, ServiceCaller
from fogbank.tasks import Tasks
from fogbank.testing import FakeClock

CALLER = ServiceCaller("iot.amazonaws.com", "arn:aws:iot:r:1:rule/x", "1")


class Function:
    """Implements `ports.Invoker`: answers when it is let, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.may_answer = asyncio.Event()

    async def invoke(self, function: str, payload: bytes, **given: Any) -> InvocationResult:
        assert given == {"caller": CALLER}
        if self.error is not None:
            raise self.error
        await self.may_answer.wait()
        return InvocationResult(200, payload)


async def test_in_time() -> None:
    clock, tasks, function = FakeClock(), Tasks("test"), Function()
    function.may_answer.set()
    answer = await invoke_within(5, function, "f", b"x", CALLER, clock, tasks)
    assert answer == InvocationResult(200, b"x")
    await tasks.drain()


async def test_too_late() -> None:
    clock, tasks, function = FakeClock(), Tasks("test"), Function()
    asking = asyncio.create_task(invoke_within(5, function, "f", b"x", CALLER, clock, tasks))
    await clock.advance(4.9)
    assert not asking.done()
    await clock.advance(0.2)
    assert await asking is None
    await tasks.drain()


async def test_an_error_is_raised_and_not_logged_as_a_task_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks("test")
    with pytest.raises(ResourceNotFound, match="no such function"):
        await invoke_within(5, Function(ResourceNotFound("no such function")), "f", b"", CALLER, FakeClock(), tasks)
    await tasks.drain()
    assert caplog.text == ""


async def test_what_is_given_up_is_cancelled() -> None:
    clock, tasks = FakeClock(), Tasks("test")
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(wait_for(never, 1, clock, tasks))
    await clock.advance(1.1)
    await waiting
    assert never.cancelled()
    await tasks.drain()
