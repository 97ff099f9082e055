"""A rule without an engine: its statement, its actions and its executor, over ways out that a test chooses."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock, SystemClock
from fogbank.message import Message, Origin
from fogbank.outbound import Outbound
from fogbank.ports import HttpAnswer, HttpRequest, KafkaRecord, OutboundError, RoleRights
from fogbank.rules.actions.base import Action, Outside
from fogbank.rules.compiled import CompiledRule, compile_rule
from fogbank.rules.counters import Counters
from fogbank.rules.definition import read_payload
from fogbank.rules.executor import Executor
from fogbank.rules.faults import Faults
from fogbank.rules.subscriber import Events, RuleSubscriber
from fogbank.settings import Endpoints
from fogbank.tasks import Tasks
from fogbank.trace import Trace, TraceEvent

ROLE = "arn:aws:iam::123456789012:role/rules"
ARNS = Arns("us-east-1", "123456789012")


class Anywhere:
    """Port ConfirmedUrls: all are confirmed, but those in `refused`."""

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}

    def refusal(self, url: str) -> str | None:
        return self.refused.get(url)


class RecordingAws:
    """Port AwsServices: remembers calls, and answers with what `answers` has for the operation, in turn.

    The last answer is given again and again; an error is raised.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, list[dict[str, Any] | OutboundError]] = {}
        self.missing: str | None = None
        self.endpoint: str | None = None

    def obstacle(self, service: str) -> str | None:
        return self.missing

    def url(self, service: str) -> str | None:
        return self.endpoint

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((f"{service}:{operation}", dict(params)))
        if self.missing is not None:
            raise OutboundError(self.missing, code="NoEndpoint")
        answers = self.answers.get(operation, [{}])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, OutboundError):
            raise answer
        return answer

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]


class RecordingHttp:
    """Port HttpTargets: remembers requests and answers with `answers` in turn, the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.answers: list[HttpAnswer | OutboundError] = [HttpAnswer(200, "OK", {}, b"")]

    async def send(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, OutboundError):
            raise answer
        return answer


class RecordingKafka:
    """Port KafkaTargets: remembers records; those with a topic in `errors` fail of it."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, str], list[KafkaRecord]]] = []
        self.errors: dict[str, OutboundError] = {}

    async def send(
        self, properties: Mapping[str, str], records: Sequence[KafkaRecord]
    ) -> Sequence[OutboundError | None]:
        self.sent.append((dict(properties), list(records)))
        return [self.errors.get(record.topic) for record in records]


class RecordingPublisher:
    """Port Publisher."""

    def __init__(self) -> None:
        self.published: list[Message] = []
        self._more = asyncio.Event()

    async def publish(self, message: Message) -> None:
        self.published.append(message)
        self._more.set()

    async def reached(self, count: int) -> None:
        """Return when so many messages have been published."""
        while len(self.published) < count:
            self._more.clear()
            await self._more.wait()


class Workbench:
    """Makes rules and sends them messages. Without an `outbound`, what leaves is recorded."""

    def __init__(
        self, outbound: Outbound | None = None, *, clock: Clock | None = None, rights: RoleRights | None = None
    ) -> None:
        self.aws, self.http, self.kafka = RecordingAws(), RecordingHttp(), RecordingKafka()
        self.destinations = Anywhere()
        ways: Any = outbound or self
        self.outside = Outside(ways.aws, ways.http, ways.kafka, self.destinations, rights)
        self.publisher = RecordingPublisher()
        self.clock = clock or SystemClock()
        self.tasks = Tasks("test-rules")
        self.traced: list[TraceEvent] = []
        self.counters = Counters()
        self.executor: Executor | None = None
        self._trace = Trace(self.clock)
        self._trace.listen(self.traced.append)
        self._subscriber: RuleSubscriber | None = None

    def compile(self, *actions: dict[str, Any], sql: str = "SELECT * FROM '#'", **more: Any) -> CompiledRule:
        payload = {"sql": sql, "actions": list(actions), "awsIotSqlVersion": "2016-03-23", **more}
        return compile_rule(
            "r",
            read_payload(payload),
            0.0,
            arns=ARNS,
            publisher=self.publisher,
            invoker=cast(Any, None),
            outside=self.outside,
        )

    def rule(self, *actions: dict[str, Any], sql: str = "SELECT * FROM '#'", **more: Any) -> Action:
        """Run this rule from now on; its first action."""
        compiled = self.compile(*actions, sql=sql, **more)
        faults = Faults(logging.getLogger("fogbank.rules.test"), "r")
        self.executor = Executor(compiled, self.counters, self.tasks, faults, self.clock, self._trace)
        self._subscriber = RuleSubscriber(
            compiled, Events("123456789012", self.clock), self.executor, faults, self._trace
        )
        return compiled.actions[0]

    def publish(self, payload: Any, topic: str = "t/lamp") -> None:
        """A message for the rule; payloads other than bytes are sent as JSON."""
        assert self._subscriber is not None
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        self._subscriber.deliver(Message(topic, body, origin=Origin("cert1", "lamp", "192.0.2.1")))

    async def send(self, *payloads: Any, topic: str = "t/lamp") -> list[str]:
        """Messages for the rule, and what its actions failed of when all is over."""
        for payload in payloads:
            self.publish(payload, topic)
        await self.tasks.drain()
        return self.failures

    @property
    def failures(self) -> list[str]:
        return [event.reason for event in self.traced if event.kind == "action" and event.status == "failure"]


def reaching(url: str) -> Outbound:
    """Ways out with all services of AWS at `url`."""
    return Outbound(Endpoints(default=url), "us-east-1", SystemClock())
