"""The gateway as its clients see it: boto3 on one side of a real socket, a toy API on the other."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from typing import Any

import boto3
import msgspec
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.gateway.toy import ARNS, KEY, REGION, Toy, send, serving, until

from fogbank import __version__
from fogbank.awswire.http import Request
from fogbank.gateway.pages import ca_page
from fogbank.ports import Identity
from fogbank.testing import FakeClock

DEVICE = Identity("c" * 64, ARNS.iot("cert", "c" * 64), active=True)


@pytest.fixture
async def toy() -> AsyncIterator[Toy]:
    async with serving() as one:
        yield one


async def boto(toy: Toy, service: str, call: Callable[[Any], Any], **options: Any) -> Any:
    """What `call` returns for a boto3 client of the toy; in a thread, as boto3 blocks."""

    def run() -> Any:
        known = {
            "region_name": REGION,
            "endpoint_url": toy.url,
            "aws_access_key_id": KEY.id,
            "aws_secret_access_key": KEY.secret,
            "config": Config(retries={"max_attempts": 0}, parameter_validation=False),
        }
        session = boto3.session.Session()
        with closing(session.client(service, **(known | options))) as client:
            return call(client)

    return await asyncio.to_thread(run)


async def failure(toy: Toy, service: str, call: Callable[[Any], Any], **options: Any) -> tuple[str, str, int]:
    """Code, message and status of the error that boto3 raises."""
    with pytest.raises(ClientError) as caught:
        await boto(toy, service, call, **options)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


# --- what is served ---------------------------------------------------------------------------------------------


async def test_an_operation_with_a_json_body(toy: Toy) -> None:
    attributes = {"attributes": {"a": "b"}, "merge": True}
    result = await boto(toy, "iot", lambda iot: iot.create_thing(thingName="a:b", attributePayload=attributes))
    assert result["thingName"] == "a:b"
    assert "thingId" not in result
    (call,) = toy.api.calls
    assert (call.service, call.operation) == ("iot", "CreateThing")
    assert call.params == {"thingName": "a:b", "attributePayload": attributes}
    assert call.request_id == result["ResponseMetadata"]["RequestId"]
    assert call.caller.principal == KEY.id
    assert call.caller.arn == "arn:aws:iam::123456789012:root"
    assert call.caller.source_ip == "127.0.0.1"
    assert call.caller.device is None


async def test_an_operation_whose_payload_is_the_body(toy: Toy) -> None:
    def update(data: Any) -> bytes:
        payload: bytes = data.update_thing_shadow(thingName="a", payload=b'{"state": {}}')["payload"].read()
        return payload

    assert await boto(toy, "iot-data", update) == b'{"state": {}}'


@pytest.mark.parametrize("topic", ["a", "a/b/c", "/lead/", "a b", "täg/日本", "$aws/rules/r", "50%"])
async def test_topics_arrive_as_they_are(toy: Toy, topic: str) -> None:
    await boto(toy, "iot-data", lambda data: data.publish(topic=topic, qos=1, payload=b"\x00\xff"))
    assert toy.api.calls[0].params == {"topic": topic, "qos": 1, "payload": b"\x00\xff"}


async def test_status_and_headers_of_a_result(toy: Toy) -> None:
    def invoke(functions: Any) -> tuple[int, bytes, str]:
        result = functions.invoke(FunctionName="f", Payload=b"[1]")
        return result["StatusCode"], result["Payload"].read(), result["ExecutedVersion"]

    assert await boto(toy, "lambda", invoke) == (200, b"[1]", "$LATEST")
    event = await boto(toy, "lambda", lambda one: one.invoke(FunctionName="f", InvocationType="Event"))
    assert event["StatusCode"] == event["ResponseMetadata"]["HTTPStatusCode"] == 202
    deleted = await boto(toy, "lambda", lambda one: one.delete_function(FunctionName="f"))
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204


async def test_code_of_many_megabytes_is_taken(toy: Toy) -> None:
    code = {"ZipFile": b"\x00" * 20_000_000}
    result = await boto(
        toy,
        "lambda",
        lambda one: one.create_function(FunctionName="f", Role="arn:aws:iam::123456789012:role/r", Code=code),
    )
    assert result["CodeSize"] == 20_000_000


async def test_the_data_plane_by_its_documented_signing_name(toy: Toy) -> None:
    answer = await send(toy.port, toy.signed("GET", "/things/a/shadow", service="iotdevicegateway"))
    assert (answer.status, answer.json) == (200, {"thingName": "a"})


async def test_a_presigned_request(toy: Toy) -> None:
    def presign(data: Any) -> str:
        url: str = data.generate_presigned_url("get_thing_shadow", {"thingName": "a", "shadowName": "s"})
        return url

    url = await boto(toy, "iot-data", presign)
    path, _, query = url.removeprefix(toy.url).partition("?")
    answer = await send(toy.port, Request("GET", path, query, {"host": f"127.0.0.1:{toy.port}"}))
    assert (answer.status, answer.json) == (200, {"thingName": "a", "shadowName": "s"})


# --- what fails -------------------------------------------------------------------------------------------------


async def test_an_error_of_a_service_with_its_members(toy: Toy) -> None:
    with pytest.raises(ClientError) as caught:
        await boto(toy, "iot", lambda iot: iot.create_thing(thingName="taken"))
    assert type(caught.value).__name__ == "ResourceAlreadyExistsException"
    response = caught.value.response
    assert response["Error"] == {"Code": "ResourceAlreadyExistsException", "Message": "Thing taken already exists."}
    assert (response["resourceId"], response["resourceArn"]) == ("1", "arn:taken")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 409


@pytest.mark.parametrize(
    ("service", "call", "expected"),
    [
        (
            "iot",
            lambda iot: iot.describe_thing(thingName="a"),
            ("ResourceNotFoundException", "Thing a does not exist.", 404),
        ),
        ("lambda", lambda one: one.invoke(FunctionName="busy"), ("ThrottlingException", "Rate Exceeded.", 429)),
        (
            "lambda",
            lambda one: one.create_function(FunctionName="f", Role="arn:aws:iam::123456789012:role/r", Code={}),
            ("InvalidParameterValueException", "Please provide a source for function code.", 400),
        ),
        (
            "iot",
            lambda iot: iot.create_thing(thingName="a b"),
            (
                "InvalidRequestException",
                "1 validation error detected: Value 'a b' at 'thingName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+",
                400,
            ),
        ),
        (
            "iot",
            lambda iot: iot.create_job(jobId="a", targets=["x"]),
            ("NotImplementedException", "Fogbank does not implement iot:CreateJob yet.", 501),
        ),
        (
            "dynamodb",
            lambda one: one.list_tables(),
            (
                "NotImplementedException",
                "Fogbank does not serve 'dynamodb'; it serves iot, iotdata, iotdevicegateway, lambda.",
                501,
            ),
        ),
    ],
)
async def test_errors(toy: Toy, service: str, call: Callable[[Any], Any], expected: tuple[str, str, int]) -> None:
    assert await failure(toy, service, call) == expected


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"aws_access_key_id": "AKIDOTHER"}, "UnrecognizedClientException", "security token included in the request"),
        ({"aws_secret_access_key": "other"}, "InvalidSignatureException", "signature we calculated does not match"),
        (
            {"region_name": "eu-west-1"},
            "InvalidSignatureException",
            "eu-west-1, but this instance serves us-east-1",
        ),
    ],
)
async def test_who_is_not_who_they_say(toy: Toy, options: dict[str, str], code: str, text: str) -> None:
    found, message, status = await failure(toy, "iot", lambda iot: iot.create_thing(thingName="a"), **options)
    assert (found, status) == (code, 403)
    assert text in message
    assert toy.api.calls == []


async def test_a_clock_that_is_off_is_told_the_time() -> None:
    async with serving(clock=FakeClock(1_700_000_000)) as toy:
        answer = await send(toy.port, toy.signed("GET", "/things/a", now=1_700_000_000 - 1000))
        assert answer.status == 403
        assert answer.json["message"].startswith("Signature expired: 20231114T215640Z is now earlier than ")
        assert answer.headers["date"] == "tue, 14 nov 2023 22:13:20 gmt"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "text"),
    [
        ("GET", "/nowhere", b"", 404, "UnknownOperationException", "no operation of iot at GET /nowhere"),
        ("PUT", "/things", b"", 404, "UnknownOperationException", "no operation of iot at PUT /things"),
        ("POST", "/things/a", b"{nope", 400, "SerializationException", "not valid JSON: JSON is malformed"),
        ("POST", "/things/a", b'{"thingTypeName": 5}', 400, "SerializationException", "at 'thingTypeName'"),
        ("GET", "/_fogbank/nothing", b"", 404, "UnknownOperationException", "nothing for you at GET /_fogbank/nothing"),
    ],
)
async def test_what_boto3_would_not_send(
    toy: Toy, method: str, path: str, body: bytes, status: int, code: str, text: str
) -> None:
    answer = await send(toy.port, toy.signed(method, path, body=body))
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (status, code.lower())
    assert text in answer.json["message"]


async def test_a_fault_of_ours_is_logged_once_and_tells_nothing(toy: Toy, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await send(toy.port, toy.signed("GET", "/things"))
    request_id = answer.headers["x-amzn-requestid"]
    assert answer.status == 500
    assert answer.headers["x-amzn-errortype"] == "internalfailureexception"
    assert answer.json == {"message": f"An internal error occurred; the log has it under request {request_id}."}
    (record,) = caplog.records
    assert record.getMessage() == f"request {request_id} (iot:ListThings, GET /things) failed"
    assert record.exc_info is not None
    assert "internal detail" in str(record.exc_info[1])


async def test_a_result_that_the_model_does_not_know_is_a_fault_of_ours(
    toy: Toy, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await send(toy.port, toy.signed("DELETE", "/things/a"))
    assert answer.status == 500
    assert "DeleteThingResponse has no member no such member" in caplog.text


async def test_a_client_that_leaves_in_the_middle_of_its_request_is_forgotten(toy: Toy) -> None:
    request = toy.signed("POST", "/things/a", body=b"{}")
    lines = [f"POST {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    _, writer = await asyncio.open_connection("127.0.0.1", toy.port)
    writer.write("\r\n".join([*lines, "content-length: 100", "", "{"]).encode())
    await writer.drain()
    await until(lambda: toy.http.connections)
    writer.close()
    await until(lambda: not toy.http.connections)
    assert toy.api.calls == []


# --- devices ----------------------------------------------------------------------------------------------------


async def test_a_device_needs_no_signature_on_the_data_plane() -> None:
    async with serving(identity=DEVICE) as toy:
        answer = await send(toy.port, Request("GET", "/things/a/shadow", "name=s", {"host": "x"}))
        assert (answer.status, answer.json) == (200, {"thingName": "a", "shadowName": "s"})
        caller = toy.api.calls[0].caller
        assert (caller.principal, caller.arn, caller.device) == (DEVICE.id, DEVICE.arn, DEVICE)


async def test_a_device_reaches_nothing_but_the_data_plane() -> None:
    async with serving(identity=DEVICE) as toy:
        answer = await send(toy.port, Request("POST", "/things/a", headers={"host": "x"}, body=b"{}"))
        assert answer.status == 404
        answer = await send(toy.port, Request("GET", "/_fogbank/trace", headers={"host": "x"}))
        assert answer.status == 404
        assert toy.api.calls == []


async def test_a_signature_speaks_louder_than_a_certificate() -> None:
    async with serving(identity=DEVICE) as toy:
        answer = await send(toy.port, toy.signed("POST", "/things/a", body=b"{}"))
        assert answer.status == 200
        assert toy.api.calls[0].caller.device is None


async def test_a_certificate_that_is_not_active() -> None:
    revoked = msgspec.structs.replace(DEVICE, active=False, reason="certificate is REVOKED")
    async with serving(identity=revoked) as toy:
        answer = await send(toy.port, Request("GET", "/things/a/shadow", headers={"host": "x"}))
        assert (answer.status, answer.json["message"]) == (403, "certificate is REVOKED")


async def test_a_certificate_is_looked_at_again_with_each_request() -> None:
    async def recheck(identity: Identity) -> Identity:
        return msgspec.structs.replace(identity, active=False, reason="certificate is REVOKED")

    async with serving(identity=DEVICE, recheck=recheck) as toy:
        answer = await send(toy.port, Request("GET", "/things/a/shadow", headers={"host": "x"}))
        assert answer.status == 403


async def test_neither_signature_nor_certificate(toy: Toy) -> None:
    answer = await send(toy.port, Request("GET", "/things", headers={"host": "x"}))
    assert (answer.status, answer.json["message"]) == (403, "Missing Authentication Token")
    assert answer.headers["x-amzn-errortype"] == "missingauthenticationtokenexception"


# --- the platform's own paths -----------------------------------------------------------------------------------


async def test_health_needs_no_signature(toy: Toy) -> None:
    answer = await send(toy.port, Request("GET", "/_fogbank/health", headers={"host": "x"}))
    assert (answer.status, answer.json) == (200, {"status": "ok", "version": __version__})


async def test_the_certificate_that_clients_trust_needs_no_signature() -> None:
    async with serving(pages=[ca_page(lambda: b"PEM")]) as toy:
        answer = await send(toy.port, Request("GET", "/_fogbank/ca.pem", headers={"host": "x"}))
        assert (answer.status, answer.body) == (200, b"PEM")
        assert answer.headers["content-type"] == "application/x-pem-file"


async def test_a_gateway_without_an_authority_says_so(toy: Toy) -> None:
    answer = await send(toy.port, Request("GET", "/_fogbank/ca.pem", headers={"host": "x"}))
    assert answer.status == 404
    assert b"has nothing for you at GET /_fogbank/ca.pem" in answer.body


async def test_the_trace_needs_a_signature(toy: Toy) -> None:
    answer = await send(toy.port, Request("GET", "/_fogbank/trace", headers={"host": "x"}))
    assert answer.status == 403


async def test_the_trace_streams_events_for_as_long_as_one_listens(toy: Toy) -> None:
    request = toy.signed("GET", "/_fogbank/trace", service="fogbank")
    reader, writer = await asyncio.open_connection("127.0.0.1", toy.port)
    lines = [f"GET {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items()), "", ""]
    writer.write("\r\n".join(lines).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"content-type: application/x-ndjson" in head
    await until(lambda: toy.trace.active)
    toy.trace.emit("publish", "denied", topic="a/b", reason="no statement allows it")
    await reader.readuntil(b"\r\n")  # the size of the chunk
    event = msgspec.json.decode(await reader.readuntil(b"\n"))
    assert (event["kind"], event["status"], event["topic"]) == ("publish", "denied", "a/b")
    writer.close()
    await until(lambda: not toy.trace.active)


async def test_closing_the_gateway_ends_a_trace_in_good_order(toy: Toy) -> None:
    sent = asyncio.create_task(send(toy.port, toy.signed("GET", "/_fogbank/trace", service="fogbank")))
    await until(lambda: toy.trace.active)
    toy.gateway.close()
    answer = await sent
    assert answer.status == 200
    assert answer.body.endswith(b"0\r\n\r\n")


async def test_models_are_read_ahead_where_wanted(toy: Toy) -> None:
    toy.gateway.load()


async def test_what_is_not_http_is_a_mistake_of_the_wiring(toy: Toy) -> None:
    with pytest.raises(RuntimeError, match="speaks HTTP, not websocket"):
        await toy.gateway({"type": "websocket"}, lambda: asyncio.sleep(0), lambda _: asyncio.sleep(0))  # type: ignore[arg-type,return-value]
