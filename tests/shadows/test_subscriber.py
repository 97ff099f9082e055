import asyncio
from typing import Any

import msgspec
import pytest
from tests.shadows.conftest import Bench

from fogbank.message import Message, Origin
from fogbank.ports import Subscriber
from fogbank.settings import Limits
from fogbank.shadows.subscriber import REQUEST_BYTES, SHARE, ShadowSubscriber
from fogbank.topics import matches

LAMP = Origin("c" * 64, "lamp")
UPDATE = "$aws/things/lamp/shadow/update"
GET = "$aws/things/lamp/shadow/get"


class Wired:
    """A bench whose subscriber hears what is sent."""

    def __init__(self, limits: Limits = Limits.AWS, **changes: Any) -> None:
        self.bench = Bench(limits)
        self.published = self.bench.published
        changed = msgspec.structs.replace(self.bench.limits, **changes)
        self.subscriber = ShadowSubscriber(self.bench.service, self.bench.trace, changed)
        self.filters: dict[str, Subscriber] = {}
        self.subscriber.subscribe(self)

    def subscribe(self, filter_: str, subscriber: Subscriber) -> None:
        self.filters[filter_] = subscriber

    def unsubscribe(self, filter_: str, subscriber: Subscriber) -> None:
        assert self.filters.pop(filter_) is subscriber

    def send(self, topic: str, payload: bytes = b"", origin: Origin = LAMP, *, will: bool = False) -> None:
        message = Message(topic, payload, origin=origin, will=will)
        for filter_, subscriber in self.filters.items():
            if matches(filter_, topic):
                subscriber.deliver(message)

    def report(self, value: int = 1, **options: Any) -> None:
        self.send(UPDATE, b'{"state": {"reported": {"value": %d}}, "clientToken": "%d"}' % (value, value), **options)

    async def served(self) -> None:
        for _ in range(200):
            await asyncio.sleep(0)


@pytest.fixture
def wired() -> Wired:
    return Wired()


async def test_a_device_updates_gets_and_deletes(wired: Wired) -> None:
    wired.report()
    wired.send(GET, b'{"clientToken": "g"}')
    wired.send("$aws/things/lamp/shadow/delete", b"whatever")
    wired.send(GET)
    await wired.served()
    assert [message.topic.removeprefix("$aws/things/lamp/shadow/") for message in wired.published] == [
        "update/accepted",
        "update/documents",
        "get/accepted",
        "delete/accepted",
        "get/rejected",
    ]
    assert wired.published.of("get/accepted")[0]["clientToken"] == "g"
    assert wired.published.of("get/rejected")[0]["code"] == 404
    assert all(message.origin == Origin() for message in wired.published)


async def test_named_shadows_have_topics_of_their_own(wired: Wired) -> None:
    wired.send("$aws/things/lamp/shadow/name/night/update", b'{"state": {"desired": {"on": true}}}')
    wired.send("$aws/things/lamp/shadow/name/night/get")
    wired.send(GET)
    await wired.served()
    told = [message.topic.removeprefix("$aws/things/lamp/shadow/") for message in wired.published]
    assert [topic for topic in told if not topic.startswith("name/")] == ["get/rejected"]
    assert [topic for topic in told if topic.startswith("name/")] == [
        "name/night/update/accepted",
        "name/night/update/delta",
        "name/night/update/documents",
        "name/night/get/accepted",
    ]


async def test_a_refusal_is_told_by_message(wired: Wired) -> None:
    wired.send(UPDATE, b'{"state": 1, "clientToken": "t"}')
    await wired.served()
    assert wired.published.kinds() == ["update/rejected"]
    assert wired.published.of("rejected") == [
        {
            "code": 400,
            "message": "State node must be an object",
            "timestamp": int(wired.bench.clock.time()),
            "clientToken": "t",
        }
    ]


async def test_a_thing_name_that_cannot_be_is_refused_too(wired: Wired) -> None:
    for thing in ("", "my lamp", "a" * 129):
        wired.send(f"$aws/things/{thing}/shadow/get")
    await wired.served()
    assert [one["code"] for one in wired.published.of("rejected")] == [400] * 3


async def test_wills_are_ignored(wired: Wired) -> None:
    wired.report(will=True)
    await wired.served()
    assert not wired.published
    assert [(event.status, event.topic) for event in wired.bench.events] == [("skipped", UPDATE)]


async def test_it_gives_up_every_subscription(wired: Wired) -> None:
    assert len(wired.filters) == 6
    wired.subscriber.unsubscribe(wired)
    assert not wired.filters


class TestBounds:
    async def test_ten_in_flight_per_connection_and_thing(self, wired: Wired) -> None:
        wired.bench.documents.open.clear()
        for value in range(12):
            wired.report(value)
        wired.send("$aws/things/door/shadow/update", b'{"state": {}}')
        wired.report(100, origin=Origin("d" * 64, "other"))
        wired.bench.documents.open.set()
        await wired.served()
        refused = wired.published.of("rejected")
        assert [(one["code"], one["message"], one["clientToken"]) for one in refused] == [
            (429, "Too Many Requests", "10"),
            (429, "Too Many Requests", "11"),
        ]
        assert len(wired.published.of("accepted")) == 12

    async def test_what_is_answered_makes_room(self, wired: Wired) -> None:
        for _ in range(3):
            for value in range(10):
                wired.report(value)
            await wired.served()
        assert len(wired.published.of("accepted")) == 30
        assert not wired.published.of("rejected")
        assert not wired.subscriber._in_flight

    async def test_what_rules_republish_came_over_no_connection(self, wired: Wired) -> None:
        for value in range(50):
            wired.report(value, origin=Origin(hops=1))
        await wired.served()
        assert len(wired.published.of("accepted")) == 50

    async def test_no_such_limit_when_open(self) -> None:
        wired = Wired(Limits.OPEN)
        for value in range(50):
            wired.report(value)
        await wired.served()
        assert len(wired.published.of("accepted")) == 50

    async def test_past_all_room_requests_are_dropped_with_one_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        wired = Wired(pending_bytes=3 * (REQUEST_BYTES + 100))
        rule = Origin(hops=1)
        for value in range(8):
            wired.report(value, origin=rule)
        await wired.served()
        assert len(wired.published.of("accepted")) == 3
        assert [record.getMessage()[:27] for record in caplog.records] == ["dropping requests to shadow"]
        assert [event.status for event in wired.bench.events].count("skipped") == 5
        wired.report(9, origin=rule)
        await wired.served()
        assert len(wired.published.of("accepted")) == 4

    async def test_a_client_that_floods_leaves_room_for_the_others(self) -> None:
        wired = Wired(Limits.OPEN, pending_bytes=SHARE * 3 * (REQUEST_BYTES + 100))
        for value in range(8):
            wired.report(value)
        wired.report(100, origin=Origin("d" * 64, "other"))
        await wired.served()
        assert len(wired.published.of("accepted")) == 3 + 1
        assert not wired.subscriber._pending_of

    async def test_while_shutting_down_nothing_is_taken(self, wired: Wired) -> None:
        await wired.bench.service.close()
        wired.report()
        await wired.served()
        assert not wired.published
        assert wired.bench.events[0].reason == "The shadow service is shutting down"
