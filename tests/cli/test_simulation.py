"""What is simulated is what the broker would decide."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.arns import Arns
from fogbank.broker.authorizer import Authorizer
from fogbank.cli.simulation import Principal, Question, Simulation, Value
from fogbank.policy import connect_context
from fogbank.ports import Grant, Identity, PolicyDocument, ThingContext

ARNS = Arns("eu-west-1", "123456789012")
IDENTITY = Identity("ab" * 32, ARNS.iot("cert", "ab" * 32), active=True)
THING = "${iot:Connection.Thing.ThingName}"
CLIENT = "${iot:ClientId}"

RESOURCES = st.sampled_from(
    ["*"]
    + [
        f"arn:aws:iot:*:*:{kind}/{name}"
        for kind in ("client", "topic", "topicfilter")
        for name in ("*", "lamp", "a/*", THING, CLIENT, f"a/{THING}")
    ]
)
CONDITIONS = st.sampled_from(
    [
        {},
        {"Bool": {"iot:Connection.Thing.IsAttached": "true"}},
        {"ForAllValues:StringEquals": {"iot:ConnectAttributes": ["PersistentConnect"]}},
        {"ArnLike": {"iot:LastWillTopic": "arn:aws:iot:*:*:topic/a/*"}},
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"StringEquals": {"iot:Connection.Thing.Attributes[room]": "hall"}},
    ]
)
STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Allow", "Deny"]),
        "Action": st.sampled_from(["iot:*", "iot:Connect", "iot:Publish", "iot:Subscribe", "iot:Receive"]),
        "Resource": RESOURCES,
        "Condition": CONDITIONS,
    }
)
NAMES = st.sampled_from(["lamp", "a/lamp", "a/b", "other"])


@given(
    statements=st.lists(STATEMENTS, min_size=1, max_size=4),
    client_id=st.sampled_from(["lamp", "other"]),
    attached=st.booleans(),
    persistent=st.booleans(),
    will_topic=st.none() | NAMES,
    source_ip=st.sampled_from([None, "10.1.2.3", "192.0.2.1"]),
    name=NAMES,
)
def test_it_agrees_with_the_broker(
    statements: list[dict[str, object]],
    client_id: str,
    attached: bool,
    persistent: bool,
    will_topic: str | None,
    source_ip: str | None,
    name: str,
) -> None:
    policies = (PolicyDocument("p", json.dumps({"Version": "2012-10-17", "Statement": statements})),)
    lamp = ThingContext("lamp", attached=True, type_name="bulb", attributes={"room": "hall"})
    here = attached and client_id == "lamp"
    grant = Grant(policies, lamp if here else ThingContext(client_id, attached=False))
    broker = Authorizer(ARNS, IDENTITY, grant, client_id, source_ip)
    simulation = Simulation(
        Principal(ARNS, policies, IDENTITY, {"lamp": False} if attached else {}, lambda _: lamp), source_ip
    )
    will = None if will_topic is None else ARNS.iot("topic", will_topic)
    context = connect_context(persistent=persistent, will_topic=will)
    for question, expected in [
        (
            Question("iot:Connect", ARNS.iot("client", client_id), client_id, context),
            broker.connect(persistent=persistent, will_topic=will_topic),
        ),
        (Question("iot:Publish", ARNS.iot("topic", name), client_id), broker.publish(name)),
        (Question("iot:Subscribe", ARNS.iot("topicfilter", name), client_id), broker.subscribe(name)),
        (Question("iot:Receive", ARNS.iot("topic", name), client_id), broker.receive(name)),
    ]:
        decision = simulation.answer(question).decision
        assert (decision.allowed, decision.reason) == (expected.allowed, expected.reason)


@pytest.mark.parametrize(
    ("attached", "client_id", "expected"),
    [
        ({}, "lamp", ThingContext("lamp", attached=False)),
        ({"lamp": False}, "lamp", ThingContext("lamp", attached=True)),
        ({"lamp": False}, "other", ThingContext("other", attached=False)),
        ({"lamp": True}, "other", ThingContext("lamp", attached=True)),
        ({"lamp": False, "other": False}, "other", ThingContext("other", attached=True)),
        ({"lamp": True}, None, None),
    ],
)
def test_which_thing_stands_behind_a_connection(
    attached: dict[str, bool], client_id: str | None, expected: ThingContext | None
) -> None:
    assert Principal(ARNS, (), attached=attached).thing(client_id) == expected


@pytest.mark.parametrize(
    ("value", "text", "plain"),
    [
        (Value("n", ("v",)), "n = v", "v"),
        (Value("n", ("v", "w")), "n = v, w", ("v", "w")),
        (Value("n", ()), "n is empty", ()),
        (Value("n", None), "n has no value", None),
        (Value("n", None, "so it is"), "n has no value: so it is", None),
    ],
)
def test_a_value_in_words_and_for_programs(value: Value, text: str, plain: object) -> None:
    assert (str(value), value.plain) == (text, plain)
