"""The action `firehose`, against moto, which delivers into a bucket."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.errors import InvalidRequest

Aws = Callable[[str], Any]


@pytest.fixture
def stream(aws: Aws) -> str:
    """Delivers into a bucket of the same name."""
    name = f"s-{uuid4()}"
    aws("s3").create_bucket(Bucket=name)
    aws("firehose").create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{name}"},
    )
    return name


def firehose(stream: str, **more: Any) -> dict[str, Any]:
    return {"firehose": {"deliveryStreamName": stream, "roleArn": ROLE, **more}}


def delivered(aws: Aws, stream: str) -> bytes:
    s3 = aws("s3")
    objects = s3.list_objects_v2(Bucket=stream).get("Contents", [])
    return b"".join(s3.get_object(Bucket=stream, Key=one["Key"])["Body"].read() for one in objects)


@pytest.mark.parametrize("separator", [None, "\n", "\t", "\r\n", ","])
async def test_the_record_that_arrives(bench: Workbench, aws: Aws, stream: str, separator: str | None) -> None:
    bench.rule(firehose(stream, separator=separator), sql="SELECT a FROM '#'")
    assert await bench.send({"a": 1, "b": 2}) == []
    assert delivered(aws, stream) == b'{"a":1}' + (separator or "").encode()


async def test_in_batch_mode_every_element_is_a_record(bench: Workbench, aws: Aws, stream: str) -> None:
    bench.rule(firehose(stream, separator="\n", batchMode=True), sql="SELECT VALUE rows FROM '#'")
    assert await bench.send({"rows": [{"n": 1}, "two", 3.5, None]}) == []
    assert delivered(aws, stream) == b'{"n":1}\n"two"\n3.5\nnull\n'


async def test_more_than_500_elements_go_in_several_calls(recorded: Workbench) -> None:
    recorded.rule(firehose("s", batchMode=True), sql="SELECT VALUE rows FROM '#'")
    assert await recorded.send({"rows": list(range(1201))}) == []
    assert [len(params["Records"]) for _, params in recorded.aws.calls] == [500, 500, 201]
    assert recorded.counters.success == 1


@pytest.mark.parametrize("payload", [b'{"a":1}', b"text", b"7"])
async def test_batch_mode_needs_an_array(recorded: Workbench, payload: bytes) -> None:
    recorded.rule(firehose("s", batchMode=True))
    [failed] = await recorded.send(payload)
    assert "In batch mode the payload must be a JSON array" in failed


async def test_one_element_that_is_refused_fails_its_message(recorded: Workbench) -> None:
    recorded.aws.answers["PutRecordBatch"] = [
        {"FailedPutCount": 1, "RequestResponses": [{"RecordId": "1"}, {"ErrorCode": "X", "ErrorMessage": "no"}]}
    ]
    recorded.rule(firehose("s", batchMode=True))
    assert await recorded.send([1, 2]) == [
        "Failed to send to delivery stream. The error received was no (Service: firehose; Error Code: X)"
    ]


@pytest.mark.parametrize(("more", "told"), [({"separator": ";"}, "separator"), ({"batchMode": 1}, "batchMode")])
def test_parameters_that_are_refused(recorded: Workbench, more: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        recorded.compile(firehose("s", **more))
