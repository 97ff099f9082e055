"""botocore is the oracle, both ways, for every operation of every model that Fogbank reads."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import ServiceModel as BotocoreModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.utils import percent_encode_sequence
from tests.awswire.specimens import SERVICES, Specimens, load, operation, operations, plain

from fogbank.awswire.errors import SerializationError
from fogbank.awswire.http import Request, Response, parse_query
from fogbank.awswire.rest_json import RestJson, unmodelled_error
from fogbank.awswire.routes import Routes
from fogbank.errors import LimitExceeded, NotImplementedByFogbank, ResourceAlreadyExists, ServiceError, Throttling

SEEDS = 6


@cache
def botocore_model(service: str) -> Any:
    return BotocoreModel(Loader().load_service_model(service, "service-2"), service)


@cache
def routes(service: str) -> Routes:
    return Routes(service, load(service))


def as_sent(service: str, name: str, params: Mapping[str, Any]) -> Request:
    """The request that botocore makes of parameters."""
    made = create_serializer("rest-json", include_validation=False).serialize_to_request(
        params, botocore_model(service).operation_model(name)
    )
    query = percent_encode_sequence(made["query_string"])
    path, _, fixed = made["url_path"].partition("?")
    headers = {key.lower(): value for key, value in made["headers"].items()}
    return Request(made["method"], path, "&".join(part for part in (fixed, query) if part), headers, made["body"])


def as_received(response: Response, shape: Any) -> Any:
    """What botocore understands of a response."""
    headers = HeadersDict(dict(response.headers))
    wire = {"status_code": response.status, "headers": headers, "body": response.body, "context": {}}
    parsed = create_parser("rest-json").parse(wire, shape)
    assert parsed.pop("ResponseMetadata", {}).get("HTTPStatusCode", response.status) == response.status
    return parsed


@pytest.mark.parametrize(("service", "name"), operations())
def test_parses_what_botocore_sends(service: str, name: str) -> None:
    model, op = operation(service, name)
    assert op.input is not None
    shape = model.shapes[op.input.shape]
    for seed in range(SEEDS):
        params = Specimens(model, f"{service}.{name}.{seed}").structure(shape)
        request = as_sent(service, name, params)
        query = parse_query(request.query)
        route = routes(service).find(request.method, request.path, query)
        assert route is not None
        assert route.operation.name == name
        parsed = RestJson(model).parse(route, request, query)
        if (payload := shape.payload) is not None and payload not in params:
            assert parsed.pop(payload) in (b"", {})
        assert parsed == plain(params)


@pytest.mark.parametrize(("service", "name"), operations())
def test_botocore_parses_what_is_sent(service: str, name: str) -> None:
    model, op = operation(service, name)
    if op.output is None:
        assert RestJson(model).serialise(op, {}).body == b""
        return
    shape = model.shapes[op.output.shape]
    if shape.payload is not None and model.shapes[shape.members[shape.payload].shape].eventstream:
        with pytest.raises(NotImplementedByFogbank):
            RestJson(model).serialise(op, {})
        return
    for seed in range(SEEDS):
        result = Specimens(model, f"{service}.{name}.{seed}").structure(shape)
        response = RestJson(model).serialise(op, plain(result))
        received = as_received(response, botocore_model(service).operation_model(name).output_shape)
        expected = plain(result)
        if shape.payload is not None:
            expected[shape.payload] = expected.get(shape.payload, b"").decode()
        statuses = [member for member, ref in shape.members.items() if ref.location == "statusCode"]
        told = [result[member] for member in statuses if member in result]
        assert response.status == (told[0] if told else op.http.response_code)
        expected |= dict.fromkeys(statuses, response.status)
        assert plain(received) == expected


@pytest.mark.parametrize(
    ("service", "code"),
    [(service, name) for service in SERVICES for name, shape in load(service).shapes.items() if shape.exception],
)
def test_botocore_parses_every_modelled_error(service: str, code: str) -> None:
    model = load(service)
    shape = model.shapes[code]
    error = type(code, (ServiceError,), {"code": code, "status": 418})
    members = {
        name: plain(Specimens(model, code).value(ref))
        for name, ref in shape.members.items()
        if name.lower() not in ("message", "type")
    }
    response = RestJson(model).serialise_error(error("What went wrong, and where.", **members))
    assert response.status == shape.error.http_status_code
    told = as_received(response, None)["Error"]
    assert told == {"Code": code, "Message": "What went wrong, and where."}
    modelled = as_received(response, botocore_model(service).shape_for(code))
    for name, value in members.items():
        assert plain(modelled[name]) == value
    if "Type" in shape.members:
        assert modelled["Type"] == ("User" if shape.error.sender_fault else "Service")


@pytest.mark.parametrize(
    ("service", "error", "status"),
    [
        ("iot", LimitExceeded("x"), 410),
        ("iot", Throttling("x"), 400),
        ("iot-data", Throttling("x"), 429),
        ("lambda", Throttling("x"), 429),
        ("iot", NotImplementedByFogbank("x"), 501),
    ],
)
def test_the_status_is_the_model_s_before_it_is_the_error_s_own(service: str, error: ServiceError, status: int) -> None:
    assert RestJson(load(service)).serialise_error(error).status == status


def test_members_that_the_error_s_shape_lacks_are_not_told() -> None:
    error = ResourceAlreadyExists("Taken.", resourceArn="arn:x", internal="secret")
    response = RestJson(load("iot")).serialise_error(error)
    assert response.body == b'{"resourceArn":"arn:x","message":"Taken."}'


def test_an_unmodelled_error_tells_its_code_in_header_and_body() -> None:
    response = unmodelled_error(NotImplementedByFogbank("No."))
    assert response.status == 501
    assert ("x-amzn-errortype", "NotImplementedException") in response.headers
    assert response.body == b'{"__type":"NotImplementedException","message":"No."}'


# --- requests that botocore would not send ----------------------------------------------------------------------


def parse(service: str, request: Request) -> dict[str, Any]:
    query = parse_query(request.query)
    route = routes(service).find(request.method, request.path, query)
    assert route is not None
    return RestJson(load(service)).parse(route, request, query)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "not valid JSON: Input data was truncated"),
        (b'{"thingTypeName": nope}', "not valid JSON: JSON is malformed: invalid character (byte 22)"),
        (b'{"thingTypeName": "\xff"}', "not valid JSON: "),
        (b'{"a":' * 100_000, "not valid JSON: it is nested too deeply"),
        (b"[]", "START_ARRAY can not be converted to Structure"),
        (b"7", "NUMBER_VALUE can not be converted to Structure"),
        (b'{"thingTypeName": 5}', "NUMBER_VALUE can not be converted to String at 'thingTypeName'"),
        (b'{"thingTypeName": true}', "TRUE_VALUE can not be converted to String at 'thingTypeName'"),
        (
            b'{"attributePayload": {"attributes": {"a": []}}}',
            "START_ARRAY can not be converted to String at 'attributePayload.attributes.a.member'",
        ),
        (b'{"attributePayload": {"merge": "true"}}', "STRING_VALUE can not be converted to Boolean at 'attributePay"),
    ],
)
def test_a_body_that_cannot_be_read_says_where(body: bytes, text: str) -> None:
    with pytest.raises(SerializationError) as caught:
        parse("iot", Request("POST", "/things/a", body=body))
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("service", "path", "query", "text"),
    [
        ("iot", "/things", "maxResults=many", "'many' can not be converted to Integer at 'maxResults'"),
        ("iot", "/things", "maxResults=1_0", "'1_0' can not be converted to Integer at 'maxResults'"),
        ("iot", "/things", "maxResults=" + "9" * 5000, "can not be converted to Integer at 'maxResults'"),
        ("iot", "/things", "usePrefixAttributeValue=yes", "'yes' can not be converted to Boolean"),
        ("iot", "/audit/tasks", "startTime=yesterday", "'yesterday' can not be converted to Timestamp at 'startTime'"),
    ],
)
def test_a_query_that_cannot_be_read_says_where(service: str, path: str, query: str, text: str) -> None:
    with pytest.raises(SerializationError) as caught:
        parse(service, Request("GET", path, query))
    assert text in caught.value.message


@pytest.mark.parametrize("header", ["not base64!", "e30", "bm90IGpzb24="])
def test_a_json_header_that_cannot_be_read_says_so(header: str) -> None:
    request = Request("POST", "/topics/a", headers={"x-amz-mqtt5-user-properties": header})
    with pytest.raises(SerializationError, match="can not be converted to JSON at 'userProperties'"):
        parse("iot-data", request)


def test_integers_stay_exact() -> None:
    params = parse("iot", Request("PATCH", "/things/a", body=b'{"expectedVersion": 123456789012345678901234567890}'))
    assert params["expectedVersion"] == 123456789012345678901234567890


def test_null_members_are_absent_and_unknown_ones_ignored() -> None:
    params = parse("iot", Request("POST", "/things/a", body=b'{"thingTypeName": null, "nobody": {"knows": 1}}'))
    assert params == {"thingName": "a"}


def test_an_empty_payload_is_an_empty_blob() -> None:
    assert parse("iot-data", Request("POST", "/topics/a")) == {"topic": "a", "payload": b""}


def test_a_result_with_a_member_that_the_model_lacks_is_our_mistake() -> None:
    model, op = operation("iot", "CreateThing")
    with pytest.raises(TypeError, match="CreateThingResponse has no member name"):
        RestJson(model).serialise(op, {"name": "x"})


def test_members_of_a_result_that_are_none_are_left_out() -> None:
    model, op = operation("iot", "CreateThing")
    assert RestJson(model).serialise(op, {"thingName": "a", "thingArn": None}).body == b'{"thingName":"a"}'
