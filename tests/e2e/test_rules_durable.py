"""`kill -9` between the acknowledgement of a message and its rule's action: the action is done by the next process."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.sdk import SdkDevice
from tests.torture.rule import sending_role
from tests.torture.sink import Sink

from fogbank.cli.demo.app import App
from fogbank.cli.demo.inbox import Inbox
from fogbank.cli.demo.server import Server


@pytest.fixture
def messages() -> Inbox[str]:
    """The bodies that have come to the queue."""
    return Inbox()


@pytest.fixture
def sink(messages: Inbox[str]) -> Iterator[Sink]:
    with Sink(messages.put) as sink:
        yield sink


@pytest.fixture
def server(tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A platform of the test's own, for which the sink is SQS."""
    for name, value in sink.environment.items():
        monkeypatch.setenv(name, value)
    server = Server(tmp_path / "data", tmp_path / "server.log")
    yield server
    assert server.stop() == 0, "\n".join(server.log_tail())


def test_what_a_device_or_the_api_was_acknowledged_arrives(
    server: Server, sink: Sink, messages: Inbox[str], tmp_path: Path
) -> None:
    where = server.start()
    app = App(where, tmp_path)
    action = {"sqs": {"queueUrl": sink.queue, "roleArn": sending_role(where), "useBase64": False}}
    app.create_rule("to_queue", "SELECT n, clientid() AS who FROM 'in' WHERE n > 0", action)
    device = SdkDevice(where, app.create_thing("lamp", app.policy(("iot:*", "*"))))
    device.connect()

    sink.listens.clear()
    for number in range(5):
        device.publish("in", {"n": number})  # returns with PUBACK
    app.data.publish(topic="in", qos=1, payload=b'{"n": 5}')
    assert sink.asked.wait(10)
    device.close()
    server.stop(signal.SIGKILL)
    assert messages.waiting() == []

    sink.listens.set()
    server.start()
    came: dict[int, str] = {}
    while came.keys() != {1, 2, 3, 4, 5}:  # each at least once
        one = json.loads(messages.take("what was acknowledged", lambda _: True))
        came[one["n"]] = one.get("who")
    assert came[1] == "lamp"

    server.stop()
    messages.clear()
    server.start()
    App(server.where, tmp_path).data.publish(topic="in", qos=1, payload=b'{"n": 6}')
    assert json.loads(messages.take("a new one", lambda _: True)) == {"n": 6, "who": "n/a"}
    assert messages.waiting() == [], "nothing is done once more after a stop"
