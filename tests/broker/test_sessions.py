"""Sessions: which are there, for how long, and what is found of them after a kill."""

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.broker import sessions as sessions_module
from fogbank.broker.broker import FORGET, SWEEP
from fogbank.broker.quotas import NEVER
from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.packets import DISCONNECT, Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel
from fogbank.settings import Limits
from fogbank.testing.device import Device, decode_all

from .server import V3, V5, Server, settle

SOON = SWEEP * FORGET
"""Seconds until what has expired is forgotten."""


async def connect(server: Server, client_id: str, expiry: int, *, clean: bool = False) -> tuple[Device, bool]:
    """With MQTT 5; and whether a session was there."""
    device = server.device(V5)
    connack = await device.connect(client_id, clean_start=clean, properties=Properties(session_expiry=expiry))
    assert connack.code == 0
    return device, connack.session_present


async def came(device: Device) -> list[Publish]:
    """All messages on this connection, those behind CONNACK too."""
    await device.take()
    packets, _ = decode_all(bytes(device.link.written), device.version)
    return [packet for packet in packets if isinstance(packet, Publish)]


async def end(server: Server) -> None:
    server.bury()
    await settle()


async def test_one_without_expiry_ends_with_its_connection() -> None:
    """[MQTT-4.1.0-2]"""
    server = await Server().start()
    device, _ = await connect(server, "lamp", 0)
    await device.subscribe(("a", 1))
    device.lose()
    assert len(server.broker.sessions) == 0
    assert not (await connect(server, "lamp", 0))[1]
    await end(server)


async def test_one_that_lasts_is_there_for_its_time_and_no_longer() -> None:
    """[MQTT-3.1.2-23]"""
    server = await Server().start()
    for pause, present in ((49.0, True), (51.0, False)):
        device, _ = await connect(server, "lamp", 50)
        device.lose()
        await server.advance(pause)
        assert (await connect(server, "lamp", 50))[1] is present
    await end(server)


async def test_what_nobody_comes_back_for_is_ended() -> None:
    server = await Server().start()
    for number in range(3):
        device, _ = await connect(server, f"lamp-{number}", 50 + number)
        await device.subscribe(("a", 1))
        device.lose()
    await connect(server, "there", 50)
    await server.advance(50 + SOON)
    assert [session.client_id for session in server.broker.sessions.all()] == ["there"]
    await server.broker.journal.settled()
    assert [record.key for record in await server.disk.documents.scan("session")] == ["there"]
    assert not server.broker.router.route("a").sessions
    await end(server)


async def test_one_that_never_expires() -> None:
    server = await Server().start()
    device, _ = await connect(server, "lamp", NEVER)
    device.lose()
    server = await server.crash()
    server.bury()
    await settle()
    await server.clock.advance(1e9)
    server = await Server(server.disk, server.clock).start()
    assert (await connect(server, "lamp", NEVER))[1]
    await end(server)


async def test_very_many_are_ended_a_part_at_a_time() -> None:
    server = await Server().start()
    for number in range(10):
        (await connect(server, f"lamp-{number}", 5))[0].lose()
    await server.clock.advance(6)
    sessions = server.broker.sessions
    assert [sessions.expire(4), len(sessions)] == [True, 6]
    assert [sessions.expire(4), len(sessions)] == [True, 2]
    assert [sessions.expire(4), len(sessions)] == [False, 0]
    await end(server)


async def test_clients_that_come_and_go_leave_no_expiries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "STALE_EXPIRIES", 5)
    server = await Server().start()
    for _ in range(50):
        (await connect(server, "lamp", 1000))[0].lose()
    assert len(server.broker.sessions._expiries) <= 8
    await server.advance(1000 + SOON)
    assert len(server.broker.sessions) == 0
    await end(server)


@pytest.mark.parametrize(("asked", "after"), [(10, 11.0), (500, 501.0)])
async def test_disconnect_changes_the_expiry(asked: int, after: float) -> None:
    """(MQTT 5.0, 3.14.2.2.2) It holds over a kill too, once it had a moment to be written."""
    server = await Server().start()
    device, _ = await connect(server, "lamp", 100)
    device.send(Disconnect(ReasonCode.SUCCESS, Properties(session_expiry=asked)))
    await server.broker.journal.settled()
    server = await server.crash()
    await server.advance(after - 2)
    assert server.broker.sessions.present("lamp") is not None
    await server.advance(2)
    assert server.broker.sessions.present("lamp") is None
    await end(server)


async def test_disconnect_can_end_it_at_once() -> None:
    server = await Server().start()
    device, _ = await connect(server, "lamp", 100)
    device.send(Disconnect(ReasonCode.SUCCESS, Properties(session_expiry=0)))
    await settle()
    server = await server.crash()
    assert len(server.broker.sessions) == 0
    await end(server)


async def test_time_passes_while_the_server_is_down() -> None:
    server = await Server().start()
    for client_id, expiry in (("short", 10), ("long", 100)):
        (await connect(server, client_id, expiry))[0].lose()
    await server.broker.journal.settled()
    await server.clock.advance(50)
    server = await server.crash()
    assert [session.client_id for session in server.broker.sessions.all()] == ["long"]
    await end(server)


async def test_whoever_was_connected_has_all_its_time_from_the_start_on_once() -> None:
    server = await Server().start()
    await connect(server, "lamp", 100)
    await server.clock.advance(500)
    server = await server.crash()
    await server.advance(60)
    server = await server.crash()
    await server.advance(39)
    assert server.broker.sessions.present("lamp") is not None
    await server.advance(1)
    assert server.broker.sessions.present("lamp") is None
    await end(server)


async def test_a_session_of_one_version_is_none_of_the_other() -> None:
    """AWS IoT developer guide, "MQTT": they cannot be resumed across versions."""
    server = await Server().start()
    await server.client("lamp", V3)
    device, present = await connect(server, "lamp", 100)
    assert not present
    assert device.connection.session.subscriptions == {}
    await end(server)


async def test_taken_over_by_another_connection() -> None:
    """[MQTT-3.1.4-3] The session goes on, with what was on its way."""
    server = await Server().start()
    first, _ = await connect(server, "lamp", 100)
    await first.subscribe(("a", 1))
    publisher = await server.client("publisher")
    publisher.send(Publish("a", b"x", 1, packet_id=1))
    assert len(await first.messages()) == 1
    second, present = await connect(server, "lamp", 100)
    assert (present, first.closed) == (True, True)
    assert [packet.code for packet in await first.take() if isinstance(packet, Disconnect)] == [0x8E]
    assert [(one.payload, one.dup) for one in await came(second)] == [(b"x", True)]
    await end(server)


async def test_the_options_of_subscriptions_outlive_a_kill() -> None:
    server = await Server().start()
    device, _ = await connect(server, "lamp", 100)
    await device.subscribe(("a", 2), ("$share/g/b/#", 1), properties=Properties(subscription_identifiers=(7,)))
    before = {name: msgspec.to_builtins(one) for name, one in device.connection.session.subscriptions.items()}
    server = await server.crash()
    session = server.broker.sessions.get("lamp")
    assert session is not None
    assert {name: msgspec.to_builtins(one) for name, one in session.subscriptions.items()} == before
    assert [len(group.members) for group in server.broker.sessions.groups()] == [1]
    await end(server)


async def test_nothing_of_a_session_that_ended_is_found_again() -> None:
    server = await Server().start()
    device, _ = await connect(server, "lamp", 100)
    await device.subscribe(("a", 1), ("$share/g/a", 1))
    device.lose()
    publisher = await server.client("publisher", clean=True)
    publisher.send(Publish("a", b"x", 1, packet_id=1))
    assert Puback(1) in await publisher.take()
    await connect(server, "lamp", 0, clean=True)
    await server.broker.journal.settled()
    server = await server.crash()
    await server.broker.journal.settled()
    assert len(server.broker.sessions) == 0
    assert not any(server.disk._backlogs.values())
    await end(server)


async def test_without_a_disk_nobody_is_admitted_to_a_session_that_lasts() -> None:
    server = await Server().start()
    server.disk.broken = True
    device = server.device(V5)
    with pytest.raises(AssertionError, match="did not answer"):
        await device.connect("lamp", clean_start=False, properties=Properties(session_expiry=100))
    assert device.closed
    server.disk.broken = False
    assert (await connect(server, "lamp", 100))[1] in (False, True)
    await end(server)


# --- QoS 2 from clients ---


async def test_a_message_is_taken_once_over_a_kill() -> None:
    """[MQTT-4.3.3-10]"""
    server = await Server().start()
    subscriber = await server.client("subscriber")
    await subscriber.subscribe(("a", 1))
    publisher, _ = await connect(server, "publisher", 100)
    publisher.send(Publish("a", b"x", 2, packet_id=5))
    assert Pubrec(5) in await publisher.take()
    server = await server.crash()
    publisher, present = await connect(server, "publisher", 100)
    assert present
    publisher.send(Publish("a", b"x", 2, dup=True, packet_id=5))
    assert await publisher.take() == [Pubrec(5)]
    subscriber = await server.client("subscriber")
    assert [one.payload for one in await came(subscriber)] == [b"x"]
    publisher.send(Pubrel(5))
    assert await publisher.take() == [Pubcomp(5)]
    publisher.send(Publish("a", b"y", 2, packet_id=5))
    assert await publisher.take() == [Pubrec(5)]
    assert [one.payload for one in await subscriber.messages()] == [b"y"]
    await end(server)


async def test_one_that_could_not_be_kept_is_taken_when_it_comes_again() -> None:
    server = await Server().start()
    subscriber = await server.client("subscriber")
    await subscriber.subscribe(("a", 1))
    subscriber.lose()
    publisher, _ = await connect(server, "publisher", 100)
    server.disk.broken = True
    publisher.send(Publish("a", b"x", 2, packet_id=5))
    assert [one for one in await publisher.take() if isinstance(one, Pubrec)] == []
    assert publisher.closed
    server.disk.broken = False
    await server.advance(2)
    for _ in range(2):  # and a kill makes no difference
        publisher, _ = await connect(server, "publisher", 100)
        assert publisher.connection.session.received == set()
        server = await server.crash()
    publisher, _ = await connect(server, "publisher", 100)
    publisher.send(Publish("a", b"x", 2, dup=True, packet_id=5))
    assert await publisher.take() == [Pubrec(5)]
    assert [one.payload for one in await came(await server.client("subscriber"))] == [b"x"]
    await end(server)


# --- against a model ---

CLIENTS = ("a", "b")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("connect"), st.sampled_from(CLIENTS), st.sampled_from([0, 30, 100, NEVER])),
        st.tuples(st.just("clean"), st.sampled_from(CLIENTS), st.sampled_from([0, 30, 100])),
        st.tuples(st.just("lose"), st.sampled_from(CLIENTS), st.just(0)),
        st.tuples(st.just("disconnect"), st.sampled_from(CLIENTS), st.sampled_from([0, 20, 200])),
        st.tuples(st.just("advance"), st.just("a"), st.sampled_from([1, 25, 90])),
        st.tuples(st.just("crash"), st.just("a"), st.just(0)),
    ),
    max_size=25,
)


class Model:
    """Each client's session: when it expires, and what it subscribes to."""

    def __init__(self) -> None:
        self.expiry: dict[str, int] = {}
        self.gone: dict[str, float] = {}
        self.filters: dict[str, set[str]] = {}

    def present(self, client_id: str, now: float) -> bool:
        if client_id not in self.expiry:
            return False
        if client_id not in self.gone or self.expiry[client_id] == NEVER:
            return True
        return now < self.gone[client_id] + self.expiry[client_id]

    def connect(self, client_id: str, expiry: int, *, clean: bool, now: float) -> bool:
        self.lose(client_id, now)
        present = self.present(client_id, now) and not clean
        if not present:
            self.filters[client_id] = set()
        self.expiry[client_id] = expiry
        self.gone.pop(client_id, None)
        return present

    def lose(self, client_id: str, now: float) -> None:
        if client_id in self.expiry and client_id not in self.gone:
            self.gone[client_id] = now
            if not self.expiry[client_id]:
                del self.expiry[client_id]


@settings(max_examples=150)
@given(STEPS, st.sampled_from([Limits.OPEN, Limits.AWS]))
def test_sessions_over_kills(steps: list[tuple[str, str, int]], limits: Limits) -> None:
    async def tell() -> None:
        model, server = Model(), await Server(limits=limits).start()
        devices: dict[str, Device] = {}
        for number, (what, client_id, value) in enumerate(steps):
            now = server.clock.time()
            match what:
                case "connect" | "clean":
                    held = value if limits is Limits.OPEN else min(value, 3600)
                    expected = model.connect(client_id, held, clean=what == "clean", now=now)
                    device, present = await connect(server, client_id, value, clean=what == "clean")
                    assert present is expected
                    assert set(device.connection.session.subscriptions) == model.filters[client_id]
                    model.filters[client_id].add(f"t/{number}")
                    await device.subscribe((f"t/{number}", 1))
                    devices[client_id] = device
                case "lose" if client_id in devices:
                    model.lose(client_id, now)
                    devices.pop(client_id).lose()
                case "disconnect" if client_id in devices and (value == 0 or model.expiry[client_id]):
                    model.expiry[client_id] = value
                    model.lose(client_id, now)
                    devices.pop(client_id).send(Disconnect(ReasonCode.SUCCESS, Properties(session_expiry=value)))
                case "advance":
                    await server.advance(value)
                case "crash":
                    await server.broker.journal.settled()
                    for connected in devices:
                        model.lose(connected, now)
                    devices.clear()
                    server = await server.crash()
            for one in CLIENTS:
                assert (server.broker.sessions.present(one) is not None) is model.present(one, server.clock.time())
        await end(server)

    asyncio.run(tell())


@pytest.mark.parametrize("version", [V3, V5])
async def test_a_clean_session_leaves_nothing_on_disk(version: Version) -> None:
    server = await Server().start()
    device = await server.client("lamp", version, clean=True)
    await device.subscribe(("a", 1))
    device.send(Publish("a", b"x", 1, packet_id=1))
    assert len(await device.messages()) == 1
    device.send(DISCONNECT)
    await server.broker.journal.settled()
    assert server.disk.commits == []
    await end(server)
