"""What a client sees: CONNECT to DISCONNECT, quality of service, wills, takeover, rights, bad input."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fogbank.broker import ingest
from fogbank.broker.broker import Broker
from fogbank.broker.reasons import DENIED
from fogbank.message import Message
from fogbank.mqtt import ReasonCode, Version
from fogbank.mqtt.packets import (
    DISCONNECT,
    FAILURE,
    PINGREQ,
    PINGRESP,
    Connack,
    Connect,
    Disconnect,
    Puback,
    Publish,
    Pubrel,
    ReturnCode,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from fogbank.ports import Grant, Peer, PolicyDocument
from fogbank.settings import Limits
from fogbank.testing import FakeClock
from fogbank.testing.device import Device
from fogbank.trace import TraceEvent
from fogbank.transport.peer import PlainPrincipals

from .conftest import MakeDevice, Principals, Recorder, make_broker

# --- connecting ---


async def test_connect_is_answered(device: MakeDevice) -> None:
    assert await device().connect() == Connack(ReturnCode.ACCEPTED, session_present=False)


async def test_an_empty_client_id_gets_one(device: MakeDevice, broker: Broker) -> None:
    """[MQTT-3.1.3-6]"""
    one, other = device(), device()
    assert (await one.connect("")).code is ReturnCode.ACCEPTED
    assert (await other.connect("")).code is ReturnCode.ACCEPTED
    assert len(broker) == 2


async def test_an_empty_client_id_needs_a_clean_session(device: MakeDevice) -> None:
    """[MQTT-3.1.3-8]"""
    one = device()
    assert (await one.connect("", clean_start=False)).code is ReturnCode.IDENTIFIER_REJECTED
    assert one.closed


async def test_another_version_is_told_so(device: MakeDevice) -> None:
    """[MQTT-3.1.2-2]"""
    one = device()
    one.send(bytes.fromhex("100c 0004 4d515454 03 02 003c 0000"))
    assert await one.take() == [Connack(ReturnCode.UNACCEPTABLE_PROTOCOL_VERSION)]
    assert one.closed


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(PINGREQ, id="another packet first [MQTT-3.1.0-1]"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(b"\x00\x00\x00\x00", id="zeros"),
        pytest.param(b"\x10\xff\xff\xff\xff\x7f", id="a length of five bytes"),
        pytest.param(b"\x10\xff\xff\xff\x7f", id="a CONNECT of 256 MB"),
        pytest.param(b"\x10\x02\x00\x00", id="a CONNECT of nothing"),
    ],
)
async def test_garbage_instead_of_connect_closes(device: MakeDevice, first: bytes) -> None:
    one = device()
    one.send(first)
    assert await one.take() == []
    assert one.closed


async def test_a_second_connect_closes(device: MakeDevice) -> None:
    """[MQTT-3.1.0-2]"""
    one = await device().accepted()
    one.send(Connect("device"))
    assert one.closed


async def test_packets_sent_right_after_connect_are_handled_in_order(device: MakeDevice) -> None:
    one = device()
    subscribe = Subscribe(1, (Subscription("a", 0),)).encode(Version.V3_1_1)
    one.send(Connect("device").encode() + subscribe + Publish("a", b"x").encode())
    one.send(PINGREQ)
    kinds = [type(packet).__name__ for packet in await one.take()]
    assert kinds == ["Connack", "Suback", "Publish", "bytes"]


async def test_connect_may_come_byte_by_byte(device: MakeDevice) -> None:
    one = device()
    connect = Connect("lamp", will=Will("gone", bytes(300))).encode() + PINGREQ
    for at in range(len(connect)):
        one.send(connect[at : at + 1])
    assert await one.take() == [Connack(), PINGRESP]


async def test_who_connects_again_takes_over(device: MakeDevice, broker: Broker) -> None:
    """[MQTT-3.1.4-2]"""
    events = Recorder()
    broker.router.subscribe("$aws/events/presence/disconnected/+", events)
    first = await device().accepted("lamp", will=Will("gone", b"lamp"))
    wills = Recorder()
    broker.router.subscribe("gone", wills)
    second = await device().accepted("lamp")
    assert first.closed
    assert not second.closed
    assert [message.payload for message in wills.messages] == [b"lamp"]
    [event] = events.messages
    assert msgspec.json.decode(event.payload)["disconnectReason"] == "DUPLICATE_CLIENTID"


# --- quality of service ---


@pytest.mark.parametrize(("published", "granted", "delivered"), [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 1)])
async def test_the_lower_quality_of_service_holds(
    device: MakeDevice, published: int, granted: int, delivered: int
) -> None:
    """[MQTT-3.8.4-6]"""
    sender, receiver = await device().accepted("sender"), await device().accepted("receiver")
    assert await receiver.subscribe(("a/+", granted)) == (granted,)
    sender.send(Publish("a/b", b"hello", published, packet_id=7 if published else 0))
    assert await receiver.messages() == [Publish("a/b", b"hello", delivered, packet_id=1 if delivered else 0)]
    assert await sender.take() == ([Puback(7)] if published else [])


@pytest.mark.parametrize(
    "packet", [Publish("a", b"", 2, packet_id=1), Subscribe(1, (Subscription("a", 2),)), Pubrel(1)], ids=repr
)
async def test_quality_of_service_2_ends_the_connection(
    device: MakeDevice, packet: Publish | Subscribe | Pubrel
) -> None:
    """AWS IoT developer guide, "AWS IoT differences from MQTT specifications"."""
    one = await device().accepted()
    one.send(packet)
    assert await one.take() == []
    assert one.closed


async def test_overlapping_subscriptions_deliver_once_at_the_highest(device: MakeDevice) -> None:
    one = await device().accepted()
    await one.subscribe(("a/b", 0), ("a/+", 1), ("#", 0))
    one.send(Publish("a/b", b"x", 1, packet_id=1))
    assert await one.messages() == [Publish("a/b", b"x", 1, packet_id=1)]


async def test_the_window_of_unacknowledged_messages(device: MakeDevice) -> None:
    """At most 100 are on their way; acknowledging some lets others follow, in order, none lost."""
    sender, receiver = await device().accepted("sender"), await device().accepted("receiver")
    await receiver.subscribe(("a", 1))
    for number in range(250):
        sender.send(Publish("a", b"%d" % number, 1, packet_id=number + 1))
    first = await receiver.messages()
    assert len(first) == 100
    receiver.send(*(Puback(packet.packet_id) for packet in first[:30]))
    second = await receiver.messages()
    assert len(second) == 30
    receiver.send(*(Puback(packet.packet_id) for packet in [*first[30:], *second]))
    third = await receiver.messages()
    receiver.send(*(Puback(packet.packet_id) for packet in third))
    fourth = await receiver.messages()
    assert [packet.payload for packet in first + second + third + fourth] == [b"%d" % n for n in range(250)]


async def test_an_acknowledgement_with_a_length_longer_than_need_be(device: MakeDevice) -> None:
    """MQTT 3.1.1 does not demand the shortest form of a remaining length (2.2.3), and nothing may wait for it."""
    one = await device().accepted()
    await one.subscribe(("a", 1))
    one.send(Publish("a", b"", 1, packet_id=1))
    [message] = await one.messages()
    one.send(b"\x40\x82\x00" + message.packet_id.to_bytes(2, "big") + PINGREQ)
    assert await one.take() == [PINGRESP]
    assert one.connection.session.inflight.count == 0


async def test_ping_and_unsubscribe(device: MakeDevice) -> None:
    one = await device().accepted()
    await one.subscribe(("a", 0))
    one.send(PINGREQ, Unsubscribe(9, ("a", "never")), Publish("a", b""))
    assert await one.take() == [PINGRESP, Unsuback(9)]


# --- sessions ---


async def test_a_persistent_session_keeps_what_comes_while_it_is_away(device: MakeDevice) -> None:
    """[MQTT-3.1.2-4] [MQTT-3.1.2-5]"""
    first = await device().accepted("lamp", clean_start=False)
    await first.subscribe(("a", 1), ("b", 0))
    first.send(DISCONNECT)
    sender = await device().accepted("sender")
    sender.send(Publish("a", b"1", 1, packet_id=1), Publish("b", b"2", 1, packet_id=2), Publish("a", b"3"))
    second = device()
    second.send(Connect("lamp", clean_start=False))
    connack, *messages = await second.take()
    assert connack == Connack(session_present=True)
    assert messages == [Publish("a", b"1", 1, packet_id=1)]


async def test_unacknowledged_messages_come_again_marked_as_such(device: MakeDevice) -> None:
    """[MQTT-4.4.0-1] [MQTT-3.3.1-1]"""
    first = await device().accepted("lamp", clean_start=False)
    await first.subscribe(("a", 1))
    first.send(Publish("a", b"1", 1, packet_id=1), Publish("a", b"2", 1, packet_id=2))
    one, other = await first.messages()
    first.send(Puback(one.packet_id))
    first.lose()
    second = device()
    second.send(Connect("lamp", clean_start=False))
    assert (await second.take())[1:] == [Publish("a", b"2", 1, dup=True, packet_id=other.packet_id)]


async def test_a_clean_session_ends_an_earlier_one(device: MakeDevice) -> None:
    """[MQTT-3.1.2-6]"""
    first = await device().accepted("lamp", clean_start=False)
    await first.subscribe(("a", 1))
    first.send(DISCONNECT)
    second = await device().accepted("lamp")
    second.send(Publish("a", b"", 1, packet_id=1))
    assert await second.messages() == []
    second.send(DISCONNECT)
    assert await device().connect("lamp", clean_start=False) == Connack(session_present=False)


async def test_a_session_expires(device: MakeDevice, broker: Broker, fake_clock: FakeClock) -> None:
    await broker.start()
    first = await device().accepted("lamp", clean_start=False)
    first.send(DISCONNECT)
    await fake_clock.advance(3500)
    second = device()
    assert (await second.connect("lamp", clean_start=False)).session_present
    second.send(DISCONNECT)
    await fake_clock.advance(3600 + 61)
    assert not (await device().connect("lamp", clean_start=False)).session_present
    await broker.close()


# --- wills, keep-alive, lifecycle ---


@pytest.mark.parametrize(
    ("end", "published"),
    [
        pytest.param(lambda one: one.send(DISCONNECT), False, id="DISCONNECT [MQTT-3.14.4-3]"),
        pytest.param(lambda one: one.lose(), True, id="connection lost [MQTT-3.1.2-8]"),
        pytest.param(lambda one: one.send(b"\x00\x00"), True, id="protocol error [MQTT-3.1.2-8]"),
    ],
)
async def test_the_will(device: MakeDevice, broker: Broker, end: Callable[[Device], None], published: bool) -> None:
    wills = Recorder()
    broker.router.subscribe("gone/+", wills)
    one = await device().accepted("lamp", will=Will("gone/lamp", b"bye", 1))
    end(one)
    assert [(m.topic, m.payload, m.qos, m.will, m.origin.client_id) for m in wills.messages] == (
        [("gone/lamp", b"bye", 1, True, "lamp")] if published else []
    )


async def test_lifecycle_events(device: MakeDevice, broker: Broker, fake_clock: FakeClock) -> None:
    """AWS IoT developer guide, "Lifecycle events"."""
    events = Recorder()
    broker.router.subscribe("$aws/events/presence/#", events)
    one = await device().accepted("lamp")
    one.send(DISCONNECT)
    two = await device().accepted("lamp")
    two.lose()
    bodies = [msgspec.json.decode(message.payload) for message in events.messages]
    assert [message.topic for message in events.messages] == [
        f"$aws/events/presence/{what}/lamp" for what in ("connected", "disconnected") * 2
    ]
    session = bodies[0].pop("sessionIdentifier")
    assert bodies[0] == {
        "clientId": "lamp",
        "timestamp": int(fake_clock.time() * 1000),
        "eventType": "connected",
        "principalIdentifier": "plain",
        "ipAddress": "192.0.2.1",
        "versionNumber": 0,
    }
    assert bodies[1].pop("sessionIdentifier") == session
    assert bodies[1] == {
        "clientId": "lamp",
        "timestamp": int(fake_clock.time() * 1000),
        "eventType": "disconnected",
        "principalIdentifier": "plain",
        "clientInitiatedDisconnect": True,
        "disconnectReason": "CLIENT_INITIATED_DISCONNECT",
        "versionNumber": 0,
    }
    assert [body["versionNumber"] for body in bodies] == [0, 0, 1, 1]
    assert bodies[3]["disconnectReason"] == "CONNECTION_LOST"
    assert bodies[3]["clientInitiatedDisconnect"] is False


# --- rights ---

CONNECT_ONLY = """{"Version": "2012-10-17", "Statement":
    {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}}"""
POLICY = """{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:*:*:client/lamp*"},
    {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"],
     "Resource": "arn:aws:iot:*:*:topic/${iot:ClientId}/*"},
    {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": "arn:aws:iot:*:*:topicfilter/*"}]}"""


@pytest.fixture
def principals() -> Principals:
    return Principals(POLICY)


@pytest.fixture
def restricted(broker: Broker, principals: Principals) -> MakeDevice:
    peer = Peer(identity=principals.identity, principals=principals, ip="192.0.2.1")
    return lambda version=Version.V3_1_1: Device(broker, peer, version)


async def test_connect_needs_a_policy(restricted: MakeDevice, broker: Broker) -> None:
    events = Recorder()
    broker.router.subscribe("$aws/events/presence/connect_failed/+", events)
    intruder = restricted()
    assert (await intruder.connect("thermostat")).code is ReturnCode.NOT_AUTHORIZED
    assert intruder.closed
    assert msgspec.json.decode(events.messages[0].payload)["connectFailureReason"] == "AUTHORIZATION_FAILED"


async def test_a_principal_has_so_many_connections_and_others_their_own(fake_clock: FakeClock) -> None:
    broker = await make_broker(fake_clock, connections_per_principal=2)

    def device(principal: str) -> Device:
        principals = Principals(POLICY)
        principals.identity = msgspec.structs.replace(principals.identity, id=principal)
        return Device(broker, Peer(identity=principals.identity, principals=principals, ip="192.0.2.1"), Version.V5)

    first = await device("one").accepted("lamp-1")
    await device("one").accepted("lamp-2")
    refused = device("one")
    assert (await refused.connect("lamp-3")).code is ReasonCode.QUOTA_EXCEEDED
    assert refused.closed
    await device("one").accepted("lamp-2")  # which takes the client ID over, and is no third
    await device("another").accepted("lamp-4")
    first.lose()
    await device("one").accepted("lamp-3")
    await broker.journal.settled()


async def test_clients_are_not_told_what_policies_say(restricted: MakeDevice, principals: Principals) -> None:
    """The log and the trace tell of statements and variables; who is refused learns that it is."""
    refused = await restricted(Version.V5).connect("thermostat")
    principals.grant_ = Grant((PolicyDocument("device-policy", CONNECT_ONLY),))
    device = await restricted(Version.V5).accepted("lamp")
    device.send(Publish("other/x", b"", 1, packet_id=7), Subscribe(8, (Subscription("#", 0),)), Publish("other/x", b""))
    answers = [refused, *await device.take()]
    assert [type(answer) for answer in answers] == [Connack, Puback, Suback, Disconnect]
    for answer in answers:
        assert isinstance(answer, Connack | Puback | Suback | Disconnect)
        assert answer.properties.reason_string == DENIED


@pytest.mark.parametrize("will", [Will("a/" * 8 + "a", b"", 0, False), Will("a" * 257, b"", 0, False)])
async def test_the_will_keeps_within_the_quotas(device: MakeDevice, will: Will) -> None:
    """MQTT 3.1.1 has no return code for it: the connection is closed without CONNACK. [MQTT-3.2.2-6]"""
    one = device()
    one.send(Connect("lamp", will=will))
    assert await one.take() == []
    assert one.closed


async def test_the_will_needs_a_policy_too(restricted: MakeDevice) -> None:
    assert (await restricted().connect("lamp", will=Will("other/x", b""))).code is ReturnCode.NOT_AUTHORIZED
    assert (await restricted().connect("lamp", will=Will("lamp/x", b""))).code is ReturnCode.ACCEPTED


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retain", [False, True])
async def test_publish_without_right_closes_and_says_which_statement_is_missing(
    restricted: MakeDevice, broker: Broker, qos: int, retain: bool
) -> None:
    events: list[TraceEvent] = []
    broker.trace.listen(events.append)
    received = Recorder()
    broker.router.subscribe("#", received)
    one = await restricted().accepted("lamp")
    one.send(Publish("other/x", b"", qos, retain, packet_id=1 if qos else 0))
    assert one.closed
    assert await one.take() == []
    assert received.messages == []
    [denied] = [event for event in events if event.status == "denied"]
    assert "iot:Publish on arn:aws:iot:us-east-1:123456789012:topic/other/x" in denied.reason
    assert "device-policy" in denied.reason


async def test_retain_needs_its_own_right(restricted: MakeDevice) -> None:
    one = await restricted().accepted("lamp")
    one.send(Publish("lamp/x", b"", 1, True, packet_id=1))
    assert one.closed


async def test_subscribing_is_not_receiving(restricted: MakeDevice, device: MakeDevice) -> None:
    one = await restricted().accepted("lamp")
    assert await one.subscribe(("#", 0)) == (0,)
    sender = await device().accepted("sender")
    sender.send(Publish("other/x", b"1"), Publish("lamp/x", b"2"))
    assert await one.messages() == [Publish("lamp/x", b"2")]


async def test_a_change_of_policy_reaches_live_connections(
    restricted: MakeDevice, device: MakeDevice, broker: Broker, principals: Principals
) -> None:
    one = await restricted().accepted("lamp")
    await one.subscribe(("#", 0))
    sender = await device().accepted("sender")
    sender.send(Publish("lamp/x", b"1"))
    assert len(await one.messages()) == 1
    principals.grant_ = Principals(CONNECT_ONLY).grant_
    await broker.principals_changed(frozenset({"cert-1"}))
    sender.send(Publish("lamp/x", b"2"))
    assert await one.messages() == []
    one.send(Publish("lamp/x", b""))
    assert one.closed


async def test_a_revoked_certificate_ends_live_connections(
    restricted: MakeDevice, broker: Broker, principals: Principals
) -> None:
    one = await restricted().accepted("lamp")
    principals.identity = msgspec.structs.replace(principals.identity, active=False, reason="certificate is REVOKED")
    await broker.principals_changed(frozenset({"cert-1"}))
    assert one.closed
    assert (await restricted().connect("lamp")).code is ReturnCode.NOT_AUTHORIZED


# --- limits and bad input ---


async def test_refused_subscriptions_do_not_fill_the_log(
    restricted: MakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    one = await restricted().accepted("lamp")
    for number in range(100):
        assert await one.subscribe((f"a+/{number}", 0)) == (0x80,)
    assert len(caplog.records) == 21
    assert caplog.records[-1].getMessage().endswith("not logged until it connects again")


@pytest.mark.parametrize(
    ("filter_", "why"),
    [
        ("a/#/b", "levels after"),
        ("a+", "wildcard shares"),
        ("a/b/c/d/e/f/g/h/i", "8 are allowed"),
        ("x" * 257, "256 are allowed"),
        ("$share//a", "no valid share name"),
    ],
)
async def test_filters_that_are_refused(device: MakeDevice, broker: Broker, filter_: str, why: str) -> None:
    events: list[TraceEvent] = []
    broker.trace.listen(events.append)
    one = await device().accepted()
    assert await one.subscribe((filter_, 0), ("ok", 1)) == (FAILURE, 1)
    assert any(why in event.reason for event in events if event.status == "denied")


async def test_the_quotas_of_subscriptions(device: MakeDevice) -> None:
    """AWS General Reference: 8 in a SUBSCRIBE, 50 in a connection."""
    one = await device().accepted()
    assert await one.subscribe(*((f"a{n}", 0) for n in range(9))) == (FAILURE,) * 9
    for start in range(0, 50, 5):
        assert await one.subscribe(*((f"b{n}", 0) for n in range(start, start + 5))) == (0,) * 5
    assert await one.subscribe(("c", 0), ("b1", 1)) == (FAILURE, 1)


@pytest.mark.parametrize("qos", [0, 1])
async def test_the_largest_payload(device: MakeDevice, broker: Broker, qos: int) -> None:
    """AWS General Reference: 128 KB."""
    received = Recorder()
    broker.router.subscribe("a", received)
    one = await device().accepted()
    one.send(Publish("a", bytes(128 * 1024), qos, packet_id=qos))
    assert len(received.messages) == 1
    one.send(Publish("a", bytes(128 * 1024 + 1), qos, packet_id=qos))
    assert one.closed
    assert len(received.messages) == 1


async def test_open_limits_lift_them(fake_clock: FakeClock) -> None:
    broker = await make_broker(fake_clock, Limits.OPEN)
    plain = PlainPrincipals(None)
    one = await Device(broker, Peer(identity=plain.identity, principals=plain, ip=None)).accepted()
    assert await one.subscribe(*((f"{n}/" * 20, 0) for n in range(60))) == (0,) * 60
    one.send(Publish("0/" * 20, bytes(200_000)))
    assert len(await one.messages()) == 1


BAD_PACKETS = [
    pytest.param("00 00", id="type 0"),
    pytest.param("f0 00", id="AUTH in 3.1.1"),
    pytest.param("20 02 0000", id="CONNACK from a client"),
    pytest.param("30 01 00", id="PUBLISH without topic"),
    pytest.param("30 04 0009 6161", id="PUBLISH, topic beyond its end"),
    pytest.param("30 02 0000", id="PUBLISH, empty topic [MQTT-4.7.3-1]"),
    pytest.param("30 04 0002 612b", id="PUBLISH to a wildcard [MQTT-3.3.2-2]"),
    pytest.param("30 04 0002 ff61", id="PUBLISH, topic not UTF-8"),
    pytest.param("30 04 0002 6100", id="PUBLISH, topic with U+0000"),
    pytest.param("32 05 0001 61 0000", id="PUBLISH, packet ID 0"),
    pytest.param("32 03 0001 61", id="PUBLISH, no packet ID"),
    pytest.param("36 05 0001 61 0001", id="PUBLISH, QoS 3"),
    pytest.param("38 03 0001 61", id="PUBLISH, DUP at QoS 0"),
    pytest.param("40 03 000100", id="PUBACK, too long"),
    pytest.param("40 02 0000", id="PUBACK, packet ID 0"),
    pytest.param("42 02 0001", id="PUBACK, reserved flags"),
    pytest.param("50 02 0001", id="PUBREC"),
    pytest.param("80 06 0001 0001 61 00", id="SUBSCRIBE, flags 0 [MQTT-3.8.1-1]"),
    pytest.param("82 02 0001", id="SUBSCRIBE of nothing"),
    pytest.param("a2 02 0001", id="UNSUBSCRIBE of nothing"),
    pytest.param("c0 01 00", id="PINGREQ with a body"),
    pytest.param("e0 01 00", id="DISCONNECT with a body"),
    pytest.param("30 ff ff ff ff 01", id="a length of five bytes"),
    pytest.param("30 ff ff ff 7f", id="a packet of 256 MB"),
]


@pytest.mark.parametrize("packet", BAD_PACKETS)
async def test_bad_packets_close_their_sender_and_nobody_else(
    device: MakeDevice, packet: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = await device().accepted("bad"), await device().accepted("good")
    await good.subscribe(("a", 0))
    bad.send(Publish("a", b"before").encode() + bytes.fromhex(packet) + Publish("a", b"after").encode())
    assert bad.closed
    good.send(PINGREQ)
    assert await good.take() == [Publish("a", b"before"), PINGRESP]
    assert len([record for record in caplog.records if "bad" in record.getMessage()]) == 1


async def test_no_connect_in_time(device: MakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fogbank.broker.connection.CONNECT_TIMEOUT", 0.0)
    one = device()
    one.send(b"\x10")
    while not one.closed:
        await one.take()


# --- the hot path ---


async def test_many_packets_in_one_chunk_leave_others_their_turn(device: MakeDevice) -> None:
    """What is left of the chunk waits, in order, and nothing more is read meanwhile."""
    busy, other = await device().accepted("busy"), await device().accepted("other")
    await other.subscribe(("n/+", 0))
    topics = [f"n/{number}" for number in range(3 * ingest.TURNS)]
    busy.send(b"".join(Publish(topic, b"").encode() for topic in topics) + PINGREQ)
    busy.send(Publish("n/last", b""))
    assert not busy.link.reading
    other.send(PINGREQ)
    first = await other.take()
    assert PINGRESP in first[: ingest.TURNS + 1]
    received = [packet.topic for packet in first if isinstance(packet, Publish)]
    while len(received) <= len(topics):
        received += [packet.topic for packet in await other.messages()]
    assert received == [*topics, "n/last"]
    assert await busy.take() == [PINGRESP]
    assert busy.link.reading


async def test_what_was_put_off_counts_when_the_link_is_lost(device: MakeDevice, broker: Broker) -> None:
    """A client may send a lot, DISCONNECT and close at once: that is no lost connection."""
    wills = Recorder()
    broker.router.subscribe("gone", wills)
    received = Recorder()
    broker.router.subscribe("n/+", received)
    busy = await device().accepted("busy", will=Will("gone", b""))
    packets = [Publish(f"n/{number}", b"").encode() for number in range(3 * ingest.TURNS)]
    busy.send(b"".join(packets) + DISCONNECT)
    busy.lose()
    assert len(received.messages) == len(packets)
    assert wills.messages == []


payloads = st.binary(max_size=6)
topic_names = st.sampled_from(["a", "a/b", "c", "longer/topic"])
publishes = st.one_of(
    st.builds(Publish, topic_names, payloads),
    st.builds(Publish, topic_names, payloads, st.just(1), packet_id=st.integers(1, 9)),
    st.builds(Publish, topic_names, payloads, st.just(1), st.just(True), st.just(True), packet_id=st.integers(1, 9)),
    st.builds(Publish, topic_names, st.binary(min_size=130, max_size=300)),
)
streams = st.lists(st.one_of(publishes, publishes.map(lambda one: [one] * 4), st.just(PINGREQ)), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(stream=streams, cuts=st.lists(st.integers(1, 400), max_size=12))
async def test_any_split_of_the_stream_gives_the_same(
    stream: list[Publish | bytes | list[Publish]], cuts: list[int]
) -> None:
    """Whatever the chunks, the packets are the same: delivered, handed over and acknowledged alike."""
    packets = [packet for part in stream for packet in (part if isinstance(part, list) else [part])]
    data = b"".join(packet if isinstance(packet, bytes) else packet.encode() for packet in packets)
    published = [packet for packet in packets if isinstance(packet, Publish)]

    broker = await make_broker(FakeClock())
    plain = PlainPrincipals(None)
    sender = await Device(broker, Peer(identity=plain.identity, principals=plain, ip=None)).accepted("sender")
    receiver = await Device(broker, Peer(identity=plain.identity, principals=plain, ip=None)).accepted("receiver")
    await receiver.subscribe(("#", 1))
    recorder = Recorder()
    broker.router.subscribe("#", recorder)

    start = 0
    for cut in [*sorted({cut for cut in cuts if cut < len(data)}), len(data)]:
        sender.send(data[start:cut])
        start = cut

    answers = [Puback(packet.packet_id) for packet in published if packet.qos]
    taken = await sender.take()
    assert [packet for packet in taken if isinstance(packet, Puback)] == answers
    assert taken.count(PINGRESP) == packets.count(PINGREQ)
    assert [_essence(m) for m in recorder.messages] == [(p.topic, p.payload, p.qos, p.retain) for p in published]
    assert [(p.topic, p.payload, p.qos) for p in await receiver.messages()] == [
        (p.topic, p.payload, p.qos) for p in published
    ]


def _essence(message: Message) -> tuple[str, bytes, int, bool]:
    return message.topic, message.payload, message.qos, message.retain
