"""A broker in memory, and devices to drive it with."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from fogbank.arns import Arns
from fogbank.broker.broker import Broker
from fogbank.message import Message
from fogbank.mqtt import Version
from fogbank.ports import Grant, Identity, Peer, PolicyDocument, PrincipalListener
from fogbank.settings import Limits
from fogbank.storage.memory import MemoryBacklogs, MemoryDocuments
from fogbank.testing import FakeClock
from fogbank.testing.device import Device
from fogbank.trace import Trace
from fogbank.transport.peer import PlainPrincipals

ARNS = Arns("us-east-1", "123456789012")

MakeDevice = Callable[..., Device]


class Principals:
    """A principal store whose one device can be given rights and taken out of service."""

    def __init__(self, policy: str) -> None:
        self.identity = Identity("cert-1", "arn:aws:iot:us-east-1:123456789012:cert/cert-1", active=True)
        self.grant_ = Grant((PolicyDocument("device-policy", policy),))

    async def identify(self, certificate: bytes) -> Identity:
        return self.identity

    async def recheck(self, identity: Identity) -> Identity:
        return self.identity

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        return self.grant_

    def watch(self, listener: PrincipalListener) -> None: ...


class Recorder:
    """An in-process subscriber that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def deliver(self, message: Message) -> None:
        self.messages.append(message)


async def make_broker(
    clock: FakeClock, limits: Limits = Limits.AWS, *, connections_per_principal: int | None = None
) -> Broker:
    documents = MemoryDocuments()
    return Broker(
        ARNS,
        limits,
        clock,
        Trace(clock),
        asyncio.get_running_loop(),
        documents,
        MemoryBacklogs(documents),
        connections_per_principal=connections_per_principal,
    )


@pytest.fixture
async def broker(fake_clock: FakeClock) -> AsyncIterator[Broker]:
    broker = await make_broker(fake_clock)
    yield broker
    await broker.journal.settled()  # or a commit might begin as the event loop ends


@pytest.fixture
def device(broker: Broker) -> MakeDevice:
    """Devices that may do everything."""
    plain = PlainPrincipals(None)
    peer = Peer(identity=plain.identity, principals=plain, ip="192.0.2.1")
    return lambda version=Version.V3_1_1: Device(broker, peer, version)
