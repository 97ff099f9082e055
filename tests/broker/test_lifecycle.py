"""Lifecycle events, held against the developer guide's page of that name: every field of each of the five."""

from typing import Any

import msgspec
import pytest

from fogbank.broker import lifecycle
from fogbank.broker.broker import Broker
from fogbank.mqtt import Version
from fogbank.mqtt.packets import DISCONNECT, Subscribe, Subscription, Unsubscribe, Will
from fogbank.ports import Grant, Identity, Peer, ThingContext
from fogbank.testing import FakeClock
from fogbank.testing.device import Device

from .conftest import MakeDevice, Principals, Recorder

POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny",'
    ' "Action": "*", "Resource": ["arn:aws:iot:*:*:client/stranger", "arn:aws:iot:*:*:topic*/forbidden"]}]}'
)
LAMP = ThingContext("the-lamp", attached=True, exclusive=True)


class Events(Recorder):
    """What is published below `$aws/events`."""

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """Topics and documents since the last call."""
        taken = [(message.topic, msgspec.json.decode(message.payload)) for message in self.messages]
        self.messages.clear()
        return taken

    def one(self, topic: str) -> dict[str, Any]:
        """The only event since the last call, whose topic is that."""
        [(found, document)] = self.take()
        assert found == topic
        return document


@pytest.fixture
def events(broker: Broker) -> Events:
    recorder = Events()
    broker.router.subscribe("$aws/events/#", recorder)
    return recorder


@pytest.fixture
def principals() -> Principals:
    principals = Principals(POLICY)
    principals.grant_ = Grant(principals.grant_.policies, LAMP)
    return principals


@pytest.fixture
def lamp(broker: Broker, principals: Principals) -> Device:
    return Device(broker, Peer(identity=principals.identity, principals=principals, ip="192.0.2.0", port=1))


def now(clock: FakeClock) -> int:
    return int(clock.time() * 1000)


async def test_the_story_of_a_client(lamp: Device, events: Events, fake_clock: FakeClock) -> None:
    await lamp.accepted("186b5")
    connected = events.one("$aws/events/presence/connected/186b5")
    session = connected["sessionIdentifier"]
    assert connected == {
        "clientId": "186b5",
        "thingName": "the-lamp",
        "timestamp": now(fake_clock),
        "eventType": "connected",
        "sessionIdentifier": session,
        "principalIdentifier": "cert-1",
        "ipAddress": "192.0.2.0",
        "versionNumber": 0,
    }
    whose = {
        "clientId": "186b5",
        "thingName": "the-lamp",
        "sessionIdentifier": session,
        "principalIdentifier": "cert-1",
    }
    await fake_clock.advance(1)
    lamp.send(Subscribe(1, (Subscription("a", 0), Subscription("forbidden", 0), Subscription("b/#", 1))))
    assert events.one("$aws/events/subscriptions/subscribed/186b5") == whose | {
        "timestamp": now(fake_clock),
        "eventType": "subscribed",
        "topics": ["a", "b/#"],
    }
    lamp.send(Unsubscribe(2, ("a", "never")))
    assert events.one("$aws/events/subscriptions/unsubscribed/186b5") == whose | {
        "timestamp": now(fake_clock),
        "eventType": "unsubscribed",
        "topics": ["a"],
    }
    lamp.send(DISCONNECT)
    assert events.one("$aws/events/presence/disconnected/186b5") == whose | {
        "timestamp": now(fake_clock),
        "eventType": "disconnected",
        "clientInitiatedDisconnect": True,
        "disconnectReason": "CLIENT_INITIATED_DISCONNECT",
        "versionNumber": 0,
    }


async def test_a_client_that_may_not_connect(lamp: Device, events: Events, fake_clock: FakeClock) -> None:
    await lamp.connect("stranger")
    failed = events.one("$aws/events/presence/connect_failed/stranger")
    session = failed["sessionIdentifier"]
    assert failed == {
        "clientId": "stranger",
        "thingName": "the-lamp",
        "timestamp": now(fake_clock),
        "eventType": "connect_failed",
        "connectFailureReason": "AUTHORIZATION_FAILED",
        "principalIdentifier": "cert-1",
        "sessionIdentifier": session,
        "ipAddress": "192.0.2.0",
    }


async def test_each_failure_has_a_session_identifier_of_its_own(
    broker: Broker, principals: Principals, events: Events
) -> None:
    peer = Peer(identity=principals.identity, principals=principals)
    for _ in range(2):
        await Device(broker, peer).connect("stranger")
    first, second = [event["sessionIdentifier"] for _, event in events.take()]
    assert first != second
    assert len(first) == len("00000000-0000-0000-0000-000000000000")


async def test_a_will_that_may_not_be_published_fails_the_connect(lamp: Device, events: Events) -> None:
    """Developer guide, "Last Will and Testament"."""
    await lamp.connect("lamp", will=Will("forbidden", b""))
    assert events.one("$aws/events/presence/connect_failed/lamp")["eventType"] == "connect_failed"


async def test_a_certificate_that_is_not_active_has_no_thing(
    lamp: Device, principals: Principals, events: Events
) -> None:
    principals.identity = Identity("cert-1", "", active=False, reason="certificate is REVOKED")
    await lamp.connect("lamp")
    failed = events.one("$aws/events/presence/connect_failed/lamp")
    assert (failed["principalIdentifier"], failed.get("thingName")) == ("cert-1", None)


@pytest.mark.parametrize(
    "thing",
    [None, ThingContext("lamp", attached=False), ThingContext("lamp", attached=True)],
    ids=["none", "not attached", "attached, but not exclusively"],
)
async def test_only_a_thing_attached_exclusively_is_named(
    lamp: Device, principals: Principals, events: Events, thing: ThingContext | None
) -> None:
    """Developer guide, "Lifecycle events": thingName."""
    principals.grant_ = Grant(principals.grant_.policies, thing)
    await lamp.accepted("lamp")
    assert "thingName" not in events.one("$aws/events/presence/connected/lamp")


@pytest.mark.parametrize("client_id", ["a+b", "#", "+/x"])
async def test_client_ids_with_wildcards_have_no_events(
    broker: Broker, device: MakeDevice, principals: Principals, events: Events, client_id: str
) -> None:
    one = await device().accepted(client_id)
    await one.subscribe(("a", 0))
    one.send(Unsubscribe(2, ("a",)), DISCONNECT)
    principals.identity = Identity("cert-1", "", active=False)
    await Device(broker, Peer(identity=principals.identity, principals=principals)).connect(client_id)
    assert events.take() == []


async def test_a_session_keeps_its_identifier_and_a_new_one_gets_another(device: MakeDevice, events: Events) -> None:
    seen = []
    for clean in (False, False, True, True):
        (await device().accepted("lamp", clean_start=clean)).send(DISCONNECT)
        (_, connected), (_, disconnected) = events.take()
        assert connected["sessionIdentifier"] == disconnected["sessionIdentifier"]
        seen.append(connected["sessionIdentifier"])
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3


async def test_websocket_clients_bear_the_principal_that_signed(broker: Broker, events: Events) -> None:
    """As `000000000000/ABCDEFGHIJKLMNOPQRSTU:some-user/ABCDEFGHIJKLMNOPQRSTU:some-user`."""
    principals = Principals(POLICY)
    principals.identity = Identity("1/AKIA:root/AKIA:root", "arn:aws:iam::1:root", active=True)
    await Device(broker, Peer(identity=principals.identity, principals=principals)).accepted("app")
    assert events.one("$aws/events/presence/connected/app")["principalIdentifier"] == "1/AKIA:root/AKIA:root"


class TestVersionNumbers:
    """A connect and its disconnect share one; the next connect has a higher one."""

    async def test_they_grow(self, device: MakeDevice, events: Events) -> None:
        for _ in range(2):
            (await device().accepted("lamp")).lose()
        (await device().accepted("other")).lose()
        told = [(event["clientId"], event["eventType"], event["versionNumber"]) for _, event in events.take()]
        assert told == [
            ("lamp", "connected", 0),
            ("lamp", "disconnected", 0),
            ("lamp", "connected", 1),
            ("lamp", "disconnected", 1),
            ("other", "connected", 0),
            ("other", "disconnected", 0),
        ]

    async def test_who_takes_over_comes_after_who_goes(self, device: MakeDevice, events: Events) -> None:
        await device().accepted("lamp")
        await device(Version.V5).accepted("lamp")
        told = [(event["eventType"], event["versionNumber"]) for _, event in events.take()]
        assert told == [("connected", 0), ("disconnected", 0), ("connected", 1)]

    async def test_they_start_again_after_an_hour(
        self, broker: Broker, device: MakeDevice, events: Events, fake_clock: FakeClock
    ) -> None:
        await broker.start()
        (await device().accepted("lamp")).lose()
        await fake_clock.advance(3500)
        (await device().accepted("lamp")).lose()
        await fake_clock.advance(3700)
        (await device().accepted("lamp")).lose()
        assert [event["versionNumber"] for _, event in events.take()] == [0, 0, 1, 1, 0, 0]
        await broker.close()

    async def test_while_connected_they_do_not(
        self, broker: Broker, device: MakeDevice, events: Events, fake_clock: FakeClock
    ) -> None:
        (await device().accepted("lamp")).lose()
        again = await device().accepted("lamp")
        await fake_clock.advance(7200)
        (await device().accepted("other")).lose()
        again.lose()
        assert [event["versionNumber"] for _, event in events.take() if event["clientId"] == "lamp"] == [0, 0, 1, 1]

    async def test_they_do_not_fill_the_memory(
        self, device: MakeDevice, events: Events, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lifecycle, "MOST_REMEMBERED", 2)
        for client_id in ("a", "b", "c", "a", "c"):
            (await device().accepted(client_id)).lose()
        numbers = [(event["clientId"], event["versionNumber"]) for _, event in events.take()[::2]]
        assert numbers == [("a", 0), ("b", 0), ("c", 0), ("a", 0), ("c", 1)]
