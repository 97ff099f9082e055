"""The action `s3`, against moto."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.errors import InvalidRequest
from fogbank.rules.errors import SqlParse

Aws = Callable[[str], Any]


@pytest.fixture
def bucket(aws: Aws) -> str:
    name = f"b-{uuid4()}"
    aws("s3").create_bucket(Bucket=name)
    return name


def s3(bucket: str, key: str, **more: Any) -> dict[str, Any]:
    return {"s3": {"bucketName": bucket, "key": key, "roleArn": ROLE, **more}}


async def test_the_object_that_is_stored(bench: Workbench, aws: Aws, bucket: str) -> None:
    bench.rule(s3(bucket, "${topic()}/${timestamp()}"), sql="SELECT a FROM '#'")
    assert await bench.send({"a": 1, "b": 2}) == []
    [found] = aws("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert found["Key"].startswith("t/lamp/1")
    assert aws("s3").get_object(Bucket=bucket, Key=found["Key"])["Body"].read() == b'{"a":1}'


@pytest.mark.parametrize("payload", [b"\x00\xff\x00", "café".encode(), b"x" * 128 * 1024])
async def test_payloads_are_stored_byte_for_byte(bench: Workbench, aws: Aws, bucket: str, payload: bytes) -> None:
    bench.rule(s3(bucket, "k"))
    assert await bench.send(payload) == []
    assert aws("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == payload


@pytest.mark.parametrize("key", ["with space", "a+b", "ü/ö", "q?x=1&y", "percent%20", "a//b", "dots/./x", "~#!'()*"])
async def test_keys_are_what_they_look_like(bench: Workbench, aws: Aws, bucket: str, key: str) -> None:
    bench.rule(s3(bucket, "${key}"))
    assert await bench.send({"key": key}) == []
    assert [one["Key"] for one in aws("s3").list_objects_v2(Bucket=bucket)["Contents"]] == [key]


async def test_a_canned_acl(bench: Workbench, aws: Aws, bucket: str) -> None:
    bench.rule(s3(bucket, "k", cannedAcl="public-read"))
    assert await bench.send({}) == []
    grants = aws("s3").get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert ("http://acs.amazonaws.com/groups/global/AllUsers", "READ") in [
        (grant["Grantee"].get("URI"), grant["Permission"]) for grant in grants
    ]


async def test_a_bucket_that_is_not_there(bench: Workbench) -> None:
    """In the words of the Developer Guide's sample of an error action's payload."""
    bench.rule(s3("no-such-bucket", "k"))
    assert await bench.send({}) == [
        "Failed to put S3 object. The error received was The specified bucket does not exist "
        "(Service: s3; Status Code: 404; Error Code: NoSuchBucket)"
    ]


async def test_a_key_that_is_empty(bench: Workbench, bucket: str) -> None:
    bench.rule(s3(bucket, "${missing}"))
    assert await bench.send({}) == ["key '${missing}' is empty for this message"]


async def test_the_right_that_its_role_needs(recorded: Workbench) -> None:
    action = recorded.rule(s3("b", "k/${topic(2)}"))
    assert await recorded.send({}) == []
    [(_, params)] = recorded.aws.calls
    assert params == {"Bucket": "b", "Key": "k/lamp", "Body": b"{}"}
    assert action.role == ROLE


@pytest.mark.parametrize(
    ("members", "error", "told"),
    [
        ({"key": "k", "roleArn": ROLE}, InvalidRequest, "bucketName"),
        ({"bucketName": "b", "roleArn": ROLE}, InvalidRequest, "key"),
        ({"bucketName": "b", "key": "k", "roleArn": ROLE, "cannedAcl": "all"}, InvalidRequest, "cannedAcl .* 'all'"),
        ({"bucketName": "b", "key": "k", "roleArn": ROLE, "storageClass": "x"}, InvalidRequest, "storageClass"),
        ({"bucketName": "b", "key": "${topic(}", "roleArn": ROLE}, SqlParse, 'action "s3": key'),
    ],
)
def test_parameters_that_are_refused(
    recorded: Workbench, members: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        recorded.compile({"s3": members})
