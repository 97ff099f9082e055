"""The IoT data plane with a broker in memory behind it, and callers of each kind."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fogbank.arns import Arns
from fogbank.broker.broker import Broker
from fogbank.gateway.call import Call, Caller, Members, operations
from fogbank.gateway.device_rights import DeviceRights
from fogbank.gateway.iot_connections import IotConnectionsApi
from fogbank.gateway.iot_publish import IotPublishApi
from fogbank.gateway.iot_retained import IotRetainedApi
from fogbank.gateway.iot_shadows import IotShadowsApi
from fogbank.message import Message
from fogbank.mqtt import Version
from fogbank.ports import Grant, Identity, Peer, PolicyDocument, PrincipalListener
from fogbank.settings import Limits
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.service import ShadowService
from fogbank.storage.memory import MemoryBacklogs, MemoryDocuments
from fogbank.testing import FakeClock
from fogbank.testing.device import Device
from fogbank.trace import Trace, TraceEvent
from fogbank.transport.peer import PlainPrincipals

ARNS = Arns("eu-north-1", "1")
APP = Caller("AKIAEXAMPLE", "arn:aws:iam::123456789012:root", "127.0.0.1")
CERTIFICATE = Identity("c" * 64, ARNS.iot("cert", "c" * 64), True)
DEVICE = Caller(CERTIFICATE.id, CERTIFICATE.arn, "10.0.0.9", CERTIFICATE)
REQUEST = "11111111-2222-3333-4444-555555555555"


class Principals:
    """Grants one policy to every device, and only to what has no client ID."""

    def __init__(self, policy: str) -> None:
        self.policy = policy

    async def identify(self, certificate: bytes) -> Identity:
        raise NotImplementedError

    async def recheck(self, identity: Identity) -> Identity:
        raise NotImplementedError

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        assert client_id is None
        return Grant((PolicyDocument("lamp", self.policy),))

    def watch(self, listener: PrincipalListener) -> None:
        raise NotImplementedError


class Remembering:
    """An in-process subscriber."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def deliver(self, message: Message) -> None:
        self.messages.append(message)


class DataPlane:
    """The APIs with what stands behind them. `published` gets what is published outside of `$` topics."""

    def __init__(self, policy: str = '{"Version": "2012-10-17", "Statement": []}', limits: Limits = Limits.AWS) -> None:
        self.clock = FakeClock()
        self.events: list[TraceEvent] = []
        self.trace = Trace(self.clock)
        self.trace.listen(self._hear)
        documents = MemoryDocuments()
        loop = asyncio.get_running_loop()
        self.broker = Broker(ARNS, limits, self.clock, self.trace, loop, documents, MemoryBacklogs(documents))
        everybody = Remembering()
        self.published = everybody.messages
        self.broker.router.subscribe("#", everybody)
        self.broker.router.subscribe("$aws/things/#", everybody)
        self.shadows = ShadowService(documents, self.broker.router, self.clock, self.trace, ShadowLimits.of(limits))
        self.principals = Principals(policy)
        rights = DeviceRights(self.principals, ARNS, self.trace)
        broker, clock, trace = self.broker, self.clock, self.trace
        self.apis = [
            IotShadowsApi(self.shadows, rights, self.clock),
            IotPublishApi(broker.router, rights, broker.quotas, clock, trace, broker.rates),
            IotRetainedApi(broker.retained, rights),
            IotConnectionsApi(broker.connections, broker.direct, rights, broker.quotas, clock, trace, broker.rates),
        ]

    async def call(self, name: str, caller: Caller = APP, **params: Any) -> Members:
        """What an operation answers, spared the way over HTTP."""
        handlers = {operation: handler for api in self.apis for (_, operation), handler in operations(api)}
        known: Mapping[str, Any] = {key: value for key, value in params.items() if value is not None}
        return await handlers[name](Call("iot-data", name, dict(known), caller, REQUEST))

    def device(self, version: Version = Version.V3_1_1) -> Device:
        """An MQTT client that may do everything."""
        plain = PlainPrincipals(None)
        peer = Peer(identity=plain.identity, principals=plain, ip="192.0.2.1", port=4711)
        return Device(self.broker, peer, version)

    def denials(self) -> list[tuple[str, str, str, str]]:
        """What has been refused: kind, topic, client ID and name."""
        return [(one.kind, one.topic, one.client_id, one.name) for one in self.events if one.status == "denied"]

    def _hear(self, event: TraceEvent) -> None:
        self.events.append(event)


def allowing(*statements: tuple[str, str]) -> str:
    """A policy of actions and resources, without `iot:` and the beginning of the ARN."""
    listed = ", ".join(
        f'{{"Effect": "Allow", "Action": "iot:{action}", "Resource": "{_resource(resource)}"}}'
        for action, resource in statements
    )
    return f'{{"Version": "2012-10-17", "Statement": [{listed}]}}'


def _resource(resource: str) -> str:
    kind, slash, name = resource.partition("/")
    return ARNS.iot(kind, name) if slash else resource
