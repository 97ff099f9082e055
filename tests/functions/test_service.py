"""Functions as their callers see them: real handlers in real processes, by each of the executors."""

import asyncio
import base64
import os
import re
import time
from pathlib import Path

import msgspec
import pytest
from tests.functions.asking import answer, failure, invoke, logged
from tests.functions.conftest import MakeService, Storage
from tests.functions.specimens import ARCHIVE, configuration, until, zip_of

from fogbank.arns import Arns
from fogbank.clock import SystemClock
from fogbank.errors import ResourceNotFound
from fogbank.functions.errors import AccessDenied, InvalidRequestContent, RequestTooLarge
from fogbank.functions.executors.base import Executor
from fogbank.functions.resource_policy import Statement
from fogbank.functions.service import MAX_ASYNCHRONOUS_EVENT, MAX_EVENT, FunctionService
from fogbank.ports import InvocationResult, InvocationType, ServiceCaller
from fogbank.testing import FakeClock
from fogbank.trace import Trace, TraceEvent

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
RULE = "arn:aws:iot:us-east-1:123456789012:rule/hot"


# --- answers ----------------------------------------------------------------------------------------------------------


async def test_answers_and_stays_warm(service: FunctionService) -> None:
    result = await service.invoke(ARN, b'{"n": 1}')
    assert result == InvocationResult(status=200, payload=b'{"n": 1}')
    first = await answer(service, do="count")
    assert await answer(service, do="count") == {"calls": first["calls"] + 1, "pid": first["pid"]}


@pytest.mark.parametrize("runtime", ["python3.9", "python3.12", "python3.13"])
async def test_runs_what_other_versions_declare(make_service: MakeService, runtime: str) -> None:
    """From 3.12 on, AWS's client asks for each event in another thread, and so over another connection."""
    service = await make_service()
    await service.create("f", ARCHIVE, configuration(runtime=runtime))
    answers = [await answer(service, do="count") for _ in range(4)]
    assert [one["calls"] for one in answers] == [1, 2, 3, 4]


async def test_the_context_is_that_of_aws(service: FunctionService) -> None:
    context = base64.b64encode('{"custom": {"k": "ä\\n"}, "client": null, "env": {}}'.encode()).decode()
    result = await service.invoke(
        f"{ARN}:$LATEST",
        b'{"do": "context"}',
        client_context=context,
        request_id="11111111-2222-3333-4444-555555555555",
    )
    shown = msgspec.json.decode(result.payload)
    assert shown.pop("remaining") == 0  # the handler's own clock is far ahead of the test's
    assert shown == {
        "name": "f",
        "version": "$LATEST",
        "arn": f"{ARN}:$LATEST",
        "memory": "128",
        "request_id": "11111111-2222-3333-4444-555555555555",
        "custom": {"k": "ä\n"},
        "log_group": "/aws/lambda/f",
    }


async def test_nothing_of_the_servers_environment_leaks(
    service: FunctionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOGBANK_SECRET", "s3cret")
    await service.update_configuration("f", environment={"OWN": "1"})
    found = await answer(service, do="variables")
    assert found["OWN"] == "1"
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert found["TZ"] == ":UTC"
    assert found["HOME"] != os.environ.get("HOME")
    ours = {"PATH", "LANG", "TZ", "OWN", "HOME", "TMPDIR", "PWD", "LC_CTYPE", "_HANDLER", "_X_AMZN_TRACE_ID"}
    assert {name for name in found.keys() - ours if not name.startswith(("AWS_", "LAMBDA_"))} == set()


async def test_prints_are_in_the_tail_and_the_log(service: FunctionService) -> None:
    await answer(service)
    result = await invoke(service, do="print")
    assert result.payload == b"null"
    assert result.log_tail is not None
    lines = result.log_tail.decode().splitlines()
    request_id = lines[0].split()[2]
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert lines[1:3] == ["to stdout", "to stderr"]
    assert f"END RequestId: {request_id}" in lines
    assert re.fullmatch(
        rf"REPORT RequestId: {request_id}\tDuration: \S+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t"
        r"Max Memory Used: [1-9]\d* MB\t",
        lines[-1],
    )
    assert [line.text for line in service.logs("f", 2)][-1] == lines[-1]


async def test_the_tail_is_four_kilobytes_and_the_log_has_it_all(service: FunctionService) -> None:
    result = await invoke(service, do="chatter", lines=5000)
    assert result.log_tail is not None
    assert len(result.log_tail) == 4096
    assert "REPORT" in result.log_tail.decode()
    texts = [line.text for line in service.logs("f") if line.text.startswith("line ")]
    assert texts == [f"line {number}" for number in range(5000)]


async def test_a_cold_start_reports_its_duration(service: FunctionService) -> None:
    result = await invoke(service)
    assert result.log_tail is not None
    tail = result.log_tail.decode()
    assert tail.startswith("INIT_START Runtime Version: python:3.")
    assert "module loaded" in tail
    assert "Init Duration: " in tail
    assert (await service.invoke("f", b"{}")).log_tail is None


@pytest.mark.parametrize("payload", [b"", b"null", b"[1]", '"ä"'.encode(), b"123456789012345678901234567890"])
async def test_any_json_is_an_event(make_service: MakeService, payload: bytes) -> None:
    service = await make_service()
    await service.create("f", zip_of({"m.py": "def h(event, context): return event"}), configuration("m.h"))
    result = await service.invoke("f", payload)
    assert msgspec.json.decode(result.payload) == msgspec.json.decode(payload or b"{}")


# --- who may, and what may be asked -----------------------------------------------------------------------------------


async def test_services_need_a_statement_of_the_resource_policy(service: FunctionService) -> None:
    caller = ServiceCaller("iot.amazonaws.com", RULE, "123456789012")
    with pytest.raises(
        AccessDenied, match=r"iot\.amazonaws\.com is not authorized to perform: lambda:InvokeFunction on"
    ):
        await service.invoke("f", b"{}", caller=caller)
    statement = Statement(sid="s", action="lambda:InvokeFunction", principal="iot.amazonaws.com", source_arn=RULE)
    await service.registry.add_permission("f", statement)
    assert (await service.invoke("f", b"{}", type_=InvocationType.DRY_RUN, caller=caller)).status == 204
    other = ServiceCaller("iot.amazonaws.com", RULE + "2", "123456789012")
    for type_ in InvocationType:
        with pytest.raises(AccessDenied):
            await service.invoke("f", b"{}", type_=type_, caller=other)


@pytest.mark.parametrize("path", ["invocation/next", "invocation/r-1/response", "init/error"])
async def test_no_other_process_can_speak_for_an_environment(service: FunctionService, path: str) -> None:
    found = await answer(service, do="variables")
    host, port = found["AWS_LAMBDA_RUNTIME_API"].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    method = "GET" if path.endswith("next") else "POST"
    writer.write(f"{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode())
    assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 403 ")
    writer.close()
    assert await answer(service, n=1) == {"n": 1}


async def test_a_dry_run_runs_nothing(make_service: MakeService) -> None:
    service = await make_service()
    await service.create("f", ARCHIVE, configuration())
    assert await service.invoke("f", b"{}", type_=InvocationType.DRY_RUN) == InvocationResult(status=204)
    assert service.logs("f") == []
    with pytest.raises(ResourceNotFound):
        await service.invoke("g", b"{}", type_=InvocationType.DRY_RUN)


@pytest.mark.parametrize("payload", [b"{", b"{} x", b"nope", b"NaN", b'"\xff"', b'{"a": 1,}', b"[" * 100_000])
async def test_refuses_what_is_no_json(make_service: MakeService, payload: bytes) -> None:
    service = await make_service()
    await service.create("f", ARCHIVE, configuration())
    with pytest.raises(InvalidRequestContent, match="Could not parse request body into json: "):
        await service.invoke("f", payload)


async def test_bounds_the_event(make_service: MakeService) -> None:
    service = await make_service()
    await service.create("f", ARCHIVE, configuration())
    for type_, limit in (
        (InvocationType.REQUEST_RESPONSE, MAX_EVENT),
        (InvocationType.EVENT, MAX_ASYNCHRONOUS_EVENT),
    ):
        with pytest.raises(RequestTooLarge, match=f"Request must be smaller than {limit} bytes for the InvokeFunction"):
            await service.invoke("f", b'"' + b"x" * (limit - 1) + b'"', type_=type_)


@pytest.mark.parametrize(
    "context",
    [
        "no base64!",
        *(base64.b64encode(json).decode() for json in (b"[]", b"{", b'{"a":' + b"[" * 2000, b'{"a": "\xff"}')),
    ],
)
async def test_refuses_a_client_context_that_is_none(make_service: MakeService, context: str) -> None:
    service = await make_service()
    await service.create("f", ARCHIVE, configuration())
    with pytest.raises(InvalidRequestContent, match="valid Base64-encoded JSON object"):
        await service.invoke("f", b"{}", client_context=context)
    with pytest.raises(RequestTooLarge):
        await service.invoke("f", b"{}", client_context="e30=" * 1000)


# --- events and restarts ----------------------------------------------------------------------------------------------


async def test_events_run_after_the_caller_was_answered(service: FunctionService) -> None:
    result = await service.invoke("f", b'{"do": "print"}', type_=InvocationType.EVENT)
    assert result == InvocationResult(status=202)
    await until(lambda: logged(service, "REPORT"))
    assert logged(service, "to stdout")


async def test_a_failing_event_is_retried_with_the_same_request_id(service: FunctionService, clock: FakeClock) -> None:
    def ended() -> list[str]:
        return [line.text.split()[2] for line in service.logs("f") if line.text.startswith("REPORT")]

    await service.invoke("f", b'{"do": "raise"}', type_=InvocationType.EVENT, request_id="r-1")
    for attempts, wait in ((1, 60), (2, 120), (3, 3600)):
        await until(lambda: len(ended()) == attempts)  # noqa: B023
        for _ in range(20):
            await asyncio.sleep(0)
        await clock.advance(wait)
    assert ended() == ["r-1"] * 3


async def test_accepted_events_and_functions_survive_a_restart(make_service: MakeService, clock: FakeClock) -> None:
    first = await make_service()
    await first.create("f", ARCHIVE, configuration(environment={"OWN": "1"}))
    first._events.pause()  # killed before it began
    await first.invoke("f", b'{"do": "print"}', type_=InvocationType.EVENT, request_id="r-1")
    await first.close()
    second = await make_service()
    await until(lambda: logged(second, "REPORT RequestId: r-1"))
    assert logged(second, "to stdout")
    assert (await answer(second, do="variables"))["OWN"] == "1"


async def test_closing_lets_work_finish(service: FunctionService) -> None:
    running = asyncio.create_task(invoke(service, do="sleep", seconds=0.3))
    await until(lambda: logged(service, "asleep"))
    await service.close()
    assert (await running).payload == b"null"


async def test_closing_waits_only_so_long(service: FunctionService, clock: FakeClock, tmp_path: Path) -> None:
    running = asyncio.create_task(invoke(service, do="sleep", seconds=60))
    await until(lambda: logged(service, "asleep"))
    closing = asyncio.create_task(service.close())
    await clock.advance(2.5)
    assert not closing.done()
    running.cancel()
    await clock.advance(2.5)
    await closing
    with pytest.raises(asyncio.CancelledError):
        await running
    assert list((tmp_path / "functions/environments").iterdir()) == []


async def test_events_of_an_earlier_run_wait_until_the_platform_can_be_reached(
    make_service: MakeService, storage: Storage, arns: Arns, clock: FakeClock, trace: Trace, tmp_path: Path
) -> None:
    first = await make_service()
    await first.create("f", ARCHIVE, configuration())
    first._events.pause()
    await first.invoke("f", b"{}", type_=InvocationType.EVENT, request_id="r-1")
    await first.close()
    address = "unknown yet"
    second = FunctionService(
        *storage, arns, clock, trace, tmp_path / "functions", lambda: {"AWS_ENDPOINT_URL": address}
    )
    await second.load()
    await clock.advance(60)
    assert second.logs("f") == []
    address = "http://127.0.0.1:1234"
    await second.resume()
    await until(lambda: logged(second, "REPORT RequestId: r-1"))
    assert (await answer(second, do="variables"))["AWS_ENDPOINT_URL"] == address
    await second.close()


async def test_idle_environments_are_reaped(service: FunctionService, clock: FakeClock, tmp_path: Path) -> None:
    await answer(service)
    environments = tmp_path / "functions/environments"
    assert len(list(environments.iterdir())) == 1
    await clock.advance(400)
    await until(lambda: not list(environments.iterdir()))
    assert (await answer(service, do="count"))["calls"] == 1


# --- seeing why -------------------------------------------------------------------------------------------------------


async def test_tells_the_trace_what_happened(service: FunctionService, trace: Trace) -> None:
    seen: list[TraceEvent] = []
    trace.listen(seen.append)
    await invoke(service, do="print")
    await invoke(service, do="raise")
    with pytest.raises(AccessDenied):
        await service.invoke("f", b"{}", caller=ServiceCaller("iot.amazonaws.com", RULE, "123456789012"))
    assert [(one.kind, one.name, one.status) for one in seen] == [
        ("function", "f", "success"),
        ("function", "f", "failure"),
        ("function", "f", "denied"),
    ]
    assert seen[0].duration_ms is not None
    assert seen[0].detail is not None
    assert "to stdout" in seen[0].detail["log"]
    assert seen[1].reason == "KeyError: 'action'"
    assert seen[2].principal == RULE


async def test_says_where_a_declaration_differs(make_service: MakeService, caplog: pytest.LogCaptureFixture) -> None:
    service = await make_service()
    await service.create("f", ARCHIVE, configuration(runtime="python3.8"), architecture="arm64")
    assert "f declares python3.8 and is run by this server's interpreter, python3." in caplog.text
    await answer(service)
    assert logged(service, "(declared: python3.8)")


async def test_real_time_bounds_a_function_too(make_service: MakeService, executor: Executor) -> None:
    service = await make_service(clock=SystemClock(), executor=executor)
    await service.create("f", ARCHIVE, configuration(timeout=1))
    begun = time.monotonic()
    document = await failure(service, do="sleep", seconds=60)
    assert "Task timed out after 1.00 seconds" in document["errorMessage"]
    assert time.monotonic() - begun < 5
