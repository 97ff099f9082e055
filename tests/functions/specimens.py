"""Functions to test with: a handler that does what its event says, and zips of all kinds."""

import asyncio
import io
import zipfile
from collections.abc import Callable, Mapping

from fogbank.functions.function import Configuration

ROLE = "arn:aws:iam::123456789012:role/worker"
ACCOUNT = "123456789012"

HANDLER = """
import ctypes
import os
import subprocess
import sys
import time

print("module loaded")
calls = 0


def handler(event, context):
    global calls
    calls += 1
    return globals()["do_" + event.get("do", "echo")](event, context)


def do_echo(event, context):
    return event


def do_count(event, context):
    return {"calls": calls, "pid": os.getpid()}


def do_raise(event, context):
    raise KeyError("action")


def do_exit(event, context):
    sys.exit(event["code"])


def do_quit(event, context):
    os._exit(event["code"])


def do_crash(event, context):
    ctypes.string_at(0)


def do_sleep(event, context):
    print("asleep")
    time.sleep(event["seconds"])


def do_grow(event, context):
    block = bytearray(event["megabytes"] << 20)
    print("grown")
    time.sleep(event.get("seconds", 0))


def do_set(event, context):
    return {1, 2}


def do_long(event, context):
    return "x" * event["bytes"]


def do_print(event, context):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    print("no newline", end="")
    return None


def do_chatter(event, context):
    for number in range(event["lines"]):
        print(f"line {number}")


def do_variables(event, context):
    return dict(os.environ)


def do_context(event, context):
    return {
        "name": context.function_name,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "request_id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(),
        "custom": context.client_context.custom if context.client_context else None,
        "log_group": context.log_group_name,
    }


def do_daemon(event, context):
    child = subprocess.Popen(["sleep", event["argument"]], start_new_session=True)
    return child.pid


def do_write(event, context):
    with open("/tmp/scratch", "w") as file:
        file.write("mine")
    try:
        with open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "lambda_function.py"), "a") as file:
            file.write("#")
    except OSError as error:
        return type(error).__name__
"""


def zip_of(files: Mapping[str, str | bytes]) -> bytes:
    """A zip file with these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def zip_with_mode(name: str, content: str, mode: int) -> bytes:
    """A zip file with one member of the Unix mode, links included."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        opened.writestr(entry, content)
    return buffer.getvalue()


ARCHIVE = zip_of({"lambda_function.py": HANDLER})


def configuration(
    handler: str = "lambda_function.handler",
    *,
    timeout: int = 3,
    memory_size: int = 128,
    environment: Mapping[str, str] | None = None,
    runtime: str = "python3.11",
) -> Configuration:
    return Configuration(
        runtime=runtime,
        role=ROLE,
        handler=handler,
        timeout=timeout,
        memory_size=memory_size,
        environment=environment or {},
    )


async def until(reached: Callable[[], bool]) -> None:
    """Wait for what a real process does."""
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110 - there is no event to wait for in another process
            await asyncio.sleep(0.002)
