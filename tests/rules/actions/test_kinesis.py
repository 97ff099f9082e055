"""The action `kinesis`, against moto."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.errors import InvalidRequest
from fogbank.testing import FakeClock

Aws = Callable[[str], Any]


@pytest.fixture
def stream(aws: Aws) -> str:
    name = f"s-{uuid4()}"
    aws("kinesis").create_stream(StreamName=name, ShardCount=1)
    return name


def kinesis(stream: str, **more: Any) -> dict[str, Any]:
    return {"kinesis": {"streamName": stream, "roleArn": ROLE, **more}}


def records(aws: Aws, stream: str) -> list[tuple[str, bytes]]:
    client = aws("kinesis")
    [shard] = client.list_shards(StreamName=stream)["Shards"]
    iterator = client.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    return [(one["PartitionKey"], one["Data"]) for one in client.get_records(ShardIterator=iterator)["Records"]]


async def test_the_record_that_arrives(bench: Workbench, aws: Aws, stream: str) -> None:
    bench.rule(kinesis(stream, partitionKey="${topic(2)}"), sql="SELECT a FROM '#'")
    assert await bench.send({"a": 1, "b": 2}) == []
    assert records(aws, stream) == [("lamp", b'{"a":1}')]


async def test_bytes_arrive_as_they_are(bench: Workbench, aws: Aws, stream: str) -> None:
    bench.rule(kinesis(stream, partitionKey="k"))
    assert await bench.send(b"\x00\xff") == []
    assert records(aws, stream) == [("k", b"\x00\xff")]


async def test_without_a_partition_key_it_is_random(bench: Workbench, aws: Aws, stream: str) -> None:
    bench.rule(kinesis(stream))
    assert await bench.send({}) == []
    [(key, _)] = records(aws, stream)
    assert UUID(key)


async def test_every_record_of_a_flood_arrives(bench: Workbench, aws: Aws, stream: str) -> None:
    bench.rule(kinesis(stream, partitionKey="${n}"))
    assert await bench.send(*({"n": n} for n in range(600))) == []
    assert sorted(int(key) for key, _ in records(aws, stream)) == list(range(600))


async def test_records_that_are_throttled_are_tried_again(recorded: Workbench, clock: FakeClock) -> None:
    throttled = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "too fast"}
    recorded.aws.answers["PutRecords"] = [{"FailedRecordCount": 1, "Records": [{"SequenceNumber": "1"}, throttled]}]
    recorded.rule(kinesis("s", partitionKey="${n}"))
    for n in range(2):
        recorded.publish({"n": n})
    await clock.advance(10)
    assert recorded.aws.calls[1:] == [
        ("kinesis:PutRecord", {"StreamName": "s", "Data": b'{"n":1}', "PartitionKey": "1"})
    ]
    assert recorded.counters.success == 2


async def test_a_partition_key_that_is_empty(recorded: Workbench) -> None:
    recorded.rule(kinesis("s", partitionKey="${missing}"))
    assert await recorded.send({}) == ["partitionKey '${missing}' is empty for this message"]


def test_parameters_that_are_refused(recorded: Workbench) -> None:
    with pytest.raises(InvalidRequest, match="streamName"):
        recorded.compile({"kinesis": {"roleArn": ROLE}})
