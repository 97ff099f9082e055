import pytest
from tests.gateway.toy import ToyApi

from fogbank.awswire.sigv4 import Claim
from fogbank.errors import FogbankError, NotImplementedByFogbank
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.dispatch import Dispatcher
from fogbank.gateway.exchange import AsgiMessage, Exchange


async def receive() -> AsgiMessage:
    return {"type": "http.request", "body": b"", "more_body": False}


def exchange(service: str | None) -> Exchange:
    one = Exchange({"method": "GET", "raw_path": b"/", "query_string": b"", "headers": []}, receive)
    if service is not None:
        one.claim = Claim("AK", "20231114", "us-east-1", service, "host", "", "20231114T221320Z")
    return one


class Misspelt:
    @operation("iot", "CreateThingy")
    async def create_thingy(self, call: Call) -> Members:
        return {}


class JobsApi:
    @operation("iot-jobs-data", "GetPendingJobExecutions")
    async def get_pending_job_executions(self, call: Call) -> Members:
        return {}


@pytest.mark.parametrize(
    ("signed", "services"),
    [
        ("iot", ["iot"]),
        ("iotdata", ["iot-data"]),
        ("iotdevicegateway", ["iot-data", "iot-jobs-data"]),
        ("iot-jobs-data", ["iot-jobs-data"]),
        ("lambda", ["lambda"]),
        (None, ["iot-data", "iot-jobs-data"]),
    ],
)
async def test_the_name_in_the_signature_chooses_the_services(signed: str | None, services: list[str]) -> None:
    one = exchange(signed)
    Dispatcher([ToyApi(), JobsApi()]).choose(one)
    assert [service.name for service in one.services] == services


@pytest.mark.parametrize(
    ("apis", "signed", "text"),
    [
        ([JobsApi()], "s3", "does not serve 's3'; it serves iot-jobs-data, iotdevicegateway."),
        ([JobsApi()], "iot", "does not serve 'iot'; it serves iot-jobs-data, iotdevicegateway."),
        ([], "iot", "does not serve 'iot'; it serves nothing."),
        ([], None, "does not serve the IoT data plane; it serves nothing."),
    ],
)
async def test_what_is_not_served_is_named(apis: list[object], signed: str | None, text: str) -> None:
    with pytest.raises(NotImplementedByFogbank) as caught:
        Dispatcher(apis).choose(exchange(signed))
    assert text in caught.value.message


async def test_the_second_of_two_models_is_asked_too() -> None:
    dispatcher = Dispatcher([ToyApi(), JobsApi()])
    one = exchange("iotdevicegateway")
    one.request = type(one.request)("GET", "/things/a/jobs")
    dispatcher.choose(one)
    dispatcher.route(one)
    assert one.service is not None
    assert (one.service.name, one.route.operation.name) == ("iot-jobs-data", "GetPendingJobExecutions")


def test_an_operation_has_one_method() -> None:
    with pytest.raises(ValueError, match=r"is declared twice, the second time by ToyApi"):
        Dispatcher([ToyApi(), ToyApi()])


def test_a_misspelt_operation_is_found_when_the_model_is_read() -> None:
    (service,) = Dispatcher([Misspelt()]).services
    with pytest.raises(FogbankError, match="the model of iot has no operation CreateThingy"):
        service.routes.find("GET", "/", ())
