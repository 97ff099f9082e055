"""Producers, against a small broker."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.outbound.kafka_broker import UNKNOWN_TOPIC, Broker, Stored, kafka

from fogbank.outbound.kafka import MAX_PRODUCERS, KafkaProducers
from fogbank.ports import KafkaRecord

MESSAGE_TOO_LARGE, NOT_AUTHORIZED = 10, 29


@pytest_asyncio.fixture
async def broker() -> AsyncIterator[Broker]:
    async with kafka() as up:
        yield up


@pytest_asyncio.fixture
async def producers() -> AsyncIterator[KafkaProducers]:
    made = KafkaProducers()
    yield made
    await made.close()


async def test_the_record_that_arrives(producers: KafkaProducers, broker: Broker) -> None:
    record = KafkaRecord("t", b"\x00v", b"k", 2, (("h", b"1"), ("h", b"2")))
    assert await producers.send({"bootstrap.servers": broker.address}, [record]) == [None]
    assert broker.stored == [Stored("t", 2, b"k", b"\x00v", [("h", b"1"), ("h", b"2")])]


async def test_one_key_is_one_partition(producers: KafkaProducers, broker: Broker) -> None:
    records = [KafkaRecord("t", b"%d" % n, b"key%d" % (n % 2)) for n in range(50)]
    assert set(await producers.send({"bootstrap.servers": broker.address}, records)) == {None}
    assert sorted(int(one.value) for one in broker.stored) == list(range(50))
    assert len({(one.key, one.partition) for one in broker.stored}) == 2


@pytest.mark.parametrize(("acks", "sent"), [("0", 0), ("1", 1), ("all", -1), ("-1", -1)])
async def test_acks(producers: KafkaProducers, broker: Broker, acks: str, sent: int) -> None:
    properties = {"bootstrap.servers": broker.address, "acks": acks, "compression.type": "gzip"}
    assert await producers.send(properties, [KafkaRecord("t", b"v")]) == [None]
    await producers.close()
    assert broker.acks == [sent]


@pytest.mark.parametrize(
    ("code", "name", "transient"),
    [(MESSAGE_TOO_LARGE, "MessageSizeTooLargeError", False), (NOT_AUTHORIZED, "TopicAuthorizationFailedError", False)],
)
async def test_a_record_that_is_refused_fails_alone(
    producers: KafkaProducers, broker: Broker, code: int, name: str, transient: bool
) -> None:
    broker.errors["bad"] = code
    records = [KafkaRecord("bad", b"1"), KafkaRecord("good", b"2")]
    [failed, done] = await producers.send({"bootstrap.servers": broker.address}, records)
    assert done is None
    assert failed is not None
    assert (failed.code, failed.transient) == (name, transient)
    assert [one.value for one in broker.stored] == [b"2"]


async def test_a_topic_that_is_not_there(producers: KafkaProducers, broker: Broker) -> None:
    broker.errors["gone"] = UNKNOWN_TOPIC
    properties = {"bootstrap.servers": broker.address, "request.timeout.ms": "300"}
    [failed] = await producers.send(properties, [KafkaRecord("gone", b"1")])
    assert failed is not None
    assert broker.stored == []


async def test_a_partition_that_is_not_there(producers: KafkaProducers, broker: Broker) -> None:
    properties = {"bootstrap.servers": broker.address, "request.timeout.ms": "300"}
    [failed] = await producers.send(properties, [KafkaRecord("t", b"1", partition=99)])
    assert failed is not None
    assert (failed.code, failed.transient) == ("BadRequest", False)


async def test_nobody_there(producers: KafkaProducers) -> None:
    [failed, second] = await producers.send({"bootstrap.servers": "127.0.0.1:1"}, [KafkaRecord("t", b"1")] * 2)
    assert failed is second
    assert failed is not None
    assert (failed.code, failed.transient) == ("Connection", True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("acks", "2"),
        ("security.protocol", "TLS"),
        ("compression.type", "rar"),
        ("linger.ms", "soon"),
        ("request.timeout.ms", "-1"),
    ],
)
async def test_properties_that_mean_nothing(producers: KafkaProducers, name: str, value: str) -> None:
    [failed] = await producers.send({"bootstrap.servers": "127.0.0.1:1", name: value}, [KafkaRecord("t", b"1")])
    assert failed is not None
    assert (failed.code, failed.transient) == ("BadRequest", False)
    assert value in str(failed)


async def test_producers_are_bounded(producers: KafkaProducers, broker: Broker) -> None:
    for number in range(MAX_PRODUCERS + 3):
        properties = {"bootstrap.servers": broker.address, "client.id": str(number)}
        assert await producers.send(properties, [KafkaRecord("t", b"1")]) == [None]
    assert len(producers._producers) == MAX_PRODUCERS
    assert len(broker.stored) == MAX_PRODUCERS + 3
