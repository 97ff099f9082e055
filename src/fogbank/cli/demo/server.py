"""`fogbank up` as a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from fogbank.cli.demo.inbox import NotSeen, eventually
from fogbank.ready import Ready

START = 20.0
"""Seconds until it must be ready; a second is usual."""
STOP = 15.0
"""Seconds that it has to end by itself."""


class Server:
    """A platform on free ports. It is outside this process's group, so that Ctrl-C reaches it when we say so."""

    def __init__(self, data: Path, log: Path, *options: str) -> None:
        self._data = data
        self._log = log
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._where: Ready | None = None

    @property
    def where(self) -> Ready:
        """Where it was ready last."""
        assert self._where is not None, "it was never ready"
        return self._where

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Ready:
        """Start it, and return once it accepts. Raises NotSeen where it does not come up."""
        ready_file = self._data.with_name(f"{self._data.name}.ready.json")
        ready_file.unlink(missing_ok=True)
        ports = ["--api-port", "0", "--mqtt-port", "0", "--https-port", "0"]
        command = [sys.executable, "-m", "fogbank.cli", "up", "--data", str(self._data), *ports]
        with self._log.open("ab") as log:
            self._process = process = subprocess.Popen(  # noqa: S603
                [*command, "--ready-file", str(ready_file), *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(
            "the platform to be ready",
            lambda: "not ready yet",
            lambda _: ready_file.exists() or process.poll() is not None,
            START,
        )
        if process.poll() is not None:
            raise NotSeen("the platform to start", f"it ended with exit code {process.returncode}")
        self._where = msgspec.json.decode(ready_file.read_bytes(), type=Ready)
        return self._where

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, by force where asking does not help, and return its exit code."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(STOP)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            return process.wait()

    def log_tail(self) -> list[str]:
        """The last lines that it logged."""
        try:
            return self._log.read_text(errors="replace").splitlines()[-5:]
        except OSError:
            return []
