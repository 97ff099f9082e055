"""One server with each set of limits for each worker; every test has client ids and topics of its own on it."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from tests.conformance import server
from tests.conformance.client import Client
from tests.conformance.packets import V3, V5, Will
from tests.conformance.server import Address

NewClient = Callable[..., Client]
Pause = Callable[[int], None]


@pytest.fixture(scope="session")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A server that allows what MQTT allows."""
    if (other := server.other_server()) is not None:
        yield other
        return
    with server.fogbank(tmp_path_factory.mktemp("open"), "open") as address:
        yield address


@pytest.fixture(scope="session")
def aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A server with AWS's limits and deviations."""
    if server.other_server() is not None:
        pytest.skip("AWS's limits are Fogbank's alone")
    with server.fogbank(tmp_path_factory.mktemp("aws"), "aws") as address:
        yield address


@pytest.fixture(params=[V3, V5], ids=["3.1.1", "5"])
def version(request: pytest.FixtureRequest) -> int:
    """Each version of MQTT in turn."""
    level: int = request.param
    return level


@pytest.fixture
def name() -> str:
    """Good for a client id or a topic's first level, and no other test's."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def new(open_server: Address) -> Iterator[NewClient]:
    """`new(version)`: a fresh connection to the open server, nothing sent on it yet."""
    yield from _clients(open_server)


@pytest.fixture
def pause(new: NewClient, name: str) -> Pause:
    """`pause(seconds)` until the server itself has let them pass: it sends a will with that delay."""

    def pause(seconds: int) -> None:
        listener = new(V5).connect()
        listener.subscribe(f"{name}/alarm")
        alarm = Will(f"{name}/alarm", properties={"will_delay_interval": seconds})
        new(V5).connect(will=alarm, session_expiry_interval=600).drop()
        listener.message()

    return pause


@pytest.fixture
def new_aws(aws_server: Address) -> Iterator[NewClient]:
    """`new_aws(version)`: the same to the server with AWS's limits."""
    yield from _clients(aws_server)


def _clients(address: Address) -> Iterator[NewClient]:
    clients: list[Client] = []

    def new(version: int = V5) -> Client:
        clients.append(Client(address, version))
        return clients[-1]

    yield new
    for client in clients:
        client.close()
