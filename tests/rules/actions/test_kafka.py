"""The action `kafka`."""

from typing import Any

import pytest
from tests.outbound.kafka_broker import Stored, kafka
from tests.rules.actions.workbench import Workbench, reaching

from fogbank.errors import InvalidRequest
from fogbank.ports import KafkaRecord, OutboundError

DESTINATION = "arn:aws:iot:us-east-1:123456789012:ruledestination/vpc/x"
SERVERS = {"bootstrap.servers": "b1:9094,b2:9094"}


def action(**more: Any) -> dict[str, Any]:
    return {"kafka": {"destinationArn": DESTINATION, "topic": "${topic(1)}", "clientProperties": SERVERS, **more}}


async def test_what_arrives() -> None:
    async with kafka() as broker:
        outbound = reaching("http://127.0.0.1:1")
        bench = Workbench(outbound)
        properties = {
            "bootstrap.servers": broker.address,
            "acks": "1",
            "key.serializer": "org.apache.kafka.common.serialization.StringSerializer",
            "value.serializer": "org.apache.kafka.common.serialization.ByteBufferSerializer",
        }
        headers = [{"key": "from", "value": "${topic(2)}"}]
        bench.rule(
            action(key="${topic(2)}", partition="${p}", clientProperties=properties, headers=headers),
            sql="SELECT a FROM '#'",
        )
        assert await bench.send({"a": 1, "p": 2}) == []
        await outbound.close()
        assert broker.stored == [Stored("t", 2, b"lamp", b'{"a":1}', [("from", b"lamp")])]


async def test_what_is_left_out(recorded: Workbench) -> None:
    recorded.rule(action())
    assert await recorded.send({}) == []
    assert recorded.kafka.sent == [(SERVERS, [KafkaRecord("t", b"{}")])]


async def test_properties_may_come_from_elsewhere_and_part_clusters(recorded: Workbench) -> None:
    recorded.rule(action(clientProperties={"bootstrap.servers": "${topic(2)}:9092"}))
    recorded.publish(1, "t/a")
    recorded.publish(2, "t/b")
    assert await recorded.send(3, topic="t/a") == []
    assert [(one["bootstrap.servers"], len(records)) for one, records in recorded.kafka.sent] == [
        ("a:9092", 2),
        ("b:9092", 1),
    ]


async def test_a_record_that_is_refused_fails_alone(recorded: Workbench) -> None:
    recorded.kafka.errors["bad"] = OutboundError("too large", code="MessageSizeTooLargeError")
    recorded.rule(action())
    recorded.publish(1, "bad/a")
    assert await recorded.send(2, topic="good/a") == ["Failed to send to Kafka. The error received was too large"]
    assert recorded.counters.success == 1


@pytest.mark.parametrize("partition", ["x", "-1", "1.5"])
async def test_what_is_no_partition(recorded: Workbench, partition: str) -> None:
    recorded.rule(action(partition="${p}"))
    [failed] = await recorded.send({"p": partition})
    assert "partition must be a number" in failed


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"clientProperties": {}}, "bootstrap.servers"),
        ({"clientProperties": {**SERVERS, "sasl.kerberos.realm": "x"}}, "sasl.kerberos.realm are not supported"),
        ({"clientProperties": {**SERVERS, "key.serializer": "x.IntegerSerializer"}}, "key.serializer"),
        ({"headers": [{"key": "k", "value": "v"}] * 101}, "100 headers"),
        ({"topic": None}, "topic"),
    ],
)
def test_parameters_that_are_refused(recorded: Workbench, more: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        recorded.compile(action(**more))
