"""A broker's process: started with its output in a file, on its cores, awaited, and ended."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from bench.affinity import pinned

LOOPBACK = "127.0.0.1"

READY_WITHIN = 20.0
"""Seconds until a broker that does not answer counts as failed."""
STOP_WITHIN = 10.0


class BrokerError(Exception):
    """A broker that could not be started, with what it said itself."""


@contextlib.contextmanager
def process(
    command: Sequence[str], log: Path, cores: Collection[int] | None, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its output in `log`, on its cores, with these variables besides ours, terminated on leaving."""
    variables = {**os.environ, **(environment or {})}
    with log.open("wb") as output:
        try:
            with pinned(cores):
                started = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=variables
                )
        except OSError as error:
            raise BrokerError(f"cannot run {command[0]}: {error.strerror}") from error
    try:
        yield started
    finally:
        _stop(started)


def _stop(started: subprocess.Popen[bytes]) -> None:
    if started.poll() is None:
        started.send_signal(signal.SIGTERM)
    try:
        started.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()


def await_ready(name: str, started: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    """Poll every millisecond, so that start-up times are good to one."""
    deadline = time.monotonic() + READY_WITHIN
    while not ready():
        if started.poll() is not None:
            raise BrokerError(f"{name} ended with status {started.returncode} before it was ready:\n{_last_lines(log)}")
        if time.monotonic() > deadline:
            raise BrokerError(f"{name} was not ready after {READY_WITHIN:.0f} s:\n{_last_lines(log)}")
        time.sleep(0.001)


def _last_lines(log: Path, count: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether somebody listens on it now."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def allow_many_files() -> None:
    """A file each for thousands of connections: as many as this user may have, here and in what is started."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
