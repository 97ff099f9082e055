"""How functions fail, are bounded, and are replaced: real handlers in real processes, by each of the executors."""

import asyncio
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from tests.functions.asking import answer, failure, invoke, logged
from tests.functions.conftest import MakeService, Storage
from tests.functions.specimens import ARCHIVE, configuration, until, zip_of

from fogbank.errors import ResourceNotFound
from fogbank.functions.errors import TooManyRequests
from fogbank.functions.executors.base import Executor
from fogbank.functions.service import MAX_EVENT, FunctionService
from fogbank.testing import FakeClock

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


def processes_with(argument: str) -> list[str]:
    """Commands that run with that argument, wherever they are."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if argument.encode() in words and words[0].endswith(b"sleep"):
            found.append(directory.name)
    return found


# --- failures ---------------------------------------------------------------------------------------------------------


async def test_an_exception_is_the_functions_answer(service: FunctionService) -> None:
    document = await failure(service, do="raise")
    assert (document["errorMessage"], document["errorType"]) == ("'action'", "KeyError")
    assert 'lambda_function.py", line' in document["stackTrace"][0]
    first = await answer(service, do="count")
    assert first["calls"] == 2  # the environment lives on


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"do": "exit", "code": 1}, "Runtime exited with error: exit status 1"),
        ({"do": "exit", "code": 0}, "Runtime exited without providing a reason"),
        ({"do": "quit", "code": 3}, "Runtime exited with error: exit status 3"),
        ({"do": "crash"}, "Runtime exited with error: signal: segmentation fault"),
    ],
)
async def test_the_end_of_the_runtime_is_told_as_aws_tells_it(
    service: FunctionService, event: dict[str, Any], why: str
) -> None:
    document = await failure(service, **event)
    assert document["errorType"] == "Runtime.ExitError"
    assert re.fullmatch(rf"RequestId: [0-9a-f-]{{36}} Error: {why}", document["errorMessage"])
    assert await answer(service, n=1) == {"n": 1}


async def test_a_result_that_is_no_json(service: FunctionService) -> None:
    document = await failure(service, do="set")
    assert document["errorType"] == "Runtime.MarshalError"


async def test_an_answer_over_six_megabytes(service: FunctionService) -> None:
    assert len((await invoke(service, do="long", bytes=MAX_EVENT)).payload) == MAX_EVENT + 2
    document = await failure(service, do="long", bytes=MAX_EVENT + 200)
    assert document == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert await answer(service) == {}


@pytest.mark.parametrize(
    ("files", "handler", "kind", "message"),
    [
        ({"m.py": "import nothere"}, "m.h", "Runtime.ImportModuleError", "No module named 'nothere'"),
        ({"m.py": ""}, "other.h", "Runtime.ImportModuleError", "No module named 'other'"),
        ({"m.py": ""}, "m.h", "Runtime.HandlerNotFound", "Handler 'h' missing on module 'm'"),
        ({"m.py": "def"}, "m.h", "Runtime.UserCodeSyntaxError", "Syntax error in module 'm'"),
        ({"m.py": "1 / 0"}, "m.h", "ZeroDivisionError", "division by zero"),
        ({"m.py": ""}, "m", "Runtime.MalformedHandlerName", "Bad handler 'm'"),
        ({"m.py": "import os; os._exit(5)"}, "m.h", "Runtime.ExitError", "exit status 5"),
    ],
)
async def test_a_function_that_cannot_start(
    make_service: MakeService, files: dict[str, str], handler: str, kind: str, message: str
) -> None:
    service = await make_service()
    await service.create("f", zip_of(files), configuration(handler))
    for _ in range(2):
        document = await failure(service)
        assert document["errorType"] == kind
        assert message in document["errorMessage"]


async def test_a_timeout_ends_the_environment_with_all_it_started(service: FunctionService, clock: FakeClock) -> None:
    first = await answer(service, do="count")
    running = asyncio.create_task(failure(service, do="sleep", seconds=60))
    await until(lambda: logged(service, "asleep"))
    await clock.advance(2.99)
    assert not running.done()
    await clock.advance(0.01)
    document = await running
    assert re.fullmatch(r"2023-\S+Z [0-9a-f-]{36} Task timed out after 3.00 seconds", document["errorMessage"])
    assert set(document) == {"errorMessage"}
    assert (await answer(service, do="count"))["calls"] == 1
    assert first["calls"] == 1


async def test_a_start_has_ten_seconds(make_service: MakeService, clock: FakeClock) -> None:
    service = await make_service()
    await service.create("f", zip_of({"m.py": "import time; print('loading'); time.sleep(60)"}), configuration("m.h"))
    running = asyncio.create_task(failure(service))
    await until(lambda: logged(service, "loading"))
    await clock.advance(9.99)
    assert not running.done()
    await clock.advance(0.02)
    assert "Task timed out after 10.00 seconds" in (await running)["errorMessage"]
    assert logged(service, "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout")


async def test_too_much_memory_ends_the_environment(service: FunctionService, clock: FakeClock) -> None:
    """Once while it holds it, once when it has already given it back."""
    running = asyncio.create_task(failure(service, do="grow", megabytes=200, seconds=60))
    await until(lambda: logged(service, "grown"))
    await clock.advance(0.2)
    for document in (await running, await failure(service, do="grow", megabytes=200)):
        assert document["errorType"] == "Runtime.ExitError"
        assert document["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert logged(service, "Max Memory Used: 128 MB\tInit Duration")
    assert await answer(service, do="grow", megabytes=20) is None


async def test_what_a_handler_started_ends_with_its_environment(service: FunctionService) -> None:
    argument = f"3600.{time.time_ns()}"
    await answer(service, do="daemon", argument=argument)
    await until(lambda: len(processes_with(argument)) == 1)
    await service.update_configuration("f", timeout=4)
    await until(lambda: not processes_with(argument))


async def test_the_code_cannot_be_written_in_the_sandbox_and_tmp_is_its_own(
    service: FunctionService, executor: Executor
) -> None:
    if type(executor).__name__ != "BubblewrapExecutor":
        pytest.skip("only the sandbox hides files")
    assert await answer(service, do="write") == "OSError"
    assert "scratch" not in os.listdir("/tmp")
    found = await answer(service, do="variables")
    assert (found["LAMBDA_TASK_ROOT"], found["PWD"]) == ("/var/task", "/var/task")


# --- concurrency and change -------------------------------------------------------------------------------------------


async def test_events_at_once_run_in_environments_of_their_own(service: FunctionService) -> None:
    await asyncio.gather(*(invoke(service, do="sleep", seconds=0.2) for _ in range(4)))
    answers = await asyncio.gather(*(answer(service, do="count") for _ in range(4)))
    assert len({one["pid"] for one in answers}) >= 2 or {one["calls"] for one in answers} == {2}


async def test_concurrency_is_bounded(make_service: MakeService) -> None:
    service = await make_service(concurrency=1)
    await service.create("f", ARCHIVE, configuration())
    running = asyncio.create_task(invoke(service, do="sleep", seconds=0.3))
    await until(lambda: logged(service, "asleep"))
    with pytest.raises(TooManyRequests):
        await invoke(service)
    assert (await running).function_error is None


async def test_changes_take_effect_at_once_and_work_goes_on(service: FunctionService, storage: Storage) -> None:
    running = asyncio.create_task(invoke(service, do="sleep", seconds=0.3))
    await until(lambda: logged(service, "asleep"))
    before = service.registry.get("f").code_digest
    await service.update_code("f", zip_of({"lambda_function.py": "def handler(event, context): return 'new'"}))
    assert await answer(service) == "new"
    assert (await running).payload == b"null"
    await until(lambda: before not in storage[2]._blobs)
    await service.update_configuration("f", environment={"OWN": "1"}, handler="lambda_function.missing")
    assert (await failure(service))["errorType"] == "Runtime.HandlerNotFound"


async def test_deleting_a_function_removes_everything(
    service: FunctionService, storage: Storage, tmp_path: Path
) -> None:
    await answer(service)
    await service.delete(ARN)
    with pytest.raises(ResourceNotFound, match=f"^Function not found: {ARN}$"):
        await invoke(service)
    await until(lambda: not storage[2]._blobs and not list(tmp_path.glob("functions/*/*")))


async def test_two_functions_share_code_and_neither_takes_it_from_the_other(service: FunctionService) -> None:
    await service.create("g", ARCHIVE, configuration())
    await service.delete("g")
    await service.close()
    assert await service.download(service.code_token(service.registry.get("f"))) == ARCHIVE


async def test_a_caller_that_goes_away_ends_nothing(service: FunctionService) -> None:
    running = asyncio.create_task(invoke(service, do="sleep", seconds=0.2))
    await until(lambda: logged(service, "asleep"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: logged(service, "END RequestId"))
    assert (await answer(service, do="count"))["calls"] == 2
