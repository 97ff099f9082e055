"""A function service over storage in memory, with real processes and a clock that stands still."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.functions.specimens import ARCHIVE, configuration

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.functions.executors.base import Executor
from fogbank.functions.executors.bubblewrap import BubblewrapExecutor
from fogbank.functions.executors.process import ProcessExecutor
from fogbank.functions.service import FunctionService
from fogbank.storage.memory import MemoryBlobs, MemoryDocuments, MemoryQueue
from fogbank.testing import FakeClock
from fogbank.trace import Trace

Storage = tuple[MemoryDocuments, MemoryQueue, MemoryBlobs]
MakeService = Callable[..., Awaitable[FunctionService]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def arns() -> Arns:
    return Arns("us-east-1", "123456789012")


@pytest.fixture
def storage() -> Storage:
    return MemoryDocuments(), MemoryQueue(), MemoryBlobs()


@pytest.fixture
def trace(clock: FakeClock) -> Trace:
    return Trace(clock)


@pytest.fixture(scope="session")
def bwrap() -> str:
    """The sandbox's program; tests that want it are skipped where it is not installed."""
    found = shutil.which("bwrap")
    if found is None:
        pytest.skip("bubblewrap is not installed")
    return found


@pytest.fixture(params=["process", "sandbox"])
async def executor(request: pytest.FixtureRequest) -> Executor:
    """Each of the ways to run a function."""
    if request.param == "process":
        return ProcessExecutor()
    sandbox = BubblewrapExecutor(request.getfixturevalue("bwrap"))
    if not await sandbox.usable():
        pytest.skip("this machine makes no sandboxes")
    return sandbox


@pytest.fixture
async def make_service(
    storage: Storage, arns: Arns, clock: FakeClock, trace: Trace, tmp_path: Path
) -> AsyncIterator[MakeService]:
    """Starts services over one storage, each as after a restart, and closes them."""
    made: list[FunctionService] = []

    async def make(*, clock: Clock = clock, executor: Executor | None = None, **options: Any) -> FunctionService:
        service = FunctionService(
            *storage,
            arns,
            clock,
            trace,
            tmp_path / "functions",
            lambda: {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
            executor=executor or ProcessExecutor(),
            **options,
        )
        made.append(service)
        await service.start()
        return service

    yield make
    for service in made:
        await service.close()


@pytest.fixture
async def service(make_service: MakeService, executor: Executor) -> FunctionService:
    """With the function `f`, which does what its event says, once for each way to run functions."""
    service = await make_service(executor=executor)
    await service.create("f", ARCHIVE, configuration())
    return service
