"""Messages straight to one client, as SendDirectMessage sends them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fogbank.broker.broker import Broker
from fogbank.errors import Forbidden, GatewayTimeout, RequestEntityTooLarge, ResourceNotFound, Throttling
from fogbank.message import Message, MessageProperties, Origin
from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.packets import Connect, Puback, Publish
from fogbank.ports import Peer
from fogbank.testing import FakeClock
from fogbank.testing.device import Device

from .conftest import MakeDevice, Principals, Recorder

HELLO = Message("a/b", b"hello")


@asynccontextmanager
async def sending(broker: Broker, within: float = 5) -> AsyncIterator["asyncio.Task[None]"]:
    """A confirmed message under way to `lamp`."""
    task = asyncio.create_task(broker.direct.send("lamp", HELLO, within))
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()


async def test_it_needs_no_subscription_and_nobody_else_gets_it(broker: Broker, device: MakeDevice) -> None:
    rule = Recorder()
    broker.router.subscribe("a/b", rule)
    lamp, other = await device().accepted("lamp"), await device().accepted("other")
    await other.subscribe(("a/b", 1))
    await broker.direct.send("lamp", HELLO)
    assert await lamp.messages() == [Publish("a/b", b"hello")]
    assert await other.messages() == []
    assert rule.messages == []


async def test_properties_reach_clients_of_mqtt_5_alone(broker: Broker, device: MakeDevice) -> None:
    """API reference: for MQTT 3.1.1 clients, user properties are silently dropped."""
    properties = MessageProperties(content_type="text", user_properties=(("a", "1"), ("a", "2")))
    old, new = await device().accepted("old"), await device(Version.V5).accepted("new")
    for client in ("old", "new"):
        await broker.direct.send(client, Message("a", b"x", properties=properties))
    assert await old.messages() == [Publish("a", b"x")]
    [got] = await new.messages()
    assert got.properties == Properties(content_type="text", user_properties=(("a", "1"), ("a", "2")))


async def test_a_confirmation_is_waited_for(broker: Broker, device: MakeDevice) -> None:
    lamp = await device().accepted("lamp")
    async with sending(broker) as task:
        assert await lamp.messages() == [Publish("a/b", b"hello", 1, packet_id=1)]
        assert not task.done()
        lamp.send(Puback(1))
        await task
    assert broker.sessions.get("lamp").inflight.on_done is None  # type: ignore[union-attr]


async def test_the_right_confirmation_is_waited_for(broker: Broker, device: MakeDevice) -> None:
    """Beside messages of subscriptions, which the client acknowledges in whatever order it likes."""
    lamp = await device().accepted("lamp", clean_start=False)
    await lamp.subscribe(("s", 1))
    await broker.router.publish(Message("s", b"1", 1))
    async with sending(broker) as first, sending(broker) as second:
        await broker.router.publish(Message("s", b"2", 1))
        assert [packet.packet_id for packet in await lamp.messages()] == [1, 2, 3, 4]
        lamp.send(Puback(4), Puback(3))
        await second
        assert not first.done()
        lamp.send(Puback(1))
        await lamp.take()
        assert not first.done()
        lamp.send(Puback(2))
        await first
    assert broker.metrics().queued_messages == 0, "those of subscriptions are off the disk"


async def test_many_acknowledged_at_once(broker: Broker, device: MakeDevice) -> None:
    lamp = await device().accepted("lamp", clean_start=False)
    await lamp.subscribe(("s", 1))
    async with sending(broker) as task:
        await broker.router.publish(Message("s", b"2", 1))
        await lamp.take()
        lamp.send(Puback(1).encode(Version.V3_1_1) + Puback(2).encode(Version.V3_1_1))
        await task
    assert broker.metrics().queued_messages == 0


async def test_a_refusal_confirms_as_well(broker: Broker, device: MakeDevice) -> None:
    """PUBACK has come, whatever it says. (API reference: waits for PUBACK)"""
    lamp = await device(Version.V5).accepted("lamp")
    async with sending(broker) as task:
        await lamp.take()
        lamp.send(Puback(1, ReasonCode.UNSPECIFIED_ERROR))
        await task


async def test_no_confirmation_in_time(broker: Broker, device: MakeDevice, fake_clock: FakeClock) -> None:
    lamp = await device().accepted("lamp")
    async with sending(broker, 5) as task:
        await fake_clock.advance(4.9)
        assert not task.done()
        await fake_clock.advance(0.1)
        with pytest.raises(GatewayTimeout, match="'lamp' did not confirm the message within 5 seconds"):
            await task
    lamp.send(Puback(1))
    assert not lamp.closed, "one that comes too late is no fault of the client's"


async def test_the_client_is_lost_meanwhile(broker: Broker, device: MakeDevice) -> None:
    lamp = await device().accepted("lamp", clean_start=False)
    async with sending(broker) as task:
        await lamp.take()
        lamp.lose()
        with pytest.raises(GatewayTimeout, match="disconnected before it confirmed"):
            await task
    again = await device().accepted("lamp", clean_start=False)
    again.send(Puback(1))
    await broker.router.publish(HELLO)
    assert not again.closed


async def test_a_session_that_is_resumed_gets_it_again(broker: Broker, device: MakeDevice) -> None:
    """[MQTT-4.4.0-1]; its place among what is on its way is free once it is acknowledged."""
    lamp = await device().accepted("lamp", clean_start=False)
    async with sending(broker) as task:
        await lamp.take()
        lamp.lose()
        with pytest.raises(GatewayTimeout):
            await task
    again = device()
    again.send(Connect("lamp", clean_start=False))
    assert await again.messages() == [Publish("a/b", b"hello", 1, dup=True, packet_id=1)]
    again.send(Puback(1))
    assert broker.sessions.get("lamp").inflight.count == 0  # type: ignore[union-attr]


async def test_nobody_there(broker: Broker, device: MakeDevice) -> None:
    (await device().accepted("lamp", clean_start=False)).lose()
    for client in ("lamp", "nobody"):
        with pytest.raises(ResourceNotFound, match=f"'{client}' is connected"):
            await broker.direct.send(client, HELLO)
    again = await device().accepted("lamp", clean_start=False)
    assert await again.messages() == [], "nothing waits for who is away"


async def test_the_receiver_must_be_allowed_to_receive(broker: Broker) -> None:
    principals = Principals(
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"},'
        '{"Effect": "Allow", "Action": "iot:Receive", "Resource": "arn:aws:iot:us-east-1:123456789012:topic/ok"}]}'
    )
    lamp = await Device(broker, Peer(identity=principals.identity, principals=principals)).accepted("lamp")
    with pytest.raises(Forbidden, match="do not allow iot:Receive on a/b"):
        await broker.direct.send("lamp", HELLO)
    await broker.direct.send("lamp", Message("ok", b""))
    assert [packet.topic for packet in await lamp.messages()] == ["ok"]


async def test_packets_the_client_does_not_take(broker: Broker, device: MakeDevice) -> None:
    lamp = await device(Version.V5).accepted("lamp", properties=Properties(maximum_packet_size=600))
    with pytest.raises(RequestEntityTooLarge, match="no packets of more than 600 bytes"):
        await broker.direct.send("lamp", Message("a", bytes(600)))
    await broker.direct.send("lamp", Message("a", bytes(500)))
    assert len(await lamp.messages()) == 1


@pytest.mark.parametrize("within", [None, 5.0])
async def test_a_client_that_does_not_keep_up(broker: Broker, device: MakeDevice, within: float | None) -> None:
    lamp = await device().accepted("lamp")
    lamp.connection.line.full = lamp.connection.line.choked = True
    with pytest.raises(Throttling, match="'lamp' does not keep up"):
        await broker.direct.send("lamp", HELLO, within)


async def test_a_window_that_is_full_takes_no_more(broker: Broker, device: MakeDevice) -> None:
    lamp = await device(Version.V5).accepted("lamp", properties=Properties(receive_maximum=1))
    async with sending(broker):
        with pytest.raises(Throttling):
            await broker.direct.send("lamp", HELLO, 5)
        await broker.direct.send("lamp", HELLO)  # QoS 0 does not count [MQTT-3.3.4-7]
        assert [packet.qos for packet in await lamp.messages()] == [1, 0]


class TestAnswers:
    """Answers to a client that asked something (`ports.Answers`)."""

    TOPIC = "$asked/a/accepted"

    @staticmethod
    async def asking(broker: Broker, device: Device, *filters: str) -> Message:
        """What the client has asked, as the owner of the topic is given it."""
        owner = Recorder()
        broker.router.reserve("$asked/", owner, answers=True)
        for filter_ in filters:
            await device.subscribe((filter_, 1))
        device.send(Publish("$asked/a", b"?"))
        await device.take()
        return owner.messages[-1]

    @pytest.mark.parametrize("filter_", [TOPIC, "$asked/a/+", "$asked/#"])
    async def test_only_the_connection_that_asked_is_answered(
        self, broker: Broker, device: MakeDevice, filter_: str
    ) -> None:
        lamp, other = await device().accepted("lamp"), await device().accepted("other")
        asked = await self.asking(broker, lamp, filter_)
        await other.subscribe((self.TOPIC, 1))
        assert broker.direct.obstacle(asked.origin, self.TOPIC) is None
        assert broker.direct.answer(asked.origin, self.TOPIC, b"!") is None
        assert await lamp.messages() == [Publish(self.TOPIC, b"!")]
        assert await other.messages() == []

    @pytest.mark.parametrize("filters", [(), ("$asked/a",), ("$asked/+",), ("#",), ("$share/g/$asked/#",)])
    async def test_a_client_that_does_not_listen(
        self, broker: Broker, device: MakeDevice, filters: tuple[str, ...]
    ) -> None:
        lamp = await device().accepted("lamp")
        asked = await self.asking(broker, lamp, *filters)
        for problem in (
            broker.direct.obstacle(asked.origin, self.TOPIC),
            broker.direct.answer(asked.origin, self.TOPIC, b"!"),
        ):
            assert problem is not None
            assert "does not subscribe" in problem
        assert await lamp.messages() == []

    async def test_another_client_of_the_same_id(self, broker: Broker, device: MakeDevice) -> None:
        """Its session may even be the same."""
        lamp = await device().accepted("lamp", clean_start=False)
        asked = await self.asking(broker, lamp, self.TOPIC)
        again = await device().accepted("lamp", clean_start=False)
        problem = broker.direct.answer(asked.origin, self.TOPIC, b"private")
        assert problem is not None
        assert "gone" in problem
        assert await again.messages() == []

    async def test_a_client_that_is_gone(self, broker: Broker, device: MakeDevice) -> None:
        lamp = await device().accepted("lamp", clean_start=False)
        asked = await self.asking(broker, lamp, self.TOPIC)
        lamp.lose()
        assert broker.direct.answer(asked.origin, self.TOPIC, b"private") is not None
        again = await device().accepted("lamp", clean_start=False)
        assert await again.messages() == []

    @pytest.mark.parametrize("origin", [Origin(), Origin("AKIA"), Origin("cert-1", "lamp")])
    async def test_what_came_over_no_connection(self, broker: Broker, device: MakeDevice, origin: Origin) -> None:
        """Over HTTP, of a rule, or from somewhere that only says so."""
        lamp = await device().accepted("lamp")
        await self.asking(broker, lamp, self.TOPIC)
        assert broker.direct.answer(origin, self.TOPIC, b"!") is not None

    async def test_policies_decide(self, broker: Broker) -> None:
        allowed = (
            '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":'
            '["iot:Connect","iot:Subscribe","iot:Publish"],"Resource":"*"}]}'
        )
        principals = Principals(allowed)
        lamp = Device(broker, Peer(identity=principals.identity, principals=principals, ip="192.0.2.1"))
        asked = await self.asking(broker, await lamp.accepted("lamp"), self.TOPIC)
        problem = broker.direct.answer(asked.origin, self.TOPIC, b"!")
        assert problem is not None
        assert "iot:Receive" in problem
        assert await lamp.messages() == []
