"""When a silent client is ended: never before one and a half keep-alives, and not much later. [MQTT-3.1.2-22]"""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.broker import keepalive
from fogbank.broker.keepalive import LONGEST, LOOKS, PATIENCE, TICK
from fogbank.mqtt.packets import PINGREQ, Disconnect
from fogbank.settings import Limits
from fogbank.testing.device import Device

from .server import V3, V5, Server

STEP = TICK / 2


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = await Server().start()
    yield server
    server.bury()


async def connected(server: Server, client_id: str, keep_alive: int) -> Device:
    device = server.device(V5)
    await device.connect(client_id, keep_alive=keep_alive)
    return device


async def until_closed(server: Server, device: Device, most: float, step: float = STEP) -> float:
    """Seconds that pass until the broker closes the connection."""
    passed = 0.0
    while not device.closed:
        assert passed < most, "not closed"
        await server.advance(step)
        passed += step
    return passed


def allowed(keep_alive: int) -> float:
    """By when a silent client is to be ended."""
    return keep_alive * PATIENCE + min(max(keep_alive / LOOKS, TICK), LONGEST) + 2 * TICK


@pytest.mark.parametrize("keep_alive", [1, 2, 3, 10, 60])
async def test_a_client_that_says_nothing(server: Server, keep_alive: int) -> None:
    device = await connected(server, "silent", keep_alive)
    passed = await until_closed(server, device, allowed(keep_alive))
    assert keep_alive * PATIENCE <= passed <= keep_alive * PATIENCE + 2 * TICK
    [told] = [packet for packet in await device.take() if isinstance(packet, Disconnect)]
    assert told.code == 0x8D


async def test_a_second_is_a_second(server: Server) -> None:
    """What is asked for is kept to within a quarter of a second."""
    device = await connected(server, "hasty", 1)
    assert await until_closed(server, device, 2) <= 1.75


@settings(max_examples=30)
@given(st.integers(1, 20), st.lists(st.floats(0.01, 1.45), max_size=12))
async def test_one_that_is_heard_in_time(keep_alive: int, pauses: list[float]) -> None:
    """`pauses` are in keep-alives: all are short enough."""
    server = await Server().start()
    device = await connected(server, "lively", keep_alive)
    for pause in pauses:
        left = pause * keep_alive
        while left > 0:
            await server.advance(min(left, 1.0))
            left -= 1.0
        assert not device.closed
        device.send(PINGREQ)
    passed = await until_closed(server, device, allowed(keep_alive))
    assert passed >= keep_alive * PATIENCE - STEP
    server.bury()


async def test_without_a_keep_alive_one_may_be_silent(server: Server) -> None:
    device = await connected(server, "calm", 0)
    await server.advance(100_000)
    assert not device.closed


async def test_any_bytes_are_a_sign_of_life(server: Server) -> None:
    """The standard speaks of packets; one that is long takes long to arrive."""
    device = await connected(server, "slow", 4)
    for _ in range(10):
        await server.advance(2)
        device.send(b"\x30" if not device.connection.missing else b"\x7f")
    assert not device.closed


async def test_a_client_that_is_not_read_is_not_silent(server: Server) -> None:
    device = await connected(server, "held back", 2)
    device.connection.line.hold()
    for _ in range(40):
        await server.advance(0.5)
    assert not device.closed
    device.connection.line.let_go()
    assert await until_closed(server, device, allowed(2)) + 0.5 >= 3.0


async def test_a_client_that_reads_nothing_is(server: Server) -> None:
    """It is not read since it does not read: it may be gone."""
    device = await connected(server, "stuck", 2)
    device.connection.line.choked = True
    device.connection.line.hold()
    await until_closed(server, device, allowed(2))


async def test_after_a_pause_of_the_server_clients_get_a_moment(server: Server) -> None:
    """What has come meanwhile may wait in sockets."""
    device = await connected(server, "patient", 2)
    await server.clock.advance(100)  # and no timer goes off
    server._timers.go_off()
    assert not device.closed
    device.send(PINGREQ)
    await server.advance(2)
    assert not device.closed
    await until_closed(server, device, allowed(2))


async def test_very_many_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "AT_ONCE", 3)
    devices = [await connected(server, f"d{number}", 1) for number in range(10)]
    await server.clock.advance(1.5)
    server._timers.go_off()
    assert sum(device.closed for device in devices) <= 3
    await server.advance(TICK)
    await server.advance(TICK)
    assert all(device.closed for device in devices)


async def test_those_that_have_gone_are_let_go(server: Server) -> None:
    """Whatever their keep-alive, soon: connections that come and go shall not fill the memory."""
    for number in range(20):
        (await connected(server, f"d{number}", 1200)).lose()
    assert sum(map(len, server.broker._keep_alives._due.values())) == 20
    await server.advance(LONGEST + TICK)
    assert not server.broker._keep_alives._due


@pytest.mark.parametrize("version", [V3, V5])
async def test_the_keep_alive_that_holds_is_the_one_agreed_to(version: int) -> None:
    server = await Server(limits=Limits.AWS).start()
    device = server.device(V5 if version == V5 else V3)
    await device.connect("hasty", keep_alive=1)
    agreed = device.connection.keep_alive
    assert agreed > 1
    await server.advance(agreed)
    assert not device.closed
    await until_closed(server, device, allowed(agreed))
    server.bury()
