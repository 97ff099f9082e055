"""The servers under test: `fogbank up` as a process, or whichever server the environment names."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START = 20.0
"""Seconds for a server to come up on a busy machine."""
OTHER = "FOGBANK_CONFORMANCE_SERVER"
"""`host:port` of another server to run the tests of the standard against, to try the tests themselves."""

Address = tuple[str, int]


def other_server() -> Address | None:
    """The one that the environment names."""
    host, _, port = os.environ.get(OTHER, "").rpartition(":")
    return (host, int(port)) if port else None


@contextmanager
def fogbank(place: Path, limits: str) -> Iterator[Address]:
    """A process of its own: the address of its plain listener. It must end well."""
    ready_file = place / "ready.json"
    ports = [word for name in ("api", "mqtt", "https", "plain-mqtt") for word in (f"--{name}-port", "0")]
    command = [sys.executable, "-m", "fogbank.cli", "up", "--data", str(place / "data"), "--limits", limits]
    with (place / "output").open("wb") as output:
        process = subprocess.Popen(
            [*command, *ports, "--ready-file", str(ready_file)],
            stdout=output,
            stderr=output,
            env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FOGBANK_"))},
        )
    try:
        end = time.monotonic() + START
        while not ready_file.exists():
            assert process.poll() is None, (place / "output").read_text()
            assert time.monotonic() < end, "the server is not ready"
            select.select([], [], [], 0.005)
        where = json.loads(ready_file.read_text())["plain_mqtt"]
        yield where["host"], where["port"]
    finally:
        process.terminate()
        try:
            code = process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise
    written = (place / "output").read_text()
    assert code == 0, written
    assert "Traceback" not in written, written
