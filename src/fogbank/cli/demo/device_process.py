"""The device as seen from outside: a process that is given orders, listened to, and killed."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from fogbank.cli.demo.inbox import Inbox
from fogbank.ready import Ready


class Credentials(msgspec.Struct, frozen=True):
    """Files of one thing."""

    thing: str
    certificate: Path
    key: Path


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line that the device printed."""

    kind: str
    topic: str = ""
    payload: dict[str, Any] | None = None
    error: str = ""


class DeviceProcess:
    """Runs `fogbank.cli.demo.device` with a thing's certificate; what it says is in `said`."""

    def __init__(self, where: Ready, credentials: Credentials, errors: Path) -> None:
        self.said: Inbox[Said] = Inbox()
        command = [sys.executable, "-m", "fogbank.cli.demo.device", "--thing", credentials.thing]
        command += ["--endpoint", where.mqtts.host, "--port", str(where.mqtts.port), "--ca", where.ca_file]
        command += ["--cert", str(credentials.certificate), "--key", str(credentials.key)]
        self._errors = errors
        with errors.open("ab") as stderr:
            self._process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
            )
        self._reader = threading.Thread(target=self._read, name="device", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def publish(self, topic: str, payload: dict[str, Any]) -> None:
        """Have it publish, at quality of service 1; it says `published` when the broker has taken it."""
        self._order({"do": "publish", "topic": topic, "payload": payload})

    def report(self, state: dict[str, Any]) -> None:
        """Have it report to its shadow."""
        self._order({"do": "report", "state": state})

    def kill(self) -> None:
        """SIGKILL: it cannot say goodbye."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:
                pass  # orders that it did not live to read

    def _order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.put(msgspec.json.decode(line, type=Said))
        last = self._errors.read_text(errors="replace").splitlines()[-1:]
        self.said.close(": ".join(["the device has ended", *last]))
