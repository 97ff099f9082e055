"""Calls by botocore's models: against moto, against answers nobody expects, and the ways without an answer."""

import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import boto3
import pytest
import pytest_asyncio
from tests.outbound.server import Server

from fogbank.clock import SystemClock
from fogbank.outbound import Outbound
from fogbank.outbound.aws import AwsClient
from fogbank.outbound.credentials import CredentialChain
from fogbank.ports import HttpAnswer, HttpRequest, OutboundError
from fogbank.settings import Endpoints
from fogbank.testing import FakeClock


@pytest_asyncio.fixture
async def moved(moto: str, credentials: None) -> AsyncIterator[Outbound]:
    made = Outbound(Endpoints(default=moto), "us-east-1", SystemClock())
    yield made
    await made.close()


@pytest_asyncio.fixture
async def local(server: Server, credentials: None) -> AsyncIterator[Outbound]:
    """All services are the test's own server."""
    made = Outbound(Endpoints(default=server.url), "eu-west-1", SystemClock())
    yield made
    await made.close()


PROTOCOLS: list[tuple[str, str, dict[str, Any], str]] = [
    ("sqs", "ListQueues", {}, "json"),
    ("sns", "ListTopics", {}, "query"),
    ("s3", "ListBuckets", {}, "rest-xml"),
    ("lambda", "ListFunctions", {}, "rest-json"),
    ("cloudwatch", "ListMetrics", {}, "json"),
    ("dynamodb", "ListTables", {}, "json"),
]


@pytest.mark.parametrize(("service", "operation", "params", "protocol"), PROTOCOLS)
async def test_the_answer_is_what_boto3_gets(
    moved: Outbound, moto: str, service: str, operation: str, params: dict[str, Any], protocol: str
) -> None:
    client = boto3.client(service, endpoint_url=moto, region_name="us-east-1")
    ours = await moved.aws.call(service, operation, params)
    theirs = client._make_api_call(operation, params)
    del ours["ResponseMetadata"], theirs["ResponseMetadata"]
    assert ours == theirs


async def test_the_content_of_an_object_comes_as_it_is(moved: Outbound, moto: str) -> None:
    """Bytes, also where they are no text, or a range of them ends within a character."""
    content = "ü€".encode() + bytes(range(256))
    client = boto3.client("s3", endpoint_url=moto, region_name="us-east-1")
    client.create_bucket(Bucket="contents")
    client.put_object(Bucket="contents", Key="k", Body=content)
    for end in (0, 2, len(content) - 1):
        params = {"Bucket": "contents", "Key": "k", "Range": f"bytes=0-{end}"}
        answer = await moved.aws.call("s3", "GetObject", params)
        assert answer["Body"] == content[: end + 1]
        assert answer["ContentRange"] == f"bytes 0-{end}/{len(content)}"
    with pytest.raises(OutboundError) as told:
        await moved.aws.call("s3", "GetObject", {"Bucket": "contents", "Key": "k", "Range": "bytes=9999-10000"})
    assert told.value.code == "InvalidRange"


async def test_errors_are_the_service_s_own(moved: Outbound) -> None:
    with pytest.raises(OutboundError) as told:
        await moved.aws.call("s3", "PutObject", {"Bucket": "no-such-bucket", "Key": "k", "Body": b""})
    assert (told.value.code, told.value.status, told.value.transient) == ("NoSuchBucket", 404, False)


async def test_the_request_is_signed_for_service_and_region(local: Outbound, server: Server) -> None:
    server.answer(200, b"{}")
    await local.aws.call("timestream-write", "WriteRecords", {"DatabaseName": "d", "TableName": "t", "Records": []})
    [received] = server.received
    assert "/eu-west-1/timestream/aws4_request" in received.headers["authorization"]
    assert received.headers["x-amz-target"] == "Timestream_20181101.WriteRecords"


async def test_host_prefixes_are_for_aws_alone(local: Outbound, server: Server) -> None:
    server.answer(200, b"{}")
    await local.aws.call("iotsitewise", "BatchPutAssetPropertyValue", {"entries": []})
    assert server.received[0].url == "/properties"


@pytest.mark.parametrize(
    ("status", "body", "code", "transient"),
    [
        (500, b'{"__type":"InternalError","message":"oops"}', "InternalError", True),
        (503, b"<html>Service Unavailable</html>", "503", True),
        (429, b"{}", "429", True),
        (400, b'{"__type":"com.amazonaws#ThrottlingException","message":"slow"}', "ThrottlingException", True),
        (400, b'{"__type":"com.amazonaws#ValidationException","message":"bad"}', "ValidationException", False),
        (403, b'{"__type":"AccessDeniedException"}', "AccessDeniedException", False),
        (302, b"", "302", False),
        (200, b"<html>not JSON</html>", "BadAnswer", False),
        (200, b"[1]", "BadAnswer", False),
        (200, b"\xff", "BadAnswer", False),
    ],
)
async def test_what_an_answer_means(
    local: Outbound, server: Server, status: int, body: bytes, code: str, transient: bool
) -> None:
    server.answer(status, body)
    with pytest.raises(OutboundError) as told:
        await local.aws.call("dynamodb", "ListTables", {})
    assert (told.value.code, told.value.transient) == (code, transient)


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html><body>hello</html>"), (500, b"\xff\x00"), (200, b"{}"), (404, b"")]
)
@pytest.mark.parametrize("service", ["sns", "s3", "lambda"])
async def test_garbage_is_an_error_or_an_empty_answer(
    local: Outbound, server: Server, service: str, status: int, body: bytes
) -> None:
    operation = {"sns": "ListTopics", "s3": "ListBuckets", "lambda": "ListFunctions"}[service]
    server.answer(status, body)
    if (service, status, body) == ("lambda", 200, b"{}"):
        assert set(await local.aws.call(service, operation, {})) == {"ResponseMetadata"}
        return
    with pytest.raises(OutboundError, match=service):
        await local.aws.call(service, operation, {})


async def test_parameters_that_cannot_be_sent(local: Outbound, server: Server) -> None:
    with pytest.raises(OutboundError) as told:
        await local.aws.call("dynamodb", "PutItem", {"TableName": "t", "Item": {"a": {"B": 7}}})
    assert (told.value.code, told.value.transient) == ("BadRequest", False)
    assert server.received == []


async def test_a_service_without_an_endpoint_is_not_called(credentials: None) -> None:
    outbound = Outbound(Endpoints(), "us-east-1", SystemClock())
    assert outbound.aws.obstacle("sqs") is not None
    with pytest.raises(OutboundError, match="AWS_ENDPOINT_URL_SQS") as told:
        await outbound.aws.call("sqs", "ListQueues", {})
    assert (told.value.code, told.value.transient) == ("NoEndpoint", False)


@pytest.mark.parametrize(
    ("service", "host"),
    [
        ("sqs", "https://sqs.eu-west-1.amazonaws.com/"),
        ("s3", "https://s3.eu-west-1.amazonaws.com/"),
        ("cloudwatch", "https://monitoring.eu-west-1.amazonaws.com/"),
        ("location", "https://cp.tracking.geo.eu-west-1.amazonaws.com"),
    ],
)
def test_where_aws_itself_has_its_services(service: str, host: str) -> None:
    from botocore.credentials import Credentials

    from fogbank.outbound.service import Service

    made = Service(service, "eu-west-1", None)
    operation = {"sqs": "ListQueues", "s3": "ListBuckets", "cloudwatch": "ListMetrics", "location": "ListTrackers"}
    request = made.encode(operation[service], {}, Credentials("a", "b"), 0.0)
    assert request.url.startswith(host)


def test_nothing_heavy_is_loaded_before_the_first_call() -> None:
    code = (
        "import sys, fogbank.rules.actions.catalogue, fogbank.outbound;"
        "from fogbank.outbound import Outbound; from fogbank.settings import Endpoints;"
        "from fogbank.clock import SystemClock;"
        "Outbound(Endpoints(), 'us-east-1', SystemClock());"
        "print(*[m for m in ('aiohttp', 'botocore', 'aiokafka', 'boto3') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""


async def test_at_aws_timestream_says_itself_where_it_is(credentials: None) -> None:
    """Timestream, "The endpoint discovery pattern": a cell's endpoint, and for how long it holds."""
    sent: list[str] = []

    class Aws:
        async def send(self, request: HttpRequest) -> HttpAnswer:
            sent.append(request.url)
            cell = b'{"Address": "ingest-cell1.timestream.eu-west-1.amazonaws.com", "CachePeriodInMinutes": 1}'
            body = b"{}" if "cell1" in request.url else b'{"Endpoints": [%s]}' % cell
            return HttpAnswer(200, "OK", {}, body)

    clock = FakeClock()
    client = AwsClient(Endpoints(aws=True), "eu-west-1", CredentialChain(metadata=False), Aws(), clock)
    write = {"DatabaseName": "d", "TableName": "t", "Records": []}
    for _ in range(2):
        await client.call("timestream-write", "WriteRecords", write)
    await clock.advance(61)
    await client.call("timestream-write", "WriteRecords", write)
    common = "https://ingest.timestream.eu-west-1.amazonaws.com/"
    cell = "https://ingest-cell1.timestream.eu-west-1.amazonaws.com/"
    assert sent == [common, cell, cell, common, cell]


async def test_a_service_that_hangs_is_given_up(
    local: Outbound, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fogbank.outbound.service.TIMEOUT", 0.05)
    server.respond = server.hang
    with pytest.raises(OutboundError, match=r"did not answer within 0\.05 s") as told:
        await local.aws.call("dynamodb", "ListTables", {})
    assert (told.value.code, told.value.transient) == ("Timeout", True)
