"""A broker under `strict` whose time is in the test's hands, and devices that may do everything."""

import asyncio
from collections.abc import Sequence

from tests.fuzz.virtual_time import VirtualTime

from fogbank.broker.broker import Broker
from fogbank.mqtt import Version
from fogbank.mqtt.packets import Puback
from fogbank.ports import Peer
from fogbank.settings import Limits
from fogbank.storage.memory import MemoryBacklogs, MemoryDocuments
from fogbank.testing.device import Device
from fogbank.trace import Trace
from fogbank.transport.peer import PlainPrincipals

from .conftest import ARNS


def device(broker: Broker, version: Version = Version.V3_1_1) -> Device:
    plain = PlainPrincipals(None)
    return Device(broker, Peer(identity=plain.identity, principals=plain, ip="192.0.2.1"), version)


class Timed:
    """A broker under `strict` whose timers are in the test's hands."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.time = VirtualTime(loop)
        documents = MemoryDocuments()
        trace = Trace(self.time)
        self.broker = Broker(ARNS, Limits.STRICT, self.time, trace, self.time, documents, MemoryBacklogs(documents))

    async def counts(self, receiver: Device, seconds: int) -> list[int]:
        """How many messages come in each second; each is acknowledged at once."""
        return [count for [count] in await self.counts_of((receiver,), seconds)]

    async def counts_of(self, receivers: Sequence[Device], seconds: int) -> list[list[int]]:
        """The same of several."""
        counts = []
        for _ in range(seconds):
            got = [0] * len(receivers)
            for _ in range(20):
                await self.time.advance(0.05)
                for place, receiver in enumerate(receivers):
                    messages = await receiver.messages()
                    got[place] += len(messages)
                    receiver.send(*[Puback(one.packet_id) for one in messages if one.qos])
            counts.append(got)
        return counts
