"""What stands around provisioning in tests: functions that answer as they are told, connections that keep what is said,
a CA's customers, and templates."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from fogbank.errors import ServiceError
from fogbank.message import Message, Origin
from fogbank.ports import InvocationResult, InvocationType, ServiceCaller

ROLE = "arn:aws:iam::123456789012:role/provisioning"
HOOK = "arn:aws:lambda:eu-west-1:123456789012:function:hook"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:eu-west-1:123456789012:client/*"}
    ],
}
FLEET: dict[str, Any] = {
    "Parameters": {"SerialNumber": {"Type": "String"}, "Site": {"Type": "String", "Default": "hall"}},
    "Resources": {
        "thing": {
            "Type": "AWS::IoT::Thing",
            "Properties": {
                "ThingName": {"Fn::Join": ["", ["lamp-", {"Ref": "SerialNumber"}]]},
                "AttributePayload": {"site": {"Ref": "Site"}},
            },
        },
        "certificate": {
            "Type": "AWS::IoT::Certificate",
            "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Active"},
        },
        "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": msgspec.json.encode(POLICY).decode()}},
    },
    "DeviceConfiguration": {"site": {"Ref": "Site"}},
}
JITP: dict[str, Any] = {
    "Parameters": {"AWS::IoT::Certificate::CommonName": {"Type": "String"}},
    "Resources": {
        "thing": {
            "Type": "AWS::IoT::Thing",
            "Properties": {"ThingName": {"Ref": "AWS::IoT::Certificate::CommonName"}},
        },
        "certificate": FLEET["Resources"]["certificate"],
    },
}


def body(template: dict[str, Any]) -> str:
    return msgspec.json.encode(template).decode()


class Functions:
    """Port Invoker: one function, which does what the test says."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.callers: list[ServiceCaller | None] = []
        self.answer: Any = {"allowProvisioning": True}
        """What it returns; bytes as they are, an error is raised."""
        self.failed = False
        self.wait: Callable[[], Awaitable[object]] | None = None

    async def invoke(
        self,
        function: str,
        payload: bytes,
        *,
        type_: InvocationType = InvocationType.REQUEST_RESPONSE,
        qualifier: str | None = None,
        caller: ServiceCaller | None = None,
        client_context: str | None = None,
        log_tail: bool = False,
    ) -> InvocationResult:
        assert function == HOOK
        self.events.append(msgspec.json.decode(payload))
        self.callers.append(caller)
        if self.wait is not None:
            await self.wait()
        if isinstance(self.answer, ServiceError):
            raise self.answer
        answer = self.answer if isinstance(self.answer, bytes) else msgspec.json.encode(self.answer)
        return InvocationResult(200, answer, function_error="Unhandled" if self.failed else None)


class Connections:
    """Port Answers: all who ask are there and listen, unless the test says otherwise."""

    def __init__(self) -> None:
        self.deaf: str | None = None
        self.sent: list[tuple[Origin, str, bytes]] = []
        self._arrived = asyncio.Event()

    def obstacle(self, asker: Origin, topic: str, *, unasked: bool = False) -> str | None:
        return self.deaf

    def answer(self, asker: Origin, topic: str, payload: bytes, *, unasked: bool = False) -> str | None:
        if self.deaf is None:
            self.sent.append((asker, topic, payload))
            self._arrived.set()
        return self.deaf

    async def arrival(self) -> None:
        """Return when there is an answer."""
        while not self.sent:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 10)

    async def next(self) -> tuple[str, bytes]:
        """The next answer: how its topic ends, and what it is."""
        await self.arrival()
        _, topic, payload = self.sent.pop(0)
        return topic.rpartition("/")[2], payload


DEVICE = Origin("claim-1", "device-1", "192.0.2.1")
OTHER = Origin("claim-2", "device-2", "192.0.2.2")


def question(topic: str, payload: Any = b"", origin: Origin = DEVICE) -> Message:
    data = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    return Message(topic, data, origin=origin)
