"""How the broker ends: everybody is told, nobody comes in any more, and what was acknowledged is on disk."""

import asyncio

import pytest

from fogbank.broker.broker import Broker
from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.packets import Connack, Connect, Disconnect, Publish, ReturnCode, Will
from fogbank.ports import Identity, Peer
from fogbank.settings import Limits
from fogbank.testing import FakeClock
from fogbank.testing.device import Device
from fogbank.transport.peer import PlainPrincipals

from .conftest import MakeDevice, make_broker

V5 = Version.V5


class Slow(PlainPrincipals):
    """Looks an identity up for as long as the test wants."""

    def __init__(self) -> None:
        super().__init__(None)
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def recheck(self, identity: Identity) -> Identity:
        self.asked.set()
        await self.go_on.wait()
        return identity


@pytest.mark.parametrize(
    ("version", "last"), [(Version.V3_1_1, []), (V5, [Disconnect(ReasonCode.SERVER_SHUTTING_DOWN)])]
)
async def test_clients_are_told(broker: Broker, device: MakeDevice, version: Version, last: list[Disconnect]) -> None:
    """(MQTT 5.0, 3.14.2.1; MQTT 3.1.1 has no way to say it)"""
    client = await device(version).accepted()
    await broker.close()
    assert await client.take() == last
    assert client.closed


@pytest.mark.parametrize(
    ("version", "code"), [(Version.V3_1_1, ReturnCode.SERVER_UNAVAILABLE), (V5, ReasonCode.SERVER_UNAVAILABLE)]
)
async def test_who_is_about_to_come_in_is_sent_away(broker: Broker, version: Version, code: int) -> None:
    slow = Slow()
    late = Device(broker, Peer(identity=slow.identity, principals=slow), version)
    late.connection.receive(Connect("late", version=version).encode())
    await slow.asked.wait()
    slow.go_on.set()  # the look-up goes on as soon as closing waits for the disk
    await broker.close()
    [answer] = await late.take()
    assert isinstance(answer, Connack)
    assert answer.code == code
    assert (len(broker), late.closed) == (0, True)


async def test_wills_reach_who_is_away(fake_clock: FakeClock) -> None:
    """[MQTT-3.1.2-8]"""
    broker = await make_broker(fake_clock, Limits.OPEN)
    plain = PlainPrincipals(None)

    def device() -> Device:
        return Device(broker, Peer(identity=plain.identity, principals=plain), V5)

    lasting = Properties(session_expiry=100)
    heir = await device().accepted("heir", properties=lasting)
    await heir.subscribe(("estate", 1))
    heir.lose()
    await device().accepted("testator", will=Will("estate", b"all", 1, False))
    await broker.close()
    session = broker.sessions.get("heir")
    assert session is not None
    assert session.store is not None
    assert session.store.messages == 1
    assert broker.journal.failures == 0


async def test_an_acknowledgement_that_is_owed_is_not_given_after_the_goodbye(fake_clock: FakeClock) -> None:
    """It is on disk all the same; the client sends it again, and is told then."""
    broker = await make_broker(fake_clock, Limits.OPEN)
    plain = PlainPrincipals(None)
    peer = Peer(identity=plain.identity, principals=plain)
    away, sender = Device(broker, peer, V5), Device(broker, peer, V5)
    await away.accepted("away", properties=Properties(session_expiry=100))
    await away.subscribe(("t", 1))
    away.lose()
    await sender.accepted("sender")
    sender.send(Publish("t", b"", 1, packet_id=1))
    await broker.close()
    assert await sender.take() == [Disconnect(ReasonCode.SERVER_SHUTTING_DOWN)]
    session = broker.sessions.get("away")
    assert session is not None
    assert session.store is not None
    assert session.store.messages == 1
