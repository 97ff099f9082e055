from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from fogbank.arns import Arns
from fogbank.broker.quotas import quotas
from fogbank.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotImplementedByFogbank,
    RequestEntityTooLarge,
    ResourceNotFound,
)
from fogbank.gateway import models
from fogbank.gateway.call import Call, Caller, Members, operations
from fogbank.gateway.iot_data import IotDataApi, by_policies
from fogbank.message import Message, Origin
from fogbank.policy import Decision
from fogbank.ports import Grant, Identity, PolicyDocument, PrincipalListener
from fogbank.settings import Limits
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.service import ShadowService
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock
from fogbank.trace import Trace, TraceEvent

APP = Caller("AKIAEXAMPLE", "arn:aws:iam::123456789012:root", "127.0.0.1")
CERTIFICATE = Identity("c" * 64, f"arn:aws:iot:eu-north-1:1:cert/{'c' * 64}", True)
DEVICE = Caller(CERTIFICATE.id, CERTIFICATE.arn, "10.0.0.9", CERTIFICATE)
POLICY = """{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "iot:*Shadow*", "Resource": "arn:aws:iot:eu-north-1:1:thing/lamp"},
    {"Effect": "Allow", "Action": "iot:UpdateThingShadow", "Resource": "arn:aws:iot:eu-north-1:1:thing/lamp/night"},
    {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:eu-north-1:1:topic/lamp/*",
     "Condition": {"StringEquals": {"aws:SourceIp": "10.0.0.9", "iot:CertificateId": "%s"}}}]}"""


class Published(list[Message]):
    """A publisher that remembers."""

    async def publish(self, message: Message) -> None:
        self.append(message)


class Principals:
    """Grants the one policy to every device, and only to what has no client ID."""

    async def identify(self, certificate: bytes) -> Identity:
        raise NotImplementedError

    async def recheck(self, identity: Identity) -> Identity:
        raise NotImplementedError

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        assert client_id is None
        return Grant((PolicyDocument("lamp", POLICY % identity.id),))

    def watch(self, listener: PrincipalListener) -> None:
        raise NotImplementedError


class Platform:
    """The API with what stands behind it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.published = Published()
        self.events: list[TraceEvent] = []
        trace = Trace(self.clock)
        trace.listen(self.events.append)
        limits = ShadowLimits.of(Limits.AWS)
        self.shadows = ShadowService(MemoryDocuments(), self.published, self.clock, trace, limits)
        arns = Arns("eu-north-1", "1")
        authorize = by_policies(Principals())
        self.api = IotDataApi(self.shadows, self.published, authorize, arns, self.clock, quotas(Limits.AWS), trace)

    async def call(self, name: str, params: Mapping[str, Any], caller: Caller = APP) -> Members:
        handlers = {operation: handler for (_, operation), handler in operations(self.api)}
        return await handlers[name](Call("iot-data", name, dict(params), caller, "r"))


@pytest.fixture
def platform() -> Platform:
    return Platform()


def document(answer: Members) -> Any:
    return msgspec.json.decode(answer["payload"])


UPDATE = {"thingName": "lamp", "payload": b'{"state": {"desired": {"on": true}}}'}


def test_the_model_has_every_operation(platform: Platform) -> None:
    model = models.load("iot-data")
    assert {name for (_, name), _ in operations(platform.api)} <= set(model.operations)
    assert {service for (service, _), _ in operations(platform.api)} == {"iot-data"}


async def test_an_app_drives_a_shadow(platform: Platform) -> None:
    accepted = document(await platform.call("UpdateThingShadow", UPDATE))
    assert (accepted["version"], accepted["state"]) == (1, {"desired": {"on": True}})
    assert [message.topic.rsplit("/", 1)[1] for message in platform.published] == ["accepted", "delta", "documents"]
    found = document(await platform.call("GetThingShadow", {"thingName": "lamp"}))
    assert found["state"] == {"desired": {"on": True}, "delta": {"on": True}}
    assert document(await platform.call("DeleteThingShadow", {"thingName": "lamp"}))["version"] == 1
    with pytest.raises(ResourceNotFound, match="No shadow exists with name: 'lamp'"):
        await platform.call("GetThingShadow", {"thingName": "lamp"})


async def test_named_shadows_are_separate_and_listed(platform: Platform) -> None:
    await platform.call("UpdateThingShadow", UPDATE)
    for name in ("night", "day", "dusk"):
        await platform.call("UpdateThingShadow", UPDATE | {"shadowName": name})
    first = await platform.call("ListNamedShadowsForThing", {"thingName": "lamp", "pageSize": 2})
    assert first == {"results": ["day", "dusk"], "nextToken": "dusk", "timestamp": int(platform.clock.time())}
    second = await platform.call("ListNamedShadowsForThing", {"thingName": "lamp", "nextToken": first["nextToken"]})
    assert (second["results"], second["nextToken"]) == (["night"], None)
    with pytest.raises(ResourceNotFound, match="'dawn'"):
        await platform.call("GetThingShadow", {"thingName": "lamp", "shadowName": "dawn"})


async def test_errors_are_the_modelled_ones_and_publish_nothing(platform: Platform) -> None:
    stale = UPDATE | {"payload": b'{"state": {}, "version": 7}'}
    with pytest.raises(Conflict, match="Version conflict"):
        await platform.call("UpdateThingShadow", stale)
    with pytest.raises(InvalidRequest, match="Invalid JSON"):
        await platform.call("UpdateThingShadow", UPDATE | {"payload": b"{"})
    assert not platform.published


class TestDevices:
    async def test_what_its_policies_allow(self, platform: Platform) -> None:
        await platform.call("UpdateThingShadow", UPDATE, DEVICE)
        await platform.call("GetThingShadow", {"thingName": "lamp"}, DEVICE)
        await platform.call("ListNamedShadowsForThing", {"thingName": "lamp"}, DEVICE)
        await platform.call("DeleteThingShadow", {"thingName": "lamp"}, DEVICE)
        await platform.call("UpdateThingShadow", UPDATE | {"shadowName": "night"}, DEVICE)
        await platform.call("Publish", {"topic": "lamp/data"}, DEVICE)

    @pytest.mark.parametrize(
        ("name", "params", "resource"),
        [
            ("UpdateThingShadow", UPDATE | {"thingName": "door"}, "thing/door"),
            ("GetThingShadow", {"thingName": "door"}, "thing/door"),
            ("GetThingShadow", {"thingName": "lamp", "shadowName": "night"}, "thing/lamp/night"),
            ("DeleteThingShadow", {"thingName": "door"}, "thing/door"),
            ("ListNamedShadowsForThing", {"thingName": "door"}, "thing/door"),
            ("Publish", {"topic": "door/data"}, "topic/door/data"),
        ],
    )
    async def test_anything_else_is_forbidden_and_says_why(
        self, platform: Platform, name: str, params: Members, resource: str
    ) -> None:
        with pytest.raises(Forbidden, match=f"no statement of policy 'lamp' allows iot:{name} on .*:{resource};"):
            await platform.call(name, params, DEVICE)
        assert not platform.published

    async def test_the_address_counts(self, platform: Platform) -> None:
        elsewhere = msgspec.structs.replace(DEVICE, source_ip="10.0.0.8")
        with pytest.raises(Forbidden, match=r"aws:SourceIp is '10\.0\.0\.8'"):
            await platform.call("Publish", {"topic": "lamp/data"}, elsewhere)

    async def test_rights_that_came_with_the_caller(self, platform: Platform) -> None:
        class Authorizer(Principals):
            async def grant(self, identity: Identity, client_id: str | None) -> Grant:
                return Grant((PolicyDocument("given", POLICY.replace("lamp/*", "door/*") % identity.id),))

        caller = msgspec.structs.replace(DEVICE, principals=Authorizer())
        await platform.call("Publish", {"topic": "door/data"}, caller)
        with pytest.raises(Forbidden, match="no statement of policy 'given' allows"):
            await platform.call("Publish", {"topic": "lamp/data"}, caller)

    async def test_the_name_that_was_asked_for_counts(self, platform: Platform) -> None:
        policy = (
            '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", '
            '"Condition": {"StringEquals": {"iot:DomainName": "name"}}}}'
        )

        class Authorizer(Principals):
            async def grant(self, identity: Identity, client_id: str | None) -> Grant:
                return Grant((PolicyDocument("given", policy),))

        caller = msgspec.structs.replace(DEVICE, principals=Authorizer(), server_name="name")
        await platform.call("Publish", {"topic": "a"}, caller)
        with pytest.raises(Forbidden):
            await platform.call("Publish", {"topic": "a"}, msgspec.structs.replace(caller, server_name=None))

    async def test_account_keys_are_no_devices(self) -> None:
        decision: Decision = await by_policies(Principals())(APP, "iot:Publish", "arn")
        assert not decision.allowed


class TestPublish:
    async def test_a_message_with_its_origin(self, platform: Platform) -> None:
        answer = await platform.call("Publish", {"topic": "a/b", "qos": 1, "payload": b"\x00"})
        assert answer == {}
        assert platform.published == [Message("a/b", b"\x00", 1, origin=Origin("AKIAEXAMPLE", None, "127.0.0.1"))]

    async def test_the_payload_and_the_quality_may_be_missing(self, platform: Platform) -> None:
        await platform.call("Publish", {"topic": "a/b"})
        assert (platform.published[0].payload, platform.published[0].qos) == (b"", 0)

    @pytest.mark.parametrize(
        ("topic", "what"),
        [
            ("a/+", "holds a wildcard"),
            ("#", "holds a wildcard"),
            ("", "is empty"),
            ("a\0", "null character"),
            ("ä" * 129, "258 bytes; 256 are allowed"),
            ("/" * 8, "9 levels; 8 are allowed"),
        ],
    )
    async def test_topics_that_cannot_be(self, platform: Platform, topic: str, what: str) -> None:
        with pytest.raises(InvalidRequest, match=what):
            await platform.call("Publish", {"topic": topic})

    async def test_the_longest_payload(self, platform: Platform) -> None:
        await platform.call("Publish", {"topic": "a", "payload": bytes(128 * 1024)})
        with pytest.raises(RequestEntityTooLarge, match="131073 bytes; 131072 are allowed"):
            await platform.call("Publish", {"topic": "a", "payload": bytes(128 * 1024 + 1)})

    @pytest.mark.parametrize("member", ["retain", "userProperties", "responseTopic", "messageExpiry"])
    async def test_what_is_not_honoured_is_refused_by_name(self, platform: Platform, member: str) -> None:
        with pytest.raises(NotImplementedByFogbank, match=f"Publish: {member} is not supported"):
            await platform.call("Publish", {"topic": "a", member: True})
        assert not platform.published


async def test_what_is_published_and_what_is_denied_can_be_traced(platform: Platform) -> None:
    await platform.call("Publish", {"topic": "a/b"})
    with pytest.raises(Forbidden):
        await platform.call("Publish", {"topic": "a/b"}, DEVICE)
    with pytest.raises(Forbidden):
        await platform.call("GetThingShadow", {"thingName": "heater"}, DEVICE)
    told = [(event.kind, event.status, event.topic, event.name) for event in platform.events]
    assert told == [
        ("publish", "success", "a/b", ""),
        ("publish", "denied", "a/b", ""),
        ("shadow", "denied", "", "heater"),
    ]
    assert "no statement of policy 'lamp' allows iot:GetThingShadow" in platform.events[-1].reason
