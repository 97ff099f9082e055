"""Background tasks: named, owned, their failures logged once, gone after close."""

import asyncio

import pytest

from fogbank.tasks import Tasks


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_task_bears_its_owners_name_and_is_forgotten_when_done() -> None:
    tasks = Tasks("broker")

    async def work() -> int:
        return 42

    task = tasks.start(work(), "keep-alive")
    assert task.get_name() == "broker.keep-alive"
    assert len(tasks) == 1
    assert await task == 42
    await tasks.drain()
    assert len(tasks) == 0


async def test_a_failure_is_logged_once_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks("rules")

    async def fail() -> None:
        raise ValueError("no such thing")

    tasks.start(fail(), "action")
    await tasks.drain()
    [record] = caplog.records
    assert record.message == "background task rules.action failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no such thing"


async def test_drain_waits_for_what_running_tasks_start_too() -> None:
    tasks = Tasks("shadows")
    done: list[str] = []

    async def child() -> None:
        await asyncio.sleep(0)
        done.append("child")

    async def parent() -> None:
        await asyncio.sleep(0)
        tasks.start(child(), "child")
        done.append("parent")

    tasks.start(parent(), "parent")
    await tasks.drain()
    assert done == ["parent", "child"]


async def test_close_cancels_and_waits_for_the_clearing_up(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks("functions")
    cleared: list[str] = []

    async def work() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            cleared.append("up")

    task = tasks.start(work(), "pool")
    await asyncio.sleep(0)
    await tasks.close()
    assert task.cancelled()
    assert cleared == ["up"]
    assert len(tasks) == 0
    assert caplog.records == [], "to be cancelled is no failure"


async def test_close_with_nothing_running() -> None:
    await Tasks("idle").close()


async def test_a_failure_while_being_cancelled_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks("functions")

    async def work() -> None:
        try:
            await forever()
        finally:
            raise RuntimeError("could not clear up")

    tasks.start(work(), "pool")
    await asyncio.sleep(0)
    await tasks.close()
    assert "functions.pool failed" in caplog.text
