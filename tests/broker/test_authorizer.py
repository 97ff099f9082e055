"""Which action is asked about which resource: AWS IoT developer guide, "AWS IoT Core policy actions"."""

from collections.abc import Callable

import msgspec
import pytest

from fogbank.broker.authorizer import Authorizer
from fogbank.policy import Decision
from fogbank.ports import Grant, Identity, PolicyDocument, ThingContext

from .conftest import ARNS

AT = "arn:aws:iot:us-east-1:123456789012"
IDENTITY = Identity("cert-1", f"{AT}:cert/cert-1", active=True)
QUESTIONS: dict[str, tuple[str, str, Callable[[Authorizer], Decision]]] = {
    "connect": ("iot:Connect", f"{AT}:client/lamp", lambda one: one.connect(persistent=False, will_topic=None)),
    "publish": ("iot:Publish", f"{AT}:topic/a/b", lambda one: one.publish("a/b")),
    "retain": ("iot:RetainPublish", f"{AT}:topic/a/b", lambda one: one.retain("a/b")),
    "subscribe": ("iot:Subscribe", f"{AT}:topicfilter/a/+", lambda one: one.subscribe("a/+")),
    "shared": ("iot:Subscribe", f"{AT}:topicfilter/$share/g/a", lambda one: one.subscribe("$share/g/a")),
    "receive": ("iot:Receive", f"{AT}:topic/a/b", lambda one: one.receive("a/b")),
}


def authorizer(*statements: dict[str, object], thing: ThingContext | None = None) -> Authorizer:
    policy = msgspec.json.encode({"Version": "2012-10-17", "Statement": list(statements)}).decode()
    grant = Grant((PolicyDocument("p", policy),), thing) if thing else Grant((PolicyDocument("p", policy),))
    return Authorizer(ARNS, IDENTITY, grant, "lamp", "192.0.2.1", "iot.example.com")


def allow(action: str, resource: str, **rest: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **rest}


@pytest.mark.parametrize("name", QUESTIONS)
def test_exactly_this_action_on_this_resource(name: str) -> None:
    action, resource, ask = QUESTIONS[name]
    assert ask(authorizer(allow(action, resource))).allowed
    assert not ask(authorizer(allow(action, resource + "x"))).allowed
    others = [one for one, _, _ in QUESTIONS.values() if one != action]
    assert not ask(authorizer(*(allow(other, "*") for other in others))).allowed
    denied = ask(authorizer(allow("*", "*"), {"Effect": "Deny", "Action": action, "Resource": resource}))
    assert not denied.allowed
    assert denied.reason


def test_a_wildcard_in_a_filter_is_a_character() -> None:
    """Subscribing to `a/#` needs a policy that says so, not one for what it matches."""
    assert not authorizer(allow("iot:Subscribe", f"{AT}:topicfilter/a/b")).subscribe("a/#").allowed


@pytest.mark.parametrize(
    ("condition", "persistent", "will", "allowed"),
    [
        ({"ForAllValues:StringEquals": {"iot:ConnectAttributes": ["PersistentConnect"]}}, True, None, True),
        ({"ForAnyValue:StringEquals": {"iot:ConnectAttributes": ["PersistentConnect"]}}, False, None, False),
        ({"ForAnyValue:StringEquals": {"iot:ConnectAttributes": ["LastWill"]}}, False, "gone", True),
        ({"ForAnyValue:StringEquals": {"iot:ConnectAttributes": ["LastWill"]}}, False, None, False),
        ({"ArnEquals": {"iot:LastWillTopic": [f"{AT}:topic/gone"]}}, False, "gone", True),
        ({"ArnEquals": {"iot:LastWillTopic": [f"{AT}:topic/gone"]}}, False, "other", False),
    ],
)
def test_what_connect_brings_along(
    condition: dict[str, object], persistent: bool, will: str | None, allowed: bool
) -> None:
    """AWS IoT developer guide, "Connect policy examples"."""
    one = authorizer(allow("iot:Connect", "*", Condition=condition))
    assert one.connect(persistent=persistent, will_topic=will).allowed is allowed


@pytest.mark.parametrize(
    ("variable", "value"),
    [("iot:ClientId", "lamp"), ("iot:Connection.Thing.ThingName", "the-lamp"), ("aws:SourceIp", "192.0.2.1")],
)
def test_variables_are_those_of_the_connection(variable: str, value: str) -> None:
    one = authorizer(allow("iot:Publish", f"{AT}:topic/${{{variable}}}"), thing=ThingContext("the-lamp", attached=True))
    assert one.publish(value).allowed
    assert not one.publish(value + "x").allowed
