"""`kill -9`, and a start on the same data directory: everything that was acknowledged is there, and works."""

import itertools
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError
from tests.e2e.sdk import SdkDevice, certificate_arn

from fogbank.cli.demo.app import App
from fogbank.cli.demo.inbox import Inbox, eventually
from fogbank.cli.demo.server import Server
from fogbank.cli.demo.story import HANDLER, LAMP_POLICY, TOO_HOT

WAITS_FOR_THE_GATE = """
import json, time
import boto3

iot = boto3.client("iot-data")

def reported(thing):
    try:
        return json.loads(iot.get_thing_shadow(thingName=thing)["payload"].read())["state"]["reported"]
    except iot.exceptions.ResourceNotFoundException:
        return {}

def handler(event, context):
    iot.update_thing_shadow(thingName=event["started"], payload='{"state": {"reported": {"started": true}}}')
    while not reported("gate").get("open"):
        time.sleep(0.05)
    iot.update_thing_shadow(thingName=event["done"], payload=json.dumps({"state": {"reported": event}}))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A platform of the test's own."""
    server = Server(tmp_path / "data", tmp_path / "server.log")
    yield server
    assert server.stop() == 0, "\n".join(server.log_tail())


def test_registry_shadows_and_keys_survive(server: Server, tmp_path: Path) -> None:
    before = server.start()
    app = App(before, tmp_path)
    ca = Path(before.ca_file).read_bytes()
    app.iot.create_thing_type(thingTypeName="bulb")
    lamp = app.create_thing("lamp", app.policy(*LAMP_POLICY))
    app.iot.update_thing(thingName="lamp", thingTypeName="bulb", attributePayload={"attributes": {"room": "hall"}})
    for color in ("RED", "GREEN", "BLUE"):
        app.desire("lamp", {"color": color})
    arn = certificate_arn(app, lamp)
    idle = app.iot.create_keys_and_certificate(setAsActive=False)["certificateId"]
    thing = app.iot.describe_thing(thingName="lamp")
    policy = app.iot.get_policy(policyName="lamp-policy")
    server.stop(signal.SIGKILL)

    after = server.start()
    assert (after.access_key_id, after.secret_access_key) == (before.access_key_id, before.secret_access_key)
    assert Path(after.ca_file).read_bytes() == ca
    app = App(after, tmp_path)
    again = app.iot.describe_thing(thingName="lamp")
    assert {**again, "ResponseMetadata": None} == {**thing, "ResponseMetadata": None}
    assert again["attributes"] == {"room": "hall"}
    assert app.iot.get_policy(policyName="lamp-policy")["policyDocument"] == policy["policyDocument"]
    assert app.iot.describe_certificate(certificateId=idle)["certificateDescription"]["status"] == "INACTIVE"
    assert certificate_arn(app, lamp) == arn
    attached = app.iot.list_attached_policies(target=arn)["policies"]
    assert [one["policyName"] for one in attached] == ["lamp-policy"]
    document = json.loads(app.data.get_thing_shadow(thingName="lamp")["payload"].read())
    assert (document["version"], document["state"]) == (3, {"desired": {"color": "BLUE"}, "delta": {"color": "BLUE"}})

    device = SdkDevice(after, lamp)
    device.connect()
    update = "$aws/things/lamp/shadow/update"
    device.subscribe(f"{update}/accepted")
    device.publish(update, {"state": {"reported": {"color": "BLUE"}}})
    assert device.take(f"{update}/accepted")["version"] == 4
    device.close()


def test_rules_fire_and_functions_run_again(server: Server, tmp_path: Path) -> None:
    app = App(server.start(), tmp_path)
    lamp = app.create_thing("lamp", app.policy(*LAMP_POLICY))
    watcher_credentials = app.create_thing("watcher", app.policy(("iot:*", "*")))
    app.create_rule("too_hot", TOO_HOT, app.invoke_from_rule("too_hot", app.create_function("f", HANDLER.read_text())))
    app.create_rule("off", "SELECT * FROM 'device/#'", app.republish("never"))
    app.iot.disable_topic_rule(ruleName="off")
    server.stop(signal.SIGKILL)

    where = server.start()
    app = App(where, tmp_path)
    watcher, device = SdkDevice(where, watcher_credentials), SdkDevice(where, lamp)
    watcher.connect()
    watcher.subscribe("alarm/lamp", "never")
    device.connect()
    device.publish("device/lamp/sensor/bulb/v1", {"temperature": 51, "color": "blue"})
    assert watcher.take("alarm/lamp")["temperature"] == 51
    assert app.iot.get_topic_rule(ruleName="off")["rule"]["ruleDisabled"] is True
    assert watcher.messages.waiting() == []
    device.close()
    watcher.close()


def test_a_kill_in_the_midst_of_updates_loses_none_that_was_acknowledged(server: Server, tmp_path: Path) -> None:
    app = App(server.start(), tmp_path)
    app.iot.create_thing(thingName="counter")
    acknowledged: Inbox[int] = Inbox()

    def count() -> None:
        for number in itertools.count(1):
            try:
                app.desire("counter", {"number": number})
            except BotoCoreError:
                return
            acknowledged.put(number)

    counting = threading.Thread(target=count)
    counting.start()
    hundred = acknowledged.take("a hundred updates", lambda number: number == 100)
    server.stop(signal.SIGKILL)
    counting.join()
    last = max([hundred, *acknowledged.waiting()])

    app = App(server.start(), tmp_path)
    document = json.loads(app.data.get_thing_shadow(thingName="counter")["payload"].read())
    assert document["version"] == document["state"]["desired"]["number"]
    assert document["version"] in (last, last + 1)


def test_an_event_that_was_accepted_is_run_after_all(server: Server, tmp_path: Path) -> None:
    app = App(server.start(), tmp_path)
    for thing in ("gate", "started", "done"):
        app.iot.create_thing(thingName=thing)
    function = app.create_function("gated", WAITS_FOR_THE_GATE, "iot:GetThingShadow", "iot:UpdateThingShadow")
    app.functions.update_function_configuration(FunctionName="gated", Timeout=60)
    event = json.dumps({"started": "started", "done": "done", "number": 7})
    accepted = app.functions.invoke(FunctionName=function, InvocationType="Event", Payload=event)
    assert accepted["StatusCode"] == 202
    eventually("the function to start", lambda: app.shadow("started"), bool)
    server.stop(signal.SIGKILL)

    app = App(server.start(), tmp_path)
    assert app.shadow("done") == {}
    app.data.update_thing_shadow(thingName="gate", payload='{"state": {"reported": {"open": true}}}')
    done = eventually("the function to end", lambda: app.shadow("done"), bool)
    assert done["reported"] == json.loads(event)
