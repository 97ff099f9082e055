"""Every real client, by every way in, against the platform that a test worker shares."""

import functools
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from tests.e2e.clients.authorizer import deploy
from tests.e2e.clients.aws_sdk import AwsSdk
from tests.e2e.clients.aws_sdk5 import AwsSdk5
from tests.e2e.clients.base import Client, Library, Options, Site, Version
from tests.e2e.clients.mqtt_js import MqttJs, NodeProcess, NoNode
from tests.e2e.clients.paho import Paho
from tests.e2e.clients.ways import Way

from fogbank.cli.demo.app import App
from fogbank.ready import Ready

Make = Callable[..., Client]

POLICY = (
    ("iot:Connect", "client/*"),
    ("iot:Publish", "topic/clients/*"),
    ("iot:RetainPublish", "topic/clients/*"),
    ("iot:Receive", "topic/clients/*"),
    ("iot:Subscribe", "topicfilter/clients/*"),
    ("iot:Subscribe", "topicfilter/$share/*/clients/*"),
)
"""Of certificates and of authorizers."""


@pytest.fixture(scope="session")
def site(where: Ready, app: App) -> Site:
    """The shared platform, with a thing and, once it is asked for, an authorizer."""
    policy = app.policy(*POLICY)
    thing = app.create_thing(f"clients-{uuid4().hex[:12]}", policy)
    return Site(where, app, thing.certificate, thing.key, functools.cache(lambda: deploy(app, policy)))


@pytest.fixture(scope="session")
def node() -> Iterator[NodeProcess]:
    """The process in which MQTT.js runs."""
    try:
        process = NodeProcess()
    except NoNode as error:
        pytest.skip(str(error))
    yield process
    process.close()


@pytest.fixture
def library(way: Way, request: pytest.FixtureRequest) -> Library:
    """That of the way."""
    match way.library:
        case "awsiotsdk":
            return AwsSdk if way.version is Version.V3_1_1 else AwsSdk5
        case "paho":
            return Paho
        case "aiomqtt":
            return pytest.importorskip("tests.e2e.clients.aio").Aio  # type: ignore[no-any-return]
        case _:
            return functools.partial(MqttJs, request.getfixturevalue("node"))


@pytest.fixture
def make(way: Way, library: Library, site: Site) -> Iterator[Make]:
    """`make(client_id, **options)`: a client that comes by the way, not connected yet; it is closed after the test."""
    clients: list[Client] = []

    def make(client_id: str, **options: Any) -> Client:
        client = library(site, way.version, way.door, Options(client_id=client_id, **options))
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def join(make: Make) -> Make:
    """`join(client_id, **options)`: the same, connected."""

    def join(client_id: str, **options: Any) -> Client:
        client = make(client_id, **options)
        client.connect()
        return client

    return join


@pytest.fixture
def topic(name: str) -> str:
    """One that no other test uses."""
    return f"clients/{name}"
