"""Shared subscriptions: whose turn it is, what waits where nobody is there, and what a member leaves behind."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.broker.sharing import SharedFilter, parse_shared
from fogbank.mqtt import Properties
from fogbank.mqtt.packets import DISCONNECT, Puback, Publish, Pubrec
from fogbank.settings import Limits
from fogbank.testing.device import Device, decode_all
from fogbank.topics import InvalidTopic

from .server import LONG, V3, V5, Server, settle

FILTER = "$share/g/a"


@pytest.mark.parametrize(
    ("filter_", "name", "plain"), [("$share/g/a", "g", "a"), ("$share/g/a/+/#", "g", "a/+/#"), ("$share/g//", "g", "/")]
)
def test_taken_apart(filter_: str, name: str, plain: str) -> None:
    assert parse_shared(filter_) == SharedFilter(name, plain)


@pytest.mark.parametrize(
    "filter_", ["$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/#", "$share/g+/a"]
)
def test_that_is_none(filter_: str) -> None:
    """[MQTT-4.8.2-1] [MQTT-4.8.2-2]"""
    with pytest.raises(InvalidTopic):
        parse_shared(filter_)


async def member(server: Server, client_id: str, qos: int = 1, *, clean: bool = False, window: int = 0) -> Device:
    properties = Properties(session_expiry=0 if clean else LONG, receive_maximum=window or None)
    device = server.device(V5)
    await device.connect(client_id, clean_start=clean, properties=properties)
    if FILTER not in device.connection.session.subscriptions:
        assert await device.subscribe((FILTER, qos)) == (qos,)
    return device


async def came(*devices: Device) -> list[bytes]:
    """Payloads of all messages of the devices' connections."""
    found = []
    for device in devices:
        await device.take()
        packets, _ = decode_all(bytes(device.link.written), device.version)
        found += [packet.payload for packet in packets if isinstance(packet, Publish)]
    return found


class Sender:
    """Publishes numbers, and knows which were acknowledged."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.count = 0

    async def send(self, count: int, qos: int = 1) -> list[bytes]:
        payloads = [str(self.count + one).encode() for one in range(count)]
        self.count += count
        for payload in payloads:
            self.device.send(Publish("a", payload, qos, packet_id=int(payload) + 1))
        answers = [packet for packet in await self.device.take() if isinstance(packet, Puback | Pubrec)]
        assert len(answers) == count
        return payloads


async def sender(server: Server) -> Sender:
    return Sender(await server.device(V3).accepted("sender"))


async def test_one_after_the_other() -> None:
    server = await Server().start()
    members = [await member(server, name) for name in "xyz"]
    sent = await (await sender(server)).send(9)
    assert [len(await came(one)) for one in members] == [3, 3, 3]
    assert sorted(await came(*members)) == sent
    server.bury()


async def test_a_run_of_many_is_divided() -> None:
    server = await Server().start()
    members = [await member(server, name) for name in "xyz"]
    device = await server.device(V3).accepted("sender")
    device.send(b"".join(Publish("a", b"%03d" % one, 1, packet_id=one + 1).encode() for one in range(300)))
    assert [len(await came(one)) for one in members] == [100, 100, 100]
    server.bury()


async def test_one_with_a_full_window_is_passed_over() -> None:
    server = await Server().start()
    narrow, wide = await member(server, "narrow", window=1), await member(server, "wide")
    await (await sender(server)).send(10)
    assert [len(await came(narrow)), len(await came(wide))] == [1, 9]
    server.bury()


@pytest.mark.parametrize("qos", [1, 2])
async def test_what_comes_while_nobody_is_there_waits(qos: int) -> None:
    """Over a kill, and at its own quality of service. (AWS IoT developer guide, "Shared subscriptions")"""
    server = await Server().start()
    (await member(server, "x", qos)).lose()
    sent = await (await sender(server)).send(5, qos)
    server = await server.crash()
    device = await member(server, "x", qos)
    assert await came(device) == sent
    packets, _ = decode_all(bytes(device.link.written), V5)
    assert {packet.qos for packet in packets if isinstance(packet, Publish)} == {qos}
    server.bury()


async def test_nothing_waits_for_clean_sessions_alone() -> None:
    server = await Server().start()
    (await member(server, "x", clean=True)).lose()
    await (await sender(server)).send(5)
    assert await came(await member(server, "x", clean=True)) == []
    await server.broker.journal.settled()
    assert not any(server.disk._backlogs.values())
    server.bury()


async def test_nor_at_quality_of_service_0() -> None:
    server = await Server().start()
    (await member(server, "x", 0)).lose()
    await (await sender(server)).send(5)
    assert await came(await member(server, "x", 0)) == []
    server.bury()


async def test_a_full_queue_takes_what_still_fits() -> None:
    server = await Server(limits=Limits.OPEN).start()
    server.broker._surroundings.quotas = _with(server, group_messages=7)
    (await member(server, "x")).lose()
    sent = await (await sender(server)).send(10)
    assert await came(await member(server, "x")) == sent[:7]
    assert server.broker._surroundings.dropped == 3
    server.bury()


def _with(server: Server, **quotas: int) -> Any:
    return msgspec.structs.replace(server.broker.quotas, **quotas)


@pytest.mark.parametrize("how", ["disconnect", "lose"])
async def test_what_a_member_leaves_goes_to_another(how: str) -> None:
    """(MQTT 5.0, 4.8.2) Where its session ends."""
    server = await Server().start()
    leaving, staying = await member(server, "x", clean=True), await member(server, "y")
    sent = await (await sender(server)).send(6)
    assert len(await came(leaving)) == 3
    if how == "disconnect":
        leaving.send(DISCONNECT)
    else:
        leaving.lose()
    assert sorted(await came(staying)) == sent
    server.bury()


async def test_but_not_what_is_on_its_way_exactly_once() -> None:
    """[MQTT-4.8.2-5]"""
    server = await Server().start()
    leaving, staying = await member(server, "x", 2, clean=True), await member(server, "y", 2)
    await (await sender(server)).send(6, qos=2)
    assert len(await came(leaving)) == 3
    leaving.lose()
    assert len(await came(staying)) == 3
    server.bury()


async def test_the_last_member_takes_the_group_along() -> None:
    server = await Server().start()
    device = await member(server, "x")
    device.lose()
    await (await sender(server)).send(3)
    await server.device(V5).accepted("x", clean_start=True)
    assert list(server.broker.sessions.groups()) == []
    await server.broker.journal.settled()
    assert not any(server.disk._backlogs.values())
    assert await came(await member(server, "x")) == []
    server.bury()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 5)),
        st.tuples(st.just("come"), st.integers(0, 2)),
        st.tuples(st.just("go"), st.integers(0, 2)),
        st.tuples(st.just("acknowledge"), st.integers(0, 2)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("advance"), st.just(0)),
    ),
    max_size=30,
)


@settings(max_examples=100)
@given(STEPS)
def test_each_message_comes_to_somebody(steps: list[tuple[str, int]]) -> None:
    """Three persistent members that come, go and acknowledge, and a server that is killed: none is lost, and one that
    was acknowledged comes to nobody else."""

    async def tell() -> None:
        server = await Server().start()
        for number in range(3):
            (await member(server, f"m{number}", window=3)).lose()
        source = await sender(server)
        present: dict[int, Device] = {}
        sent: list[bytes] = []
        taken: Counter[bytes] = Counter()
        for what, number in steps:
            match what:
                case "send":
                    sent += await source.send(number)
                case "come" if number not in present:
                    present[number] = await member(server, f"m{number}", window=3)
                case "go" if number in present:
                    present.pop(number).lose()
                case "acknowledge" if number in present:
                    await _acknowledge(present[number], taken)
                case "advance":
                    await server.advance(0.1)
                case "crash":
                    await server.broker.journal.settled()
                    server = await server.crash()
                    present.clear()
                    count, source = source.count, await sender(server)
                    source.count = count
        for number in range(3):
            if number not in present:
                present[number] = await member(server, f"m{number}", window=3)
        for _ in range(len(sent) + 5):
            for device in present.values():
                await _acknowledge(device, taken)
        assert taken.keys() == set(sent)
        assert max(taken.values(), default=1) == 1
        server.bury()
        await settle()

    asyncio.run(tell())


async def _acknowledge(device: Device, taken: Counter[bytes]) -> None:
    """Take all that has come on this connection and was not acknowledged yet."""
    await device.take()
    packets, _ = decode_all(bytes(device.link.written), V5)
    device.link.written.clear()
    device._position = 0
    for packet in packets:
        if isinstance(packet, Publish):
            taken[packet.payload] += 1
            device.send(Puback(packet.packet_id))
    await settle()
