"""Runs a function in a bubblewrap sandbox: its own process ids and /tmp, the code at /var/task as on AWS, nothing of
the machine's files but the system's libraries and the interpreter, no capabilities. It dies with the platform as a
whole, whatever it started.

The network is the machine's: a function must reach the platform and the world.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from fogbank.functions.executors.base import Launch, RunningProcess, exit_code
from fogbank.functions.executors.process import LAUNCHER, command, search_path

_TASK_ROOT = "/var/task"
_RUNTIME_DIR = "/var/runtime"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/opt")
_CONFIGURATION = (
    "passwd group hosts host.conf resolv.conf nsswitch.conf services protocols localtime mime.types ssl pki "
    "ca-certificates crypto-policies ld.so.cache ld.so.conf ld.so.conf.d alternatives"
)
"""Of /etc, what name resolution, TLS and the dynamic linker read."""
_RESOLVERS = ("/run/systemd/resolve", "/run/resolvconf")
"""Where /etc/resolv.conf may link to."""
_SHARED_MEMORY = 64 << 20
"""Bytes of /dev/shm, which no look at a process's memory finds."""
_LIBRARIES = ("awslambdaric", "boto3")


class SandboxedProcess:
    """A runtime inside bubblewrap; the sandbox's first process takes all others with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def wait(self) -> int:
        return exit_code(await self._process.wait())

    def kill(self) -> None:
        if self._process.returncode is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    async def finish(self) -> None:
        """The sandbox has taken everything with it."""


class BubblewrapExecutor:
    """Sandboxes made by `bwrap`, the path of its program. `private` directories are hidden wherever they lie."""

    def __init__(self, bwrap: str, private: Sequence[Path] = ()) -> None:
        self._bwrap = bwrap
        self._readable = list(dict.fromkeys(_readable()))
        self._hidden = [path for path in map(os.path.realpath, private) if _below(path, self._readable)]

    async def usable(self) -> bool:
        """Whether this machine lets us make such a sandbox and the interpreter starts in it."""
        process = await asyncio.create_subprocess_exec(
            *self._sandbox(tmp_size=1 << 20),
            *(sys.executable, "-c", "import awslambdaric"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        return await process.wait() == 0

    async def start(self, launch: Launch) -> RunningProcess:
        places = {"LAMBDA_TASK_ROOT": _TASK_ROOT, "LAMBDA_RUNTIME_DIR": _RUNTIME_DIR, "HOME": "/tmp"}  # noqa: S108
        launcher = f"{_RUNTIME_DIR}/{LAUNCHER.name}"
        with _setting({"PATH": search_path()} | launch.variables | places) as variables:
            process = await asyncio.create_subprocess_exec(
                *self._sandbox(tmp_size=launch.storage),
                *("--ro-bind", str(launch.code), _TASK_ROOT, "--ro-bind", str(LAUNCHER), launcher),
                *("--remount-ro", "/", "--chdir", _TASK_ROOT, "--args", str(variables)),
                *command(launch, parent=0, launcher=launcher),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=launch.output,
                stderr=launch.output,
                env={},
                pass_fds=(variables,),
                start_new_session=True,
            )
        return SandboxedProcess(process)

    async def sweep(self, scratch: Path) -> None:
        """Nothing outlives a sandbox."""

    def _sandbox(self, *, tmp_size: int) -> list[str]:
        return [
            *(self._bwrap, "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--cap-drop", "ALL"),
            *("--proc", "/proc", "--dev", "/dev", "--size", str(_SHARED_MEMORY), "--tmpfs", "/dev/shm"),  # noqa: S108
            *("--remount-ro", "/dev", "--size", str(tmp_size), "--tmpfs", "/tmp"),  # noqa: S108
            *(word for path in self._readable for word in _bind(path)),
            *(word for path in self._hidden if os.path.exists(path) for word in ("--tmpfs", path)),
        ]


@contextmanager
def _setting(variables: Mapping[str, str]) -> Iterator[int]:
    """A file, by its descriptor, of arguments that set the variables inside the sandbox.

    Not in bwrap's own environment: it runs outside, and a user's LD_PRELOAD would run with it. Not in its command
    line: everyone on the machine can read that.
    """
    words = [word for name, value in variables.items() for word in ("--setenv", name, value)]
    with open(os.memfd_create("variables"), "w+b") as file:
        file.write(b"".join(os.fsencode(word) + b"\0" for word in words))
        file.seek(0)  # flushes too
        yield file.fileno()


def _bind(path: str) -> tuple[str, ...]:
    if os.path.islink(path):
        return ("--symlink", os.readlink(path), path)
    return ("--ro-bind-try", path, path)


def _readable() -> Iterator[str]:
    """The system's directories, the interpreter's, and those its libraries lie in."""
    yield from (path for path in _SYSTEM if os.path.exists(path))
    yield from (f"/etc/{name}" for name in _CONFIGURATION.split() if os.path.exists(f"/etc/{name}"))
    yield from (path for path in _RESOLVERS if os.path.exists(path))
    libraries = [str(Path(spec.origin).parents[1]) for name in _LIBRARIES if (spec := find_spec(name)) and spec.origin]
    for path in (sys.prefix, sys.base_prefix, *libraries):
        for place in (path, os.path.realpath(path)):
            if place == sys.prefix or not _below(place, (*_SYSTEM, sys.prefix)):
                yield place


def _below(path: str, directories: Sequence[str]) -> bool:
    return any(path == directory or path.startswith(f"{directory}/") for directory in directories)
