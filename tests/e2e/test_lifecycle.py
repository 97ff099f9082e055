"""Lifecycle events of a real process, as its subscribers get them."""

from typing import Any

import pytest
from awscrt.exceptions import AwsCrtError
from tests.e2e.conftest import Connect
from tests.e2e.sdk import SdkDevice, certificate_arn

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import PATIENCE
from fogbank.ready import Ready


def without_time(event: dict[str, Any]) -> dict[str, Any]:
    assert isinstance(event.pop("timestamp"), int)
    return event


def test_the_story_of_a_thing(where: Ready, app: App, name: str, watcher: SdkDevice) -> None:
    """With a thing that is attached exclusively; every field of every event but the time."""
    credentials = app.create_thing(name, app.policy(("iot:*", "*")))
    arn = certificate_arn(app, credentials)
    watcher.subscribe(f"$aws/events/presence/+/{name}", f"$aws/events/subscriptions/+/{name}")
    device = SdkDevice(where, credentials)
    device.connect()
    connected = without_time(watcher.take(f"$aws/events/presence/connected/{name}"))
    session = connected["sessionIdentifier"]
    whose = {
        "clientId": name,
        "thingName": name,
        "sessionIdentifier": session,
        "principalIdentifier": arn.rpartition("/")[2],
    }
    assert connected == whose | {"eventType": "connected", "ipAddress": "127.0.0.1", "versionNumber": 0}
    device.subscribe(f"{name}/a")
    subscribed = without_time(watcher.take(f"$aws/events/subscriptions/subscribed/{name}"))
    assert subscribed == whose | {"eventType": "subscribed", "topics": [f"{name}/a"]}
    device.connection.unsubscribe(f"{name}/a")[0].result(PATIENCE)
    unsubscribed = without_time(watcher.take(f"$aws/events/subscriptions/unsubscribed/{name}"))
    assert unsubscribed == whose | {"eventType": "unsubscribed", "topics": [f"{name}/a"]}
    device.close()
    assert without_time(watcher.take(f"$aws/events/presence/disconnected/{name}")) == whose | {
        "eventType": "disconnected",
        "versionNumber": 0,
        "clientInitiatedDisconnect": True,
        "disconnectReason": "CLIENT_INITIATED_DISCONNECT",
    }


def test_a_thing_that_shares_its_certificate_is_not_named(
    app: App, name: str, connect: Connect, watcher: SdkDevice
) -> None:
    credentials = app.create_thing(name, app.policy(("iot:*", "*")))
    arn = certificate_arn(app, credentials)
    app.iot.detach_thing_principal(thingName=name, principal=arn)
    app.iot.attach_thing_principal(thingName=name, principal=arn)
    watcher.subscribe(f"$aws/events/presence/connected/{name}")
    connect(credentials)
    assert "thingName" not in watcher.take(f"$aws/events/presence/connected/{name}")


def test_a_client_that_may_not_connect(where: Ready, app: App, lamp: Credentials, watcher: SdkDevice) -> None:
    stranger = f"{lamp.thing}-stranger"
    topic = f"$aws/events/presence/connect_failed/{stranger}"
    watcher.subscribe(topic)
    with pytest.raises(AwsCrtError):
        SdkDevice(where, lamp, client_id=stranger).connect()
    event = without_time(watcher.take(topic))
    assert len(event.pop("sessionIdentifier")) == 36
    assert event == {
        "clientId": stranger,
        "thingName": lamp.thing,
        "eventType": "connect_failed",
        "connectFailureReason": "AUTHORIZATION_FAILED",
        "principalIdentifier": certificate_arn(app, lamp).rpartition("/")[2],
        "ipAddress": "127.0.0.1",
    }


def test_reasons(app: App, name: str, connect: Connect, watcher: SdkDevice) -> None:
    """Those that take no waiting; all of them are in tests/broker/test_disconnects.py."""
    credentials = app.create_thing(name, app.policy(("iot:Connect", "*"), ("iot:Publish", f"topic/{name}")))
    topic = f"$aws/events/presence/disconnected/{name}"
    watcher.subscribe(topic)
    connect(credentials)
    app.data.delete_connection(clientId=name)
    first = watcher.take(topic)
    connect(credentials).publish("elsewhere", {}, wait=False)
    second = watcher.take(topic)
    connect(credentials)
    certificate_id = certificate_arn(app, credentials).rpartition("/")[2]
    app.iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    third = watcher.take(topic)
    assert [(event["disconnectReason"], event["clientInitiatedDisconnect"]) for event in (first, second, third)] == [
        ("API_INITIATED_DISCONNECT", False),
        ("AUTH_ERROR", False),
        ("FORBIDDEN_ACCESS", False),
    ]
    assert [event["versionNumber"] for event in (first, second, third)] == [0, 1, 2]
