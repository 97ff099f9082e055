"""`fogbank up` as a process of its own, on free ports."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

BIN = Path(sys.executable).parent
START = 30.0
"""Seconds until it must be ready; it usually is in one."""


class Server(msgspec.Struct, frozen=True):
    """A server that runs, by what its ready file says."""

    data: Path
    ready: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """What a program started beside it sees: `fogbank` on the path, and no instance but this one."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FOGBANK_"))}
        path = f"{BIN}{os.pathsep}{inherited.get('PATH', os.defpath)}"
        return {**inherited, "PATH": path, "FOGBANK_DATA": str(self.data), "PYTHONUNBUFFERED": "1"}

    @property
    def aws_environment(self) -> dict[str, str]:
        """What `fogbank env` sets, besides."""
        return {
            **self.environment,
            "AWS_ENDPOINT_URL": self.ready["api"],
            "AWS_ACCESS_KEY_ID": self.ready["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.ready["secret_access_key"],
            "AWS_REGION": self.ready["region"],
            "AWS_DEFAULT_REGION": self.ready["region"],
        }


@contextmanager
def serving(data: Path, *options: str) -> Iterator[Server]:
    """A server on `data`, ended by SIGTERM. It must have started, and must end, without an error."""
    ports = ("--api-port", "0", "--mqtt-port", "0", "--https-port", "0")
    log = data.with_name(f"{data.name}.stderr")
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [BIN / "fogbank", "up", "--data", data, *ports, *options], stdout=subprocess.PIPE, stderr=stderr
        )
        assert process.stdout is not None
        with process.stdout:
            first = process.stdout.readline()  # the line is printed once it accepts; at its end, the stream's
            assert first.startswith(b"fogbank is ready"), log.read_text()
            try:
                yield Server(data, msgspec.json.decode((data / "ready.json").read_bytes()))
            finally:
                process.send_signal(signal.SIGTERM)
                assert process.wait(START) == 0, log.read_text()
