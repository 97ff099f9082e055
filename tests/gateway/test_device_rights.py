"""What devices may do over HTTP, by their policies."""

import logging
from contextlib import nullcontext

import msgspec
import pytest
from tests.gateway.data_plane import APP, ARNS, CERTIFICATE, DEVICE, REQUEST, Principals, allowing

from fogbank.errors import Forbidden
from fogbank.gateway.call import Call, Caller
from fogbank.gateway.device_rights import DeviceRights
from fogbank.testing import FakeClock
from fogbank.trace import Trace, TraceEvent


@pytest.fixture
def events() -> list[TraceEvent]:
    return []


@pytest.fixture
def trace(events: list[TraceEvent]) -> Trace:
    trace = Trace(FakeClock())
    trace.listen(events.append)
    return trace


def call(caller: Caller = DEVICE) -> Call:
    return Call("iot-data", "Publish", {}, caller, REQUEST)


def rights(trace: Trace, policy: str = allowing(("Publish", "topic/lamp/*"))) -> DeviceRights:
    return DeviceRights(Principals(policy), ARNS, trace)


async def test_what_a_policy_allows(trace: Trace, events: list[TraceEvent]) -> None:
    await rights(trace).check(call(), "topic", "lamp/data", kind="publish")
    assert events == []


async def test_a_refusal_tells_the_device_nothing_and_us_everything(
    trace: Trace, events: list[TraceEvent], caplog: pytest.LogCaptureFixture
) -> None:
    """Developer guide, "HTTPS": `{"message": "Forbidden", "traceId": ...}`."""
    with caplog.at_level(logging.INFO), pytest.raises(Forbidden) as caught:
        await rights(trace).check(call(), "topic", "door/data", kind="publish")
    assert caught.value.message == "Forbidden"
    [event] = events
    reason = f"no statement of policy 'lamp' allows iot:Publish on {ARNS.iot('topic', 'door/data')}"
    assert event.reason.startswith(reason)
    assert (event.kind, event.status, event.topic, event.principal) == (
        "publish",
        "denied",
        "door/data",
        DEVICE.principal,
    )
    assert event.detail == {"traceId": REQUEST}
    [record] = caplog.records
    assert reason in record.getMessage()
    assert REQUEST in record.getMessage()


@pytest.mark.parametrize(("resource", "field"), [("topic", "topic"), ("client", "client_id"), ("thing", "name")])
async def test_the_trace_has_each_name_in_its_place(
    trace: Trace, events: list[TraceEvent], resource: str, field: str
) -> None:
    with pytest.raises(Forbidden):
        await rights(trace).check(call(), resource, "x", kind="publish")
    assert getattr(events[0], field) == "x"


async def test_an_access_key_may_do_everything(trace: Trace) -> None:
    await rights(trace, allowing()).check(call(APP), "topic", "door/data", kind="publish")


THING = ARNS.iot("thing", "lamp")
BY_EITHER_NAME = [
    (("Allow", "iot:UpdateJobExecution", "*"), True),
    (("Allow", "iotjobsdata:UpdateJobExecution", "*"), True),
    (("Allow", "iotjobsdata:*", "job-1"), True),
    (("Allow", "iotjobsdata:*", "job-2"), False),
    (("Allow", "iot:Publish", "*"), False),
    (("Deny", "iotjobsdata:UpdateJobExecution", "*"), False),
    (("Deny", "iot:UpdateJobExecution", "job-1"), False),
]


@pytest.mark.parametrize(("statement", "allowed"), BY_EITHER_NAME)
async def test_an_action_that_has_two_names(trace: Trace, statement: tuple[str, str, str], allowed: bool) -> None:
    """One must be allowed, and none may be denied."""
    effect, action, job = statement
    condition = {"StringLike": {"iot:JobId": job}}
    statements = [{"Effect": effect, "Action": action, "Resource": THING, "Condition": condition}]
    if effect == "Deny":
        statements.append({"Effect": "Allow", "Action": ["iot:*", "iotjobsdata:*"], "Resource": "*"})
    policy = msgspec.json.encode({"Version": "2012-10-17", "Statement": statements}).decode()
    asked = msgspec.structs.replace(call(), service="iot-jobs-data", operation="UpdateJobExecution")
    context = {"iot:JobId": "job-1"}
    with nullcontext() if allowed else pytest.raises(Forbidden):
        await rights(trace, policy).check(
            asked, "thing", "lamp", also="iotjobsdata:UpdateJobExecution", context=context, kind="job"
        )


async def test_another_action_than_the_operation(trace: Trace) -> None:
    with pytest.raises(Forbidden):
        await rights(trace).check(call(), "topic", "lamp/data", action="RetainPublish", kind="publish")


async def test_actions_without_a_resource(trace: Trace) -> None:
    """`*` is the only resource that a statement about them can have. (developer guide, iot-action-resources)"""
    await rights(trace, allowing(("Publish", "*"))).check(call(), "*", kind="receive")
    with pytest.raises(Forbidden):
        await rights(trace, allowing(("Publish", "topic/*"))).check(call(), "*", kind="receive")


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("aws:SourceIp", {}, {"source_ip": "10.0.0.8"}),
        ("iot:DomainName", {"server_name": "10.0.0.9"}, {"server_name": None}),
        ("iot:Topic", {}, None),
    ],
)
async def test_conditions(trace: Trace, key: str, good: dict[str, str], bad: dict[str, str] | None) -> None:
    condition = f'{{"StringEquals": {{"{key}": "10.0.0.9", "iot:CertificateId": "{CERTIFICATE.id}"}}}}'
    policy = allowing(("Publish", "*")).replace("}]}", f', "Condition": {condition}}}]}}')
    one = rights(trace, policy)
    caller = msgspec.structs.replace(DEVICE, **good)
    await one.check(call(caller), "topic", "a", context={"iot:Topic": "10.0.0.9"}, kind="publish")
    other = call(caller if bad is None else msgspec.structs.replace(caller, **bad))
    with pytest.raises(Forbidden):
        await one.check(other, "topic", "a", kind="publish")


async def test_rights_that_came_with_the_caller(trace: Trace) -> None:
    """As a custom authorizer gives them."""
    caller = msgspec.structs.replace(DEVICE, principals=Principals(allowing(("Publish", "topic/door/*"))))
    await rights(trace).check(call(caller), "topic", "door/data", kind="publish")
    with pytest.raises(Forbidden):
        await rights(trace).check(call(caller), "topic", "lamp/data", kind="publish")
