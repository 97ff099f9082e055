"""Runs a function as a plain process: works everywhere, separates memory and lifetime, hides no files."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from fogbank.functions import processes
from fogbank.functions.executors.base import Launch, RunningProcess

LAUNCHER = Path(__file__).with_name("launch.py")
_SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin")


class PlainProcess:
    """A runtime that leads a session of its own."""

    def __init__(self, process: asyncio.subprocess.Process, mark: str) -> None:
        self._process = process
        self._mark = mark
        self.pid = process.pid

    async def wait(self) -> int:
        return await self._process.wait()

    def kill(self) -> None:
        if self._process.returncode is None:  # else the number may be another's by now
            descendants = processes.tree(self.pid)
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            processes.kill(descendants[1:])

    async def finish(self) -> None:
        await _kill_marked(self._mark)


class ProcessExecutor:
    """Plain processes, bounded by rlimits."""

    async def start(self, launch: Launch) -> RunningProcess:
        scratch = str(launch.scratch)
        places = {
            "LAMBDA_TASK_ROOT": str(launch.code),
            "LAMBDA_RUNTIME_DIR": str(LAUNCHER.parent),
            "HOME": scratch,  # the operator's ~/.aws is not the function's
            "TMPDIR": scratch,
        }
        process = await asyncio.create_subprocess_exec(
            *command(launch, parent=os.getpid(), launcher=str(LAUNCHER)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=launch.output,
            stderr=launch.output,
            cwd=launch.code,
            env={"PATH": search_path()} | launch.variables | places,
            start_new_session=True,
        )
        return PlainProcess(process, f"HOME={scratch}")

    async def sweep(self, scratch: Path) -> None:
        for left in await asyncio.to_thread(os.listdir, scratch):
            await _kill_marked(f"HOME={scratch / left}")


async def _kill_marked(mark: str) -> None:
    """By the environment variable that processes inherit, whatever session or parent they left behind."""
    processes.kill(await asyncio.to_thread(processes.with_variable, mark))


def command(launch: Launch, *, parent: int, launcher: str) -> list[str]:
    """The interpreter with the launcher: `-B` writes no bytecode beside code that is shared and read-only."""
    backstop = 2 * launch.memory + (1 << 30)
    """Far above the limit the platform watches: it only stops what grows faster than the watching."""
    return [sys.executable, "-B", launcher, str(parent), str(backstop), str(launch.storage), launch.handler]


def search_path() -> str:
    """PATH with the interpreter's own directory first, as in AWS's runtime."""
    return ":".join((str(Path(sys.executable).parent), *_SYSTEM_PATH))
