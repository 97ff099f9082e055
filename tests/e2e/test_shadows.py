"""The shadow between an app that speaks HTTP and a device that speaks MQTT."""

import json
import threading

from tests.e2e.conftest import Connect, CreateRule, StartDevice
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import eventually
from fogbank.cli.demo.story import GONE, TO_SHADOW


def test_a_device_is_sent_the_delta_and_reports_until_there_is_none(
    app: App, lamp: Credentials, start_device: StartDevice
) -> None:
    device = start_device(lamp)
    app.desire(lamp.thing, {"color": "RED"})
    assert device.said.take("the delta", lambda said: said.kind == "delta").payload == {"color": "RED"}
    state = eventually("no delta", lambda: app.shadow(lamp.thing), lambda state: "delta" not in state)
    assert state == {"desired": {"color": "RED"}, "reported": {"color": "RED"}}


def test_a_killed_device_is_reported_as_gone_by_its_will_and_a_rule(
    app: App, create_rule: CreateRule, lamp: Credentials, start_device: StartDevice, watcher: SdkDevice
) -> None:
    create_rule(GONE, app.republish(TO_SHADOW))
    watcher.subscribe(f"$aws/events/presence/disconnected/{lamp.thing}")
    device = start_device(lamp)
    device.report({"connected": True})
    reported = lambda: app.shadow(lamp.thing).get("reported")  # noqa: E731
    eventually("connected", reported, lambda state: state == {"connected": True})
    device.kill()
    assert watcher.take(f"$aws/events/presence/disconnected/{lamp.thing}")["disconnectReason"] == "CONNECTION_LOST"
    eventually("not connected", reported, lambda state: state == {"connected": False})


def test_a_rejected_update_names_the_code_and_bears_the_token(lamp: Credentials, connect: Connect) -> None:
    update = f"$aws/things/{lamp.thing}/shadow/update"
    device = connect(lamp)
    device.subscribe(f"{update}/accepted", f"{update}/rejected")
    device.publish(update, {"state": {"reported": {"on": True}}, "clientToken": "first"})
    accepted = device.take(f"{update}/accepted")
    assert (accepted["version"], accepted["clientToken"]) == (1, "first")
    device.publish(update, {"state": {"reported": {"on": False}}, "version": 7, "clientToken": "second"})
    rejected = device.take(f"{update}/rejected")
    assert (rejected["code"], rejected["clientToken"]) == (409, "second")


def test_updates_from_both_sides_at_once_are_all_in_the_shadow(app: App, lamp: Credentials, connect: Connect) -> None:
    update = f"$aws/things/{lamp.thing}/shadow/update"
    device = connect(lamp)
    device.subscribe(f"{update}/accepted")

    def desire() -> None:
        for number in range(20):
            app.desire(lamp.thing, {f"app{number}": number})

    over_http = threading.Thread(target=desire)
    over_http.start()
    for number in range(20):
        report = {"state": {"reported": {f"device{number}": number}}, "clientToken": str(number)}
        device.publish(update, report)
        while device.take(f"{update}/accepted").get("clientToken") != str(number):
            pass  # those of the app
    over_http.join()
    document = json.loads(app.data.get_thing_shadow(thingName=lamp.thing)["payload"].read())
    assert document["version"] == 40
    assert document["state"]["desired"] == {f"app{number}": number for number in range(20)}
    assert document["state"]["reported"] == {f"device{number}": number for number in range(20)}


def test_more_than_ten_requests_in_flight_are_throttled(lamp: Credentials, connect: Connect) -> None:
    update = f"$aws/things/{lamp.thing}/shadow/update"
    device = connect(lamp)
    device.subscribe(f"{update}/accepted", f"{update}/rejected")
    for number in range(40):
        device.publish(update, {"state": {"reported": {"number": number}}}, wait=False)
    answers = [device.messages.take("an answer").json() for _ in range(40)]
    assert {answer["code"] for answer in answers if "code" in answer} <= {429}
    assert sum("state" in answer for answer in answers) >= 10
