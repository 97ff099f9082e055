"""Telemetry through SQL into a function, all of it real."""

from collections.abc import Callable

import pytest
from tests.e2e.conftest import Connect, CreateRule
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.story import ADDED, HANDLER, TOO_HOT
from fogbank.cli.demo.trace import Traced, TraceStream

Measure = Callable[[dict[str, object]], Traced]


@pytest.fixture
def measure(
    app: App, create_rule: CreateRule, name: str, lamp: Credentials, trace: TraceStream, connect: Connect
) -> Measure:
    """`measure(payload)`: publish it as telemetry, and what the rule of the demo said to it."""
    function = app.create_function(name, HANDLER.read_text())
    create_rule(TOO_HOT, app.invoke_from_rule(name, function))
    device = connect(lamp)

    def measure(payload: dict[str, object]) -> Traced:
        device.publish(f"device/{lamp.thing}/sensor/bulb/v1", payload)
        return trace.events.take("the rule's decision", lambda event: (event.kind, event.name) == ("rule", name))

    return measure


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"temperature": 49, "color": "blue"}, "temperature > 50 was not true: temperature is 49"),
        ({"temperature": 51, "color": "red"}, "color <> 'red' was not true: color is \"red\""),
        ({"color": "blue"}, "temperature > 50 was not true: temperature is undefined (not in the payload)"),
    ],
)
def test_a_rule_that_does_not_fire_says_which_clause_was_to_blame(
    measure: Measure, payload: dict[str, object], why: str
) -> None:
    decision = measure(payload)
    assert decision.status == "skipped"
    assert why in decision.reason


def test_a_rule_that_fires_invokes_the_function_with_the_augmented_event(
    measure: Measure, name: str, lamp: Credentials, trace: TraceStream, watcher: SdkDevice
) -> None:
    watcher.subscribe(f"alarm/{lamp.thing}")
    assert measure({"temperature": 51, "color": "blue"}).status == "success"
    alarm = watcher.take(f"alarm/{lamp.thing}")
    assert alarm.keys() == {"temperature", "color", "function", *ADDED}
    assert alarm["function"] == name
    assert alarm["clientId"] == alarm["deviceId"] == lamp.thing
    assert alarm["sensorId"] == "bulb"
    run = trace.events.take("the function's run", lambda event: (event.kind, event.name) == ("function", name))
    assert run.status == "success"
    assert run.printed == [f"{lamp.thing} has 51 degrees"]


def test_a_function_that_the_rule_may_not_invoke_is_not_invoked(
    app: App, create_rule: CreateRule, name: str, lamp: Credentials, trace: TraceStream, connect: Connect
) -> None:
    function = app.create_function(name, "def handler(event, context): pass")
    create_rule("SELECT * FROM 'device/+/x'", {"lambda": {"functionArn": function}})
    connect(lamp).publish(f"device/{lamp.thing}/x", {})
    action = trace.events.take("the action", lambda event: (event.kind, event.name) == ("action", f"{name}/lambda"))
    assert action.status == "failure"
    assert "not authorized to perform: lambda:InvokeFunction" in action.reason
