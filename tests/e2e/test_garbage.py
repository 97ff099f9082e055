"""Whatever comes in at whichever door: its sender is sent away, nobody else notices, and no traceback is printed."""

import random
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import eventually
from fogbank.cli.demo.server import Server
from fogbank.ready import Ready

NOISE = random.Random(1883).randbytes(4096)
CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04lamp"

GARBAGE = {
    "nothing": b"",
    "noise": NOISE,
    "zeros": bytes(4096),
    "text": b"hello, is anybody there?\r\n\r\n",
    "half a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "TLS of no known version": b"\x16\x09\x09\x00\x05hello",
    "half an HTTP request": b"POST /things/lamp/shadow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    "a negative length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "an endless header": b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000,
    "a chunk of no size": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "no request line": b"\r\n\r\n\r\n",
    "MQTT without TLS": CONNECT,
}
"""Sent as they are to every port."""

MQTT = {
    "nothing": b"",
    "a packet of type 0": b"\x00\x00",
    "PUBLISH before CONNECT": b"\x30\x05\x00\x01ahi",
    "a length of five bytes": b"\x10\xff\xff\xff\xff\x7f",
    "256 MB announced": b"\x10\xff\xff\xff\x7f" + bytes(1000),
    "CONNECT to no protocol": b"\x10\x10\x00\x04NOPE\x04\x02\x00\x3c\x00\x04lamp",
    "CONNECT of version 9": b"\x10\x10\x00\x04MQTT\x09\x02\x00\x3c\x00\x04lamp",
    "CONNECT with a reserved flag": b"\x10\x10\x00\x04MQTT\x04\x03\x00\x3c\x00\x04lamp",
    "CONNECT that is cut": CONNECT[:10],
    "a client ID that is not UTF-8": b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04\xff\xfe\xfd\xfc",
    "noise": b"\xf0" + NOISE,
}
"""Sent through TLS, with the certificate of another thing."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A platform of this module's own, whose log is read."""
    directory = tmp_path_factory.mktemp("garbage")
    server = Server(directory / "data", directory / "server.log", "--plain-mqtt-port", "0")
    server.start()
    yield server
    assert server.stop() == 0
    log = (directory / "server.log").read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log


@pytest.fixture(scope="module")
def app(server: Server, tmp_path_factory: pytest.TempPathFactory) -> App:
    """Its app."""
    return App(server.where, tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def bystander(server: Server, app: App) -> Iterator[SdkDevice]:
    """A device that is connected all the time."""
    device = SdkDevice(server.where, app.create_thing("bystander", app.policy(("iot:*", "*"))))
    device.connect()
    device.subscribe("still/there")
    yield device
    device.close()


@pytest.fixture(scope="module")
def other(app: App) -> Credentials:
    """Who sends it through TLS."""
    return app.create_thing("other", app.policy(("iot:*", "*")))


@pytest.fixture(autouse=True)
def _nobody_else_is_disturbed(app: App, bystander: SdkDevice) -> Iterator[None]:
    yield
    bystander.publish("still/there", {"on": True})
    assert bystander.take("still/there") == {"on": True}
    assert bystander.interruptions.waiting() == []
    assert {thing["thingName"] for thing in app.iot.list_things()["things"]} >= {"bystander"}


def ports(where: Ready) -> list[tuple[str, int]]:
    assert where.plain_mqtt is not None
    api = where.api.removeprefix("http://").split(":")
    listeners = [(one.host, one.port) for one in (where.mqtts, where.https, where.plain_mqtt)]
    return [*listeners, (api[0], int(api[1]))]


def drain(connection: socket.socket, data: bytes) -> None:
    """Send all that the other side takes, say that this is all, and read until it closes: it must."""
    try:
        connection.sendall(data)
        if not isinstance(connection, ssl.SSLSocket):
            connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    except TimeoutError:
        raise
    except OSError:
        pass  # sent away in the middle of it


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_on_every_port_is_sent_away(server: Server, name: str) -> None:
    for address in ports(server.where):
        with socket.create_connection(address, 10) as connection:
            drain(connection, GARBAGE[name])


@pytest.mark.parametrize("name", sorted(set(MQTT) - {"nothing", "CONNECT that is cut"}))
def test_malformed_mqtt_is_sent_away_at_once(server: Server, other: Credentials, name: str) -> None:
    context = ssl.create_default_context(cafile=server.where.ca_file)
    context.load_cert_chain(other.certificate, other.key)
    where = server.where.mqtts
    tcp = socket.create_connection((where.host, where.port), 10)
    with context.wrap_socket(tcp, server_hostname=where.host) as connection:
        drain(connection, MQTT[name])


@pytest.mark.parametrize("name", ["nothing", "CONNECT that is cut"])
def test_a_client_that_leaves_in_the_middle_is_forgotten(
    server: Server, other: Credentials, bystander: SdkDevice, name: str
) -> None:
    before = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
    context = ssl.create_default_context(cafile=server.where.ca_file)
    context.load_cert_chain(other.certificate, other.key)
    where = server.where.mqtts
    tcp = socket.create_connection((where.host, where.port), 10)
    with context.wrap_socket(tcp, server_hostname=where.host) as connection:
        connection.sendall(MQTT[name])
    eventually(
        "its socket to be closed",
        lambda: len(list(Path(f"/proc/{server.pid}/fd").iterdir())),
        lambda descriptors: descriptors <= before,
    )
