"""What is left when the platform is killed without a chance to clean up: no process, and soon no file."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from tests.functions.conftest import MakeService
from tests.functions.specimens import until

ROOT = Path(__file__).parents[3]


def running(*marks: str) -> list[str]:
    """The processes that have all marks in their command line or environment."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            text = (directory / "cmdline").read_bytes() + (directory / "environ").read_bytes()
        except OSError:
            continue
        if all(mark.encode() in text for mark in marks) and b"platform_process" not in text:
            found.append(directory.name)
    return found


@pytest.fixture
def argument() -> str:
    return f"3600.{time.time_ns()}"


@pytest.fixture(params=["process", "sandbox"])
async def killed(request: pytest.FixtureRequest, tmp_path: Path, argument: str) -> str:
    """A platform that was at work, killed with -9: the name of its executor."""
    kind = "process" if request.param == "process" else request.getfixturevalue("bwrap")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.functions.platform_process", str(tmp_path / "functions"), kind, argument),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
    assert running(argument)
    assert running("launch.py", str(tmp_path))
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    return str(request.param)


async def test_runtimes_end_with_the_platform(killed: str, tmp_path: Path, argument: str) -> None:
    await until(lambda: not running("launch.py", str(tmp_path)))
    if killed == "sandbox":
        await until(lambda: not running(argument))


async def test_the_next_start_ends_and_removes_what_is_left(
    killed: str, tmp_path: Path, argument: str, make_service: MakeService
) -> None:
    left = tmp_path / "functions"
    assert os.listdir(left / "environments")
    await make_service()
    await until(lambda: not running(argument))
    assert not (left / "environments").exists()
    assert os.listdir(left / "code") == []
