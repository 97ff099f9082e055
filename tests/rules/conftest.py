"""A platform around the rules engine: the real services in memory, a naive router, an invoker that remembers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from fogbank.arns import Arns
from fogbank.message import Message, Origin
from fogbank.ports import InvocationResult, InvocationType, ServiceCaller, Subscriber
from fogbank.registry.tags import Tags
from fogbank.rules.definition import Rule
from fogbank.rules.engine import RuleEngine
from fogbank.rules.ingest import PREFIX
from fogbank.rules.service import TopicRules
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock
from fogbank.topics import matches
from fogbank.trace import Trace, TraceEvent

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"
ROLE = "arn:aws:iam::123456789012:role/republisher"


class NaiveRouter:
    """Subscriptions and Publisher by looking at every filter for every message."""

    def __init__(self) -> None:
        self.subscribed: list[tuple[str, Subscriber]] = []
        self.reserved: dict[str, Subscriber] = {}
        self.published: list[Message] = []
        self.error: Exception | None = None

    def subscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self.subscribed.append((filter_, subscriber))

    def unsubscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self.subscribed.remove((filter_, subscriber))

    async def publish(self, message: Message) -> None:
        if self.error is not None:
            raise self.error
        self.published.append(message)
        for prefix, subscriber in self.reserved.items():
            if message.topic.startswith(prefix):
                subscriber.deliver(message)
                return
        for filter_, subscriber in self.subscribed:
            if matches(filter_, message.topic):
                subscriber.deliver(message)

    @property
    def filters(self) -> list[str]:
        return [filter_ for filter_, _ in self.subscribed]


class Invocation(msgspec.Struct, frozen=True):
    function: str
    payload: bytes
    type_: InvocationType
    caller: ServiceCaller | None

    @property
    def event(self) -> Any:
        return msgspec.json.decode(self.payload)


class RecordingInvoker:
    """Remembers what it was asked for; `hold` makes functions hang, `fail` makes them fail a number of times."""

    def __init__(self) -> None:
        self.calls: list[Invocation] = []
        self.tries = 0
        self._held: set[str] = set()
        self._failures: dict[str, list[Exception]] = {}

    def hold(self, function: str) -> None:
        self._held.add(FUNCTION + function)

    def fail(self, function: str, *errors: Exception) -> None:
        self._failures[FUNCTION + function] = list(errors)

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
        self.tries += 1
        if function in self._held:
            await asyncio.Event().wait()
        if self._failures.get(function):
            raise self._failures[function].pop(0)
        self.calls.append(Invocation(function, payload, type_, caller))
        return InvocationResult(202)

    @property
    def events(self) -> list[Any]:
        return [call.event for call in self.calls]


class Platform:
    """The rules engine and its service; `restart` makes new ones over the same documents, as a new process would."""

    def __init__(self) -> None:
        self.documents = MemoryDocuments()
        self.clock = FakeClock()
        self.arns = Arns("us-east-1", "123456789012")
        self.traced: list[TraceEvent] = []
        self.invoker = RecordingInvoker()
        self._assemble()

    def _assemble(self) -> None:
        self.router = NaiveRouter()
        self.trace = Trace(self.clock)
        self.engine = RuleEngine(
            self.documents, self.router, self.router, self.invoker, self.arns, self.clock, self.trace
        )
        self.router.reserved[PREFIX] = self.engine.ingest
        self.rules = TopicRules(
            self.documents, self.engine, self.arns, self.clock, tags=Tags(self.documents, self.arns)
        )

    async def restart(self) -> None:
        await self.engine.close()
        self._assemble()
        await self.engine.start()

    def watch(self) -> None:
        """Collect trace events in `traced`."""
        self.trace.listen(self.traced.append)

    def stories(self, kind: str) -> list[tuple[str, str, str]]:
        """What was traced of `kind`: name, status, reason."""
        return [(event.name, event.status, event.reason) for event in self.traced if event.kind == kind]

    async def create(self, name: str, sql: str, *actions: dict[str, Any], **more: Any) -> Rule:
        payload = {"sql": sql, "actions": list(actions), "awsIotSqlVersion": "2016-03-23", **more}
        return await self.rules.create(name, payload)

    async def send(self, topic: str, payload: Any, *, client_id: str | None = "c1", hops: int = 0) -> Message:
        """Publish and let everything happen that needs no time to pass. Payloads other than bytes are sent as JSON."""
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        message = Message(topic, body, origin=Origin("cert1", client_id, "192.0.2.1", hops))
        await self.router.publish(message)
        await self.clock.advance(0)
        return message


@pytest_asyncio.fixture
async def platform() -> AsyncIterator[Platform]:
    made = Platform()
    await made.engine.start()
    yield made
    await made.engine.close()
    await made.rules.close()


@pytest.fixture
def invoke() -> Callable[[str], dict[str, Any]]:
    """An Action of the API that invokes the function of that name."""
    return lambda function: {"lambda": {"functionArn": FUNCTION + function}}


@pytest.fixture
def republish() -> Callable[..., dict[str, Any]]:
    """An Action of the API that republishes to that topic."""
    return lambda topic, **more: {"republish": {"topic": topic, "roleArn": ROLE, **more}}
