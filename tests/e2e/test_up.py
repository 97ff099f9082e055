"""`fogbank up` as scripts see it: ports, locks, signals, the ready file, time and memory."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.server import Server
from fogbank.cli.demo.trace import TraceStream

FREE_PORTS = ("--api-port", "0", "--mqtt-port", "0", "--https-port", "0")
MAX_RSS = 80 * 1024 * 1024
MAX_CPU = 1.0
"""Seconds of processor time until ready: what the start-up costs, whatever else the machine does."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A platform of the test's own."""
    server = Server(tmp_path / "data", tmp_path / "server.log")
    yield server
    server.stop(signal.SIGKILL)


def up(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """`fogbank up`, where it is going to fail."""
    command = [sys.executable, "-m", "fogbank.cli", "up", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def test_a_port_that_is_taken_is_named_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = up("--data", str(tmp_path / "data"), *FREE_PORTS[2:], "--api-port", str(port))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"Error: cannot listen on 127.0.0.1:{port} for the HTTP API: address already in use; choose another port, "
        "or 0 for any free one\n"
    )


def test_a_second_server_on_the_same_data_directory_is_refused(server: Server, tmp_path: Path) -> None:
    server.start()
    ended = up("--data", str(tmp_path / "data"), *FREE_PORTS)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 1
    assert str(tmp_path / "data") in ended.stderr
    assert App(server.where, tmp_path).iot.list_things()["things"] == []  # the first one does not care
    assert (tmp_path / "data" / "ready.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [("--api-port", "65536"), ("--account-id", "12"), ("--access-key", "no-colon"), ("--limits", "none"), ("--nope",)],
)
def test_what_an_option_cannot_be_is_a_usage_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = up("--data", str(tmp_path / "data"), *FREE_PORTS, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert arguments[0] in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = up("--data", str(tmp_path / "file" / "data"), *FREE_PORTS)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in ended.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_clients_connected(server: Server, tmp_path: Path, how: signal.Signals) -> None:
    where = server.start()
    app = App(where, tmp_path)
    device = SdkDevice(where, app.create_thing("lamp", app.policy(("iot:*", "*"))))
    device.connect()
    with TraceStream(where):
        begun = time.monotonic()
        assert server.stop(how) == 0
        assert time.monotonic() - begun < 5
    device.interruptions.take("the end of the connection")
    device.close()
    assert not (tmp_path / "data" / "ready.json").exists()
    log = (tmp_path / "server.log").read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log


def test_the_ready_file_appears_whole_and_for_its_owner_alone(server: Server, tmp_path: Path) -> None:
    where = server.start()
    for path in (tmp_path / "data.ready.json", tmp_path / "data" / "ready.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_bytes())["pid"] == where.pid == server.pid
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_ready_file_is_never_seen_in_part(server: Server, tmp_path: Path) -> None:
    """Watches the file come into being, as a script that waits for it does."""
    path = tmp_path / "watched.json"
    command = [sys.executable, "-m", "fogbank.cli", "up", "--data", str(tmp_path / "data"), *FREE_PORTS]
    process = subprocess.Popen([*command, "--ready-file", str(path)], stdout=subprocess.PIPE, text=True)
    try:
        while True:
            try:
                seen = path.read_bytes()
            except FileNotFoundError:
                assert process.poll() is None
                continue
            break
        assert json.loads(seen)["pid"] == process.pid
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("fogbank is ready: api http://127.0.0.1:")
    finally:
        process.terminate()
        rest, _ = process.communicate(timeout=10)
    assert rest == ""


def test_given_key_region_and_account_are_what_it_answers_with(tmp_path: Path) -> None:
    options = ("--access-key", "AKIDEXAMPLE:secret/with:colon", "--region", "eu-west-1", "--account-id", "111122223333")
    server = Server(tmp_path / "data", tmp_path / "server.log", *options)
    try:
        where = server.start()
        assert (where.access_key_id, where.secret_access_key) == ("AKIDEXAMPLE", "secret/with:colon")
        made = App(where, tmp_path).iot.create_thing(thingName="lamp")
        assert made["thingArn"] == "arn:aws:iot:eu-west-1:111122223333:thing/lamp"
    finally:
        server.stop()


def test_plain_mqtt_is_for_tools_that_have_no_tls(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", tmp_path / "server.log", "--plain-mqtt-port", "0")
    where = server.start()
    client = paho.Client(CallbackAPIVersion.VERSION2, "tool", protocol=paho.MQTTv311)
    try:
        assert where.plain_mqtt is not None
        client.connect(where.plain_mqtt.host, where.plain_mqtt.port)
        client.loop_start()
        client.publish("any/topic", b"{}", 1).wait_for_publish(10)
        assert "restrict them by --plain-policy" in (tmp_path / "server.log").read_text()
    finally:
        client.disconnect()
        client.loop_stop()
        server.stop()


def test_it_starts_quickly_and_idles_in_little_memory(server: Server) -> None:
    cpu, wall = [], []
    for _ in range(3):  # the first warms the disk's cache
        begun = time.monotonic()
        server.start()
        wall.append(time.monotonic() - begun)
        cpu.append(processor_seconds(server.pid))
        assert resident_bytes(server.pid) < MAX_RSS
        assert server.stop() == 0
    assert min(cpu) < MAX_CPU
    assert min(wall) < 5 * MAX_CPU  # machines that run tests are busy; `min(cpu)` is the exact figure


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
