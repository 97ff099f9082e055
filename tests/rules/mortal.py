"""A broker with a rules engine whose disk a test holds in its hands, and which can crash."""

import asyncio
from typing import Any

import msgspec
from tests.broker.conftest import ARNS
from tests.broker.server import Server
from tests.rules.conftest import FUNCTION, RecordingInvoker

from fogbank.message import Message, Origin
from fogbank.ports import InvocationResult, InvocationType
from fogbank.registry.tags import Tags
from fogbank.rules.definition import Members, Rule
from fogbank.rules.engine import RuleEngine
from fogbank.rules.outside import Answering
from fogbank.rules.service import TopicRules
from fogbank.testing.device import Device
from fogbank.trace import Trace

LONG = 60.0
"""Seconds after which all further tries have been made."""
INVOKE = {"lambda": {"functionArn": FUNCTION + "f"}}
ORIGIN = Origin("cert1", "c1", "192.0.2.1")


class Target(RecordingInvoker):
    """The world outside, which outlives the process."""

    def recover(self) -> None:
        """Let nothing hang any more; what hangs already does for ever."""
        self._held.clear()

    async def invoke(
        self, function: str, payload: bytes, *, type_: InvocationType = InvocationType.REQUEST_RESPONSE, **more: Any
    ) -> InvocationResult:
        """Who asks is told what it asked with, and is not among the `calls`."""
        result = await super().invoke(function, payload, type_=type_, **more)
        if type_ is InvocationType.EVENT:
            return result
        self.calls.pop()
        return InvocationResult(200, payload)


class Mortal:
    """A process."""

    def __init__(self, server: Server, target: Target) -> None:
        self.server = server
        self.target = target
        self.broker = broker = server.broker
        router, clock = broker.router, server.clock
        nobody: Any = None
        answering = Answering(target, nobody, nobody, nobody, None, ARNS, clock)
        self.engine = RuleEngine(
            *(server.disk.documents, router, router, target, ARNS, clock, Trace(clock)),
            answering=answering,
            spool=broker.spool,
        )
        self.rules = TopicRules(server.disk.documents, self.engine, ARNS, clock, tags=Tags(server.disk.documents, ARNS))

    @classmethod
    async def born(cls) -> "Mortal":
        """The first of its kind."""
        return await cls(await Server().start(), Target()).start()

    async def start(self) -> "Mortal":
        await self.engine.start()
        self.engine.resume()
        return self

    async def crash(self, *, written: bool = False) -> "Mortal":
        """Killed, and another started; `written`: whether the commit under way made it to the disk."""
        return await self.killed(await self.server.crash(written=written)).start()

    def killed(self, server: Server) -> "Mortal":
        """The next process, on what the crash has left; not started yet."""
        for task in asyncio.all_tasks():
            if task.get_name().startswith("rules"):
                task.cancel()
        return Mortal(server, self.target)

    async def stop(self, drain: float = 0.0) -> "Mortal":
        """Ended as it should be, the broker first, and actions have so many seconds to be done; the next process, not
        started yet."""
        server = self.server
        await self.broker.close()
        await self.advance(drain)
        await self.rules.close()
        await self.engine.close()
        return Mortal(await Server(server.disk, server.clock).start(), self.target)

    async def close(self) -> None:
        await self.server.disk.release()
        await self.engine.close()
        await self.rules.close()
        await self.broker.close()

    async def create(self, sql: str, *actions: Members, name: str = "r", **more: Any) -> Rule:
        payload = {"sql": sql, "actions": list(actions), "awsIotSqlVersion": "2016-03-23", **more}
        return await self.rules.create(name, payload)

    async def device(self) -> Device:
        return await self.server.client("device", clean=True)

    async def publish(self, topic: str, value: Any, qos: int = 1) -> None:
        """As HTTP does: returns when it would be answered."""
        await self.broker.router.publish(Message(topic, msgspec.json.encode(value), qos, origin=ORIGIN))

    async def advance(self, seconds: float = 0.0) -> None:
        await self.server.advance(seconds)

    async def rows(self) -> list[int]:
        """The numbers that are on disk for all rules."""
        disk = self.server.disk
        return [number for owner in await disk.owners() for number, _ in await disk.read(owner)]
