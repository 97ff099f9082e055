"""The fleet index of a whole platform: it follows devices, and a `kill -9` at any time costs it nothing."""

import json
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError
from tests.e2e.conftest import StartDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import eventually
from fogbank.cli.demo.server import Server

THINGS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A platform of the test's own."""
    server = Server(tmp_path / "data", tmp_path / "server.log")
    yield server
    assert server.stop() == 0, "\n".join(server.log_tail())


def found(app: App, query: str) -> list[str]:
    """The names of the things that a search finds."""
    return [one["thingName"] for one in app.iot.search_index(queryString=query, maxResults=500)["things"]]


def test_a_device_is_found_by_its_connection_and_its_shadow(
    app: App, lamp: Credentials, start_device: StartDevice
) -> None:
    connected = f"thingName:{lamp.thing} connectivity.connected:true"
    assert found(app, connected) == []
    device = start_device(lamp)
    assert found(app, connected) == [lamp.thing]
    device.report({"mark": lamp.thing})
    reported = f"shadow.reported.mark:{lamp.thing}"
    assert eventually("the report", lambda: found(app, reported), bool) == [lamp.thing]
    device.kill()
    lost = f"thingName:{lamp.thing} connectivity.disconnectReason:CONNECTION_LOST"
    assert eventually("the end", lambda: found(app, lost), bool) == [lamp.thing]
    assert found(app, connected) == []


@pytest.mark.parametrize("damaged", [False, True], ids=["kept", "lost"])
def test_a_killed_server_finds_all_that_was_acknowledged(server: Server, tmp_path: Path, damaged: bool) -> None:
    app = App(server.start(), tmp_path)
    app.iot.create_dynamic_thing_group(thingGroupName="even", queryString="shadow.reported.even:true")
    made: list[str] = []

    def make() -> None:
        try:
            for number in range(THINGS):
                name = f"t{number:03}"
                app.iot.create_thing(thingName=name)
                state = {"state": {"reported": {"even": number % 2 == 0}}}
                app.data.update_thing_shadow(thingName=name, payload=json.dumps(state))
                made.append(name)
        except BotoCoreError:
            pass  # killed

    maker = threading.Thread(target=make)
    maker.start()
    eventually("some things", lambda: len(made), lambda count: count >= THINGS // 3)
    server.stop(signal.SIGKILL)
    maker.join()
    if damaged:
        shutil.rmtree(tmp_path / "data" / "index")
    app = App(server.start(), tmp_path)
    status = lambda: app.iot.describe_index(indexName="AWS_Things")["indexStatus"]  # noqa: E731
    eventually("the index to be complete", status, lambda now: now == "ACTIVE")
    assert set(made) <= set(found(app, "*")) <= {f"t{number:03}" for number in range(THINGS)}
    even = found(app, "shadow.reported.even:true")
    assert {name for name in made if int(name[1:]) % 2 == 0} <= set(even)
    inside = lambda: app.iot.list_things_in_thing_group(thingGroupName="even")["things"]  # noqa: E731
    eventually("the group to be complete", inside, lambda now: now == even)
    assert eventually("the group in the index", lambda: found(app, "thingGroupNames:even"), lambda now: now == even)
