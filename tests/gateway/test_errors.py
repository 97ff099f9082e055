import logging

import msgspec
import pytest

from fogbank.awswire.errors import MissingAuthenticationToken
from fogbank.awswire.routes import Route
from fogbank.awswire.sigv4 import Claim
from fogbank.errors import Forbidden, ResourceNotFound
from fogbank.gateway.errors import response_to
from fogbank.gateway.exchange import AsgiMessage, Exchange
from fogbank.gateway.service import Service

SIGNED = Claim("AKID", "20261123", "us-east-1", "iot", "host", "0", "20261123T000000Z")


async def receive() -> AsgiMessage:
    return {"type": "http.disconnect"}


def exchange(service: str | None = None, operation: str = "") -> Exchange:
    one = Exchange({"method": "GET", "raw_path": b"/secret", "query_string": b"token=x", "headers": []}, receive)
    if service is not None:
        one.service = Service(service, {})
        one.route = Route(one.service.model.operations[operation], {})
    return one


@pytest.mark.parametrize(
    ("service", "operation", "body"),
    [
        (None, "", {"__type": "ResourceNotFoundException", "message": "No."}),
        ("iot", "ListThings", {"message": "No."}),
        ("lambda", "Invoke", {"Type": "User", "Message": "No."}),
    ],
)
def test_each_service_has_its_own_form(service: str | None, operation: str, body: dict[str, str]) -> None:
    one = exchange(service, operation)
    one.claim = SIGNED
    response = response_to(ResourceNotFound("No."), one)
    assert (response.status, msgspec.json.decode(response.body)) == (404, body)
    assert ("x-amzn-errortype", "ResourceNotFoundException") in response.headers


@pytest.mark.parametrize(("service", "operation"), [("iot-data", "Publish"), (None, "")])
def test_the_data_plane_tells_the_trace_id(service: str | None, operation: str) -> None:
    """Developer guide, "HTTPS". Whoever has not signed is a device, which the data plane alone serves."""
    one = exchange(service, operation)
    told = msgspec.json.decode(response_to(Forbidden("Forbidden"), one).body)
    told.pop("__type", None)
    assert told == {"message": "Forbidden", "traceId": one.request_id}


@pytest.mark.parametrize("operation", ["GetThingShadow", "UpdateThingShadow", "DeleteThingShadow"])
def test_errors_of_shadows_are_the_guides_documents(operation: str) -> None:
    """Developer guide, device-shadow-document, "Error response document"."""
    one = exchange("iot-data", operation)
    told = msgspec.json.decode(response_to(ResourceNotFound("No."), one).body)
    assert told == {"code": 404, "message": "No.", "traceId": one.request_id}


@pytest.mark.parametrize(("service", "operation"), [(None, ""), ("iot", "ListThings"), ("lambda", "Invoke")])
def test_what_nobody_foresaw(service: str | None, operation: str, caplog: pytest.LogCaptureFixture) -> None:
    one = exchange(service, operation)
    with caplog.at_level(logging.ERROR):
        response = response_to(KeyError("internal"), one)
    assert response.status == 500
    assert b"internal'" not in response.body
    assert one.request_id.encode() in response.body
    (record,) = caplog.records
    assert one.request_id in record.getMessage()
    assert "token" not in record.getMessage()


def test_an_error_of_a_service_is_the_caller_s_own_affair(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        response_to(ResourceNotFound("No."), exchange("iot", "ListThings"))
    assert caplog.records == []


def test_a_request_that_reaches_no_operation_is_told_to_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    one = exchange()
    with caplog.at_level(logging.INFO):
        response_to(MissingAuthenticationToken("Missing Authentication Token"), one)
    assert [record.getMessage() for record in caplog.records] == [
        f"request {one.request_id} (GET /secret) refused: "
        "MissingAuthenticationTokenException: Missing Authentication Token"
    ]
