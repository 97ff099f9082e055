"""The generator against a broker whose every lie is known: what it counts has to be exactly that."""

import asyncio
import struct
from pathlib import Path

import msgspec
import pytest
from bench.broker import Endpoint
from bench.driver import Cpu, Outcome, RunError, arguments, drive
from bench.scenario import SCENARIOS, Mode, Scenario, Topology
from tests.bench.fake_broker import FakeBroker, Publish, serving

SECONDS = 0.2
NOBODY = Endpoint(1, 0)
STREAMS = Scenario(name="test", title="test", topology=Topology.PAIRS, publishers=2, subscribers=2, qos=1, window=20)
FLOOD = msgspec.structs.replace(STREAMS, qos=0, window=0)
FAN_OUT = msgspec.structs.replace(STREAMS, topology=Topology.FAN_OUT, publishers=1, subscribers=3)
SINGLE = msgspec.structs.replace(STREAMS, topology=Topology.FAN_IN, publishers=30, subscribers=1, window=1)
SINGLE_QOS_0 = msgspec.structs.replace(SINGLE, qos=0)


async def run(generator: Path, broker: FakeBroker, scenario: Scenario = STREAMS, payload: int = 64) -> Outcome:
    """One short run against the fake broker."""
    async with serving(broker):
        return await asyncio.to_thread(
            drive,
            generator,
            msgspec.structs.replace(scenario, payload=payload),
            Endpoint(broker.port, 0),
            core=None,
            seconds=SECONDS,
            warm_up=0.02,
            patience=0.2,
        )


def every(period: int, publish: Publish) -> bool:
    return publish.number % period == period - 1


@pytest.mark.parametrize("scenario", [STREAMS, FLOOD, FAN_OUT, SINGLE, SINGLE_QOS_0])
async def test_an_honest_broker_leaves_nothing_to_remark(generator: Path, scenario: Scenario) -> None:
    broker = FakeBroker()
    outcome = await run(generator, broker, scenario)
    assert outcome.published == broker.published > 0
    assert outcome.acknowledged == (outcome.published if scenario.qos else 0)
    assert outcome.expected == outcome.published * (3 if scenario is FAN_OUT else 1)
    assert outcome.received == outcome.expected
    assert (outcome.missing, outcome.duplicated, outcome.out_of_order, outcome.corrupt) == (0, 0, 0, 0)
    assert broker.acknowledgements == (outcome.received if scenario.qos else 0)
    assert 0 < outcome.delivered <= outcome.received
    assert outcome.seconds >= SECONDS
    assert outcome.broken_promises(scenario.qos) == []


async def test_packets_may_arrive_in_pieces(generator: Path) -> None:
    broker = FakeBroker()
    broker.chunk = 7
    outcome = await run(generator, broker)
    assert outcome.received == outcome.published > 0
    assert outcome.broken_promises(1) == []


async def test_the_smallest_payload_is_the_header_alone(generator: Path) -> None:
    outcome = await run(generator, FakeBroker(), payload=16)
    assert outcome.received == outcome.published > 0
    assert outcome.corrupt == 0


@pytest.mark.parametrize("scenario", [STREAMS, FLOOD])
async def test_dropped_messages_are_missing(generator: Path, scenario: Scenario) -> None:
    dropped: list[int] = []

    def drop(publish: Publish) -> list[Publish]:
        if not every(10, publish):
            return [publish]
        dropped.append(publish.number)
        return []

    broker = FakeBroker()
    broker.meddle = drop
    outcome = await run(generator, broker, scenario)
    assert outcome.missing == len(dropped) > 0
    assert outcome.received + outcome.missing == outcome.expected
    promises = [f"{len(dropped):,} QoS 1 messages were lost"] if scenario.qos else []
    assert outcome.broken_promises(scenario.qos) == promises


async def test_repeated_messages_are_duplicates_and_count_once(generator: Path) -> None:
    broker = FakeBroker()
    broker.meddle = lambda publish: [publish] * (3 if every(10, publish) else 1)
    outcome = await run(generator, broker)
    assert outcome.received == outcome.published
    assert outcome.duplicated == 2 * (broker.published // 10) > 0
    assert outcome.broken_promises(1) == []


async def test_swapped_messages_are_out_of_order_and_not_missing(generator: Path) -> None:
    held: list[Publish] = []
    swaps = 0

    def swap(publish: Publish) -> list[Publish]:
        nonlocal swaps
        if held:
            swaps += 1
            return [publish, held.pop()]
        if every(10, publish):
            held.append(publish)
            return []
        return [publish]

    broker = FakeBroker()
    broker.meddle = swap
    one_stream = msgspec.structs.replace(STREAMS, publishers=1, subscribers=1)
    outcome = await run(generator, broker, one_stream)
    assert outcome.out_of_order == swaps > 0
    assert outcome.missing == len(held)
    assert f"{swaps:,} messages were out of order" in outcome.broken_promises(1)


def _flip(payload: bytes, at: int) -> bytes:
    return payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]


@pytest.mark.parametrize("at", [0, 4, 8, 16, 40, 63], ids=lambda at: f"byte {at}")
async def test_a_changed_byte_makes_a_message_corrupt(generator: Path, at: int) -> None:
    broker = FakeBroker()
    broker.meddle = lambda publish: [
        msgspec.structs.replace(publish, payload=_flip(publish.payload, at)) if every(10, publish) else publish
    ]
    outcome = await run(generator, broker)
    assert outcome.corrupt == outcome.missing == broker.published // 10 > 0


async def test_a_wrong_topic_makes_a_message_corrupt(generator: Path) -> None:
    broker = FakeBroker()
    broker.meddle = lambda publish: [
        msgspec.structs.replace(publish, topic=b"bench/9") if every(10, publish) else publish
    ]
    outcome = await run(generator, broker)
    assert outcome.corrupt == outcome.missing == broker.published // 10 > 0


async def test_a_truncated_payload_is_corrupt(generator: Path) -> None:
    broker = FakeBroker()
    broker.meddle = lambda publish: [msgspec.structs.replace(publish, payload=b"")] if every(10, publish) else [publish]
    outcome = await run(generator, broker)
    assert outcome.corrupt == outcome.missing == broker.published // 10 > 0


async def test_a_window_is_never_exceeded(generator: Path) -> None:
    """A broker that never acknowledges gets one window from each publisher and no more."""
    broker = FakeBroker()
    broker.acknowledge = lambda _, __: b""
    outcome = await run(generator, broker)
    assert outcome.published == outcome.received == STREAMS.window * STREAMS.publishers
    assert outcome.acknowledged == 0
    assert "40 QoS 1 messages were never acknowledged" in outcome.broken_promises(1)


async def test_a_single_message_at_qos_0_waits_for_the_one_before(generator: Path) -> None:
    broker = FakeBroker()
    broker.meddle = lambda _: []
    outcome = await run(generator, broker, SINGLE_QOS_0)
    assert outcome.published == SINGLE_QOS_0.publishers
    assert outcome.broken_promises(0) == ["nothing was delivered"]


async def test_an_acknowledgement_of_nothing_ends_the_run(generator: Path) -> None:
    broker = FakeBroker()
    broker.acknowledge = lambda _, packet_id: struct.pack(">BBH", 0x40, 2, packet_id ^ 0x4000)
    with pytest.raises(RunError, match="not outstanding"):
        await run(generator, broker)


async def test_a_malformed_packet_ends_the_run(generator: Path) -> None:
    broker = FakeBroker()
    broker.acknowledge = lambda _, __: b"\x40\xff\xff\xff\xff\x01"
    with pytest.raises(RunError, match="malformed"):
        await run(generator, broker)


async def test_a_refused_connection_ends_the_run(generator: Path) -> None:
    broker = FakeBroker()
    broker.return_code = 5
    with pytest.raises(RunError, match="refuses the connection, return code 5"):
        await run(generator, broker)


async def test_a_refused_subscription_ends_the_run(generator: Path) -> None:
    broker = FakeBroker()
    broker.suback = 0x7F
    with pytest.raises(RunError, match="refuses the subscription to 'bench/0'"):
        await run(generator, broker)


async def test_another_qos_than_asked_for_ends_the_run(generator: Path) -> None:
    broker = FakeBroker()
    broker.suback = -1
    with pytest.raises(RunError, match="asked for QoS 1, was granted 0"):
        await run(generator, broker)


def test_nobody_there_ends_the_run(generator: Path) -> None:
    with pytest.raises(RunError, match=r"cannot connect to 127\.0\.0\.1:1"):
        drive(generator, STREAMS, NOBODY, core=None, seconds=0.1, warm_up=0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"window": 0}, "QoS 1 needs a --window"),
        ({"window": 32768}, "--window: '32768' is not a whole number"),
        ({"payload": 15}, "--payload: '15'"),
        ({"publishers": 1}, "pairs need as many publishers"),
        ({"topology": Topology.FAN_OUT}, "fan-out has one publisher"),
        ({"topology": Topology.FAN_IN}, "fan-in has one subscriber"),
        ({"topology": Topology.FAN_OUT, "publishers": 1, "qos": 0}, "needs one subscriber per publisher"),
        ({"qos": 2}, "--qos: '2'"),
        ({"mode": Mode.STORE, "publishers": 1, "subscribers": 1}, "need a --count"),
        ({"mode": Mode.DRAIN, "publishers": 1, "subscribers": 1, "qos": 0, "count": 1}, "need a --count and QoS 1"),
        ({"mode": Mode.STORE, "count": 1}, "one publisher and one subscriber"),
        ({"mode": Mode.HANDSHAKES, "rate": 1}, "--rate is for traffic"),
    ],
)
def test_a_scenario_that_cannot_be_meant_is_refused(generator: Path, change: dict[str, object], says: str) -> None:
    scenario = msgspec.structs.replace(STREAMS, **change)
    with pytest.raises(RunError, match=says):
        drive(generator, scenario, NOBODY, core=None, seconds=0.1, warm_up=0)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_generator_accepts_every_scenario(generator: Path, scenario: Scenario) -> None:
    """They get as far as connecting, where nobody listens."""
    with pytest.raises(RunError, match="cannot connect"):
        drive(generator, scenario, NOBODY, core=None, seconds=0.1, warm_up=0)


def test_arguments_are_the_generators_options() -> None:
    options = " ".join(arguments(FLOOD))
    assert options == (
        "--mode traffic --count 0 --rate 0 "
        "--topology pairs --publishers 2 --subscribers 2 --qos 0 --window 0 --payload 64 --form bytes "
        "--topic bench --arrives bench"
    )


def test_figures_derived_from_an_outcome() -> None:
    outcome = Outcome(
        seconds=2.0,
        delivered=500_000,
        broker_cpu=Cpu(user=0.5, system=1.0),
        generator_cpu=Cpu(user=0.1, system=0.3),
        published=0,
        acknowledged=0,
        expected=0,
        received=0,
        missing=0,
        duplicated=0,
        out_of_order=0,
        corrupt=0,
        drain_seconds=0.0,
    )
    assert outcome.rate == 250_000
    assert outcome.broker_share == pytest.approx(0.75)
    assert outcome.generator_share == pytest.approx(0.2)
