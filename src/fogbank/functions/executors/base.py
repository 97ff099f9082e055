"""What an executor is: the way an environment's process is started and ended."""

import signal
from pathlib import Path
from typing import Protocol

import msgspec


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a runtime's process is started with. Sizes in bytes."""

    handler: str
    code: Path
    """The unpacked function, which the process must not change."""
    scratch: Path
    """An empty directory of its own; removed with the environment."""
    variables: dict[str, str]
    """AWS's and the user's variables; the executor adds those that name places."""
    memory: int
    storage: int
    output: int
    """The file descriptor for stdout and stderr."""


class RunningProcess(Protocol):
    """A started runtime with all it may start itself."""

    pid: int
    """The root of its process tree."""

    async def wait(self) -> int:
        """Return when it has ended: its exit code, or minus the number of the signal that killed it."""
        ...

    def kill(self) -> None:
        """End it and all it started, at once."""
        ...

    async def finish(self) -> None:
        """After it has ended: end whatever of it outlived it."""
        ...


class Executor(Protocol):
    """Starts runtimes."""

    async def start(self, launch: Launch) -> RunningProcess: ...

    async def sweep(self, scratch: Path) -> None:
        """End what an earlier run of the platform left running with a scratch directory below `scratch`."""
        ...


def exit_code(status: int) -> int:
    """What a shell's or sandbox's `128 + signal` stands for."""
    return -(status - 128) if 128 < status <= 128 + signal.NSIG else status
