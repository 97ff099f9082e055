"""SUBSCRIBE and UNSUBSCRIBE: what is granted, and the retained messages that follow."""

from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.broker import subscribing
from fogbank.broker.connection import Connection
from fogbank.broker.quotas import Quotas
from fogbank.message import Message
from fogbank.mqtt import Properties, ReasonCode
from fogbank.mqtt.packets import Disconnect, Puback, Publish, Suback, Subscribe, Subscription, Unsuback, Unsubscribe
from fogbank.settings import Limits
from fogbank.testing.device import Device, decode_all
from fogbank.topics import matches

from .conftest import Recorder
from .server import V3, V5, Server, settle


async def retain(server: Server, *topics: str, payload: bytes = b"kept", qos: int = 1) -> None:
    for topic in topics:
        await server.broker.router.publish(Message(topic, payload, qos, retain=True))


async def came(device: Device) -> list[Publish]:
    """All messages on this connection."""
    await device.take()
    packets, _ = decode_all(bytes(device.link.written), device.version)
    return [packet for packet in packets if isinstance(packet, Publish)]


REFUSED = {
    "not a filter": ("a/#/b", ReasonCode.TOPIC_FILTER_INVALID),
    "a share without a name": ("$share//a", ReasonCode.TOPIC_FILTER_INVALID),
    "a long share name": (f"$share/{'x' * 129}/a", ReasonCode.TOPIC_FILTER_INVALID),
    "too deep": ("a/" * 8 + "a", ReasonCode.TOPIC_FILTER_INVALID),
    "only for publishing": ("$own/x", ReasonCode.TOPIC_FILTER_INVALID),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("version", [V3, V5])
async def test_each_filter_has_its_own_answer(name: str, version: int) -> None:
    """[MQTT-3.8.4-6] MQTT 3.1.1 has one code for all that is refused. [MQTT-3.9.3-2]"""
    filter_, code = REFUSED[name]
    server = await Server(limits=Limits.AWS).start()
    server.broker.router.reserve("$own/", Recorder())
    device = await server.device(V5 if version == V5 else V3).accepted("lamp")
    codes = await device.subscribe(("a", 1), (filter_, 1), ("b", 0))
    assert codes == (1, code if version == V5 else 0x80, 0)
    assert set(device.connection.session.subscriptions) == {"a", "b"}
    server.bury()


async def test_so_many_subscriptions_and_no_more() -> None:
    """But those that are there may be changed. [MQTT-3.8.4-3]"""
    server = await Server(limits=Limits.AWS).start()
    device = await server.device(V5).accepted("lamp")
    for number in range(50):
        assert await device.subscribe((f"t/{number}", 0)) == (0,)
    assert await device.subscribe(("one/more", 0)) == (ReasonCode.QUOTA_EXCEEDED,)
    assert await device.subscribe(("t/7", 1)) == (1,)
    assert device.connection.session.subscriptions["t/7"].qos == 1
    server.bury()


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (Subscribe(1, (Subscription("a", 2),)), ReasonCode.QOS_NOT_SUPPORTED),
        (
            Subscribe(1, (Subscription("a", 1),), Properties(subscription_identifiers=(1,))),
            ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
        ),
    ],
)
async def test_what_aws_disconnects_for(packet: Subscribe, code: ReasonCode) -> None:
    server = await Server(limits=Limits.AWS).start()
    device = await server.device(V5).accepted("lamp")
    device.send(packet)
    [told] = await device.take()
    assert isinstance(told, Disconnect)
    assert told.code == code
    server.bury()


async def test_suback_follows_the_commit_and_what_is_retained_follows_suback() -> None:
    server = await Server().start()
    await retain(server, "a")
    device = await server.client("lamp")
    await server.broker.journal.settled()
    server.disk.held = True
    device.send(Subscribe(1, (Subscription("a", 1),)))
    assert await device.take() == []
    server.disk.let_through()
    packets = await device.take()
    assert [type(packet) for packet in packets] == [Suback, Publish]
    server.bury()


async def test_a_subscription_that_could_not_be_written_is_not_acknowledged() -> None:
    server = await Server().start()
    device = await server.client("lamp")
    await server.broker.journal.settled()
    server.disk.broken = True
    device.send(Subscribe(1, (Subscription("a", 1),)))
    assert [packet for packet in await device.take() if isinstance(packet, Suback)] == []
    assert device.closed
    server.bury()


async def test_unsubscribe_tells_what_there_was() -> None:
    """(MQTT 5.0, 3.11.3) And after a kill it is still so."""
    server = await Server().start()
    device = await server.client("lamp", V5)
    await device.subscribe(("a", 1), ("b", 1))
    device.send(Unsubscribe(2, ("a", "c")))
    [unsuback] = await device.take()
    assert unsuback == Unsuback(2, (ReasonCode.SUCCESS, ReasonCode.NO_SUBSCRIPTION_EXISTED))
    server = await server.crash()
    session = server.broker.sessions.get("lamp")
    assert session is not None
    assert set(session.subscriptions) == {"b"}
    server.bury()


# --- retained messages ---


@pytest.mark.parametrize(("handling", "first", "again"), [(0, True, True), (1, True, False), (2, False, False)])
async def test_retain_handling(handling: int, first: bool, again: bool) -> None:
    """[MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]"""
    server = await Server().start()
    await retain(server, "a")
    device = await server.device(V5).accepted("lamp")
    for expected in (first, again):
        await device.subscribe(Subscription("a", 1, retain_handling=handling))
        assert (len(await came(device)) == 1) is expected
        device.link.written.clear()
        device._position = 0
    server.bury()


async def test_a_shared_subscription_gets_none() -> None:
    """(MQTT 5.0, 4.8.2)"""
    server = await Server().start()
    await retain(server, "a")
    device = await server.device(V5).accepted("lamp")
    await device.subscribe(("$share/g/a", 1))
    assert await came(device) == []
    server.bury()


@pytest.mark.parametrize(("limits", "expected"), [(Limits.OPEN, 1), (Limits.AWS, 0)])
async def test_by_wildcard(limits: Limits, expected: int) -> None:
    """AWS IoT developer guide, "MQTT retained messages": not by wildcard."""
    server = await Server(limits=limits).start()
    await retain(server, "a/b")
    device = await server.device(V5).accepted("lamp")
    await device.subscribe(("a/+", 1))
    assert len(await came(device)) == expected
    server.bury()


async def test_expired_ones_are_not_sent() -> None:
    server = await Server().start()
    at = server.clock.time() + 5
    await server.broker.router.publish(Message("a", b"x", 1, retain=True, expires_at=at))
    await server.advance(5)
    device = await server.device(V5).accepted("lamp")
    await device.subscribe(("a", 1))
    assert await came(device) == []
    server.bury()


@pytest.mark.parametrize("qos", [0, 1])
async def test_very_many_are_sent_a_part_at_a_time(qos: int) -> None:
    """None is lost to a full queue, nobody else waits, and a slow client is waited for."""
    server = await Server().start()
    server.broker._surroundings.quotas = _small(server)
    topics = [f"t/{number:04}" for number in range(5 * subscribing.AT_ONCE)]
    await retain(server, *topics)
    device = server.device(V5)
    await device.connect("lamp", properties=Properties(receive_maximum=10))
    device.send(Subscribe(1, (Subscription("t/#", qos),)))
    await _until_quiet(server, device)
    assert [packet.topic for packet in await came(device)] == topics
    assert server.broker._surroundings.dropped == 0
    server.bury()


def _small(server: Server) -> Quotas:
    return msgspec.structs.replace(server.broker.quotas, queued_messages=700)


async def _until_quiet(server: Server, device: Device) -> None:
    """Acknowledge whatever comes, for as long as something does."""
    quiet, position = 0, 0
    while quiet < 5:
        await settle()
        await server.advance(subscribing.PAUSE)
        messages = await came(device)
        quiet = quiet + 1 if len(messages) == position else 0
        for message in messages[position:]:
            if message.qos:
                device.send(Puback(message.packet_id))
        position = len(messages)


async def test_what_changes_meanwhile_is_sent_once_and_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribing, "AT_ONCE", 2)
    server = await Server().start()
    await retain(server, "a", "b", "c", "d", "e")
    later: list[Callable[[], object]] = []
    device = await server.device(V5).accepted("lamp")
    scheduler = server.broker.flow._scheduler
    monkeypatch.setattr(scheduler, "call_soon", lambda call, *args: later.append(partial(call, *args)))
    connection: Connection = device.connection
    device.send(Subscribe(1, (Subscription("#", 0),)))
    server.broker.router.deliver(Message("d", b"newer", 0, retain=True))
    server.broker.router.deliver(Message("e", b"", 0, retain=True))
    while later:
        later.pop(0)()
    connection.line.flush()
    assert [(packet.topic, packet.payload) for packet in await came(device)] == [
        ("a", b"kept"),
        ("b", b"kept"),
        ("d", b"newer"),
        ("e", b""),
        ("c", b"kept"),
    ]
    server.bury()


LEVELS = st.sampled_from(["a", "b", "$x"])
TOPICS = st.lists(st.lists(LEVELS, min_size=1, max_size=3).map("/".join), max_size=6, unique=True)
FILTERS = st.sampled_from(["#", "+", "a", "a/#", "+/b", "a/+/b", "$x/#", "+/+", "b"])


@settings(max_examples=60)
@given(TOPICS, FILTERS, st.integers(0, 2))
async def test_a_new_subscription_gets_what_it_matches(topics: list[str], filter_: str, qos: int) -> None:
    """[MQTT-3.3.1-6], each at the lower quality of service, with RETAIN set. [MQTT-3.3.1-8]"""
    server = await Server().start()
    for number, topic in enumerate(topics):
        await retain(server, topic, qos=number % 3)
    device = await server.device(V5).accepted("lamp")
    await device.subscribe((filter_, qos))
    assert sorted((packet.topic, packet.qos, packet.retain) for packet in await came(device)) == sorted(
        (topic, min(qos, number % 3), True) for number, topic in enumerate(topics) if matches(filter_, topic)
    )
    server.bury()
    await settle()
