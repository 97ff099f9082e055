"""One environment spoken to as a runtime would, and as nobody should: no process behind it, or a real one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.functions.specimens import configuration

from fogbank.functions.environment import Environment, EnvironmentLost
from fogbank.functions.executors.base import Launch, RunningProcess
from fogbank.functions.function import Function
from fogbank.functions.invocation import Invocation
from fogbank.functions.logs import FunctionLog
from fogbank.functions.runtime_api import ACCEPTED, Answer
from fogbank.testing import FakeClock

INVOCATION = Invocation(request_id="r-1", payload=b"{}", function_arn="arn", client_context='{"a":1}')


class FakeProcess:
    """Ends when it is told to, by `kill` or by the test."""

    pid = 2**22 + 1  # no process has it

    def __init__(self) -> None:
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    def kill(self) -> None:
        if not self.ended.done():
            self.ended.set_result(-9)

    async def finish(self) -> None:
        pass


class FakeExecutor:
    def __init__(self) -> None:
        self.process: FakeProcess | None = None
        self.launch: Launch | None = None

    async def start(self, launch: Launch) -> RunningProcess:
        self.launch = launch
        self.process = FakeProcess()
        return self.process

    async def sweep(self, scratch: Path) -> None:
        pass


class Runtime:
    """The test's hand on the runtime's side."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.answers: list[Answer] = []
        self.reply = self.answers.append

    def next(self) -> None:
        self._environment.next(self.reply)

    @property
    def attempt(self) -> str:
        return self.answers[-1].headers["Lambda-Runtime-Invocation-Id"]


@pytest.fixture
def executor() -> FakeExecutor:
    return FakeExecutor()


@pytest.fixture
async def environment(executor: FakeExecutor, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Environment]:
    function = Function(
        name="f",
        configuration=configuration(),
        code_digest="0",
        code_size=1,
        last_modified=0,
        revision_id="r",
        deployment="d",
    )
    environment = Environment(function, tmp_path, tmp_path / "scratch", executor, clock, FunctionLog("f", clock))
    yield environment
    await environment.stop()
    assert not list((tmp_path / "scratch").glob("*"))


@pytest.fixture
async def runtime(environment: Environment) -> Runtime:
    """A runtime that is ready."""
    runtime = Runtime(environment)
    starting = asyncio.create_task(environment.start(lambda address: {"AWS_LAMBDA_RUNTIME_API": address}))
    await settle()
    runtime.next()
    await starting
    return runtime


def usable(environment: Environment) -> bool:
    return environment.usable


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0.001)


async def test_hands_over_and_answers(environment: Environment, runtime: Runtime, clock: FakeClock) -> None:
    running = asyncio.create_task(environment.run(INVOCATION))
    await settle()
    [handed] = runtime.answers
    assert (handed.status, handed.body) == (200, b"{}")
    headers = dict(handed.headers)
    assert headers.pop("Lambda-Runtime-Trace-Id").startswith(f"Root=1-{int(clock.time()):08x}-")
    assert headers == {
        "Lambda-Runtime-Aws-Request-Id": "r-1",
        "Lambda-Runtime-Invocation-Id": runtime.attempt,
        "Lambda-Runtime-Deadline-Ms": str(int(clock.time() + 3) * 1000),
        "Lambda-Runtime-Invoked-Function-Arn": "arn",
        "Lambda-Runtime-Client-Context": '{"a":1}',
    }
    assert usable(environment) is False
    assert environment.response("r-1", runtime.attempt, b"42") is ACCEPTED
    assert usable(environment) is True
    outcome = await running
    assert (outcome.payload, outcome.failure) == (b"42", None)


async def test_an_event_waits_for_the_runtime_to_ask_again(environment: Environment, runtime: Runtime) -> None:
    running = asyncio.create_task(environment.run(INVOCATION))
    await settle()
    environment.response("r-1", None, b"1")
    await running
    following = asyncio.create_task(environment.run(INVOCATION))
    await settle()
    assert len(runtime.answers) == 1
    runtime.next()
    await settle()
    assert len(runtime.answers) == 2
    environment.response("r-1", None, b"2")
    assert (await following).payload == b"2"


async def test_refuses_answers_that_are_not_to_the_event_at_work(environment: Environment, runtime: Runtime) -> None:
    assert environment.response("r-1", None, b"early").status == 400
    running = asyncio.create_task(environment.run(INVOCATION))
    await settle()
    for refused in (
        environment.response("r-2", None, b"foreign"),
        environment.error("r-2", None, b"{}"),
        environment.response("r-1", "another attempt", b"late"),
        environment.response("r-2", None, None),
    ):
        assert refused.status == 400
    assert msgspec.json.decode(environment.response("r-1", "x", b"").body)["errorType"] == "InvalidInvocationId"
    assert environment.init_error(b"{}").status == 403
    runtime.next()
    assert runtime.answers[-1].status == 403
    runtime.answers.pop()
    environment.response("r-1", runtime.attempt, b"right")
    assert environment.response("r-1", runtime.attempt, b"twice").status == 400
    assert (await running).payload == b"right"


async def test_a_second_request_for_an_event_is_refused(environment: Environment, runtime: Runtime) -> None:
    runtime.next()
    assert [answer.status for answer in runtime.answers] == [403]
    assert environment.usable


@pytest.mark.parametrize("finishing", [False, True])
async def test_an_event_that_was_not_handed_over_is_said_so(
    finishing: bool, environment: Environment, runtime: Runtime, executor: FakeExecutor
) -> None:
    if finishing:
        running = asyncio.create_task(environment.run(INVOCATION))
        await settle()
        environment.response("r-1", None, b"1")
        await running
    assert executor.process is not None
    following = asyncio.create_task(environment.run(INVOCATION)) if finishing else None
    await settle()
    executor.process.ended.set_result(1)
    await settle()
    assert not environment.usable
    with pytest.raises(EnvironmentLost):
        await (following or environment.run(INVOCATION))


async def test_a_runtime_that_hangs_up_is_ended(
    environment: Environment, executor: FakeExecutor, runtime: Runtime
) -> None:
    environment.hung_up(lambda _: None)  # some other connection
    assert usable(environment) is True
    environment.hung_up(runtime.reply)
    assert usable(environment) is False
    assert executor.process is not None
    assert executor.process.ended.done()


async def test_a_launch_is_told_its_bounds(executor: FakeExecutor, runtime: Runtime, tmp_path: Path) -> None:
    assert executor.launch is not None
    assert (executor.launch.memory, executor.launch.storage) == (128 << 20, 512 << 20)
    assert executor.launch.handler == "lambda_function.handler"
    assert executor.launch.scratch.parent == tmp_path / "scratch"
    assert executor.launch.variables["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")


async def test_a_runtime_that_cannot_be_launched_leaves_nothing(
    environment: Environment, executor: FakeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(launch: Launch) -> RunningProcess:
        raise OSError("no more processes")

    monkeypatch.setattr(executor, "start", fail)
    with pytest.raises(OSError, match="no more processes"):
        await environment.start(lambda address: {})


async def test_an_environment_that_never_started_can_be_stopped(environment: Environment) -> None:
    assert not environment.usable
