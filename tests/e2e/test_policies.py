"""What a certificate may do, and what a live connection learns of its change."""

import json

from awscrt import mqtt
from tests.e2e.conftest import Connect
from tests.e2e.sdk import SdkDevice, certificate_arn

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import eventually
from fogbank.cli.demo.story import LAMP_POLICY
from fogbank.cli.demo.trace import Traced, TraceStream


def denied(trace: TraceStream, lamp: Credentials) -> Traced:
    return trace.events.take(
        "a denied publish",
        lambda event: (event.kind, event.status, event.client_id) == ("publish", "denied", lamp.thing),
    )


def test_another_things_topic_is_refused_and_the_missing_statement_named(
    app: App, lamp: Credentials, connect: Connect, trace: TraceStream, watcher: SdkDevice
) -> None:
    topic = "device/somebody-else/sensor/valve/v1"
    watcher.subscribe(topic)
    device = connect(lamp)
    device.publish(topic, {}, wait=False)
    refusal = denied(trace, lamp)
    assert refusal.topic == topic
    missing = {"Effect": "Allow", "Action": "iot:Publish", "Resource": app.arn(f"topic/{topic}")}
    assert f"no statement of policy '{lamp.thing}-policy' allows iot:Publish" in refusal.reason
    assert f"add {json.dumps(missing)}" in refusal.reason
    assert "Nearest: statement 2" in refusal.reason
    device.interruptions.take("the end of the connection")
    watcher.publish(topic, {"from": "watcher"})
    assert watcher.take(topic) == {"from": "watcher"}


def test_a_filter_that_is_not_allowed_is_refused(lamp: Credentials, connect: Connect, trace: TraceStream) -> None:
    device = connect(lamp)
    subscribed, _ = device.connection.subscribe("device/#", mqtt.QoS.AT_LEAST_ONCE)
    assert subscribed.exception(10) is not None
    refusal = trace.events.take("the refusal", lambda event: event.kind == "subscribe" and event.status == "denied")
    assert "iot:Subscribe" in refusal.reason


def test_a_detached_policy_binds_the_live_connection(
    app: App, lamp: Credentials, connect: Connect, trace: TraceStream
) -> None:
    device = connect(lamp)
    topic = f"device/{lamp.thing}/x"
    device.publish(topic, {})
    app.iot.detach_policy(policyName=f"{lamp.thing}-policy", target=certificate_arn(app, lamp))
    device.publish(topic, {}, wait=False)
    assert "no policy is attached" in denied(trace, lamp).reason
    device.interruptions.take("the end of the connection")


def test_a_new_default_version_binds_the_live_connection(
    app: App, lamp: Credentials, connect: Connect, trace: TraceStream
) -> None:
    device = connect(lamp)
    device.publish(f"device/{lamp.thing}/x", {})
    narrower = app.policy(*(statement for statement in LAMP_POLICY if "device" not in statement[1]))
    app.iot.create_policy_version(
        policyName=f"{lamp.thing}-policy", policyDocument=json.dumps(narrower), setAsDefault=True
    )
    device.publish(f"$aws/things/{lamp.thing}/shadow/update", {"state": {"reported": {"on": True}}})
    eventually("the shadow", lambda: app.shadow(lamp.thing), bool)
    device.publish(f"device/{lamp.thing}/x", {}, wait=False)
    assert "no statement" in denied(trace, lamp).reason


def test_a_things_groups_bind_the_live_connection(
    app: App, lamp: Credentials, connect: Connect, trace: TraceStream
) -> None:
    """A policy of the group above the one that the thing is put into."""
    device = connect(lamp)
    topic = f"device/{lamp.thing}/x"
    parent, child, policy = (f"{lamp.thing}-{name}" for name in ("house", "room", "quiet"))
    arn = app.iot.create_thing_group(thingGroupName=parent)["thingGroupArn"]
    app.iot.create_thing_group(thingGroupName=child, parentGroupName=parent)
    quiet = app.policy(("iot:Publish", "topic/device/*"))
    quiet["Statement"][0]["Effect"] = "Deny"
    app.iot.create_policy(policyName=policy, policyDocument=json.dumps(quiet))
    app.iot.attach_policy(policyName=policy, target=arn)
    device.publish(topic, {})
    app.iot.add_thing_to_thing_group(thingGroupName=child, thingName=lamp.thing)
    device.publish(topic, {}, wait=False)
    assert f"statement 1 of policy '{policy}' denies iot:Publish" in denied(trace, lamp).reason
    device.interruptions.take("the end of the connection")
    app.iot.detach_policy(policyName=policy, target=arn)


def test_a_wider_policy_is_felt_without_connecting_again(app: App, lamp: Credentials, connect: Connect) -> None:
    device = connect(lamp)
    everything = app.policy(("iot:*", "*"))
    app.iot.create_policy_version(
        policyName=f"{lamp.thing}-policy", policyDocument=json.dumps(everything), setAsDefault=True
    )
    device.subscribe("device/#")
    device.publish("device/anyone/x", {"on": True})
    assert device.take("device/anyone/x") == {"on": True}
