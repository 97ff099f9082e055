"""When a will is published, and when not: over connections that come and go, and over a server that is killed."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.broker.wills import AFTER_START
from fogbank.message import Message, MessageProperties
from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.packets import DISCONNECT, Disconnect, Will
from fogbank.ports import Put, StorageError
from fogbank.testing.device import Device

from .conftest import Recorder
from .server import V3, V5, Server, settle


def watched(server: Server) -> Recorder:
    recorder = Recorder()
    server.broker.router.subscribe("gone/#", recorder)
    return recorder


def delayed(seconds: int, payload: bytes = b"bye") -> Will:
    return Will("gone/lamp", payload, 1, properties=Properties(will_delay=seconds))


async def lasting(server: Server, will: Will | None, expiry: int = 100) -> Device:
    properties = Properties(session_expiry=expiry)
    return await server.device(V5).accepted("lamp", clean_start=False, will=will, properties=properties)


async def kill(server: Server, *, written: bool = False) -> tuple[Server, Recorder]:
    after = await server.crash(written=written)
    return after, watched(after)


async def end(server: Server) -> None:
    server.bury()
    await settle()


# --- while the server is up ---


@pytest.mark.parametrize("version", [V3, V5])
async def test_it_tells_that_the_client_is_lost(version: Version) -> None:
    server = await Server().start()
    seen = watched(server)
    device = await server.client("lamp", version, clean=True, will=Will("gone/lamp", b"bye", 1))
    assert seen.messages == []
    device.lose()
    [message] = seen.messages
    assert (message.topic, message.payload, message.qos, message.will) == ("gone/lamp", b"bye", 1, True)
    assert (message.origin.client_id, message.origin.source_ip) == ("lamp", "192.0.2.1")
    await end(server)


async def test_a_delay_is_waited_for() -> None:
    """[MQTT-3.1.2-8]"""
    server = await Server().start()
    seen = watched(server)
    (await lasting(server, delayed(10))).lose()
    await server.advance(9.9)
    assert seen.messages == []
    await server.advance(0.1)
    assert len(seen.messages) == 1
    await server.advance(1000)
    assert len(seen.messages) == 1
    await end(server)


async def test_but_not_longer_than_the_session() -> None:
    server = await Server().start()
    seen = watched(server)
    (await lasting(server, delayed(1000), expiry=5)).lose()
    await server.advance(5)
    assert len(seen.messages) == 1
    await end(server)


async def test_whoever_is_back_in_time_is_not_gone() -> None:
    """[MQTT-3.1.3-9]"""
    server = await Server().start()
    seen = watched(server)
    (await lasting(server, delayed(10))).lose()
    await server.advance(9)
    (await lasting(server, None)).send(DISCONNECT)
    await server.advance(1000)
    assert seen.messages == []
    await end(server)


async def test_a_session_that_ends_takes_its_delay_along() -> None:
    server = await Server().start()
    seen = watched(server)
    (await lasting(server, delayed(10))).lose()
    await server.device(V5).accepted("lamp", clean_start=True)
    assert len(seen.messages) == 1
    await end(server)


async def test_expiry_begins_with_publication() -> None:
    """(MQTT 5.0, 3.1.3.2.4)"""
    server = await Server().start()
    seen = watched(server)
    properties = Properties(will_delay=10, message_expiry=30)
    (await lasting(server, Will("gone/lamp", b"", properties=properties))).lose()
    await server.advance(10)
    assert [message.expires_at for message in seen.messages] == [server.clock.time() + 30]
    await end(server)


# --- the server is killed ---


async def test_nobody_is_answered_before_the_will_is_on_disk() -> None:
    server = await Server().start()
    server.disk.held = True
    device = server.device(V3)
    with pytest.raises(AssertionError, match="did not answer"):
        await device.connect("lamp", will=Will("gone/lamp", b"bye"))
    server.disk.let_through()
    assert len(await device.take()) == 1
    await end(server)


@pytest.mark.parametrize("version", [V3, V5])
@pytest.mark.parametrize("clean", [True, False])
async def test_clients_that_die_with_the_server_are_lost(version: Version, clean: bool) -> None:
    """Once, and whatever their session is."""
    server = await Server().start()
    properties = Properties(content_type="text", message_expiry=60) if version is V5 else Properties()
    will = Will("gone/lamp", b"bye", 1, retain=True, properties=properties)
    await server.client("lamp", version, clean=clean, will=will)
    server, seen = await kill(server)
    await server.advance(AFTER_START)
    [message] = seen.messages
    assert (message.topic, message.payload, message.qos, message.retain, message.will) == (
        ("gone/lamp", b"bye", 1, True, True)
    )
    assert (message.origin.client_id, message.origin.principal) == ("lamp", "plain")
    if version is V5:
        assert message.properties == MessageProperties(content_type="text")
        assert message.expires_at == server.clock.time() + 60
    assert server.broker.retained.get("gone/lamp") is not None
    await server.broker.journal.settled()
    server, seen = await kill(server)
    await server.advance(1000)
    assert seen.messages == []
    await end(server)


async def test_a_client_that_said_goodbye_is_not() -> None:
    server = await Server().start()
    (await server.client("lamp", will=Will("gone/lamp", b"bye"))).send(DISCONNECT)
    await settle()
    server, seen = await kill(server)
    await server.advance(1000)
    assert seen.messages == []
    await end(server)


async def test_a_delay_goes_on_while_the_server_is_down() -> None:
    server = await Server().start()
    (await lasting(server, delayed(50))).lose()
    await server.advance(20)
    server, _ = await kill(server)
    server, seen = await kill(server)
    await server.advance(29.9)
    assert seen.messages == []
    await server.advance(0.1)
    assert len(seen.messages) == 1
    await end(server)


async def test_a_delay_that_the_kill_began_begins_once() -> None:
    server = await Server().start()
    await lasting(server, delayed(50))
    await server.advance(20)
    server, _ = await kill(server)
    await server.advance(20)
    server, seen = await kill(server)
    await server.advance(29.9)
    assert seen.messages == []
    await server.advance(0.1)
    assert len(seen.messages) == 1
    await end(server)


async def test_whoever_is_back_after_the_kill_within_the_delay_is_not_gone() -> None:
    server = await Server().start()
    await lasting(server, delayed(50, b"first"))
    server, seen = await kill(server)
    device = await lasting(server, delayed(50, b"second"))
    await server.advance(200)
    assert seen.messages == []
    device.lose()
    await server.advance(50)
    assert [message.payload for message in seen.messages] == [b"second"]
    await end(server)


async def test_whoever_is_back_after_the_kill_without_a_delay_was_gone() -> None:
    """And is told so before it can say anything itself."""
    server = await Server().start()
    await lasting(server, Will("gone/lamp", b"bye", 1))
    server, seen = await kill(server)
    await lasting(server, None)
    assert len(seen.messages) == 1
    await server.advance(1000)
    assert len(seen.messages) == 1
    await end(server)


async def test_a_will_waits_for_those_who_subscribe_after_the_start() -> None:
    server = await Server().start()
    await server.client("lamp", will=Will("gone/lamp", b"bye"))
    server = await server.crash()
    await server.advance(AFTER_START / 2)
    seen = watched(server)
    await server.advance(AFTER_START / 2)
    assert len(seen.messages) == 1
    await end(server)


async def test_a_stop_publishes_wills_and_leaves_nothing() -> None:
    server = await Server().start()
    seen = watched(server)
    await server.client("lamp", will=Will("gone/lamp", b"bye"))
    server = await server.restart()
    assert len(seen.messages) == 1
    seen = watched(server)
    await server.advance(1000)
    assert seen.messages == []
    await end(server)


async def test_a_document_that_cannot_be_read_is_said_to_be_one() -> None:
    server = Server()
    await server.disk.documents.commit(Put("will", "lamp", b"\xc1"))
    with pytest.raises(StorageError, match="the will of 'lamp'"):
        await server.start()


# --- against a model ---

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["connect", "connect", "clean", "lose", "disconnect", "keep will", "advance", "crash"]),
        st.sampled_from([0, 0, 3, 10]),
    ),
    max_size=25,
)


class Model:
    """Which wills must have been published, by the letter of the standard."""

    EXPIRY = 8

    def __init__(self) -> None:
        self.now = 0.0
        self.published: list[bytes] = []
        self._will: tuple[bytes, int] | None = None
        self._due: tuple[float, bytes] | None = None
        self._connected = False

    def connect(self, will: tuple[bytes, int] | None, *, clean: bool) -> None:
        self.lose()
        if self._due is not None and clean:
            self.published.append(self._due[1])
        self._due, self._will, self._connected = None, will, True

    def lose(self) -> None:
        if self._connected and self._will is not None:
            payload, delay = self._will
            self._due = (self.now + min(delay, self.EXPIRY), payload)
        self._will, self._connected = None, False
        self.advance(0)

    def disconnect(self) -> None:
        self._will, self._connected = None, False

    def advance(self, seconds: float) -> None:
        self.now += seconds
        if self._due is not None and self._due[0] <= self.now:
            self.published.append(self._due[1])
            self._due = None


@settings(max_examples=150)
@given(STEPS)
def test_wills_over_kills(steps: list[tuple[str, int]]) -> None:
    """A crash loses the client; nothing is published twice, and nothing is forgotten."""

    async def tell() -> None:
        model, server = Model(), await Server().start()
        seen = watched(server)
        messages: list[Message] = []
        device: Device | None = None
        for number, (what, value) in enumerate(steps):
            if what in ("connect", "clean"):
                payload = str(number).encode()
                will = None if value == 3 else delayed(value, payload)
                model.connect(None if will is None else (payload, value), clean=what == "clean")
                device = await server.device(V5).accepted(
                    "lamp", clean_start=what == "clean", will=will, properties=Properties(session_expiry=Model.EXPIRY)
                )
            elif what == "lose" and device is not None:
                model.lose()
                device.lose()
                device = None
            elif what == "disconnect" and device is not None:
                model.disconnect()
                device.send(DISCONNECT)
                device = None
            elif what == "keep will" and device is not None:  # (3.14.2.1: 0x04)
                model.lose()
                device.send(Disconnect(ReasonCode.DISCONNECT_WITH_WILL))
                device = None
            elif what == "advance":
                model.advance(value)
                await server.advance(value)
            elif what == "crash":
                await server.broker.journal.settled()
                messages += seen.messages
                model.lose()
                device = None
                server, seen = await kill(server)
                model.advance(AFTER_START)
                await server.advance(AFTER_START)
            assert [one.payload for one in messages + seen.messages] == model.published
        model.lose()
        if device is not None:
            device.lose()
        for _ in range(3):
            model.advance(Model.EXPIRY)
            await server.advance(Model.EXPIRY)
        assert [one.payload for one in messages + seen.messages] == model.published
        await server.broker.journal.settled()
        assert await server.disk.documents.scan("will", limit=10) == []
        await end(server)

    asyncio.run(tell())
