"""The connections API on the broker's side: looking at clients, and ending them."""

import msgspec
import pytest

from fogbank.broker import connections
from fogbank.broker.broker import Broker
from fogbank.broker.connections import Address
from fogbank.errors import ResourceNotFound
from fogbank.message import Message
from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.packets import DISCONNECT, Connack, Disconnect, Publish, Will
from fogbank.ports import Grant, Peer, Presence, StorageError, ThingContext
from fogbank.testing import FakeClock
from fogbank.testing.device import Device

from .conftest import MakeDevice, Principals, Recorder

ALL = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'


@pytest.fixture
def disconnects(broker: Broker) -> Recorder:
    recorder = Recorder()
    broker.router.subscribe("$aws/events/presence/disconnected/+", recorder)
    return recorder


def reason(disconnects: Recorder) -> str:
    [event] = disconnects.messages
    told: str = msgspec.json.decode(event.payload)["disconnectReason"]
    return told


# --- get ---


async def test_a_client_that_is_connected(broker: Broker, fake_clock: FakeClock) -> None:
    principals = Principals(ALL)
    principals.grant_ = Grant(principals.grant_.policies, ThingContext("lamp", attached=True))
    peer = Peer(identity=principals.identity, principals=principals, ip="192.0.2.7", port=4711)
    connected_at = fake_clock.time()
    await Device(broker, peer).accepted("lamp", clean_start=False)
    await fake_clock.advance(5)
    status = broker.connections.get("lamp")
    assert (status.client_id, status.connected, status.since, status.reason) == ("lamp", True, connected_at, None)
    assert (status.is_clean, status.session_expiry, status.keep_alive) == (False, 3600, 60)
    assert status.thing == "lamp"
    assert (status.source, status.target) == (Address("192.0.2.7", 4711), Address("192.0.2.255", 8883))


async def test_the_terms_of_a_connection_outlive_it(broker: Broker, device: MakeDevice, fake_clock: FakeClock) -> None:
    assert broker.connections.presence("lamp") is None
    connected_at = fake_clock.time()
    lamp = await device().accepted("lamp", clean_start=False)
    await fake_clock.advance(5)
    assert broker.connections.presence("lamp") == Presence(connected_at, 60, 3600, False)
    lamp.send(DISCONNECT)
    assert broker.connections.presence("lamp") == Presence(None, 60, 3600, False)


async def test_a_thing_that_is_not_attached_is_not_told(broker: Broker) -> None:
    principals = Principals(ALL)
    principals.grant_ = Grant(principals.grant_.policies, ThingContext("lamp", attached=False))
    await Device(broker, Peer(identity=principals.identity, principals=principals)).accepted("lamp")
    assert broker.connections.get("lamp").thing is None


async def test_how_a_connection_ended_is_known_for_half_an_hour(
    broker: Broker, device: MakeDevice, fake_clock: FakeClock
) -> None:
    """API reference, GetConnection: disconnectedSince."""
    (await device().accepted("lamp")).send(DISCONNECT)
    ended_at = fake_clock.time()
    await fake_clock.advance(1800)
    status = broker.connections.get("lamp")
    assert (status.connected, status.since, status.reason) == (False, ended_at, "CLIENT_INITIATED_DISCONNECT")
    assert (status.is_clean, status.keep_alive, status.source.ip) == (True, 60, "192.0.2.1")
    await fake_clock.advance(0.1)
    with pytest.raises(ResourceNotFound, match="'lamp'"):
        broker.connections.get("lamp")


async def test_who_comes_back_is_connected_and_then_gone_anew(
    broker: Broker, device: MakeDevice, fake_clock: FakeClock
) -> None:
    (await device().accepted("lamp")).lose()
    await fake_clock.advance(1700)
    again = await device().accepted("lamp")
    assert broker.connections.get("lamp").connected
    again.lose()
    await fake_clock.advance(1700)
    assert broker.connections.get("lamp").reason == "CONNECTION_LOST", "the second end counts"


async def test_a_session_that_is_left_is_told_without_how_it_was_left(
    broker: Broker, device: MakeDevice, fake_clock: FakeClock
) -> None:
    (await device().accepted("lamp", clean_start=False)).lose()
    await fake_clock.advance(1801)
    status = broker.connections.get("lamp")
    assert (status.connected, status.is_clean, status.session_expiry) == (False, False, 3600)
    assert (status.since, status.reason) == (None, None)
    await fake_clock.advance(1800)
    with pytest.raises(ResourceNotFound):
        broker.connections.get("lamp")


async def test_who_was_there_before_a_restart_is_gone_for_an_unknown_reason(
    broker: Broker, device: MakeDevice, fake_clock: FakeClock
) -> None:
    (await device().accepted("lamp", clean_start=False)).lose()
    left_at = fake_clock.time()
    broker.connections._gone.clear()  # as in a new process, which has the sessions alone
    status = broker.connections.get("lamp")
    assert (status.since, status.reason) == (left_at, "UNKNOWN")


async def test_clients_that_come_and_go_do_not_fill_the_memory(
    broker: Broker, device: MakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_GONE", 3)
    for number in range(5):
        (await device().accepted(f"c{number}")).lose()
    assert [broker.connections.get(f"c{number}").connected for number in (2, 3, 4)] == [False] * 3
    for number in (0, 1):
        with pytest.raises(ResourceNotFound):
            broker.connections.get(f"c{number}")


# --- end ---


async def test_a_client_is_sent_away_and_told_why(broker: Broker, device: MakeDevice, disconnects: Recorder) -> None:
    """Reason 0x98, administrative action."""
    one = await device(Version.V5).accepted("lamp", properties=Properties(session_expiry=600))
    await broker.connections.end("lamp")
    [goodbye] = await one.take()
    assert isinstance(goodbye, Disconnect)
    assert goodbye.code == ReasonCode.ADMINISTRATIVE_ACTION
    assert one.closed
    assert reason(disconnects) == "API_INITIATED_DISCONNECT"
    status = broker.connections.get("lamp")
    assert (status.connected, status.is_clean, status.reason) == (False, False, "API_INITIATED_DISCONNECT")
    assert (await device(Version.V5).connect("lamp", clean_start=False)).session_present


@pytest.mark.parametrize("prevented", [False, True])
async def test_its_will_is_published_unless_that_is_prevented(
    broker: Broker, device: MakeDevice, prevented: bool
) -> None:
    wills = Recorder()
    broker.router.subscribe("gone", wills)
    await device().accepted("lamp", will=Will("gone", b"lamp"))
    await broker.connections.end("lamp", without_will=prevented)
    assert len(wills.messages) == (not prevented)


async def test_a_session_can_end_with_its_connection(broker: Broker, device: MakeDevice) -> None:
    one = await device().accepted("lamp", clean_start=False)
    await one.subscribe(("a", 1))
    await broker.connections.end("lamp", clean=True)
    assert one.closed
    assert await device().connect("lamp", clean_start=False) == Connack(session_present=False)
    assert broker.connections.subscriptions("lamp", "", 9).subscriptions == []


async def test_so_can_one_whose_client_is_away(broker: Broker, device: MakeDevice) -> None:
    one = await device().accepted("lamp", clean_start=False)
    await one.subscribe(("a", 1))
    one.lose()
    await broker.router.publish(Message("a", b"waits", 1))
    await broker.connections.end("lamp")
    assert len(broker.sessions) == 1, "it is kept unless asked for"
    await broker.connections.end("lamp", clean=True)
    assert len(broker.sessions) == 0
    assert broker.metrics().queued_messages == 0
    with pytest.raises(ResourceNotFound, match="'lamp'"):
        await broker.connections.end("lamp", clean=True)


@pytest.mark.parametrize("prevented", [False, True])
async def test_the_delayed_will_of_a_client_that_is_away(broker: Broker, device: MakeDevice, prevented: bool) -> None:
    """The end of its session makes it due. (MQTT 5.0, 3.1.3.2.2)"""
    wills = Recorder()
    broker.router.subscribe("gone", wills)
    will = Will("gone", b"lamp", properties=Properties(will_delay=300))
    one = await device(Version.V5).accepted("lamp", will=will, properties=Properties(session_expiry=600))
    one.lose()
    assert not wills.messages
    await broker.connections.end("lamp", clean=True, without_will=prevented)
    assert len(wills.messages) == (not prevented)


async def test_nobody_to_end(broker: Broker, device: MakeDevice) -> None:
    with pytest.raises(ResourceNotFound, match="'nobody'"):
        await broker.connections.end("nobody")
    (await device().accepted("lamp")).lose()
    with pytest.raises(ResourceNotFound):
        await broker.connections.end("lamp", clean=True)


async def test_an_end_that_cannot_be_written_is_not_confirmed(
    broker: Broker, device: MakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device().accepted("lamp", clean_start=False)

    async def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(broker.journal._backlogs, "commit", fail)
    with pytest.raises(StorageError):
        await broker.connections.end("lamp", clean=True)


# --- subscriptions ---


async def test_subscriptions_come_in_pages(broker: Broker, device: MakeDevice) -> None:
    one = await device().accepted("lamp", clean_start=False)
    await one.subscribe(("b/+", 0), ("a", 1), ("$share/g/c/#", 1))
    first = broker.connections.subscriptions("lamp", "", 2)
    assert (first.subscriptions, first.more) == ([("$share/g/c/#", 1), ("a", 1)], True)
    one.lose()
    second = broker.connections.subscriptions("lamp", "a", 2)
    assert (second.subscriptions, second.more) == ([("b/+", 0)], False)
    with pytest.raises(ResourceNotFound):
        broker.connections.subscriptions("nobody", "", 2)


async def test_those_of_a_session_that_has_expired_are_gone(
    broker: Broker, device: MakeDevice, fake_clock: FakeClock
) -> None:
    one = await device().accepted("lamp", clean_start=False)
    await one.subscribe(("a", 1))
    one.lose()
    await fake_clock.advance(3600)
    assert broker.sessions.get("lamp") is not None, "nobody has swept yet"
    with pytest.raises(ResourceNotFound):
        broker.connections.subscriptions("lamp", "", 2)
    one = await device().accepted("lamp", clean_start=False)
    one.send(Publish("x", b""))
    assert not broker.connections.subscriptions("lamp", "", 2).subscriptions
