"""A jobs service with everything around it in sight."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest
from fogbank.jobs.documents import JobDocuments
from fogbank.jobs.limits import JobLimits
from fogbank.jobs.service import JobService
from fogbank.message import Message, Origin
from fogbank.ports import Delete, EventType, Expect, FleetListener, FleetMember, OutboundError, Put, Subscriber
from fogbank.settings import Limits
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock
from fogbank.topics import matches
from fogbank.trace import Trace, TraceEvent

ARNS = Arns("eu-west-1", "123456789012")
DOCUMENT = '{"operation": "reboot"}'


class TestFleet:
    """Port Fleet: things, and groups of them, in two dicts."""

    __test__ = False

    def __init__(self) -> None:
        self.things: set[str] = set()
        self.groups: dict[str, dict[str, float]] = {}
        self.listeners: list[FleetListener] = []

    async def exists(self, thing: str) -> bool:
        return thing in self.things

    async def group_id(self, name: str) -> str | None:
        return f"id-of-{name}" if name in self.groups else None

    async def members(self, group: str, *, after: str = "", limit: int) -> list[FleetMember]:
        named = sorted(self.groups.get(group, {}).items())
        return [FleetMember(thing, since, thing) for thing, since in named if thing > after][:limit]

    async def groups_of(self, thing: str) -> Mapping[str, float]:
        return {name: things[thing] for name, things in self.groups.items() if thing in things}

    def watch(self, listener: FleetListener) -> None:
        self.listeners.append(listener)

    def tell(self, *things: str) -> None:
        for listener in self.listeners:
            listener(frozenset(things))


class TestTags:
    """Port ResourceTags."""

    __test__ = False

    def register(self, kind: str, find: Callable[[str], Awaitable[Expect | None]]) -> None:
        """Nobody tags here."""

    def putting(self, arn: str, tags: Mapping[str, str]) -> Put | Delete:
        return Put("tags", arn, msgspec.json.encode(tags)) if tags else self.deleting(arn)

    def deleting(self, arn: str) -> Delete:
        return Delete("tags", arn)


class TestEvents:
    """Port EventSink: remembers."""

    __test__ = False

    def __init__(self) -> None:
        self.on = True
        self.told: list[tuple[str, Mapping[str, Any]]] = []

    async def enabled(self, category: EventType) -> bool:
        return self.on

    async def emit(self, category: EventType, topic: str, document: Mapping[str, Any]) -> None:
        self.told.append((topic, document))

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.told]


class TestS3:
    """Ports AwsServices, ObjectUrls and RoleRights: a bucket, and who may not read it."""

    __test__ = False

    def __init__(self) -> None:
        self.there = False
        self.objects: dict[str, bytes] = {}
        self.forbidden = False

    def obstacle(self, service: str) -> str | None:
        return None if self.there else f"there is no endpoint for {service}"

    def url(self, service: str) -> str | None:
        return "http://localhost:9000" if self.there else None

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {"Body": self.objects[f"{params['Bucket']}/{params['Key']}"]}
        except KeyError:
            raise OutboundError("no such key", code="NoSuchKey", status=404) from None

    async def sign(self, method: str, bucket: str, key: str, *, version: str | None = None, expires: int = 3600) -> str:
        return f"signed:{method}:{bucket}/{key}:{version}:{expires}"

    async def check(self, role_arn: str, action: str, resource: str, *, source: str | None = None) -> None:
        if self.forbidden:
            raise InvalidRequest(f"{role_arn} may not {action} {resource}")


class Told(list[Message]):
    """Port Publisher, which remembers."""

    async def publish(self, message: Message) -> None:
        await asyncio.sleep(0)
        self.append(message)

    def since(self, count: int) -> list[tuple[str, Any]]:
        """Topics below `$aws/things/` and documents, from a place in the list on."""
        return [(one.topic.removeprefix("$aws/things/"), msgspec.json.decode(one.payload)) for one in self[count:]]


class Room:
    """Ports Subscriptions and Answers: messages reach the service, and answers are remembered."""

    def __init__(self) -> None:
        self.subscribed: list[tuple[str, Subscriber]] = []
        self.answers: list[tuple[str, Any]] = []

    def subscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self.subscribed.append((filter_, subscriber))

    def unsubscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self.subscribed.remove((filter_, subscriber))

    def deliver(self, message: Message) -> None:
        for filter_, subscriber in self.subscribed:
            if matches(filter_, message.topic):
                subscriber.deliver(message)

    def obstacle(self, asker: Origin, topic: str, *, unasked: bool = False) -> str | None:
        return None if asker.client_id else "nobody asked"

    def answer(self, asker: Origin, topic: str, payload: bytes, *, unasked: bool = False) -> str | None:
        if (obstacle := self.obstacle(asker, topic)) is not None:
            return obstacle
        self.answers.append((topic.removeprefix("$aws/things/"), msgspec.json.decode(payload)))
        return None


class BrokenDocuments(MemoryDocuments):
    """Refuses to write what `failure` says, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.commits = 0

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        self.commits += 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return await super().commit(*changes)


class Bench:
    """A running service. Its ARNs are `arns`. Things `t1` to `t9` exist; `g` is a group of the first three."""

    arns = ARNS

    def __init__(self, documents: MemoryDocuments | None = None, limits: Limits = Limits.AWS) -> None:
        self.clock = FakeClock()
        self.documents = documents or BrokenDocuments()
        self.fleet = TestFleet()
        self.fleet.things = {f"t{number}" for number in range(1, 10)}
        self.fleet.groups = {"g": dict.fromkeys(("t1", "t2", "t3"), 0.0)}
        self.told = Told()
        self.events = TestEvents()
        self.s3 = TestS3()
        self.room = Room()
        self.trace = Trace(self.clock)
        self.traced: list[TraceEvent] = []
        self.trace.listen(self.traced.append)
        self.limits = JobLimits.of(limits)
        self.service = self.made()

    def made(self) -> JobService:
        """A service over the same documents, as after a restart."""
        return JobService(
            self.documents,
            self.told,
            self.room,
            self.fleet,
            self.events,
            TestTags(),
            JobDocuments(self.s3, self.s3, self.s3, self.trace),
            self.arns,
            self.clock,
            self.trace,
            self.limits,
        )

    async def start(self) -> None:
        await self.service.start(self.room)
        await self.settle()

    async def close(self) -> None:
        await self.service.close(self.room)

    async def restart(self) -> None:
        """As after a kill: nothing that takes further commits is finished."""
        await self.service._agenda.close()
        await self.service._followers.close()
        self.service = self.made()
        self.room.subscribed.clear()
        self.fleet.listeners.clear()
        await self.start()

    async def settle(self) -> None:
        """Let everything happen that happens without time passing."""
        for _ in range(30):
            await self.clock.advance(0)

    async def create(self, job: str, *targets: str, **params: Any) -> None:
        """A job for things, or for groups, whose names begin with `g`."""
        arns = [self.arns.iot("thinggroup" if name.startswith("g") else "thing", name) for name in targets]
        asked = {"jobId": job, "targets": arns, "document": DOCUMENT, **params}
        await self.service.jobs.create({name: value for name, value in asked.items() if value is not None}, {})
        await self.settle()

    async def ask(self, topic: str, client: str | None = "c", **members: Any) -> Any:
        """What the service answers to a request below `$aws/things/`; the last level of the topic with it."""
        before = len(self.room.answers)
        origin = Origin("principal", client)
        self.room.deliver(Message(f"$aws/things/{topic}", msgspec.json.encode(members), origin=origin))
        await self.settle()
        found = self.room.answers[before:]
        if not found:
            return None
        [(answered, document)] = found
        assert answered.startswith(topic)
        return answered.rpartition("/")[2], document

    async def update(self, thing: str, job: str, status: str, **members: Any) -> Any:
        return await self.ask(f"{thing}/jobs/{job}/update", status=status, **members)

    async def status(self, thing: str, job: str, number: int | None = None) -> str:
        return (await self.service.executions.describe(thing, job, number)).status.value

    async def statuses(self, job: str, things: Sequence[str]) -> list[str]:
        return [await self.status(thing, job) for thing in things]

    async def counts(self, job: str) -> dict[str, int]:
        _, progress = await self.service.jobs.describe(job)
        return dict(progress.counts)

    async def job_status(self, job: str) -> str:
        found, _ = await self.service.jobs.describe(job)
        return found.status.value
