"""JSON payloads: the generator's and Python's are the same, and whatever else arrives is noticed."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from bench.broker import Endpoint
from bench.driver import Outcome, RunError, drive
from bench.rules.payload import SIZE, payload, read
from bench.scenario import Form, Scenario, Topology
from tests.bench.fake_broker import FakeBroker, Publish, serving

STREAMS = Scenario(
    name="test", title="test", topology=Topology.PAIRS, publishers=2, subscribers=2, qos=1, window=20,
    payload=SIZE, form=Form.JSON,
)  # fmt: skip
THROUGH = msgspec.structs.replace(STREAMS, qos=0, topic="bench/in", arrives="bench/out")
NOWHERE = msgspec.structs.replace(STREAMS, topology=Topology.NOWHERE, subscribers=0)


async def run(generator: Path, broker: FakeBroker, scenario: Scenario, seconds: float = 0.2) -> Outcome:
    async with serving(broker):
        endpoint = Endpoint(broker.port, 0)
        return await asyncio.to_thread(
            drive, generator, scenario, endpoint, core=None, seconds=seconds, warm_up=0.02, patience=0.2
        )


def recorded(broker: FakeBroker) -> list[Publish]:
    """All that the broker gets from now on."""
    seen: list[Publish] = []

    def note(publish: Publish) -> list[Publish]:
        seen.append(publish)
        return [publish]

    broker.meddle = note
    return seen


async def test_the_generator_and_python_write_the_same(generator: Path) -> None:
    broker = FakeBroker()
    seen = recorded(broker)
    outcome = await run(generator, broker, STREAMS)
    assert outcome.received == outcome.published > 0
    assert outcome.broken_promises(1) == []
    for publisher in (0, 1):
        own = [each.payload for each in seen if each.topic == b"bench/%d" % publisher]
        assert own == [payload(publisher, number) for number in range(len(own))]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"21.5", b"21.6"),
        (b"f09ba2c4", b"f09ba2c5"),
        (b'"Z', b'"Y'),
        (b'Z"}', b'Z" '),
        (b'"publisher":"0000000', b'"publisher":"000000x'),
        (b'"sequence":"0000000000', b'"sequence":"000000000G'),
        (b'"sequence":"0000000000', b'"sequence":"1000000000'),  # which nobody has sent yet
        (b'"humidity":48', b'"humidity": 48'),
    ],
)
async def test_what_is_not_as_it_was_sent_is_corrupt(generator: Path, old: bytes, new: bytes) -> None:
    broker = FakeBroker()

    def meddle(publish: Publish) -> list[Publish]:
        if publish.number != 7:
            return [publish]
        assert old in publish.payload
        return [msgspec.structs.replace(publish, payload=publish.payload.replace(old, new))]

    broker.meddle = meddle
    outcome = await run(generator, broker, STREAMS)
    assert outcome.corrupt == 1
    assert outcome.missing == 1


async def test_a_payload_that_cannot_hold_it_is_refused(generator: Path) -> None:
    with pytest.raises(RunError, match="at least 164 bytes"):
        await run(generator, FakeBroker(), msgspec.structs.replace(STREAMS, payload=163))
    broker = FakeBroker()
    outcome = await run(generator, broker, msgspec.structs.replace(STREAMS, payload=164))
    assert outcome.received == outcome.published > 0


# --- in by one topic, out by another ---


def _moved(publish: Publish) -> Publish:
    return msgspec.structs.replace(publish, topic=publish.topic.replace(b"/in/", b"/out/"))


async def test_what_arrives_under_another_topic_is_awaited_there(generator: Path) -> None:
    broker = FakeBroker()
    broker.meddle = lambda publish: [_moved(publish)]
    outcome = await run(generator, broker, THROUGH)
    assert outcome.received == outcome.published == broker.published > THROUGH.window
    assert (outcome.missing, outcome.corrupt) == (0, 0)


async def test_what_arrives_under_the_wrong_one_is_corrupt(generator: Path) -> None:
    broker = FakeBroker()
    swapped = {b"bench/in/0": b"bench/out/1", b"bench/in/1": b"bench/out/0"}
    broker.meddle = lambda publish: [msgspec.structs.replace(publish, topic=swapped[publish.topic])]
    outcome = await run(generator, broker, THROUGH)
    assert outcome.received == 0
    assert outcome.corrupt == outcome.published == 2 * THROUGH.window


# --- publishers alone ---


@pytest.mark.parametrize("qos", [0, 1])
async def test_publishers_alone_end_with_their_last_message(generator: Path, qos: int) -> None:
    scenario = msgspec.structs.replace(NOWHERE, qos=qos, window=20 * qos, count=70)
    broker = FakeBroker()
    seen = recorded(broker)
    outcome = await run(generator, broker, scenario, seconds=30)
    assert outcome.seconds < 10
    assert outcome.published == broker.published == 140
    assert outcome.acknowledged == 140 * qos
    assert (outcome.expected, outcome.received, outcome.missing) == (0, 0, 0)
    assert sorted(each.payload for each in seen) == sorted(payload(each % 2, each // 2) for each in range(140))


async def test_publishers_alone_say_what_was_never_acknowledged(generator: Path) -> None:
    broker = FakeBroker()
    broker.acknowledge = lambda _publish, _id: b""
    outcome = await run(generator, broker, msgspec.structs.replace(NOWHERE, count=70))
    assert (outcome.published, outcome.acknowledged) == (40, 0)


async def test_publishers_alone_go_on_for_as_long_as_is_measured(generator: Path) -> None:
    broker = FakeBroker()
    outcome = await run(generator, broker, msgspec.structs.replace(NOWHERE, qos=0, window=0))
    assert outcome.seconds >= 0.2
    assert outcome.published == broker.published > 0


async def test_publishers_alone_have_no_subscribers(generator: Path) -> None:
    with pytest.raises(RunError, match="no subscribers"):
        await run(generator, FakeBroker(), msgspec.structs.replace(NOWHERE, subscribers=1))


# --- as Python reads them ---


def test_a_payload_is_read_back() -> None:
    assert len(payload(1, 2)) == SIZE
    assert read(payload(7, 0xFEDCBA98)) == (7, 0xFEDCBA98)


def test_it_may_come_with_other_spaces_and_in_another_order() -> None:
    members = msgspec.json.decode(payload(3, 4))
    turned = dict(reversed(members.items()))
    assert read(msgspec.json.format(msgspec.json.encode(turned))) == (3, 4)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"publisher":"x","sequence":"1"}',
        b'{"publisher":"-1","sequence":"1"}',
        payload(0, 1).replace(b"21.5", b"21.6"),
        payload(0, 1).replace(b'"on":true,', b""),
        payload(0, 1).replace(b'"on"', b'"off":1,"on"'),
        payload(0, 1)[:-1],
    ],
)
def test_what_nobody_sent_is_nobodys(body: bytes) -> None:
    assert read(body) is None
