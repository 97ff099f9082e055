"""A platform per worker, as a process of its own; every test has things, topics and rules of its own in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials, DeviceProcess
from fogbank.cli.demo.server import Server
from fogbank.cli.demo.story import LAMP_POLICY
from fogbank.cli.demo.trace import TraceStream
from fogbank.ready import Ready

CreateRule = Callable[[str, dict[str, Any]], None]
Connect = Callable[..., SdkDevice]
StartDevice = Callable[[Credentials], DeviceProcess]


@pytest.fixture(scope="session")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """The shared platform."""
    directory = tmp_path_factory.mktemp("shared")
    server = Server(directory / "data", directory / "server.log")
    yield server.start()
    assert server.stop() == 0, "\n".join(server.log_tail())


@pytest.fixture(scope="session")
def app(where: Ready, tmp_path_factory: pytest.TempPathFactory) -> App:
    """The shared platform's app."""
    return App(where, tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def trace(where: Ready) -> Iterator[TraceStream]:
    """What the shared platform does during the test."""
    with TraceStream(where) as stream:
        yield stream


@pytest.fixture
def name() -> str:
    """Good for a thing, a rule or a function, and no other test's."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def lamp(app: App, name: str) -> Credentials:
    """A thing with the policy of the demo's lamp."""
    return app.create_thing(name, app.policy(*LAMP_POLICY))


@pytest.fixture
def create_rule(app: App, name: str) -> Iterator[CreateRule]:
    """`create_rule(sql, action)`: a rule of the test's name, gone afterwards, for it may match others' messages."""
    created: list[str] = []

    def create(sql: str, action: dict[str, Any]) -> None:
        app.create_rule(name, sql, action)
        created.append(name)

    yield create
    for rule in created:
        app.iot.delete_topic_rule(ruleName=rule)


@pytest.fixture
def connect(where: Ready) -> Iterator[Connect]:
    """`connect(credentials, **options)`: a connected device that disconnects after the test."""
    devices: list[SdkDevice] = []

    def connect(credentials: Credentials, **options: Any) -> SdkDevice:
        device = SdkDevice(where, credentials, **options)
        devices.append(device)
        device.connect()
        return device

    yield connect
    for device in devices:
        device.close()


@pytest.fixture
def watcher(app: App, connect: Connect) -> SdkDevice:
    """A connected device that may do everything."""
    name = f"watcher-{uuid4().hex[:12]}"
    return connect(app.create_thing(name, app.policy(("iot:*", "*"))))


@pytest.fixture
def start_device(where: Ready, tmp_path: Path) -> Iterator[StartDevice]:
    """`start_device(credentials)`: the demo's lamp as a process, connected; it is killed after the test."""
    devices: list[DeviceProcess] = []

    def start(credentials: Credentials) -> DeviceProcess:
        device = DeviceProcess(where, credentials, tmp_path / "errors")
        devices.append(device)
        device.said.take("the device to connect", lambda said: said.kind == "connected")
        return device

    yield start
    for device in devices:
        device.kill()
