"""Those that Fogbank is measured beside, each configured for speed: how they are started and known to be ready."""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from bench.broker import Broker, Endpoint, Setup
from bench.credentials import Authority
from bench.driver import build_reflector
from bench.process import accepts, await_ready, free_port, process

MOSQUITTO_CONFIGURATION = """\
listener {port} 127.0.0.1
set_tcp_nodelay true
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
log_dest none
log_type none
connection_messages false
"""
"""Its fastest: no authorisation, no log, no limit at which it would drop or hold back messages."""

MOSQUITTO_TLS = """
listener {port} 127.0.0.1
cafile {ca}
certfile {certificate}
keyfile {key}
require_certificate true
"""

NATS_CONFIGURATION = """\
server_name: bench
listen: "127.0.0.1:{client_port}"
jetstream {{ store_dir: "{store}" }}
mqtt {{
  listen: "127.0.0.1:{port}"
  max_ack_pending: 65535
  {tls}
}}
"""
"""No authorisation and the largest window. MQTT's sessions and QoS 1 messages are in JetStream's files: no choice."""

NATS_TLS = 'tls {{ ca_file: "{ca}", cert_file: "{certificate}", key_file: "{key}", verify: true }}'


def mosquitto_path() -> str | None:
    """Mosquitto's executable; Debian puts it where ordinary users' PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def nats_path() -> str | None:
    """The NATS server's executable; PyPI's wheel puts it beside Python's."""
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else shutil.which("nats-server")


@contextlib.contextmanager
def mosquitto(directory: Path, cores: Collection[int] | None, setup: Setup) -> Iterator[Broker]:
    """Mosquitto; ready when this is entered."""
    directory.mkdir(exist_ok=True)
    executable = mosquitto_path() or "mosquitto"
    port, secure_port = free_port(), free_port()
    text = MOSQUITTO_CONFIGURATION.format(port=port)
    # as root it would become a user of its own, who may not write here
    text += "user root\n"
    text += f"persistence true\npersistence_location {directory}/\n" if setup.persistent else "persistence false\n"
    client = None
    if setup.tls:
        authority = Authority(directory / "authority")
        server, client = authority.issue("server"), authority.issue("client")
        text += MOSQUITTO_TLS.format(port=secure_port, ca=server.ca, certificate=server.certificate, key=server.key)
    configuration, log = directory / "mosquitto.conf", directory / "log"
    configuration.write_text(text)
    with process([executable, "-c", str(configuration)], log, cores) as started:
        await_ready("mosquitto", started, lambda: accepts(port), log)
        yield Broker(
            name="mosquitto",
            version=_version([executable, "-h"], r"mosquitto version (\S+)"),
            plain=Endpoint(port, started.pid),
            secure=None if client is None else Endpoint(secure_port, started.pid, client),
        )


@contextlib.contextmanager
def nats(directory: Path, cores: Collection[int] | None, setup: Setup) -> Iterator[Broker]:
    """The NATS server; ready when this is entered. It has one MQTT port, so for TLS there is a second server."""
    directory.mkdir(exist_ok=True)
    executable = nats_path() or "nats-server"
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(_nats(directory / "plain", executable, cores, tls=False))
        secure = stack.enter_context(_nats(directory / "tls", executable, cores, tls=True)) if setup.tls else None
        version = _version([executable, "--version"], r"v(\d\S*)")
        yield Broker(name="nats", version=version, plain=plain, secure=secure)


@contextlib.contextmanager
def _nats(directory: Path, executable: str, cores: Collection[int] | None, *, tls: bool) -> Iterator[Endpoint]:
    directory.mkdir(exist_ok=True)
    port = free_port()
    client, tls_text = None, ""
    if tls:
        authority = Authority(directory / "authority")
        server, client = authority.issue("server"), authority.issue("client")
        tls_text = NATS_TLS.format(ca=server.ca, certificate=server.certificate, key=server.key)
    configuration, log = directory / "nats.conf", directory / "log"
    configuration.write_text(
        NATS_CONFIGURATION.format(client_port=free_port(), store=directory / "store", port=port, tls=tls_text)
    )
    with process([executable, "-c", str(configuration)], log, cores) as started:
        await_ready("nats", started, lambda: accepts(port), log)
        yield Endpoint(port, started.pid, client)


@contextlib.contextmanager
def reflector(directory: Path, cores: Collection[int] | None, setup: Setup) -> Iterator[Broker]:
    """The generator's mirror; ready when this is entered. It knows no TLS and no sessions."""
    directory.mkdir(exist_ok=True)
    port = free_port()
    log = directory / "log"
    with process([str(build_reflector()), str(port)], log, cores) as started:
        await_ready("reflector", started, lambda: accepts(port), log)
        yield Broker(name="reflector", version="-", plain=Endpoint(port, started.pid), secure=None)


def _version(command: list[str], pattern: str) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(pattern, said)
    return found[1] if found else "unknown"
