"""The contestants: how each is started on free loopback ports, is known to be ready, and is stopped."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import msgspec

from bench.affinity import pinned
from bench.driver import build_reflector

LOOPBACK = "127.0.0.1"
NAMES = ("fogbank", "mosquitto", "reflector")

READY_WITHIN = 20.0
"""Seconds until a broker that does not answer counts as failed."""
STOP_WITHIN = 10.0

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "iot:Connect",
            "Resource": [
                "arn:aws:iot:us-east-1:123456789012:client/bench-pub-*",
                "arn:aws:iot:us-east-1:123456789012:client/bench-sub-*",
            ],
        },
        {
            "Effect": "Allow",
            "Action": ["iot:Publish", "iot:Receive"],
            "Resource": "arn:aws:iot:us-east-1:123456789012:topic/bench/*",
        },
        {
            "Effect": "Allow",
            "Action": "iot:Subscribe",
            "Resource": "arn:aws:iot:us-east-1:123456789012:topicfilter/bench/*",
        },
    ],
}
"""Fogbank runs with authorisation on: just what the generator does is allowed, nothing else."""

MOSQUITTO_CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 0
max_inflight_messages 0
persistence false
log_dest none
log_type none
connection_messages false
"""
"""Its fastest: no authorisation, no log, no disk, no limit at which it would drop or hold back messages."""


class BrokerError(Exception):
    """A broker that could not be started, with what it said itself."""


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """A running broker."""

    name: str
    version: str
    host: str
    port: int
    pid: int


class _Address(msgspec.Struct, frozen=True):
    host: str
    port: int


class _ReadyFile(msgspec.Struct, frozen=True):
    pid: int
    plain_mqtt: _Address


def default_command() -> list[str]:
    """`fogbank up` of the environment this runs in, its limits lifted as Mosquitto's are."""
    beside = Path(sys.executable).with_name("fogbank")
    return [str(beside) if beside.exists() else "fogbank", "up", "--limits", "open"]


@contextlib.contextmanager
def fogbank(directory: Path, command: Sequence[str], core: int | None) -> Iterator[Broker]:
    """Fogbank with its data in `directory`, which may be one it has used before. Ready when this is entered."""
    directory.mkdir(exist_ok=True)
    ready_file, policy, log = directory / "ready.json", directory / "policy.json", directory / "log"
    ready_file.unlink(missing_ok=True)
    policy.write_bytes(msgspec.json.encode(POLICY))
    full = [
        *command,
        *("--data", str(directory / "data"), "--region", "us-east-1", "--account-id", "123456789012"),
        *("--api-port", "0", "--mqtt-port", "0", "--https-port", "0"),
        *("--plain-mqtt-port", "0", "--plain-policy", str(policy), "--ready-file", str(ready_file)),
    ]
    with _process(full, log, core) as process:
        _await("fogbank", process, ready_file.exists, log)
        ready = msgspec.json.decode(ready_file.read_bytes(), type=_ReadyFile)
        address = ready.plain_mqtt
        try:
            version = metadata.version("fogbank")
            yield Broker(name="fogbank", version=version, host=address.host, port=address.port, pid=ready.pid)
        finally:
            if ready.pid != process.pid:
                _end_wrapped(ready.pid, process)


def _end_wrapped(pid: int, wrapper: subprocess.Popen[bytes]) -> None:
    """A profiler around the broker writes its findings once the broker has ended, not when it is itself told to."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        wrapper.wait(STOP_WITHIN)


def mosquitto_path() -> str | None:
    """Mosquitto's executable; Debian puts it where ordinary users' PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def mosquitto(directory: Path, executable: str, core: int | None) -> Iterator[Broker]:
    """Mosquitto, configured for speed. Ready when this is entered."""
    directory.mkdir(exist_ok=True)
    port = _free_port()
    configuration, log = directory / "mosquitto.conf", directory / "log"
    configuration.write_text(MOSQUITTO_CONFIGURATION.format(port=port))
    with _process([executable, "-c", str(configuration)], log, core) as process:
        _await("reflector", process, lambda: _accepts(port), log)
        yield Broker(
            name="mosquitto", version=_mosquitto_version(executable), host=LOOPBACK, port=port, pid=process.pid
        )


def _mosquitto_version(executable: str) -> str:
    help_text = subprocess.run([executable, "-h"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"mosquitto version (\S+)", help_text)
    return found[1] if found else "unknown"


@contextlib.contextmanager
def reflector(directory: Path, core: int | None) -> Iterator[Broker]:
    """The generator's mirror. Ready when this is entered."""
    directory.mkdir(exist_ok=True)
    port = _free_port()
    log = directory / "log"
    with _process([str(build_reflector()), str(port)], log, core) as process:
        _await("reflector", process, lambda: _accepts(port), log)
        yield Broker(name="reflector", version="-", host=LOOPBACK, port=port, pid=process.pid)


@contextlib.contextmanager
def _process(command: Sequence[str], log: Path, core: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its output in `log`, on its core, terminated on leaving."""
    with log.open("wb") as output:
        try:
            with pinned(core):
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        except OSError as error:
            raise BrokerError(f"cannot run {command[0]}: {error.strerror}") from error
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await(name: str, process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    """Poll every millisecond, so that start-up times are good to one."""
    deadline = time.monotonic() + READY_WITHIN
    while not ready():
        if process.poll() is not None:
            raise BrokerError(f"{name} ended with status {process.returncode} before it was ready:\n{_last_lines(log)}")
        if time.monotonic() > deadline:
            raise BrokerError(f"{name} was not ready after {READY_WITHIN:.0f} s:\n{_last_lines(log)}")
        time.sleep(0.001)


def _last_lines(log: Path, count: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
