"""Requests and answers of the JSON protocol, with botocore's own serializer, signer and parser as the oracle."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, prepare_request_dict
from botocore.credentials import Credentials
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fogbank.outbound.service import Service
from fogbank.ports import HttpAnswer, HttpRequest, OutboundError

NOW = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)
KEYS = Credentials("AKIDEXAMPLE", "secret", "token")

OURS = [
    ("sqs", "SendMessage"),
    ("sqs", "SendMessageBatch"),
    ("kinesis", "PutRecord"),
    ("kinesis", "PutRecords"),
    ("firehose", "PutRecord"),
    ("firehose", "PutRecordBatch"),
    ("dynamodb", "PutItem"),
    ("dynamodb", "BatchWriteItem"),
    ("dynamodb", "GetItem"),
    ("logs", "PutLogEvents"),
    ("cloudwatch", "SetAlarmState"),
    ("stepfunctions", "StartExecution"),
    ("timestream-write", "WriteRecords"),
    ("secretsmanager", "GetSecretValue"),
    ("machinelearning", "Predict"),
]
"""What actions and functions of rules call in the JSON protocol, but for what is left to botocore."""

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SERVICES = {name: Service(name, "eu-west-1", "http://localhost:4566/base") for name, _ in OURS}


def _leaf(kind: str, *, answered: bool) -> st.SearchStrategy[Any]:
    if kind == "blob":
        return st.binary(max_size=20) | TEXT
    if kind in ("float", "double"):
        return st.floats(allow_nan=not answered, allow_infinity=not answered)
    if kind in ("integer", "long"):
        return st.integers(-(2**63), 2**63 - 1)
    return {"boolean": st.booleans(), "string": TEXT, "timestamp": st.floats(0, 2e9)}[kind]


def values(shape: Any, depth: int = 5, *, answered: bool = False) -> st.SearchStrategy[Any]:
    """Any value of a shape, nested at most so deep; for answers by the names on the wire, with nulls and strangers."""
    kind = shape.type_name
    if kind == "structure":
        members = {
            (one.serialization.get("name", name) if answered else name): values(one, depth - 1, answered=answered)
            for name, one in shape.members.items()
            if depth > 0
        }
        if answered:
            members = {name: one | st.none() for name, one in members.items()} | {"Unheard": TEXT}
        return st.fixed_dictionaries({}, optional=members)
    if kind == "list":
        item = values(shape.member, depth - 1, answered=answered)
        return st.lists(item | st.none() if answered else item, max_size=3)
    if kind == "map":
        return st.dictionaries(TEXT, values(shape.value, depth - 1, answered=answered), max_size=3)
    return _leaf(kind, answered=answered)


def oracle(service: Service, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    serializer = create_serializer("json", include_validation=False)
    made: dict[str, Any] = serializer.serialize_to_request(params, service._model.operation_model(operation))
    prepare_request_dict(made, "http://localhost:4566/base")
    return made


def authorization(service: Service, request: HttpRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As botocore signs the same method, URL, headers and body at `NOW`."""
    added = ("host", "x-amz-date", "x-amz-security-token", "authorization")
    headers = {name: value for name, value in request.headers if name not in added}
    signed = AWSRequest(request.method, request.url, headers, request.body)
    with monkeypatch.context() as patched:
        patched.setattr("botocore.auth.get_current_datetime", lambda: NOW)
        SigV4Auth(KEYS, service._model.signing_name, "eu-west-1").add_auth(signed)
    told: str = signed.headers["Authorization"]
    return told


@pytest.mark.parametrize(("name", "operation"), OURS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_requests_are_what_botocore_makes_of_them(
    monkeypatch: pytest.MonkeyPatch, name: str, operation: str, data: st.DataObject
) -> None:
    service = SERVICES[name]
    assert service._json_operation(operation) is not None
    params = data.draw(values(service._model.operation_model(operation).input_shape))
    request = service.encode(operation, params, KEYS, NOW.timestamp())
    expected = oracle(service, operation, params)
    assert json.loads(request.body) == json.loads(expected["body"])
    headers = dict(request.headers)
    assert {name.lower(): value for name, value in expected["headers"].items()}.items() <= headers.items()
    assert (request.method, request.url) == (expected["method"], expected["url"])
    assert headers["authorization"] == authorization(service, request, monkeypatch)


@pytest.mark.parametrize(
    "url", ["http://LOCALHOST:80", "https://h:443/", "http://[::1]:99/a/b", "http://h/x?y=1&a=%20"]
)
def test_where_it_is_sent_enters_the_signature_as_botocore_has_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    service = Service("sqs", "eu-west-1", url)
    request = service.encode("SendMessage", {"QueueUrl": "q", "MessageBody": "é"}, KEYS, NOW.timestamp())
    assert dict(request.headers)["authorization"] == authorization(service, request, monkeypatch)


@pytest.mark.parametrize(
    ("name", "operation", "params"),
    [
        ("dynamodb", "PutItem", {"TableName": "t", "Item": {"a": {"X": "1"}}}),
        ("dynamodb", "PutItem", {"TableName": "t", "Item": {"a": {"B": 7}}}),
        ("dynamodb", "PutItem", {"TableName": "t", "Item": ["a"]}),
        ("sqs", "SendMessage", {"QueueUrl": "q", "MessageBody": b"bytes"}),
        ("sqs", "SendMessage", {"QueueUrl": "q", "MessageBody": "\ud800"}),
    ],
)
def test_parameters_that_cannot_be_sent(name: str, operation: str, params: dict[str, Any]) -> None:
    with pytest.raises(OutboundError, match=f"^{name} {operation}: ") as told:
        SERVICES[name].encode(operation, params, KEYS, 0.0)
    assert told.value.code == "BadRequest"


@pytest.mark.parametrize("operation", ["PutMetricData", "GetMetricData"])
def test_timestamps_are_left_to_botocore(operation: str) -> None:
    service = SERVICES["cloudwatch"]
    assert service._json_operation(operation) is None
    params = {"Namespace": "n", "MetricData": [{"MetricName": "m", "Timestamp": 1.5}]}
    assert b"1.5" in service.encode("PutMetricData", params, KEYS, 0.0).body


@pytest.mark.parametrize(("name", "operation"), OURS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_answers_are_what_botocore_makes_of_them(name: str, operation: str, data: st.DataObject) -> None:
    service = SERVICES[name]
    shape = service._model.operation_model(operation).output_shape
    plain = service._json_operation(operation)
    assert plain is not None
    if shape is None or plain._restore is None:
        return
    body = msgspec.json.encode(data.draw(values(shape, answered=True)))
    headers = data.draw(st.sampled_from([{}, {"x-amzn-requestid": "r", "server": "s"}]))
    told = {"headers": headers, "status_code": 200, "body": body, "context": {}}
    expected = create_parser("json").parse(told, shape)
    assert service.decode(operation, HttpAnswer(200, "OK", headers, body)) == expected


@pytest.mark.parametrize(
    ("name", "operation", "is_plain"),
    [
        ("sqs", "SendMessageBatch", True),
        ("kinesis", "PutRecords", True),
        ("firehose", "PutRecordBatch", True),
        ("logs", "PutLogEvents", True),
        ("dynamodb", "BatchWriteItem", False),  # values of DynamoDB are unions, with blobs in them
        ("secretsmanager", "GetSecretValue", False),  # blobs and timestamps
    ],
)
def test_which_answers_need_no_botocore(name: str, operation: str, is_plain: bool) -> None:
    made = SERVICES[name]._json_operation(operation)
    assert made is not None
    assert (made._restore is not None) is is_plain


@pytest.mark.parametrize("body", [b"[1]", b'{"Successful":7}', b"{", b'{"Successful":[7]}', b"\xff"])
def test_answers_of_another_form_are_refused(body: bytes) -> None:
    with pytest.raises(OutboundError) as told:
        SERVICES["sqs"].decode("SendMessageBatch", HttpAnswer(200, "OK", {}, body))
    assert told.value.code == "BadAnswer"
