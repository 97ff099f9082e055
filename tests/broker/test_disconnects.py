"""Every way in which a connection ends: the reason that the lifecycle event gives, what becomes of the will, and what
an MQTT 5 client is told. (AWS IoT developer guide, "Lifecycle events", the table of `disconnectReason`)"""

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from fogbank.broker.keepalive import TICK
from fogbank.broker.reasons import TOLD, DisconnectReason
from fogbank.mqtt import Version
from fogbank.mqtt.packets import DISCONNECT, Connect, Disconnect, Publish, Will
from fogbank.ports import Identity, Peer
from fogbank.testing.device import Device

from .conftest import Principals, Recorder
from .server import V3, V5, Server

POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"},'
    ' {"Effect": "Deny", "Action": "iot:Publish", "Resource": "arn:aws:iot:*:*:topic/forbidden"}]}'
)
R = DisconnectReason


class Lamp:
    """A connected client with a will, and all that can happen to it."""

    def __init__(self, server: Server, device: Device, principals: Principals) -> None:
        self.server = server
        self.device = device
        self.principals = principals

    async def deleted(self) -> None:
        await self.server.broker.connections.end("lamp")

    async def deleted_without_will(self) -> None:
        await self.server.broker.connections.end("lamp", without_will=True)

    async def publishes_what_it_may_not(self) -> None:
        self.device.send(Publish("forbidden", b""))

    async def connects_twice(self) -> None:
        self.device.send(Connect("lamp", version=self.device.version))

    async def sends_garbage(self) -> None:
        self.device.send(b"\xf3\x7f")

    async def says_goodbye(self) -> None:
        self.device.send(DISCONNECT)

    async def closes_its_websocket(self) -> None:
        self.device.connection.closed_by_peer()

    async def is_lost(self) -> None:
        self.device.lose()

    async def grows_old(self) -> None:
        await self.server.advance(100)

    async def is_replaced(self) -> None:
        await self.server.client("lamp")

    async def is_locked_out(self) -> None:
        self.principals.identity = Identity("cert-1", "", active=False, reason="certificate is REVOKED")
        await self.server.broker.principals_changed(frozenset({"cert-1"}))

    async def falls_silent(self) -> None:
        for _ in range(int(95 / TICK)):  # in a jump the server would take itself for busy
            await self.server.advance(TICK)

    async def loses_what_it_sends(self) -> None:
        self.server.disk.broken = True
        self.device.send(Publish("a", b"x", 1, retain=True, packet_id=1))
        await self.server.advance(0)
        self.server.disk.broken = False

    async def sees_the_server_go(self) -> None:
        await self.server.broker.close()

    async def fills_the_store(self) -> None:
        self.server.broker.retained._max_messages = 0
        self.device.send(Publish("a", b"x", retain=True))


Fate = Callable[[Lamp], Awaitable[None]]

FATES: list[tuple[Fate, DisconnectReason, bool]] = [
    (Lamp.deleted, R.API_INITIATED_DISCONNECT, True),
    (Lamp.deleted_without_will, R.API_INITIATED_DISCONNECT, False),
    (Lamp.publishes_what_it_may_not, R.AUTH_ERROR, True),
    (Lamp.connects_twice, R.CLIENT_ERROR, True),
    (Lamp.sends_garbage, R.CLIENT_ERROR, True),
    (Lamp.says_goodbye, R.CLIENT_INITIATED_DISCONNECT, False),
    (Lamp.closes_its_websocket, R.CLIENT_INITIATED_DISCONNECT, False),
    (Lamp.is_lost, R.CONNECTION_LOST, True),
    (Lamp.grows_old, R.CUSTOMAUTH_TTL_EXPIRATION, True),
    (Lamp.grows_old, R.WEBSOCKET_TTL_EXPIRATION, True),
    (Lamp.is_replaced, R.DUPLICATE_CLIENTID, True),
    (Lamp.is_locked_out, R.FORBIDDEN_ACCESS, True),
    (Lamp.falls_silent, R.MQTT_KEEP_ALIVE_TIMEOUT, True),
    (Lamp.loses_what_it_sends, R.SERVER_ERROR, True),
    (Lamp.sees_the_server_go, R.SERVER_INITIATED_DISCONNECT, True),
    (Lamp.fills_the_store, R.THROTTLED, True),
]
"""What happens, the reason, and whether the will is published."""

BY_AGE = {R.CUSTOMAUTH_TTL_EXPIRATION, R.WEBSOCKET_TTL_EXPIRATION}
NAMES = [f"{fate.__name__}-{reason.value}" for fate, reason, _ in FATES]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = await Server().start()
    yield server
    server.bury()


async def connected(server: Server, version: Version, reason: DisconnectReason) -> Lamp:
    principals = Principals(POLICY)
    peer = Peer(
        identity=principals.identity,
        principals=principals,
        lifetime=50 if reason in BY_AGE else None,
        lifetime_reason=reason.value if reason in BY_AGE else "",
    )
    device = Device(server.broker, peer, version)
    await device.accepted("lamp", clean_start=True, will=Will("gone", b""))
    return Lamp(server, device, principals)


def test_no_reason_is_left_out() -> None:
    assert {reason for _, reason, _ in FATES} == set(DisconnectReason)


@pytest.mark.parametrize("version", [V3, V5])
@pytest.mark.parametrize(("fate", "reason", "has_will"), FATES, ids=NAMES)
async def test_an_end(server: Server, version: Version, fate: Fate, reason: DisconnectReason, has_will: bool) -> None:
    events, wills = Recorder(), Recorder()
    server.broker.router.subscribe("$aws/events/presence/disconnected/lamp", events)
    server.broker.router.subscribe("gone", wills)
    lamp = await connected(server, version, reason)
    await fate(lamp)
    await server.advance(0)
    assert lamp.device.closed
    [event] = [msgspec.json.decode(message.payload) for message in events.messages]
    assert event["disconnectReason"] == reason.value
    assert event["clientInitiatedDisconnect"] is (reason is R.CLIENT_INITIATED_DISCONNECT)
    assert bool(wills.messages) is has_will
    told = [packet.code for packet in await lamp.device.take() if isinstance(packet, Disconnect)]
    if version is V3 or reason not in TOLD:
        assert told == []
    elif fate is not Lamp.sends_garbage:  # which has a more precise code
        assert told == [TOLD[reason]]
