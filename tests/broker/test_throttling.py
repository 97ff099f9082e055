"""What `--limits strict` does to one connection: what is discarded, and what is delayed."""

import pytest

from fogbank.broker.broker import Broker
from fogbank.broker.throttling import ThrottledSession
from fogbank.errors import Throttling
from fogbank.message import Message
from fogbank.mqtt import ReasonCode, Version
from fogbank.mqtt.packets import PINGREQ, PINGRESP, Connect, Disconnect, Puback, Publish
from fogbank.settings import Limits
from fogbank.testing import FakeClock

from .conftest import make_broker
from .timed import Timed, device


@pytest.fixture
async def strict(fake_clock: FakeClock) -> Broker:
    return await make_broker(fake_clock, Limits.STRICT)


# --- discarded ---


@pytest.mark.parametrize("version", Version)
async def test_publishes_beyond_the_rate_are_discarded(strict: Broker, fake_clock: FakeClock, version: Version) -> None:
    """[GR] Publish requests per second per connection"""
    sender, receiver = device(strict, version), device(strict)
    await sender.accepted("sender")
    await receiver.accepted("receiver")
    await receiver.subscribe(("t", 0))
    publishes = [Publish("t", b"", 1, packet_id=number + 1).encode(version) for number in range(99)]
    sender.send(b"".join(publishes))
    assert len(await sender.take()) == 99
    sender.send(publishes[0] + Publish("t", b"beyond", 1, packet_id=7).encode(version), PINGREQ)
    assert await sender.take() == [Puback(1), PINGRESP]
    got = await receiver.messages()
    assert (len(got), got[-1].payload) == (100, b"")
    await fake_clock.advance(0.5)
    sender.send(Publish("t", b"again", 1, packet_id=8))
    assert await sender.take() == [Puback(8)]


async def test_in_and_out_count_together(strict: Broker) -> None:
    """One that gets 60 messages may send 40 in the same second."""
    other, both = device(strict), device(strict)
    await other.accepted("other")
    await both.accepted("both")
    await both.subscribe(("t", 0))
    other.send(*[Publish("t", b"") for _ in range(60)])
    both.send(*[Publish("u", b"", 1, packet_id=number + 1) for number in range(50)])
    assert len([one for one in await both.take() if isinstance(one, Puback)]) == 40


async def test_messages_at_qos_0_beyond_the_rate_are_lost_and_counted(strict: Broker, fake_clock: FakeClock) -> None:
    receiver, senders = device(strict), [device(strict) for _ in range(3)]
    await receiver.accepted("receiver")
    await receiver.subscribe(("t", 0))
    for number, sender in enumerate(senders):
        await sender.accepted(f"sender {number}")
        sender.send(*[Publish("t", b"") for _ in range(50)])
    assert len(await receiver.messages()) == 100
    assert receiver.connection.session.dropped == 50
    assert strict.rates is not None
    assert strict.rates.throttled


async def test_direct_messages_count_as_messages_of_their_connection(strict: Broker) -> None:
    """[GR] Publish requests per second per connection: direct messages too"""
    receiver = await device(strict).accepted("receiver")
    for _ in range(100):
        await strict.direct.send("receiver", Message("t", b""))
    with pytest.raises(Throttling):
        await strict.direct.send("receiver", Message("t", b""))
    assert len(await receiver.messages()) == 100


# --- delayed ---


async def test_messages_at_qos_1_beyond_the_rate_wait() -> None:
    timed = Timed()
    receiver, senders = device(timed.broker), [device(timed.broker) for _ in range(3)]
    await receiver.accepted("receiver")
    await receiver.subscribe(("t", 1))
    for number, sender in enumerate(senders):
        await sender.accepted(f"sender {number}")
        sender.send(*[Publish("t", b"", 1, packet_id=number + 1) for number in range(90)])
        assert len(await sender.take()) == 90
    first, second, third = await timed.counts(receiver, 3)
    assert first + second + third == 270
    assert 190 <= first <= 201
    assert 60 <= second <= 80
    assert receiver.connection.session.dropped == 0


async def test_stored_messages_come_slowly() -> None:
    """[DG] MQTT persistent sessions: at most 10 stored messages a second"""
    timed = Timed()
    away, sender = device(timed.broker), await device(timed.broker).accepted("sender")
    await away.connect("away", clean_start=False)
    await away.subscribe(("t", 1))
    away.lose()
    sender.send(*[Publish("t", b"%d" % number, 1, packet_id=number + 1) for number in range(50)])
    await timed.time.advance(1)
    back = device(timed.broker)
    back.send(Connect("away", clean_start=False))
    assert len(await back.messages()) == 10, "a second's worth comes at once"
    counts = await timed.counts(back, 6)
    assert (sum(counts), max(counts), counts[-1]) == (40, 10, 0)
    sender.send(*[Publish("t", b"live", 1, packet_id=number + 1) for number in range(40)])
    assert len(await back.messages()) == 40, "what was not stored comes at once"


async def test_what_waited_for_a_group_comes_slowly_to_each_member() -> None:
    """[DG] Shared subscriptions: up to 20 a second to each active member"""
    timed = Timed()
    names = ("one", "two")
    for name in names:
        away = device(timed.broker)
        await away.connect(name, clean_start=False)
        await away.subscribe(("$share/g/t", 1))
        away.lose()
    sender = await device(timed.broker).accepted("sender")
    sender.send(*[Publish("t", b"", 1, packet_id=number + 1) for number in range(90)])
    assert len(await sender.take()) == 90
    await timed.time.advance(2)
    back = device(timed.broker)
    back.send(Connect(names[0], clean_start=False))
    assert await timed.counts(back, 2) == [20, 20]
    other = device(timed.broker)
    other.send(Connect(names[1], clean_start=False))
    first, second = await timed.counts_of((back, other), 2)
    assert sum(first) + sum(second) == 50
    assert all(17 <= count <= 20 for count in first), "both at once, each at its rate"


async def test_bytes_from_a_client_beyond_the_rate_are_delayed() -> None:
    """[GR] Throughput per second per connection: half a megabyte passes, then the client is not read from"""
    timed = Timed()
    sender = await device(timed.broker).accepted("sender")
    packet = Publish("t", bytes(120_000)).encode()
    reading = []
    for count, seconds in ((4, 0.0), (3, 0.0), (0, 0.5), (0, 0.2)):
        sender.send(*[packet] * count)
        await sender.take()
        await timed.time.advance(seconds)
        reading.append(sender.link.reading)
    assert reading == [True, False, False, True]


async def test_bytes_to_a_client_beyond_the_rate_are_delayed() -> None:
    timed = Timed()
    receiver = await device(timed.broker).accepted("receiver")
    await receiver.subscribe(("t", 0))
    for number in range(20):
        sender = await device(timed.broker).accepted(f"sender {number}")
        sender.send(Publish("t", bytes(100_000)))
        await sender.take()
    counts = [len(await receiver.messages()), *await timed.counts(receiver, 4)]
    assert counts[0] == 6, "a second's worth, and what came with the last of it"
    assert sum(counts) == 20
    assert not receiver.closed
    assert max(counts[1:]) <= 15
    assert not receiver.connection.line.full


async def test_what_waits_for_its_time_is_bounded() -> None:
    """QoS 0 beyond the backlog is dropped, as for a peer that does not read."""
    timed = Timed()
    receiver = await device(timed.broker).accepted("receiver")
    await receiver.subscribe(("t", 0))
    session = receiver.connection.session
    assert isinstance(session, ThrottledSession)
    session.throttle = None  # messages are not bounded here, so that bytes are
    for number in range(10):
        sender = await device(timed.broker).accepted(f"sender {number}")
        for _ in range(10):
            sender.connection.throttle = None
            sender.send(Publish("t", bytes(120_000)))
            await sender.take()
    await timed.counts(receiver, 40)
    assert session.dropped > 10
    assert receiver.link.reading
    line = receiver.connection.line
    assert (line.full, line.choked) == (False, False)


@pytest.mark.parametrize("taken", [0, 700_000, 1_500_000])
async def test_a_peer_that_takes_a_part_is_served_on(taken: int) -> None:
    """The link may keep some of what had to wait, with or without telling that it is full."""
    timed = Timed()
    receiver = await device(timed.broker).accepted("receiver")
    await receiver.subscribe(("t", 0))
    for number in range(22):  # 1.6 MB beyond what may go at once
        sender = await device(timed.broker).accepted(f"sender {number}")
        sender.send(Publish("t", bytes(100_000)))
        await sender.take()
    line = receiver.connection.line
    full = [line.full]
    receiver.link.drain(len(receiver.link.written) + taken)
    await timed.time.advance(10)
    full.append(line.full)
    receiver.link.drain()
    full.append(line.full)
    assert full == [True, taken == 0, False]
    assert len(await receiver.messages()) == 22


async def test_the_last_words_are_not_delayed() -> None:
    timed = Timed()
    receiver = await device(timed.broker, Version.V5).accepted("receiver")
    await receiver.subscribe(("t", 0))
    for number in range(8):
        sender = await device(timed.broker).accepted(f"sender {number}")
        sender.send(Publish("t", bytes(120_000)))
        await sender.take()
    await timed.broker.close()
    *_, last = await receiver.take()
    assert isinstance(last, Disconnect)
    assert last.code == ReasonCode.SERVER_SHUTTING_DOWN
    assert receiver.closed
