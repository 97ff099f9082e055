"""The brokers that are killed: how each is started on a directory, is known to be ready, and is ended."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import msgspec

from fogbank.ready import Ready

START = 30.0
"""Seconds until a broker must be ready."""

MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages 100
persistence true
persistence_location {directory}/
autosave_interval 1
log_dest stderr
user root
connection_messages false
"""
"""As durable as it can be made: it saves every second. What it acknowledges between two saves is lost by a kill.
The user matters where it is started by root: it could not write to the directory as anybody else."""


class NotReady(Exception):
    """The broker did not come up; with what it said."""


class Broker(Protocol):
    """Something to torture."""

    name: str

    async def start(self) -> None:
        """Start it on its directory."""
        ...

    async def ready(self) -> int:
        """The port at which it accepts MQTT without TLS, once it does. Raises NotReady."""
        ...

    async def kill(self) -> None:
        """SIGKILL, to it and all that it has started."""
        ...

    async def stop(self) -> int:
        """SIGTERM, and its exit status."""
        ...


class Process:
    """One process in a group of its own, ready once it has printed a certain line."""

    def __init__(
        self, log: Path, *, speaks_on_stderr: bool = False, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._log = log
        self._environment = environment
        self._speaks_on_stderr = speaks_on_stderr
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[bytes] | None = None

    async def start(self, command: list[str]) -> None:
        """In an environment that does not tell it other than the command does, but for what it was given."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FOGBANK_"))}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT if self._speaks_on_stderr else log,
                start_new_session=True,
                env={**inherited, **self._environment},
            )

    async def printed(self, ready: bytes) -> None:
        """Returns once `ready` is in a line. Raises NotReady."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START):
                while ready not in (line := await process.stdout.readline()):
                    if not line:
                        raise NotReady(f"it ended: {self._log.read_text(errors='replace')[-2000:]}")
        except TimeoutError:
            raise NotReady(f"not ready after {START:g} s; its log is {self._log}") from None
        self._drain = asyncio.create_task(process.stdout.read())

    async def end(self, how: signal.Signals) -> int:
        """Signal the whole group and wait until the process has ended."""
        process = self._process
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        try:
            return await asyncio.wait_for(process.wait(), START)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return await process.wait()
        finally:
            if self._drain is not None:
                await self._drain
            self._process = self._drain = None


class Fogbank:
    """`fogbank up`."""

    name = "fogbank"

    def __init__(self, directory: Path, limits: str, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self._ready = directory / "ready.json"
        self._process = Process(directory / "log", environment=environment)
        self._command = [
            *(sys.executable, "-m", "fogbank.cli", "up", "--data", str(directory / "data"), "--limits", limits),
            *(word for name in ("api", "mqtt", "https", "plain-mqtt") for word in (f"--{name}-port", "0")),
            *("--ready-file", str(self._ready)),
        ]

    async def start(self) -> None:
        await self._process.start(self._command)

    async def ready(self) -> int:
        """The ready file is there before the line is printed."""
        await self._process.printed(b"fogbank is ready")
        plain_mqtt = self.where().plain_mqtt
        assert plain_mqtt is not None, "it was asked for"
        return plain_mqtt.port

    def where(self) -> Ready:
        """What it has written down of itself."""
        return msgspec.json.decode(self._ready.read_bytes(), type=Ready)

    async def kill(self) -> None:
        await self._process.end(signal.SIGKILL)

    async def stop(self) -> int:
        return await self._process.end(signal.SIGTERM)


def mosquitto_path() -> str | None:
    """Mosquitto's executable; Debian puts it where ordinary users' PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """A broker that is known to forget: what proves that the torture finds it out."""

    name = "mosquitto"

    def __init__(self, directory: Path, executable: str) -> None:
        self._process = Process(directory / "log", speaks_on_stderr=True)
        self._configuration = directory / "mosquitto.conf"
        self._executable = executable
        self._port = 0

    async def start(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self._configuration.write_text(MOSQUITTO.format(port=self._port, directory=self._configuration.parent))
        await self._process.start([self._executable, "-c", str(self._configuration)])

    async def ready(self) -> int:
        await self._process.printed(b" running")
        return self._port

    async def kill(self) -> None:
        await self._process.end(signal.SIGKILL)

    async def stop(self) -> int:
        return await self._process.end(signal.SIGTERM)
