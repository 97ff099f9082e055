"""MiniStack, an emulator of AWS in Python that runs rules: a peer for them, and a queue for both.

It comes from PyPI into an environment of its own, at its first use: it pins libraries that are ours, too.
"""

import contextlib
import importlib.metadata
import subprocess
import sys
import urllib.request
from collections.abc import Collection, Iterator
from pathlib import Path

from bench.broker import Api, Broker, Endpoint
from bench.driver import BUILD
from bench.fogbank import registered
from bench.process import LOOPBACK, await_ready, free_port, process

NAME = "ministack"
ENVIRONMENT = BUILD / "ministack"
PACKAGES = ("ministack", "cryptography")
"""It listens for MQTT only where it finds the second."""
PYTHON = ENVIRONMENT / "bin" / "python"
INSTALLED = ENVIRONMENT / ".installed"
INSTALLED_WITHIN = 300.0
"""Seconds."""

REGION, ACCOUNT = "us-east-1", "123456789012"


def installed() -> bool:
    """Whether it can take part."""
    return INSTALLED.exists()


def install() -> str | None:
    """Fetch it; where that cannot be done, why not."""
    pip = (str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES)
    try:
        for command in ((sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)), pip):
            subprocess.run(command, capture_output=True, text=True, check=True, timeout=INSTALLED_WITHIN)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines()
        return f"ministack could not be installed by pip: {said[-1] if said else error}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"ministack could not be installed by pip: {error}"
    INSTALLED.touch()
    return None


def version() -> str:
    """Of what is installed."""
    found = importlib.metadata.distributions(name=NAME, path=[str(path) for path in ENVIRONMENT.glob("lib/*/*")])
    return next((each.version for each in found), "unknown")


@contextlib.contextmanager
def ministack(directory: Path, cores: Collection[int] | None) -> Iterator[Broker]:
    """Running, with a client registered; ready when this is entered. It keeps everything in memory.

    MQTT comes in over TLS alone, so that both of the broker's endpoints are the one.
    """
    directory.mkdir(exist_ok=True)
    port, mqtt_port, log = free_port(), free_port(), directory / "log"
    environment = {
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_PORT": str(mqtt_port),
        "BIND_HOST": LOOPBACK,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "LOG_LEVEL": "WARNING",
        "S3_DATA_DIR": str(directory / "s3"),
        "TMPDIR": str(directory),
    }
    url = f"http://{LOOPBACK}:{port}"
    with process([str(PYTHON), "-m", "ministack"], log, cores, environment) as started:
        await_ready(NAME, started, lambda: _listens(url), log)
        ca = directory / "ca.pem"
        ca.write_bytes(_get(f"{url}/_ministack/iot/ca.pem"))
        api = Api(url, REGION, "test", "test")
        endpoint = Endpoint(mqtt_port, started.pid, registered(api, ca, directory))
        yield Broker(name=NAME, version=version(), plain=endpoint, secure=endpoint, api=api)


def _listens(url: str) -> bool:
    try:
        return b'"listening"' in _get(f"{url}/_ministack/ready")
    except OSError:
        return False


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bytes(answer.read())
