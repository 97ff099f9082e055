"""Shadows from outside, by what AWS's guide says of them: device-shadow-document, device-shadow-mqtt,
device-shadow-rest-api, device-shadow-error-messages and the sequence of iot-shadows-tutorial."""

import http.client
import json
import ssl
import threading
from typing import Any

import awsiot
import pytest
from awscrt import mqtt, mqtt_request_response
from awsiot import iotshadow
from botocore.exceptions import ClientError
from tests.e2e.conftest import Connect
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import PATIENCE, Inbox
from fogbank.ready import Ready

ONCE = mqtt.QoS.AT_LEAST_ONCE


class Wire:
    """A device that hears all of its thing's shadows."""

    def __init__(self, device: SdkDevice, thing: str) -> None:
        self._device = device
        self._prefix = f"$aws/things/{thing}/shadow"
        for below in ("+", "+/+", "name/+/+/+"):
            device.subscribe(f"{self._prefix}/{below}")

    def ask(self, below: str, payload: str | bytes | dict[str, Any], *kinds: str) -> Any:
        """Publish a request, and take what is told of it."""
        text = json.dumps(payload) if isinstance(payload, dict) else payload
        topic = f"{self._prefix}/{below}"
        self._device.connection.publish(topic, text, ONCE)[0].result(PATIENCE)
        return self.take(below, *kinds)

    def take(self, below: str, *kinds: str) -> Any:
        """What is told of a request."""
        return [self._device.take(f"{self._prefix}/{below}/{kind}") for kind in kinds]

    def silent(self) -> bool:
        """Whether nothing was told but what was taken; requests themselves are heard, too."""
        ends = ("accepted", "rejected", "delta", "documents")
        return not [one for one in self._device.messages.waiting() if one.topic.endswith(ends)]


@pytest.fixture
def device(app: App, connect: Connect, name: str) -> Credentials:
    return app.create_thing(name, app.policy(("iot:*", "*")))


@pytest.fixture
def wire(device: Credentials, connect: Connect) -> Wire:
    return Wire(connect(device), device.thing)


def nested(levels: int) -> dict[str, Any]:
    """A section of so many levels, itself the first."""
    section: dict[str, Any] = {"leaf": 1}
    for _ in range(levels - 1):
        section = {"level": section}
    return section


def test_the_worked_sequence(app: App, wire: Wire, name: str) -> None:
    """Developer guide, iot-shadows-tutorial: what a lamp and an app tell one another, message by message."""
    [refused] = wire.ask("name/simShadow1/get", "", "rejected")
    assert (refused["code"], refused["message"]) == (404, "No shadow exists with name: 'simShadow1'")
    report = {"ID": "SmartLamp21", "ColorRGB": [128, 128, 128]}
    request = {"state": {"reported": report}, "clientToken": "426b"}
    accepted, documents = wire.ask("name/simShadow1/update", request, "accepted", "documents")
    stamp = {"timestamp": accepted["timestamp"]}
    stamps = {"ID": stamp, "ColorRGB": [stamp] * 3}
    assert accepted == {
        "state": {"reported": report},
        "metadata": {"reported": stamps},
        "version": 1,
        "timestamp": stamp["timestamp"],
        "clientToken": "426b",
    }
    first = {"state": {"reported": report}, "metadata": {"reported": stamps}, "version": 1}
    assert documents == {"current": first, "clientToken": "426b", **stamp}
    [got] = wire.ask("name/simShadow1/get", {"clientToken": "g"}, "accepted")
    assert got == {**first, "clientToken": "g", "timestamp": got["timestamp"]}

    desire = {"state": {"desired": {"ColorRGB": [255, 255, 0]}}, "clientToken": "T"}
    answer = app.data.update_thing_shadow(thingName=name, shadowName="simShadow1", payload=json.dumps(desire))
    told = json.loads(answer["payload"].read())
    now = {"timestamp": told["timestamp"]}
    assert told == {
        "state": {"desired": {"ColorRGB": [255, 255, 0]}},
        "metadata": {"desired": {"ColorRGB": [now] * 3}},
        "version": 2,
        "clientToken": "T",
        **now,
    }
    _, delta, documents = wire.take("name/simShadow1/update", "accepted", "delta", "documents")
    assert delta == {
        "version": 2,
        "state": {"ColorRGB": [255, 255, 0]},
        "metadata": {"ColorRGB": [now] * 3},
        "clientToken": "T",
        **now,
    }
    assert documents["previous"] == first
    assert documents["current"]["state"] == {"reported": report, "desired": {"ColorRGB": [255, 255, 0]}}
    report = {"ColorRGB": [255, 255, 0]}
    accepted, documents = wire.ask("name/simShadow1/update", {"state": {"reported": report}}, "accepted", "documents")
    assert (accepted["version"], accepted["state"]) == (3, {"reported": report})
    assert [documents[side]["version"] for side in ("previous", "current")] == [2, 3]
    assert "delta" not in documents["current"]["state"]
    assert wire.silent(), "no delta: there is none left"


def test_merge_delta_and_metadata(wire: Wire) -> None:
    tree = {"keep": 1, "gone": 2, "in": {"a": [{"x": 1, "y": [2]}, 3], "b": True}}
    _, delta, _ = wire.ask("update", {"state": {"desired": tree}}, "accepted", "delta", "documents")
    stamp = {"timestamp": delta["timestamp"]}
    assert delta["metadata"] == {
        "keep": stamp,
        "gone": stamp,
        "in": {"a": [{"x": stamp, "y": [stamp]}, stamp], "b": stamp},
    }
    both = {"desired": {"gone": None, "new": "n"}, "reported": {"keep": 1.0, "in": {"b": 1}, "other": 5}}
    accepted, delta, _ = wire.ask("update", {"state": both}, "accepted", "delta", "documents")
    assert accepted["state"] == both
    assert delta["state"] == {"in": tree["in"], "new": "n"}, "true is not 1; what is only reported does not count"
    wire.ask("update", {"state": {"reported": {"in": 5}}}, "accepted", "delta", "documents")
    wire.ask("update", {"state": {"desired": {"in": None, "new": None}}}, "accepted", "documents")
    [got] = wire.ask("get", "", "accepted")
    assert got["state"] == {"desired": {"keep": 1}, "reported": {"keep": 1.0, "in": 5, "other": 5}}
    wire.ask("update", {"state": {"desired": None, "reported": None}}, "accepted", "documents")
    [got] = wire.ask("get", "not even JSON", "accepted")
    assert (got["state"], got["metadata"], got["version"]) == ({}, {}, 5), "it is empty, and it is there"
    assert wire.silent()


REFUSED: list[tuple[str | bytes | dict[str, Any], int, str]] = [
    ("{", 400, "Invalid JSON"),
    ("", 400, "Invalid JSON"),
    ({}, 400, "Missing required node: state"),
    ({"state": 5}, 400, "State node must be an object"),
    ({"state": {"desired": 5}}, 400, "Desired node must be an object"),
    ({"state": {"reported": [1]}}, 400, "Reported node must be an object"),
    ({"state": {}, "version": "x"}, 400, "Invalid version"),
    ({"state": {}, "version": -1}, 400, "Invalid version"),
    ({"state": {}, "version": 7}, 409, "Version conflict"),
    ({"state": {"desired": {"a": [1, None]}}}, 400, "State contains an invalid node"),
    ({"state": {"desired": {"a": [{"b": None}]}}}, 400, "State contains an invalid node"),
    ({"state": {"desired": nested(9)}}, 400, "JSON contains too many levels of nesting; maximum is 6"),
    ({"state": {"reported": {"k": "x" * 8193}}}, 413, "The payload exceeds the maximum size allowed"),
    (b"\xff\xfe", 415, "Unsupported documented encoding; supported encoding is UTF-8"),
]


@pytest.mark.parametrize(("payload", "code", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_refusals(app: App, wire: Wire, name: str, payload: Any, code: int, message: str) -> None:
    """Developer guide, device-shadow-error-messages: the same over MQTT and HTTP, and nothing changes."""
    token = {"clientToken": "t"} if isinstance(payload, dict) else {}
    asked = {**payload, **token} if token else payload
    [refused] = wire.ask("update", asked, "rejected")
    assert refused == {"code": code, "message": message, "timestamp": refused["timestamp"], **token}
    body = json.dumps(payload) if isinstance(payload, dict) else payload
    if body:
        with pytest.raises(ClientError) as error:
            app.data.update_thing_shadow(thingName=name, payload=body)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == code
        assert error.value.response["Error"]["Message"] == message
    assert wire.silent(), "of what was asked over HTTP nothing is rejected over MQTT"
    wire.ask("get", "", "rejected")


def test_tokens_and_limits(wire: Wire) -> None:
    for token in ("x" * 65, 5):
        [refused] = wire.ask("update", {"state": {}, "clientToken": token}, "rejected")
        assert (refused["code"], refused["message"]) == (400, "Invalid clientToken")
    wire.ask("update", {"state": {"reported": nested(8)}, "clientToken": "x" * 64}, "accepted", "documents")
    wire.ask("update", {"state": {"reported": None}}, "accepted", "documents")
    room = 8192 - len('{"reported":{"k":""}}')
    wire.ask("update", {"state": {"reported": {"k": "x" * room}}}, "accepted", "documents")
    [refused] = wire.ask("update", {"state": {"reported": {"k": "x" * (room + 1)}}}, "rejected")
    assert refused["code"] == 413


def test_versions_go_on_after_a_deletion(wire: Wire) -> None:
    wire.ask("update", {"state": {"reported": {"a": 1}}}, "accepted", "documents")
    wire.ask("update", {"state": {"reported": {"a": 2}}, "version": 1}, "accepted", "documents")
    [deleted] = wire.ask("delete", {"clientToken": "d"}, "accepted")
    assert deleted == {"version": 2, "timestamp": deleted["timestamp"], "clientToken": "d"}
    for request in ("get", "delete"):
        [refused] = wire.ask(request, {"clientToken": "d"}, "rejected")
        assert (refused["code"], refused["clientToken"]) == (404, "d")
    accepted, documents = wire.ask("update", {"state": {"reported": {"b": 1}}}, "accepted", "documents")
    assert accepted["version"] == 3
    assert documents["current"]["state"] == {"reported": {"b": 1}}


def test_errors_over_https_are_documents(where: Ready, device: Credentials) -> None:
    """Developer guide, device-shadow-document, "Error response document"."""
    context = ssl.create_default_context(cafile=where.ca_file)
    context.load_cert_chain(device.certificate, device.key)

    def ask(method: str, body: str | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPSConnection(where.https.host, where.https.port, context=context, timeout=10)
        try:
            connection.request(method, f"/things/{device.thing}/shadow?name=s", body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    for method, body, status, message in (
        ("GET", None, 404, "No shadow exists with name: 's'"),
        ("DELETE", None, 404, "No shadow exists with name: 's'"),
        ("POST", "{", 400, "Invalid JSON"),
        ("POST", '{"state": {}, "version": 3}', 409, "Version conflict"),
    ):
        found, told = ask(method, body)
        assert (found, told["code"], told["message"]) == (status, status, message)
    assert ask("POST", '{"state": {"reported": {"a": 1}}}')[1]["version"] == 1
    assert ask("PUT", "{}")[0] == 405
    found, told = ask("DELETE")
    assert (found, told) == (200, {"version": 1, "timestamp": told["timestamp"]})


def test_names_are_listed_page_by_page(app: App, name: str) -> None:
    names = sorted(f"s{number:02}" for number in range(12))
    for shadow in (None, *names):
        of = {} if shadow is None else {"shadowName": shadow}
        app.data.update_thing_shadow(thingName=name, payload='{"state": {}}', **of)
    found: list[str] = []
    asked: dict[str, Any] = {"thingName": name, "pageSize": 5}
    while True:
        page = app.data.list_named_shadows_for_thing(**asked)
        found += page["results"]
        if "nextToken" not in page:
            break
        asked["nextToken"] = page["nextToken"]
    assert found == names
    assert app.data.list_named_shadows_for_thing(thingName=f"no-{name}")["results"] == []


def test_writers_that_say_a_version_lose_nothing(app: App, name: str) -> None:
    """Developer guide, device-shadow-document, "Using versions": optimistic locking."""

    def put(count: int, version: int) -> None:
        state = {"state": {"desired": {"count": count}}, "version": version}
        app.data.update_thing_shadow(thingName=name, payload=json.dumps(state))

    put(0, 0)

    def increment() -> None:
        for _ in range(8):
            while True:
                shadow = json.loads(app.data.get_thing_shadow(thingName=name)["payload"].read())
                try:
                    put(shadow["state"]["desired"]["count"] + 1, shadow["version"])
                    break
                except app.data.exceptions.ConflictException:
                    pass

    writers = [threading.Thread(target=increment) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    shadow = json.loads(app.data.get_thing_shadow(thingName=name)["payload"].read())
    assert (shadow["state"]["desired"]["count"], shadow["version"]) == (32, 33)


def test_both_generations_of_the_sdk(device: Credentials, connect: Connect, watcher: SdkDevice, name: str) -> None:
    """Each on a connection of its own: the second ends the subscriptions that the first has made."""
    first = iotshadow.IotShadowClient(watcher.connection)
    told: Inbox[Any] = Inbox()
    named = {"thing_name": name, "shadow_name": "s"}
    for subscribe, request in (
        (
            first.subscribe_to_update_named_shadow_rejected,
            iotshadow.UpdateNamedShadowSubscriptionRequest(**named),
        ),
        (
            first.subscribe_to_named_shadow_delta_updated_events,
            iotshadow.NamedShadowDeltaUpdatedSubscriptionRequest(**named),
        ),
        (
            first.subscribe_to_named_shadow_updated_events,
            iotshadow.NamedShadowUpdatedSubscriptionRequest(**named),
        ),
    ):
        subscribe(request, ONCE, told.put)[0].result(PATIENCE)
    second = iotshadow.IotShadowClientV2(connect(device).connection, mqtt_request_response.ClientOptions(2, 2, 10))
    with pytest.raises(awsiot.V2ServiceException) as refusal:
        second.get_named_shadow(iotshadow.GetNamedShadowRequest(**named)).result(PATIENCE)
    assert (refusal.value.modeled_error.code, refusal.value.modeled_error.message) == (
        404,
        "No shadow exists with name: 's'",
    )
    state = iotshadow.ShadowState(desired={"on": True})
    updated = second.update_named_shadow(iotshadow.UpdateNamedShadowRequest(**named, state=state)).result(PATIENCE)
    assert (updated.version, updated.state.desired) == (1, {"on": True})
    delta = told.take("the delta", lambda one: isinstance(one, iotshadow.ShadowDeltaUpdatedEvent))
    assert (delta.version, delta.state) == (1, {"on": True})
    change = told.take("the change", lambda one: isinstance(one, iotshadow.ShadowUpdatedEvent))
    assert (change.previous, change.current.state.desired) == (None, {"on": True})
    stale = iotshadow.UpdateNamedShadowRequest(**named, state=state, version=9)
    first.publish_update_named_shadow(stale, ONCE)
    assert told.take("a refusal", lambda one: isinstance(one, iotshadow.ErrorResponse)).code == 409
    got = second.get_named_shadow(iotshadow.GetNamedShadowRequest(**named)).result(PATIENCE)
    assert got.state.delta == {"on": True}
    assert second.delete_named_shadow(iotshadow.DeleteNamedShadowRequest(**named)).result(PATIENCE).version == 1
