"""botocore is the oracle, both ways, for every operation of the services that speak the query protocol."""

from functools import cache
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import ServiceModel as BotocoreModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.utils import percent_encode_sequence
from hypothesis import given
from hypothesis import strategies as st
from tests.awswire.specimens import Specimens, load, operation, plain

from fogbank.awswire.errors import (
    ExpiredToken,
    InvalidAction,
    InvalidSignature,
    MalformedQueryString,
    SerializationError,
    UnrecognizedClient,
    ValidationError,
)
from fogbank.awswire.http import Request, Response
from fogbank.awswire.model import Metadata, Operation, ServiceModel, Shape, ShapeRef
from fogbank.awswire.query import MAX_DEPTH, MAX_FIELDS, Query, unmodelled_error
from fogbank.awswire.routes import QUERY_SERVICES
from fogbank.errors import InternalFailure, NotImplementedByFogbank, ServiceError, Throttling

SEEDS = 4
OPERATIONS = [(service, name) for service in QUERY_SERVICES for name in load(service).operations]
ERRORS = [(service, n) for service in QUERY_SERVICES for n, shape in load(service).shapes.items() if shape.exception]


@cache
def botocore_model(service: str) -> Any:
    return BotocoreModel(Loader().load_service_model(service, "service-2"), service)


@cache
def query(service: str) -> Query:
    return Query(service, load(service))


def form(**fields: str) -> Request:
    return Request("POST", "/", body=urlencode(fields).encode())


def as_received(response: Response, shape: Any) -> Any:
    """What botocore understands of a response, and the ID of its request."""
    headers = HeadersDict(dict(response.headers))
    wire = {"status_code": response.status, "headers": headers, "body": response.body, "context": {}}
    parsed = create_parser("query").parse(wire, shape)
    metadata = parsed.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == response.status
    assert metadata["RequestId"] == "the-id"
    return parsed


def read(service: str, request: Request) -> Any:
    wire = query(service)
    fields = wire.fields(request)
    return wire.parse(wire.find(fields), request, fields)


def sayable(value: Any) -> Any:
    """A structure without members leaves no trace in a form, nor does a list of nothing else."""
    if isinstance(value, list):
        return [sayable(one) for one in value if sayable(one) not in ({}, [])]
    if isinstance(value, dict):
        return {key: sayable(one) for key, one in value.items() if sayable(one) not in ({}, [])}
    return value


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_parses_what_botocore_sends(service: str, name: str) -> None:
    model, op = operation(service, name)
    for seed in range(SEEDS):
        params = (
            {}
            if op.input is None
            else Specimens(model, f"{service}.{name}.{seed}").structure(model.shapes[op.input.shape])
        )
        made = create_serializer("query", include_validation=False).serialize_to_request(
            params, botocore_model(service).operation_model(name)
        )
        text = percent_encode_sequence(made["body"])
        by_post, by_get = Request("POST", "/", body=text.encode()), Request("GET", "/", text)
        for request in (by_post, by_get):
            fields = query(service).fields(request)
            assert query(service).find(fields).operation.name == name
            assert read(service, request) == sayable(plain(params))


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_botocore_parses_what_is_sent(service: str, name: str) -> None:
    model, op = operation(service, name)
    if op.output is None:
        assert as_received(query(service).serialise(op, {}, "the-id"), None) == {}
        return
    for seed in range(SEEDS):
        result = Specimens(model, f"{service}.{name}.{seed}").structure(model.shapes[op.output.shape])
        response = query(service).serialise(op, plain(result), "the-id")
        assert response.status == 200
        assert ("content-type", "text/xml") in response.headers
        received = as_received(response, botocore_model(service).operation_model(name).output_shape)
        assert plain(received) == plain(result)


@pytest.mark.parametrize(("service", "name"), ERRORS)
def test_botocore_parses_every_modelled_error(service: str, name: str) -> None:
    trait = load(service).shapes[name].error
    error = type(name, (ServiceError,), {"code": trait.code or name, "status": 418})
    response = query(service).serialise_error(error('What "went" wrong <here> & there.'), "the-id")
    assert response.status == (trait.http_status_code or 418)
    told = as_received(response, None)["Error"]
    fault = "Receiver" if response.status >= 500 else "Sender"
    assert told == {"Type": fault, "Code": trait.code or name, "Message": 'What "went" wrong <here> & there.'}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnrecognizedClient("x"), 403, "InvalidClientTokenId"),
        (InvalidSignature("x"), 403, "SignatureDoesNotMatch"),
        (ExpiredToken("x"), 403, "ExpiredToken"),
        (ValidationError("x"), 400, "ValidationError"),
        (Throttling("x"), 429, "Throttling"),
        (InternalFailure("x"), 500, "InternalFailure"),
        (NotImplementedByFogbank("x"), 501, "NotImplemented"),
    ],
)
def test_errors_of_the_wire_bear_the_names_that_the_older_services_have(
    error: ServiceError, status: int, code: str
) -> None:
    """IAM API reference, "Common errors"."""
    response = unmodelled_error(error, "the-id")
    assert response.status == status
    told = as_received(response, None)["Error"]
    assert (told["Code"], told["Type"]) == (code, "Receiver" if status >= 500 else "Sender")


@given(st.text())
def test_any_text_survives_or_says_that_it_cannot(text: str) -> None:
    _, op = operation("iam", "GetUserPolicy")
    result = {"UserName": "u", "PolicyName": "p", "PolicyDocument": text}
    try:
        response = query("iam").serialise(op, result, "the-id")
    except UnicodeEncodeError:
        pytest.fail("a character that XML cannot say must be replaced")
    received = as_received(response, botocore_model("iam").operation_model("GetUserPolicy").output_shape)
    spoken = "".join(one if one in "\t\n\r" or one >= " " else "\ufffd" for one in text)
    spoken = "".join("\ufffd" if "\ud800" <= one <= "\udfff" or one in "\ufffe\uffff" else one for one in spoken)
    assert received["PolicyDocument"] == spoken


@pytest.mark.parametrize(
    ("fields", "error", "what"),
    [
        ({}, InvalidAction, "names no Action"),
        ({"Action": "NoSuch"}, InvalidAction, "Could not find operation NoSuch for version 2010-05-08"),
        ({"Action": "GetUser", "Version": "1999-01-01"}, InvalidAction, "for version 1999-01-01"),
        ({"Action": "GetUser", ".".join("a" * (MAX_DEPTH + 1)): "1"}, MalformedQueryString, "nested too deeply"),
        ({"Action": "ListUsers", "MaxItems": "many"}, SerializationError, "'many' can not be converted to Integer"),
        ({"Action": "ListUsers", "MaxItems": "9" * 5000}, SerializationError, "at 'MaxItems'"),
        ({"Action": "GetUser", "UserName.x": "1"}, SerializationError, "a structure can not be converted to String"),
        ({"Action": "TagUser", "Tags.member.x.Key": "k"}, SerializationError, "'x' can not be converted"),
        ({"Action": "TagUser", "Tags.member.1.Key.2": "k"}, SerializationError, "at 'Tags.1.member.Key'"),
        ({"Action": "CreatePolicyVersion", "SetAsDefault": "yes"}, SerializationError, "'yes' can not be"),
    ],
)
def test_bad_forms(fields: dict[str, str], error: type[Exception], what: str) -> None:
    with pytest.raises(error) as caught:
        read("iam", form(**fields))
    assert what in str(caught.value)


NAMES = st.lists(st.sampled_from(["Tags", "member", "entry", "1", "2", "Key", "UserName", "key", "", "x"]), max_size=8)


@given(
    st.sampled_from(OPERATIONS),
    st.dictionaries(NAMES.map(".".join), st.text(st.characters(codec="utf-8"), max_size=8), max_size=12),
)
def test_any_form_is_read_or_refused(operation: tuple[str, str], fields: dict[str, str]) -> None:
    service, name = operation
    try:
        assert isinstance(read(service, form(**{"Action": name, **fields})), dict)
    except ServiceError as error:
        assert error.status == 400  # noqa: PT017 (most are read)


def test_a_form_of_too_many_fields_and_one_that_is_no_text() -> None:
    many = b"&".join(b"a=1" for _ in range(MAX_FIELDS + 1))
    with pytest.raises(MalformedQueryString, match="more than 2000 fields"):
        query("iam").fields(Request("POST", "/", body=many))
    for body in (b"\xff", b"Action=%ff"):
        with pytest.raises(MalformedQueryString, match="UTF-8"):
            query("iam").fields(Request("POST", "/", body=body))


def test_items_come_in_the_order_of_their_numbers() -> None:
    fields = {"Action": "UntagUser", "TagKeys.member.10": "c", "TagKeys.member.9": "b", "TagKeys.member.2": "a"}
    assert read("iam", form(**fields))["TagKeys"] == ["a", "b", "c"]
    assert read("iam", form(Action="UntagUser", TagKeys=""))["TagKeys"] == []


def test_what_does_not_fit_the_output_is_a_mistake_of_ours() -> None:
    _, op = operation("iam", "GetUser")
    with pytest.raises(TypeError, match="no member Nobody"):
        query("iam").serialise(op, {"Nobody": 1}, "the-id")
    _, op = operation("iam", "DeleteUser")
    with pytest.raises(TypeError, match="DeleteUser has no output"):
        query("iam").serialise(op, {"User": 1}, "the-id")


def test_flattened_lists_and_maps_which_the_models_of_today_do_not_have() -> None:
    text, named = ShapeRef("Text"), ShapeRef("Text", location_name="Name")
    model = ServiceModel(
        Metadata("1", "query", "x"),
        {},
        {
            "Text": Shape("string"),
            "List": Shape("list", member=text, flattened=True),
            "Map": Shape("map", key=named, value=text, flattened=True),
            "In": Shape("structure", members={"L": ShapeRef("List"), "M": ShapeRef("Map")}),
        },
    )
    op = Operation("Do", http(), ShapeRef("In"), ShapeRef("In"))
    wire = Query("x", ServiceModel(model.metadata, {"Do": op}, model.shapes))
    request = form(**{"Action": "Do", "L.1": "a", "L.2": "b", "M.1.Name": "k", "M.1.value": "v"})
    fields = wire.fields(request)
    assert wire.parse(wire.find(fields), request, fields) == {"L": ["a", "b"], "M": {"k": "v"}}
    body = wire.serialise(op, {"L": ["a", "b"], "M": {"k": "v"}}, "the-id").body.decode()
    assert "<L>a</L><L>b</L><M><Name>k</Name><value>v</value></M>" in body


def http() -> Any:
    return operation("iam", "GetUser")[1].http


def test_the_namespace_comes_from_the_model() -> None:
    response = query("sts").serialise(operation("sts", "GetCallerIdentity")[1], {"Account": "1"}, "the-id")
    assert b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' in response.body
