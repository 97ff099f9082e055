"""PUBLISH the readable way, and the packets of QoS 2: who is answered what, and when."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.broker.broker import Broker
from fogbank.broker.publishing import expiry, message_properties, properties_problem, user_properties_problem
from fogbank.broker.quotas import NEVER, quotas
from fogbank.message import NO_PROPERTIES, Message, MessageProperties
from fogbank.mqtt import NO_PROPERTIES as NO_MQTT_PROPERTIES
from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.errors import ProtocolViolation
from fogbank.mqtt.packets import Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel
from fogbank.ports import Peer, ThingContext
from fogbank.settings import Limits
from fogbank.testing.device import Device

from .conftest import MakeDevice, Principals, Recorder
from .server import V3, V5, Server

OPEN, AWS = quotas(Limits.OPEN), quotas(Limits.AWS)

# --- properties ---


@pytest.mark.parametrize(
    "properties",
    [
        Properties(content_type="x" * 257),
        Properties(correlation_data=bytes(8 * 1024 + 1)),
        Properties(user_properties=(("name", "x" * 8 * 1024),)),
        Properties(user_properties=(("é" * 2048, "é" * 2049),)),
    ],
)
def test_properties_have_bounds(properties: Properties) -> None:
    """AWS General Reference, "AWS IoT Core message broker and protocol limits and quotas"."""
    problem = properties_problem(properties, AWS)
    assert problem is not None
    assert "allowed" in problem
    assert properties_problem(properties, OPEN) is None


@pytest.mark.parametrize(
    "properties",
    [
        Properties(content_type="x" * 256),
        Properties(correlation_data=bytes(8 * 1024)),
        Properties(user_properties=(("é" * 2048, "é" * 2048),)),
    ],
)
def test_within_them(properties: Properties) -> None:
    assert properties_problem(properties, AWS) is None
    assert user_properties_problem(properties, AWS) is None


def test_only_servers_send_subscription_identifiers() -> None:
    """[MQTT-3.3.4-6]"""
    with pytest.raises(ProtocolViolation):
        properties_problem(Properties(subscription_identifiers=(1,)), OPEN)


def test_what_is_passed_on() -> None:
    """[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20]: these five, and no others."""
    sent = Properties(
        payload_format=1,
        message_expiry=9,
        topic_alias=3,
        response_topic="r",
        correlation_data=b"c",
        user_properties=(("b", "1"), ("a", "2"), ("b", "3")),
        content_type="t",
    )
    assert message_properties(sent) == MessageProperties(
        payload_format=1,
        content_type="t",
        response_topic="r",
        correlation_data=b"c",
        user_properties=(("b", "1"), ("a", "2"), ("b", "3")),
    )
    assert message_properties(Properties(message_expiry=9, topic_alias=3)) is NO_PROPERTIES
    added = message_properties(Properties(user_properties=(("b", "1"),)), (("c", "2"), ("b", "3")))
    assert added.user_properties == (("b", "1"), ("c", "2"), ("b", "3"))


@given(st.none() | st.integers(0, 0xFFFFFFFF))
def test_when_a_message_expires(interval: int | None) -> None:
    for limits in (AWS, OPEN):
        shortest, longest = limits.message_expiry
        expires_at = expiry(1000.0, Properties(message_expiry=interval), limits)
        if interval is None or max(shortest, min(interval, longest)) == NEVER:
            assert expires_at is None
        else:
            assert expires_at == 1000.0 + max(shortest, min(interval, longest))


# --- QoS 2 from a client ---


class Pair:
    """A client that publishes, and what the platform itself gets of it."""

    def __init__(self, server: Server, device: Device, seen: list[Message]) -> None:
        self.server = server
        self.device = device
        self._seen = seen

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self._seen]


async def pair(limits: Limits = Limits.OPEN, version: int = V5) -> Pair:
    server = await Server(limits=limits).start()
    recorder = Recorder()
    server.broker.router.subscribe("#", recorder)
    return Pair(server, await server.device(V5 if version == V5 else V3).accepted("publisher"), recorder.messages)


@pytest.mark.parametrize("version", [V3, V5])
async def test_exactly_once(version: int) -> None:
    """[MQTT-4.3.3-9] to [MQTT-4.3.3-12] (3.1.1: [MQTT-4.3.3-2])"""
    both = await pair(version=version)
    for dup in (False, True, True):
        both.device.send(Publish("a", b"1", 2, dup=dup, packet_id=7))
        assert await both.device.take() == [Pubrec(7)]
    for _ in range(2):
        both.device.send(Pubrel(7))
        [answer] = await both.device.take()
        assert isinstance(answer, Pubcomp)
        assert answer.packet_id == 7
    both.device.send(Publish("a", b"2", 2, packet_id=7))
    assert await both.device.take() == [Pubrec(7)]
    assert both.payloads == [b"1", b"2"]
    both.server.bury()


async def test_an_identifier_that_is_not_known() -> None:
    """(MQTT 5.0, 3.7.2.1)"""
    both = await pair()
    both.device.send(Pubrel(9))
    assert await both.device.take() == [Pubcomp(9, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND)]
    both.device.send(Pubrec(9))
    assert await both.device.take() == [Pubrel(9, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND)]
    both.device.send(Pubcomp(9), Puback(9))
    assert await both.device.take() == []
    assert not both.device.closed
    both.server.bury()


async def test_more_than_the_receive_maximum() -> None:
    """[MQTT-3.3.4-7]: those for which PUBREL has not come."""
    both = await pair()
    most = OPEN.receive_maximum
    for packet_id in range(1, most + 1):
        both.device.send(Publish("a", b"", 2, packet_id=packet_id))
    assert len(await both.device.take()) == most
    both.device.send(Publish("a", b"", 2, dup=True, packet_id=most))
    assert await both.device.take() == [Pubrec(most)]
    both.device.send(Publish("a", b"", 2, packet_id=most + 1))
    [told] = await both.device.take()
    assert isinstance(told, Disconnect)
    assert told.code == ReasonCode.RECEIVE_MAXIMUM_EXCEEDED
    assert len(both.payloads) == most
    both.server.bury()


# --- what is refused ---

REFUSED = {
    "a topic that is too deep": (Publish("a/" * 8 + "a", b"", 1, packet_id=3), ReasonCode.TOPIC_NAME_INVALID),
    "retained where nothing is": (Publish("$aws/x", b"x", 1, True, packet_id=3), ReasonCode.TOPIC_NAME_INVALID),
    "long properties": (
        Publish("a", b"x", 1, packet_id=3, properties=Properties(content_type="x" * 257)),
        ReasonCode.QUOTA_EXCEEDED,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_client_of_mqtt_5_is_told_and_goes_on(name: str) -> None:
    packet, code = REFUSED[name]
    both = await pair(Limits.AWS)
    both.device.send(packet)
    [answer] = await both.device.take()
    assert isinstance(answer, Puback)
    assert (answer.packet_id, answer.code) == (3, code)
    assert answer.properties.reason_string
    assert both.payloads == []
    both.device.send(Publish("a", b"fine", 1, packet_id=4))
    assert await both.device.take() == [Puback(4)]
    both.server.bury()


async def test_nothing_is_retained_where_one_subscriber_gets_everything() -> None:
    both = await pair(Limits.OPEN)
    both.server.broker.router.reserve("$own/", Recorder())
    both.device.send(Publish("$own/x", b"", 1, True, packet_id=3), Publish("$other/x", b"", 1, True, packet_id=4))
    first, second = await both.device.take()
    assert isinstance(first, Puback)
    assert first.code is ReasonCode.TOPIC_NAME_INVALID
    assert second == Puback(4)
    both.server.bury()


@pytest.mark.parametrize("name", ["a topic that is too deep", "retained where nothing is"])
@pytest.mark.parametrize("qos", [0, 1])
async def test_others_cannot_be_told_and_are_disconnected(name: str, qos: int) -> None:
    packet, _ = REFUSED[name]
    both = await pair(Limits.AWS, V3)
    both.device.send(Publish(packet.topic, packet.payload, qos, retain=packet.retain, packet_id=3 if qos else 0))
    assert await both.device.take() == []
    assert both.device.closed
    assert both.payloads == []
    both.server.bury()


async def test_a_refused_message_of_qos_2_is_not_remembered() -> None:
    """Its identifier is free again at once. [MQTT-4.3.3-9]"""
    server = await Server().start()
    server.broker.retained._max_messages = 0
    device = await server.device(V5).accepted("publisher")
    device.send(Publish("a", b"x", 2, True, packet_id=7))
    [answer] = await device.take()
    assert isinstance(answer, Pubrec)
    assert (answer.packet_id, answer.code) == (7, ReasonCode.QUOTA_EXCEEDED)
    assert device.connection.session.received == set()
    server.bury()


async def test_qos_2_where_it_is_not_served() -> None:
    """[MQTT-3.2.2-11]"""
    both = await pair(Limits.AWS)
    both.device.send(Publish("a", b"", 2, packet_id=1))
    [told] = await both.device.take()
    assert isinstance(told, Disconnect)
    assert told.code == ReasonCode.QOS_NOT_SUPPORTED
    both.server.bury()


# --- acknowledged means on disk ---


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        (Publish("kept", b"x", 1, packet_id=5), Puback(5)),
        (Publish("kept", b"x", 2, packet_id=5), Pubrec(5)),
        (Publish("other", b"x", 1, True, packet_id=5), Puback(5)),
    ],
)
async def test_answers_follow_the_commit(packet: Publish, answer: Puback | Pubrec) -> None:
    server = await Server().start()
    absent = await server.client("absent")
    await absent.subscribe(("kept", 2))
    absent.lose()
    device = await server.client("publisher", V5)
    await server.broker.journal.settled()
    server.disk.held = True
    device.send(packet, Publish("nobody", b"", 1, packet_id=6))
    assert await device.take() == []
    server.disk.let_through()
    assert await device.take() == [answer, Puback(6)]  # in the order of the messages [MQTT-4.6.0-2]
    server.bury()


@pytest.mark.parametrize("version", [V3, V5])
async def test_a_commit_that_fails_ends_the_connection(version: int) -> None:
    server = await Server().start()
    device = await server.client("publisher", V5 if version == V5 else V3)
    await server.broker.journal.settled()
    server.disk.broken = True
    device.send(Publish("a", b"x", 1, True, packet_id=5))
    assert [packet for packet in await device.take() if isinstance(packet, Puback)] == []
    assert device.closed
    server.bury()


# --- properties of the client's thing ---

EVERYTHING = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'


@pytest.mark.parametrize("version", [V3, V5])
@pytest.mark.parametrize("qos", [0, 1])
async def test_what_a_things_type_propagates_is_borne_by_each_of_its_messages(
    broker: Broker, device: MakeDevice, version: Version, qos: int
) -> None:
    """Developer guide, thing-types-propagating-attributes: publishers of any version, receivers of MQTT 5."""
    principals = Principals(EVERYTHING)

    async def wear(*properties: tuple[str, str]) -> None:
        thing = ThingContext("lamp", attached=True, properties=properties)
        principals.grant_ = msgspec.structs.replace(principals.grant_, thing=thing)
        await broker.principals_changed(frozenset((principals.identity.id,)))

    await wear(("colour", "red"))
    recorder = Recorder()
    broker.router.subscribe("t", recorder)
    modern, old = await device(V5).accepted("modern"), await device(V3).accepted("old")
    for receiver in (modern, old):
        await receiver.subscribe(("t", qos))
    peer = Peer(identity=principals.identity, principals=principals, ip="192.0.2.1")
    publisher = await Device(broker, peer, version).accepted("lamp")

    async def sent(*payloads: bytes, properties: Properties = NO_MQTT_PROPERTIES) -> list[tuple[tuple[str, str], ...]]:
        """User properties of what arrives, which is the same everywhere."""
        packets = [Publish("t", one, qos, packet_id=n, properties=properties) for n, one in enumerate(payloads, 1)]
        publisher.send(b"".join(packet.encode(version) for packet in packets))
        arrived = [(one.payload, one.properties.user_properties) for one in await modern.messages()]
        assert [payload for payload, _ in arrived] == list(payloads)
        assert [one.payload for one in await old.messages()] == list(payloads)
        kept = [(one.payload, one.properties.user_properties) for one in recorder.messages]
        assert kept == arrived
        recorder.messages.clear()
        acknowledged = [one for one in await publisher.take() if isinstance(one, Puback)]
        assert [one.packet_id for one in acknowledged] == [one.packet_id for one in packets if qos]
        return [properties for _, properties in arrived]

    assert await sent(b"1", b"2") == [(("colour", "red"),)] * 2
    await wear(("colour", "blue"), ("id", "lamp"))
    assert await sent(b"3") == [(("colour", "blue"), ("id", "lamp"))]
    if version is V5:
        own = Properties(user_properties=(("own", "1"), ("colour", "mine")))
        assert await sent(b"4", properties=own) == [(*own.user_properties, ("colour", "blue"), ("id", "lamp"))]
    await wear()
    assert await sent(b"5", b"6") == [(), ()]
    assert not publisher.connection.singly
