"""The five chapters. Each says what it shows, acts, and checks every line that it prints with a mark."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import check, eventually
from fogbank.cli.demo.screen import Screen
from fogbank.cli.demo.server import Server
from fogbank.cli.demo.stage import Stage
from fogbank.cli.demo.trace import Traced
from fogbank.cli.new_files import write_new
from fogbank.cli.own_authority import OwnAuthority, named

LAMP: Final = "lamp"
TELEMETRY: Final = f"device/{LAMP}/sensor/bulb/v1"
THING: Final = "${iot:Connection.Thing.ThingName}"

LAMP_POLICY_NAME: Final = "lamp-policy"
LAMP_POLICY: Final = (
    ("iot:Connect", f"client/{THING}"),
    ("iot:Publish", f"topic/device/{THING}/*"),
    ("iot:Publish", f"topic/$aws/things/{THING}/shadow/*"),
    ("iot:Subscribe", f"topicfilter/$aws/things/{THING}/shadow/*"),
    ("iot:Receive", f"topic/$aws/things/{THING}/shadow/*"),
)

ONBOARDING: Final = "onboarding"
ONBOARD: Final = Path(__file__).with_name("onboard.py")
NEWCOMERS: Final = "SELECT * FROM '$aws/events/certificates/registered/+'"
ONBOARDING_MAY: Final = (
    "iot:DescribeCertificate",
    "iot:CreateThing",
    "iot:AttachPolicy",
    "iot:AttachThingPrincipal",
    "iot:UpdateCertificate",
)

TOO_HOT: Final = (
    "SELECT *, newuuid() AS requestId, clientId() AS clientId, timestamp() AS timestamp, topic(2) AS deviceId, "
    "topic(4) AS sensorId FROM 'device/+/sensor/+/v1' WHERE temperature > 50 AND color <> 'red'"
)
RULE: Final = "too_hot"
FUNCTION: Final = "too-hot"
HANDLER: Final = Path(__file__).with_name("function.py")
ADDED: Final = ("requestId", "clientId", "timestamp", "deviceId", "sensorId")
"""What the rule adds to the telemetry."""

GONE: Final = "SELECT * FROM 'device/+/will'"
TO_SHADOW: Final = "$$aws/things/${topic(2)}/shadow/update"

THE_END: Final = (
    "That was the whole of it, on one machine: identity, rules, functions, shadows and policies, with AWS's SDKs on "
    "both sides and nothing in them changed."
)


def prologue(screen: Screen, server: Server) -> None:
    """Introduce everyone, and start the platform."""
    screen.section(
        "Fogbank, end to end",
        "A lamp with a thermometer, an app, and the platform between them. The lamp is built on AWS's IoT Device SDK, "
        "the app on boto3, and neither knows that it is not talking to AWS. Every line with a mark was checked.",
    )
    begun = time.monotonic()
    where = server.start()
    screen.saw("platform", f"`fogbank up` is ready after {time.monotonic() - begun:.1f} s, as process {where.pid}")
    screen.quote(f"HTTP API {where.api}")
    screen.quote(f"MQTT over TLS {where.mqtts.host}:{where.mqtts.port}")


def onboarding(stage: Stage) -> None:
    """A device that nobody has told the platform of gets an identity by connecting."""
    screen, app, events = stage.screen, stage.app, stage.trace.events
    screen.section(
        "1. Onboarding: a device registers itself",
        "The factory signs for its lamps, with a CA of its own, and tells nobody. The platform knows the CA alone: "
        "just-in-time registration does the rest when a lamp is first switched on.",
    )
    factory = OwnAuthority.make("Lamp Works", days=3650)
    screen.does("factory", "makes a CA of its own")
    ca = app.register_ca(factory)
    screen.does("app", f"registers it, with proof that the key is ours, as CA {ca[:12]}...")
    app.create_policy(LAMP_POLICY_NAME, app.policy(*LAMP_POLICY))
    registered = f"$aws/events/certificates/registered/{ca}"
    function = app.create_function(ONBOARDING, ONBOARD.read_text(), *ONBOARDING_MAY)
    app.create_rule(ONBOARDING, NEWCOMERS, app.invoke_from_rule(ONBOARDING, function))
    screen.does("app", f"makes a policy for lamps, and a rule that invokes {ONBOARD.name} when one shows up:")
    screen.quote(NEWCOMERS)
    stage.lamp = _made_by(factory, stage)
    screen.does("factory", f"makes {LAMP!r}, and signs its certificate; no platform hears of it")
    stage.observer.subscribe("$aws/events/presence/#", registered)
    stage.device = device = stage.start_device(stage.lamp)
    screen.does("lamp", f"is switched on: process {device.pid} connects with that certificate")
    device.said.take("the lamp to be refused", lambda said: said.kind == "refused")
    screen.saw("lamp", "is refused, for the first time")
    event = stage.observer.messages.take(f"the event {registered}", lambda message: message.topic == registered).json()
    check(event, event["certificateStatus"] == "PENDING_ACTIVATION", "the certificate to be pending")
    screen.saw("platform", "has registered the certificate, since the CA signed it, and tells of it:")
    screen.document({name: event[name] for name in ("certificateStatus", "awsAccountId")})
    run = events.take("the function to run", lambda event: (event.kind, event.name) == ("function", ONBOARDING))
    check(run, run.status == "success", "the function to succeed")
    screen.saw("function", f"runs for {run.duration_ms or 0:.0f} ms: makes the thing, attaches the policy, activates")
    device.said.take("the lamp to connect", lambda said: said.kind == "connected")
    screen.saw("lamp", "tries again, and is connected over mutual TLS")
    topic = f"$aws/events/presence/connected/{LAMP}"
    event = stage.observer.messages.take(f"the event {topic}", lambda message: message.topic == topic).json()
    check(event, event.get("thingName") == LAMP, f"the event to name the thing {LAMP!r}")
    screen.saw("app", f"hears of it on {topic}")
    screen.document({name: event[name] for name in ("eventType", "clientId", "thingName", "ipAddress")})


def rule(stage: Stage) -> None:
    """Telemetry is filtered, augmented, and reaches a function."""
    screen, app, events = stage.screen, stage.app, stage.trace.events
    screen.section(
        "2. A rule decides, a function acts",
        "A rule is SQL over messages. Where WHERE is true, the rule adds what the lamp cannot know and invokes a "
        "Lambda function; where it is not, the platform says which clause was to blame.",
    )
    app.create_rule(RULE, TOO_HOT, app.invoke_from_rule(RULE, app.create_function(FUNCTION, HANDLER.read_text())))
    screen.does("app", f"deploys {HANDLER.name} as the Lambda function {FUNCTION!r}, and a rule that invokes it:")
    screen.quote(TOO_HOT)
    stage.observer.subscribe("alarm/#")
    _measure(stage, 49, "blue")
    _does_not_fire(stage, "temperature > 50 was not true: temperature is 49")
    _measure(stage, 51, "red")
    _does_not_fire(stage, "color <> 'red' was not true: color is \"red\"")
    _measure(stage, 51, "blue")
    fired = events.take("the rule to fire", _is_of_rule)
    check(fired, fired.status == "success", "the rule to fire")
    screen.saw("platform", f"the rule fires: {fired.reason}")
    run = events.take("the function to run", lambda event: (event.kind, event.name) == ("function", FUNCTION))
    check(run, run.status == "success", "the function to succeed")
    topic = f"alarm/{LAMP}"
    alarm = stage.observer.messages.take(f"the alarm on {topic}", lambda message: message.topic == topic).json()
    by = alarm.pop("function")
    check(alarm, set(alarm) == {"temperature", "color", *ADDED} and alarm["deviceId"] == LAMP, "the augmented event")
    screen.saw("function", f"runs for {run.duration_ms or 0:.0f} ms with this event; + is what the rule added")
    screen.document(alarm, new=ADDED)
    screen.saw("app", f"receives it on {topic}, published by {by!r} through boto3")


def command(stage: Stage) -> None:
    """An app drives a device through its shadow."""
    screen, app, device = stage.screen, stage.app, stage.device
    screen.section(
        "3. Command and control",
        "The app does not call the lamp, which may be offline: it writes what it desires into the lamp's shadow. The "
        "lamp is sent the difference, the delta, acts, and reports what it has become.",
    )
    app.desire(LAMP, {"color": "RED"})
    screen.does("app", "sets desired.color = RED in the shadow, through the HTTP API")
    delta = device.said.take("the lamp to receive the delta", lambda said: said.kind == "delta")
    check(delta, delta.payload == {"color": "RED"}, "the delta to be the color RED")
    screen.saw("lamp", f"receives the delta {json.dumps(delta.payload)} over MQTT, and turns red")
    device.said.take("the lamp to report", lambda said: said.kind == "published" and "shadow" in said.topic)
    screen.saw("lamp", "reports its new color")
    state = eventually("a shadow without delta", lambda: app.shadow(LAMP), lambda state: "delta" not in state)
    check(state, state == {"desired": {"color": "RED"}, "reported": {"color": "RED"}}, "the color to be RED")
    screen.saw("app", "reads the shadow, and no delta is left:")
    screen.quote(json.dumps(state))


def presence(stage: Stage) -> None:
    """The shadow knows when the device is gone."""
    screen, app, device = stage.screen, stage.app, stage.device
    screen.section(
        "4. Is it still there?",
        "Smart-home apps show whether a lamp is connected. That it is, the lamp reports itself. That it no longer is, "
        "its will says: a message that the broker publishes when the connection breaks. The shadow service ignores "
        "wills on shadow topics, so the will goes to a topic of its own, and a rule carries it to the shadow.",
    )
    app.create_rule("gone", GONE, app.republish(TO_SHADOW))
    screen.does("app", f"makes the rule {GONE}, which republishes to {TO_SHADOW}")
    device.report({"connected": True})
    screen.does("lamp", "reports connected = true")
    eventually("connected: true in the shadow", _reads_connected(stage), lambda value: value is True)
    screen.saw("app", "reads connected = true")
    device.kill()
    screen.does("lamp", f"is killed: kill -9 {device.pid}")
    topic = f"$aws/events/presence/disconnected/{LAMP}"
    event = stage.observer.messages.take(f"the event {topic}", lambda message: message.topic == topic).json()
    check(event, event["disconnectReason"] == "CONNECTION_LOST", "the connection to be lost")
    screen.saw("app", f"hears of it on {topic}: {event['disconnectReason']}")
    eventually("connected: false in the shadow", _reads_connected(stage), lambda value: value is False)
    screen.saw("app", "reads connected = false")


def intruder(stage: Stage) -> None:
    """A certificate is good for one device's topics."""
    screen = stage.screen
    screen.section(
        "5. An intruder",
        "Somebody has copied the lamp's certificate, and would like to speak for the heater.",
    )
    device = stage.start_device(stage.lamp)
    device.said.take("the intruder to connect", lambda said: said.kind == "connected")
    screen.does("intruder", f"connects as {LAMP!r}: the certificate is good")
    topic = "device/heater/sensor/valve/v1"
    device.publish(topic, {"temperature": 5})
    screen.does("intruder", f"publishes to {topic}")
    denied = stage.trace.events.take("the publish to be denied", lambda event: event.topic == topic)
    check(denied, denied.status == "denied" and "no statement" in denied.reason, "the publish to be denied")
    screen.saw("platform", "refuses, and names the policy statement that was missing:")
    screen.quote(denied.reason)
    device.said.take("the intruder to be disconnected", lambda said: said.kind == "interrupted")
    device.kill()
    screen.saw("intruder", "is disconnected, as AWS would have done")


CHAPTERS: Final[tuple[Callable[[Stage], None], ...]] = (onboarding, rule, command, presence, intruder)


def _made_by(factory: OwnAuthority, stage: Stage) -> Credentials:
    """What a lamp leaves the factory with: its own key, and the factory's word for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = Credentials(LAMP, stage.directory / f"{LAMP}.cert.pem", stage.directory / f"{LAMP}.private.key")
    write_new(made.certificate, factory.issue(named(LAMP), key.public_key(), days=3650).encode(), 0o644)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    write_new(made.key, key.private_bytes(pem, pkcs8, serialization.NoEncryption()), 0o600)
    return made


def _measure(stage: Stage, temperature: int, color: str) -> None:
    stage.device.publish(TELEMETRY, {"temperature": temperature, "color": color})
    stage.screen.does("lamp", f"publishes {temperature} degrees, color {color}")


def _does_not_fire(stage: Stage, why: str) -> None:
    skipped = stage.trace.events.take("the rule not to fire, and why", _is_of_rule)
    check(skipped, skipped.status == "skipped" and why in skipped.reason, f"the rule not to fire because {why}")
    stage.screen.saw("platform", f"the rule does not fire: {skipped.reason}")


def _is_of_rule(event: Traced) -> bool:
    return (event.kind, event.name) == ("rule", RULE)


def _reads_connected(stage: Stage) -> Callable[[], Any]:
    return lambda: stage.app.shadow(LAMP).get("reported", {}).get("connected")
