"""The Lambda API as boto3 sees it: its requests, signed, go through the whole gateway; nothing runs but the wire."""

import asyncio
import base64
import hashlib
import io
import re
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import msgspec
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

from fogbank.arns import Arns
from fogbank.awswire.http import Request
from fogbank.clock import SystemClock
from fogbank.errors import Forbidden, NotImplementedByFogbank
from fogbank.functions.executors.process import ProcessExecutor
from fogbank.functions.service import FunctionService
from fogbank.gateway.call import Call, Caller, Handler, operations
from fogbank.gateway.lambda_ import CODE_PATH, LambdaApi
from fogbank.gateway.pages import Visit
from fogbank.gateway.pipeline import Gateway
from fogbank.settings import AccessKey
from fogbank.storage.memory import MemoryBlobs, MemoryDocuments, MemoryQueue
from fogbank.trace import Trace

ARN = "arn:aws:lambda:us-east-1:123456789012:function:echo"
ROLE = "arn:aws:iam::123456789012:role/worker"
KEY = AccessKey("AKIAEXAMPLE", "secret")
HANDLER = """
def handler(event, context):
    print("got", event)
    if event == "fail":
        raise ValueError("no")
    return {"event": event, "custom": context.client_context and context.client_context.custom}
"""

Ask = Callable[..., Awaitable[dict[str, Any]]]


def zip_of(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("app.py", source)
    return buffer.getvalue()


ARCHIVE = zip_of(HANDLER)


class Raw(io.BytesIO):
    """What botocore reads a body from."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[LambdaApi]:
    clock, arns = SystemClock(), Arns("us-east-1", "123456789012")
    functions = FunctionService(
        MemoryDocuments(),
        MemoryQueue(),
        MemoryBlobs(),
        arns,
        clock,
        Trace(clock),
        tmp_path / "functions",
        dict,
        executor=ProcessExecutor(),
    )
    await functions.start()
    yield LambdaApi(functions, arns, lambda: "http://127.0.0.1:4566/")
    await functions.close()


@pytest.fixture(scope="module")
def boto() -> BaseClient:
    return boto3.client(
        "lambda",
        endpoint_url="http://127.0.0.1:4566",
        region_name="us-east-1",
        aws_access_key_id=KEY.id,
        aws_secret_access_key=KEY.secret,
        config=Config(retries={"max_attempts": 0}),
    )


@pytest.fixture
async def ask(api: LambdaApi, boto: BaseClient) -> AsyncIterator[Ask]:
    """Calls an operation of the boto3 client, whose requests the gateway answers without a socket in between."""
    gateway = Gateway([api], arns=Arns("us-east-1", "123456789012"), clock=SystemClock(), access_keys=keys)
    loop = asyncio.get_running_loop()

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        status, headers, body = asyncio.run_coroutine_threadsafe(serve(gateway, request), loop).result(30)
        return AWSResponse(request.url, status, headers, Raw(body))

    async def call(operation: str, **params: Any) -> dict[str, Any]:
        result: dict[str, Any] = await asyncio.to_thread(getattr(boto, operation), **params)
        return result

    boto.meta.events.register("before-send.lambda", send)
    yield call
    boto.meta.events.unregister("before-send.lambda", send)


def keys(key_id: str) -> AccessKey | None:
    return KEY if key_id == KEY.id else None


async def serve(gateway: Gateway, request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
    url = urlsplit(request.url)
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
    headers = {"host": url.netloc, **{name.lower(): value for name, value in request.headers.items()}}
    scope = {
        "type": "http",
        "method": request.method,
        "path": url.path,
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "headers": [
            (name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers.items()
        ],
        "client": ("127.0.0.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await gateway(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:])


async def refused(asked: Awaitable[object]) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as raised:
        await asked
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


async def create(ask: Ask, name: str = "echo", **params: Any) -> dict[str, Any]:
    given = {"Runtime": "python3.11", "Role": ROLE, "Handler": "app.handler", "Code": {"ZipFile": ARCHIVE}}
    return await ask("create_function", FunctionName=name, **(given | params))


CONFIGURATION = {
    "FunctionName": "echo",
    "FunctionArn": ARN,
    "Runtime": "python3.11",
    "Role": ROLE,
    "Handler": "app.handler",
    "CodeSize": len(ARCHIVE),
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "CodeSha256": base64.b64encode(hashlib.sha256(ARCHIVE).digest()).decode(),
    "Version": "$LATEST",
    "TracingConfig": {"Mode": "PassThrough"},
    "State": "Active",
    "LastUpdateStatus": "Successful",
    "PackageType": "Zip",
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
    "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/echo"},
}


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without what differs from call to call."""
    return {k: v for k, v in answer.items() if k not in ("ResponseMetadata", "LastModified", "RevisionId")}


async def test_the_life_of_a_function(ask: Ask) -> None:
    created = await create(ask)
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert plain(created) == CONFIGURATION
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", created["LastModified"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", created["RevisionId"])

    assert plain(await ask("get_function_configuration", FunctionName="echo")) == CONFIGURATION
    found = await ask("get_function", FunctionName=ARN)
    assert plain(found["Configuration"]) == CONFIGURATION
    assert "Tags" not in found
    qualified = await ask("get_function", FunctionName="echo", Qualifier="$LATEST")
    assert qualified["Configuration"]["FunctionArn"] == f"{ARN}:$LATEST"

    updated = await ask("update_function_code", FunctionName="echo", ZipFile=zip_of("def handler(e, c): return 1"))
    assert updated["CodeSha256"] != created["CodeSha256"]
    assert (await ask("invoke", FunctionName="echo"))["Payload"].read() == b"1"

    deleted = await ask("delete_function", FunctionName="echo")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert await refused(ask("get_function", FunctionName="echo")) == (
        "ResourceNotFoundException",
        404,
        f"Function not found: {ARN}",
    )


async def test_configuration_members_go_both_ways(ask: Ask) -> None:
    given: dict[str, Any] = {
        "Description": "says it again",
        "Timeout": 30,
        "MemorySize": 256,
        "Environment": {"Variables": {"OWN": "1"}},
        "EphemeralStorage": {"Size": 1024},
    }
    created = await create(ask, Tags={"team": "fog"}, Architectures=["arm64"], **given)
    assert {name: created[name] for name in given} == given
    assert created["Architectures"] == ["arm64"]
    found = await ask("get_function", FunctionName="echo")
    assert found["Tags"] == {"team": "fog"}
    updated = await ask(
        "update_function_configuration",
        FunctionName="echo",
        Description="",
        Timeout=4,
        Environment={"Variables": {}},
        RevisionId=created["RevisionId"],
    )
    assert (updated["Description"], updated["Timeout"], updated["MemorySize"]) == ("", 4, 256)
    assert "Environment" not in updated
    stale = ask("update_function_configuration", FunctionName="echo", Timeout=5, RevisionId=created["RevisionId"])
    assert (await refused(stale))[:2] == ("PreconditionFailedException", 412)


async def test_lists_in_pages(ask: Ask) -> None:
    for name in ("c", "a", "b"):
        await create(ask, name)
    first = await ask("list_functions", MaxItems=2)
    second = await ask("list_functions", Marker=first["NextMarker"])
    assert [one["FunctionName"] for one in first["Functions"] + second["Functions"]] == ["a", "b", "c"]
    assert "NextMarker" not in second


async def test_invokes(ask: Ask) -> None:
    await create(ask)
    context = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
    answer = await ask("invoke", FunctionName="echo", Payload=b'{"a": 1}', LogType="Tail", ClientContext=context)
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    assert msgspec.json.decode(answer["Payload"].read()) == {"event": {"a": 1}, "custom": {"k": "v"}}
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "got {'a': 1}" in log
    assert f"REPORT RequestId: {answer['ResponseMetadata']['RequestId']}" in log

    failed = await ask("invoke", FunctionName=f"{ARN}:$LATEST", Payload=b'"fail"')
    assert (failed["StatusCode"], failed["FunctionError"]) == (200, "Unhandled")
    assert msgspec.json.decode(failed["Payload"].read())["errorType"] == "ValueError"
    assert "LogResult" not in failed

    for type_, status in (("Event", 202), ("DryRun", 204)):
        queued = await ask("invoke", FunctionName="echo", InvocationType=type_, Payload=b"{}")
        assert (queued["StatusCode"], queued["Payload"].read()) == (status, b"")


async def test_permissions(ask: Ask) -> None:
    created = await create(ask)
    statement = {
        "StatementId": "rule",
        "Action": "lambda:InvokeFunction",
        "Principal": "iot.amazonaws.com",
        "SourceArn": "arn:aws:iot:us-east-1:123456789012:rule/hot",
        "SourceAccount": "123456789012",
    }
    added = await ask("add_permission", FunctionName="echo", RevisionId=created["RevisionId"], **statement)
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    shown = msgspec.json.decode(added["Statement"])
    assert shown["Condition"]["ArnLike"] == {"AWS:SourceArn": statement["SourceArn"]}
    policy = await ask("get_policy", FunctionName="echo")
    assert msgspec.json.decode(policy["Policy"])["Statement"] == [shown]
    assert (await refused(ask("add_permission", FunctionName="echo", **statement)))[:2] == (
        "ResourceConflictException",
        409,
    )
    removed = await ask("remove_permission", FunctionName="echo", StatementId="rule", RevisionId=policy["RevisionId"])
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert (await refused(ask("get_policy", FunctionName="echo")))[:2] == ("ResourceNotFoundException", 404)


async def test_errors_are_those_of_aws(ask: Ask) -> None:
    await create(ask)
    for asked, expected in (
        (create(ask), ("ResourceConflictException", 409, "Function already exist: echo")),
        (create(ask, "x", Runtime="nodejs22.x"), ("InvalidParameterValueException", 400, "nodejs22.x")),
        (create(ask, "x", Timeout=901), ("InvalidParameterValueException", 400, "less than or equal to 900")),
        (create(ask, "x", Code={"ZipFile": b"no"}), ("InvalidParameterValueException", 400, "Could not unzip")),
        (create(ask, "x", Code={}), ("InvalidParameterValueException", 400, "Please provide a source")),
        (ask("invoke", FunctionName="x"), ("ResourceNotFoundException", 404, "Function not found: arn:aws:lambda:")),
        (
            ask("invoke", FunctionName="echo", Payload=b"{"),
            ("InvalidRequestContentException", 400, "Could not parse request body into json"),
        ),
        (
            ask("invoke", FunctionName="echo", Payload=b"1" * (1 << 20) + b"0", InvocationType="Event"),
            ("RequestTooLargeException", 413, "Request must be smaller than 1048576 bytes"),
        ),
    ):
        code, status, message = await refused(asked)
        assert (code, status) == expected[:2]
        assert expected[2] in message


async def test_what_is_not_supported_is_refused_by_name(ask: Ask) -> None:
    await create(ask, VpcConfig={"SubnetIds": []}, Layers=[], TracingConfig={"Mode": "PassThrough"}, PackageType="Zip")
    for name, value in (
        ("Publish", True),
        ("PackageType", "Image"),
        ("VpcConfig", {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}),
        ("DeadLetterConfig", {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"}),
        ("KMSKeyArn", "arn:aws:kms:us-east-1:123456789012:key/1"),
        ("TracingConfig", {"Mode": "Active"}),
        ("Layers", ["arn:aws:lambda:us-east-1:123456789012:layer:l:1"]),
        ("SnapStart", {"ApplyOn": "PublishedVersions"}),
        ("LoggingConfig", {"LogFormat": "JSON"}),
        ("ImageConfig", {"Command": ["x"]}),
    ):
        code, status, message = await refused(create(ask, "x", **{name: value}))
        assert (code, status) == ("NotImplementedException", 501)
        assert name in message
    by_bucket = create(ask, "x", Code={"S3Bucket": "bucket", "S3Key": "key"})
    assert "S3Bucket" in (await refused(by_bucket))[2]


async def test_code_location_leads_to_the_zip_for_a_while(ask: Ask, api: LambdaApi) -> None:
    await create(ask)
    location = urlsplit((await ask("get_function", FunctionName="echo"))["Code"]["Location"])
    assert (location.netloc, location.path) == ("127.0.0.1:4566", CODE_PATH)
    good = await api.code_page.answer(Visit(Request("GET", location.path, location.query), {}, "id"))
    assert (good.status, good.body) == (200, ARCHIVE)
    with pytest.raises(Forbidden, match="has expired or was never given"):
        await api.code_page.answer(Visit(Request("GET", location.path, location.query[:-1]), {}, "id"))


async def test_members_of_other_features_are_refused_by_name(api: LambdaApi) -> None:
    """Those that boto3's model knows and no function here can have."""
    handlers: dict[str, Handler] = {name: handler for (_, name), handler in operations(api)}
    for name, member in (("Invoke", "TenantId"), ("AddPermission", "PrincipalOrgID")):
        call = Call("lambda", name, {"FunctionName": "echo", member: "x"}, Caller("", ""), "r")
        with pytest.raises(NotImplementedByFogbank, match=member):
            await handlers[name](call)
