"""The pool with environments that are mere objects, and a clock that stands still."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from tests.functions.specimens import configuration

from fogbank.errors import ServiceUnavailable
from fogbank.functions.environment import EnvironmentLost
from fogbank.functions.errors import TooManyRequests
from fogbank.functions.function import Function
from fogbank.functions.invocation import Invocation, Outcome
from fogbank.functions.pool import Pool
from fogbank.testing import FakeClock


class FakeEnvironment:
    """Answers with its number once `finish` is set; `lost` makes it end before it takes an event."""

    def __init__(self, function: Function, number: int, clock: FakeClock) -> None:
        self.function = function
        self.number = number
        self.clock = clock
        self.last_used = clock.monotonic()
        self.usable = True
        self.lost = False
        self.stopped = False
        self.finish = asyncio.Event()
        self.finish.set()
        self.busy = False

    async def run(self, invocation: Invocation) -> Outcome:
        assert not self.busy, "two events at once in one environment"
        if self.lost:
            self.usable = False
            raise EnvironmentLost("f", 7)
        self.busy = True
        await self.finish.wait()
        self.busy = False
        self.last_used = self.clock.monotonic()
        return Outcome(payload=str(self.number).encode())

    async def stop(self) -> None:
        self.stopped = True


class World:
    """The pool and what it made."""

    def __init__(self, clock: FakeClock, **options: Any) -> None:
        self.clock = clock
        self.made: list[FakeEnvironment] = []
        self.prepare: Callable[[FakeEnvironment], None] = lambda _: None
        self.stale: set[str] = set()
        self.gone: list[str] = []
        self.pool = Pool(self.make, lambda one: one.deployment not in self.stale, clock, gone=self.went, **options)

    async def make(self, function: Function) -> FakeEnvironment:
        await asyncio.sleep(0)
        environment = FakeEnvironment(function, len(self.made), self.clock)
        self.prepare(environment)
        self.made.append(environment)
        return environment

    async def went(self, digest: str) -> None:
        self.gone.append(digest)

    async def run(self, function: Function) -> int:
        return int((await self.pool.run(function, INVOCATION)).payload)

    @property
    def stopped(self) -> list[int]:
        return [one.number for one in self.made if one.stopped]


INVOCATION = Invocation(request_id="r", payload=b"{}", function_arn="arn")


def function(name: str = "f", deployment: str = "1") -> Function:
    return Function(
        name=name,
        configuration=configuration(),
        code_digest=f"code-{name}-{deployment}",
        code_size=1,
        last_modified=0,
        revision_id="1",
        deployment=f"{name}-{deployment}",
    )


@pytest.fixture
async def world(clock: FakeClock) -> AsyncIterator[World]:
    world = World(clock, concurrency=3, idle_seconds=100)
    await world.pool.start()
    yield world
    await world.pool.close()
    assert world.stopped == [one.number for one in world.made]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_uses_a_warm_environment_again(world: World) -> None:
    assert [await world.run(function()) for _ in range(5)] == [0] * 5


async def test_functions_do_not_share_environments(world: World) -> None:
    assert [await world.run(function("a")), await world.run(function("b")), await world.run(function("a"))] == [0, 1, 0]


async def test_one_event_at_a_time_in_each(world: World) -> None:
    world.prepare = lambda environment: environment.finish.clear()
    running = [asyncio.create_task(world.run(function())) for _ in range(3)]
    await settle()
    assert [one.busy for one in world.made] == [True] * 3
    for one in world.made:
        one.finish.set()
    assert sorted(await asyncio.gather(*running)) == [0, 1, 2]


async def test_throttles_beyond_the_bound_as_aws_does(world: World) -> None:
    world.prepare = lambda environment: environment.finish.clear()
    running = [asyncio.create_task(world.run(function())) for _ in range(3)]
    with pytest.raises(TooManyRequests) as refused:  # while they still start
        await asyncio.gather(*running, world.run(function()))
    assert refused.value.members == {"Reason": "ConcurrentInvocationLimitExceeded"}
    for one in world.made:
        one.finish.set()
    assert sorted(await asyncio.gather(*running)) == [0, 1, 2]


async def test_the_longest_idle_makes_room_for_another_function(world: World) -> None:
    for name in ("a", "b", "c", "a"):
        await world.run(function(name))
    assert await world.run(function("d")) == 3
    await settle()
    assert world.stopped == [1]
    assert len(world.pool) == 3


async def test_an_event_that_was_not_handed_over_goes_elsewhere(world: World) -> None:
    await world.run(function())
    world.made[0].lost = True
    assert await world.run(function()) == 1
    await settle()
    assert world.stopped == [0]


async def test_a_function_whose_environments_never_take_an_event_fails(world: World) -> None:
    world.prepare = lambda environment: setattr(environment, "lost", True)
    outcome = await world.pool.run(function(), INVOCATION)
    assert outcome.failure is not None
    assert b"Error: Runtime exited with error: exit status 7" in outcome.payload
    assert len(world.made) == 3


async def test_does_not_use_what_died_while_idle(world: World) -> None:
    await world.run(function())
    world.made[0].usable = False
    assert await world.run(function()) == 1


async def test_does_not_keep_what_became_unusable(world: World) -> None:
    world.prepare = lambda environment: setattr(environment, "usable", False)
    assert [await world.run(function()) for _ in range(4)] == [0, 1, 2, 3]
    await settle()
    assert world.stopped == [0, 1, 2, 3]


async def test_reaps_what_stays_idle(world: World, clock: FakeClock) -> None:
    await world.run(function("a"))
    await clock.advance(60)
    await world.run(function("b"))
    await clock.advance(60)
    assert world.stopped == [0]
    await clock.advance(100)
    assert world.stopped == [0, 1]
    assert len(world.pool) == 0


async def test_a_new_deployment_replaces_idle_environments_at_once_and_busy_ones_after(world: World) -> None:
    await world.run(function())
    world.prepare = lambda environment: environment.finish.clear()
    first, second = (asyncio.create_task(world.run(function())) for _ in range(2))
    world.made[0].finish.clear()
    await settle()
    world.made[0].finish.set()
    await settle()
    world.stale.add("f-1")
    world.pool.retire("f")
    await settle()
    assert world.stopped == [0]
    assert world.pool.uses("code-f-1")
    world.made[1].finish.set()
    assert {await first, await second} == {0, 1}
    await settle()
    assert world.stopped == [0, 1]
    assert not world.pool.uses("code-f-1")
    assert world.gone == ["code-f-1"] * 2
    world.prepare = lambda _: None
    assert await world.run(function(deployment="2")) == 2


async def test_leaves_no_trace_of_an_environment_that_could_not_be_made(world: World) -> None:
    def fail(environment: FakeEnvironment) -> None:
        raise OSError("no more processes")

    world.prepare = fail
    with pytest.raises(OSError, match="no more processes"):
        await world.run(function())
    assert len(world.pool) == 0


async def test_takes_nothing_once_it_closes(world: World) -> None:
    await world.run(function())
    await world.pool.close()
    with pytest.raises(ServiceUnavailable):
        await world.run(function())


def test_functions_with_equal_members_are_equal() -> None:
    """The pool counts those that start by value."""
    assert function() == msgspec.structs.replace(function())
