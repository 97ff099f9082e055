"""Routing apart from connections: topics reserved for one subscriber, and when a publish has been taken."""

import asyncio
from typing import Any

import pytest

from fogbank.broker.broker import Broker
from fogbank.broker.router import Route
from fogbank.message import Message
from fogbank.mqtt import ReasonCode, Version
from fogbank.mqtt.packets import FAILURE, Puback, Publish, Will
from fogbank.ports import StorageError
from fogbank.settings import Limits
from fogbank.testing import FakeClock
from fogbank.testing.device import Device

from .conftest import MakeDevice, Recorder, make_broker

PREFIX = "$own/place/"


@pytest.fixture
def owner(broker: Broker) -> Recorder:
    owner = Recorder()
    broker.router.reserve(PREFIX, owner)
    return owner


class TestReserved:
    async def test_the_owner_alone_gets_the_messages(self, broker: Broker, device: MakeDevice, owner: Recorder) -> None:
        other = Recorder()
        broker.router.subscribe("$own/#", other)
        broker.router.subscribe(PREFIX + "a", other)
        watcher, sender = await device().accepted("watcher"), await device().accepted("sender")
        assert await watcher.subscribe(("$own/#", 1), ("$own/+/a", 0), ("$share/g/$own/#", 1)) == (1, 0, 1)
        sender.send(Publish(PREFIX + "a", b"0"), Publish(PREFIX + "a", b"1", 1, packet_id=7))
        await broker.router.publish(Message(PREFIX + "a", b"2", 1))
        assert [message.payload for message in owner.messages] == [b"0", b"1", b"2"]
        assert await sender.take() == [Puback(7)]
        assert await watcher.messages() == []
        assert other.messages == []

    @pytest.mark.parametrize("topic", ["$own/place", "$own/places/a", "own/place/a"])
    async def test_other_topics_are_not_the_owners(
        self, broker: Broker, device: MakeDevice, owner: Recorder, topic: str
    ) -> None:
        watcher = await device().accepted("watcher")
        await watcher.subscribe((topic, 0))
        await broker.router.publish(Message(topic, b"x"))
        assert len(await watcher.messages()) == 1
        assert owner.messages == []

    async def test_who_answers_can_be_subscribed_to(self, broker: Broker, device: MakeDevice) -> None:
        """Questions still go to the owner alone, and what somebody else publishes there reaches nobody."""
        owner = Recorder()
        broker.router.reserve("$asked/", owner, answers=True)
        watcher, sender = await device().accepted("watcher"), await device().accepted("sender")
        assert await watcher.subscribe(("$asked/a/accepted", 1), ("$asked/#", 0)) == (1, 0)
        sender.send(Publish("$asked/a", b"0"), Publish("$asked/a/accepted", b"1"))
        assert [message.payload for message in owner.messages] == [b"0", b"1"]
        assert await watcher.messages() == []

    async def test_routes_from_before_are_stale(self, broker: Broker, device: MakeDevice) -> None:
        sender = await device().accepted("sender")
        sender.send(Publish(PREFIX + "a", b"early"))
        owner = Recorder()
        broker.router.reserve(PREFIX, owner)
        sender.send(Publish(PREFIX + "a", b"late"))
        assert [message.payload for message in owner.messages] == [b"late"]

    @pytest.mark.parametrize("filter_", [PREFIX + "a", PREFIX + "#", "$share/g/" + PREFIX + "+"])
    async def test_nobody_can_subscribe(self, device: MakeDevice, owner: Recorder, filter_: str) -> None:
        one, five = await device().accepted("one"), await device(Version.V5).accepted("five")
        assert await one.subscribe((filter_, 1)) == (FAILURE,)
        assert await five.subscribe((filter_, 1)) == (ReasonCode.TOPIC_FILTER_INVALID,)

    async def test_wills_reach_the_owner(self, device: MakeDevice, owner: Recorder) -> None:
        (await device().accepted("lamp", will=Will(PREFIX + "a", b"gone"))).lose()
        assert [(message.payload, message.will) for message in owner.messages] == [(b"gone", True)]

    async def test_nothing_is_retained_there(self, fake_clock: FakeClock) -> None:
        """Where other reserved topics may have a retained message: under `--limits open`."""
        broker = await make_broker(fake_clock, Limits.OPEN)
        owner = Recorder()
        broker.router.reserve(PREFIX, owner)
        await broker.router.publish(Message(PREFIX + "a", b"x", 1, retain=True))
        await broker.router.publish(Message("$own/other", b"x", 1, retain=True))
        assert len(owner.messages) == 1
        assert [one.message.topic for one in broker.retained.page("", 9)] == ["$own/other"]


class TestTaken:
    """A publish has been taken when it is as durable as its quality of service asks."""

    @pytest.fixture
    def commit(self, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> "Commit":
        commit = Commit(broker)
        monkeypatch.setattr(broker.journal._backlogs, "commit", commit)
        return commit

    @pytest.fixture
    async def away(self, device: MakeDevice) -> Device:
        away = await device().accepted("away", clean_start=False)
        await away.subscribe(("a", 1))
        away.lose()
        await asyncio.sleep(0)
        return away

    async def test_what_waits_for_a_session_is_on_disk_first(
        self, broker: Broker, away: Device, commit: "Commit"
    ) -> None:
        await broker.journal.settled()
        commit.done.clear()
        publishing = asyncio.create_task(broker.router.publish(Message("a", b"x", 1)))
        await asyncio.sleep(0.01)
        assert not publishing.done()
        commit.done.set()
        await publishing

    @pytest.mark.parametrize("qos", [0, 1])
    async def test_so_is_what_is_retained(self, broker: Broker, commit: "Commit", qos: int) -> None:
        commit.done.clear()
        publishing = asyncio.create_task(broker.router.publish(Message("r", b"x", qos, retain=True)))
        await asyncio.sleep(0.01)
        assert not publishing.done()
        commit.done.set()
        await publishing

    @pytest.mark.parametrize("message", [Message("a", b"x"), Message("b", b"x", 1)])
    async def test_what_is_kept_for_nobody_waits_for_nothing(
        self, broker: Broker, away: Device, commit: "Commit", message: Message
    ) -> None:
        await broker.journal.settled()
        commit.done.clear()
        await asyncio.wait_for(broker.router.publish(message), 5)
        commit.done.set()

    async def test_what_cannot_be_written_is_not_taken(self, broker: Broker, away: Device, commit: "Commit") -> None:
        await broker.journal.settled()
        commit.error = StorageError("the disk is full")
        with pytest.raises(StorageError):
            await broker.router.publish(Message("a", b"x", 1))


class Commit:
    """The journal's commits, which can be held up and made to fail."""

    def __init__(self, broker: Broker) -> None:
        self.done = asyncio.Event()
        self.done.set()
        self.error: StorageError | None = None
        self._commit = broker.journal._backlogs.commit

    async def __call__(self, *changes: Any) -> None:
        await self.done.wait()
        if self.error is not None:
            raise self.error
        await self._commit(*changes)


class TestBroadcaster:
    async def test_whether_anybody_would_get_it(self, broker: Broker, device: MakeDevice) -> None:
        router = broker.router
        assert not router.has_receivers("a/b")
        handler = Recorder()
        router.subscribe("a/+", handler)
        assert router.has_receivers("a/b")
        router.unsubscribe("a/+", handler)
        assert not router.has_receivers("a/b")
        for topic, filter_ in (("a/b", "a/b"), ("c/d", "$share/g/c/#")):
            watcher = await device().accepted("watcher")
            await watcher.subscribe((filter_, 0))
            assert router.has_receivers(topic)
            assert not router.has_receivers("x")

    async def test_all_are_routed_in_order(self, broker: Broker, device: MakeDevice) -> None:
        watcher = await device().accepted("watcher")
        await watcher.subscribe(("a/#", 1))
        await broker.router.publish_all(Message(f"a/{number % 2}", b"%d" % number, 1) for number in range(5))
        assert [message.payload for message in await watcher.messages()] == [b"0", b"1", b"2", b"3", b"4"]

    async def test_one_that_fails_is_logged_and_the_others_are_routed(
        self, broker: Broker, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Faulty:
            def deliver(self, message: Message) -> None:
                raise RuntimeError("breaks its promise")

        handler = Recorder()
        broker.router.subscribe("a", Faulty())
        broker.router.subscribe("b", handler)
        await broker.router.publish_all([Message("a", b"1"), Message("b", b"2")])
        assert [message.payload for message in handler.messages] == [b"2"]
        assert "Faulty failed with a message on a" in caplog.text


def test_a_subscriber_that_fails_costs_nobody_else_anything(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def deliver(self, message: Message) -> None:
            raise RuntimeError("a fault of ours")

    met: list[Message] = []

    class Sound:
        def deliver(self, message: Message) -> None:
            met.append(message)

    route = Route("a/b")
    route.handlers = (Broken(), Sound())
    route.hand_over(Message("a/b", b"x"))
    assert [one.payload for one in met] == [b"x"]
    assert "Broken failed with a message on a/b" in caplog.text
