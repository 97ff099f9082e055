"""Back-pressure: who is held back, for how long, and what is dropped."""

import asyncio

import pytest

from fogbank.broker import flow
from fogbank.broker.broker import Broker
from fogbank.mqtt.packets import Connect, Puback, Publish
from fogbank.testing.device import Device

from .conftest import MakeDevice

BLOCK = bytes(100_000)


def is_held_back(device: Device) -> bool:
    return not device.link.reading


async def pair(device: MakeDevice, qos: int) -> tuple[Device, Device]:
    sender, receiver = await device().accepted("sender"), await device().accepted("receiver")
    await receiver.subscribe(("a", qos))
    return sender, receiver


async def test_everything_of_a_tick_is_written_at_once(device: MakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    sender, receiver = await pair(device, 0)
    writes: list[bytes | bytearray] = []
    monkeypatch.setattr(receiver.connection.line, "_send", writes.append)
    for number in range(10):
        sender.send(Publish("a", b"%d" % number))
    await sender.take()
    assert len(writes) == 1
    assert writes[0].count(b"\x00\x01a") == 10


async def test_nothing_follows_the_last_words(device: MakeDevice) -> None:
    _, receiver = await pair(device, 0)
    line = receiver.connection.line
    line.write(b"the end")
    line.close()
    receiver.link.closed = False  # or it would take nothing itself
    line.write(b"too late")
    line.flush()
    assert receiver.link.written.endswith(b"the end")


async def test_a_blocked_receiver_holds_its_senders_back_and_lets_them_go(device: MakeDevice) -> None:
    sender, receiver = await pair(device, 0)
    bystander = await device().accepted("bystander")
    receiver.link.drain(room=0)
    for _ in range(12):
        sender.send(Publish("a", BLOCK))
        await sender.take()
    assert is_held_back(sender)
    bystander.send(Publish("elsewhere", b""))
    assert not is_held_back(bystander)
    receiver.link.drain()
    assert not is_held_back(sender)


async def test_patience_ends_with_a_receiver_that_takes_nothing(
    device: MakeDevice, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "PATIENCE", 0.01)
    sender, receiver = await pair(device, 0)
    other = await device().accepted("other")
    await other.subscribe(("a", 0))
    receiver.link.drain(room=0)
    sent = 0
    while not receiver.connection.line.choked:
        if sender.link.reading:
            sender.send(Publish("a", BLOCK))
            sent += 1
        await asyncio.sleep(0.001)
    before = receiver.link.get_write_buffer_size()
    for _ in range(20):
        sender.send(Publish("a", BLOCK))
        await sender.take()
    assert not is_held_back(sender)
    assert receiver.link.get_write_buffer_size() == before, "what is choked gets no more"
    assert receiver.connection.session.dropped == 20
    assert len(await other.messages()) == sent + 20, "the others get everything"
    receiver.link.drain()
    sender.send(Publish("a", b"again"))
    assert (await receiver.messages())[-1].payload == b"again"


async def test_a_receiver_that_makes_progress_keeps_holding_back(
    device: MakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "PATIENCE", 0.01)
    sender, receiver = await pair(device, 0)
    receiver.link.drain(room=0)
    while sender.link.reading:
        sender.send(Publish("a", BLOCK))
        await sender.take()
    for taken in range(1, 6):
        receiver.link.drain(room=taken * flow.PROGRESS * 2)
        await asyncio.sleep(0.01)
        assert is_held_back(sender)


async def test_unacknowledged_messages_hold_their_sender_back(device: MakeDevice, broker: Broker) -> None:
    sender, receiver = await pair(device, 1)
    burst = b"".join(Publish("a", b"x", 1, packet_id=1).encode() for _ in range(flow.HIGH_QUEUE))
    sender.send(burst)
    assert not is_held_back(sender)
    sender.send(burst)
    assert is_held_back(sender)
    received = 0
    while not sender.link.reading:
        messages = await receiver.messages()
        received += len(messages)
        receiver.send(b"".join(Puback(packet.packet_id).encode() for packet in messages))
    received += len(await receiver.messages())
    assert received == 2 * flow.HIGH_QUEUE


async def test_the_queue_of_a_session_is_bounded(device: MakeDevice, broker: Broker) -> None:
    """Beyond it the new messages are dropped and counted; what was queued arrives."""
    away = await device().accepted("away", clean_start=False)
    await away.subscribe(("a", 1))
    session = away.connection.session
    away.lose()
    sender = await device().accepted("sender")
    burst = b"".join(Publish("a", b"%05d" % n, 1, packet_id=1).encode() for n in range(12_000))
    sender.send(burst)
    assert session.store is not None
    assert session.store.messages == broker.quotas.queued_messages
    assert session.dropped == 2_000
    back = device()
    back.send(Connect("away", clean_start=False))
    payloads: list[bytes] = []
    while messages := await back.messages():
        payloads += [packet.payload for packet in messages]
        back.send(b"".join(Puback(packet.packet_id).encode() for packet in messages))
    assert payloads == [b"%05d" % n for n in range(10_000)]
    assert (session.queued, session.queued_bytes) == (0, 0)


async def test_a_peer_that_never_reads_its_answers_is_not_read_either(device: MakeDevice) -> None:
    """Acknowledgements cannot be dropped, so what asks for them must wait."""
    one = await device().accepted()
    one.link.drain(room=0)
    packets = Publish("nobody", b"", 1, packet_id=1).encode() * 50_000
    for _ in range(flow.MAX_BACKLOG // 200_000 + 2):
        if is_held_back(one):
            break
        one.connection.receive(packets)
        await asyncio.sleep(0)
    assert is_held_back(one)
    assert one.link.get_write_buffer_size() < flow.MAX_BACKLOG + 4 * 50_000 + 1
    one.link.drain()
    assert not is_held_back(one)


async def test_messages_of_qos_1_wait_for_a_receiver_that_does_not_read(
    device: MakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are neither dropped as those of QoS 0 nor written beyond measure; when it reads again, all arrive."""
    monkeypatch.setattr(flow, "PATIENCE", 0.0)
    sender, receiver = await pair(device, 1)
    receiver.link.drain(room=0)
    for number in range(60):
        sender.send(Publish("a", BLOCK + b"%d" % number, 1, packet_id=1))
        await sender.take()
    assert receiver.link.get_write_buffer_size() < flow.HIGH_WATER + 3 * len(BLOCK)
    receiver.link.drain()
    numbers: list[int] = []
    while messages := await receiver.messages():
        numbers += [int(packet.payload[len(BLOCK) :]) for packet in messages]
        receiver.send(b"".join(Puback(packet.packet_id).encode() for packet in messages))
    assert numbers == list(range(60))
