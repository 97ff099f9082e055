"""What the clients of a measurement are told, and what they tell: JSON between their process and ours."""

import subprocess
import sys
from pathlib import Path

import msgspec

from bench.affinity import pinned
from bench.driver import RunError

LONGEST = 60.0
"""Seconds for connecting and draining, beside the run itself."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Certificates are PEM files; without them it is plain TCP."""

    port: int
    pid: int
    """The server's process, whose CPU time is read when the measured span begins and when it ends."""
    clients: int
    seconds: float
    warm_up: float
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    access_key_id: str = ""
    secret_access_key: str = ""
    region: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to: the measured span, and whether all of it, warm-up and drain included, was as it should be."""

    updates: int
    """Accepted in the measured span."""
    seconds: float
    server_cpu: float
    client_cpu: float
    """Seconds of CPU time, all threads."""
    p50: float
    p99: float
    """Seconds from sending an update to having its answer."""
    complaints: list[str] = []
    """What was lost, repeated, out of order or refused."""

    @property
    def rate(self) -> float:
        """Accepted updates per second."""
        return self.updates / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of the server's CPU time per update."""
        return self.server_cpu * 1e6 / max(1, self.updates)


def run(module: str, task: Task, core: int) -> Outcome:
    """Have the clients of `module` do it, in a process on a core of their own. Raises RunError."""
    command = (sys.executable, "-m", f"bench.shadows.{module}")
    try:
        with pinned({core}):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=_root()
            )
        with process:
            out, err = process.communicate(msgspec.json.encode(task), LONGEST + task.warm_up + task.seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        process.kill()
        raise RunError(f"the clients did not finish: {error}") from error
    if process.returncode:
        raise RunError(err.decode().strip().rpartition("\n")[2] or f"the clients ended with {process.returncode}")
    outcome = msgspec.json.decode(out, type=Outcome)
    if outcome.complaints:
        raise RunError("; ".join(outcome.complaints[:5]))
    return outcome


def _root() -> Path:
    return Path(__file__).parents[2]
