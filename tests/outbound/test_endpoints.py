"""Where services are: as the environment says."""

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from fogbank.outbound.endpoints import SERVICES, BadEndpoint, obstacle, read_endpoints
from fogbank.outbound.service import OWN_MODELS


@pytest.mark.parametrize("service", sorted(set(SERVICES) - OWN_MODELS))
def test_variables_are_spelled_as_botocore_spells_them(service: str) -> None:
    model = ServiceModel(Loader().load_service_model(service, "service-2"))
    assert SERVICES[service] == model.service_id.hyphenize().replace("-", "_").upper()


def test_a_service_is_where_its_own_variable_says_or_the_common_one() -> None:
    endpoints = read_endpoints({"AWS_ENDPOINT_URL": "http://all:1/", "AWS_ENDPOINT_URL_SQS": "https://sqs.local"})
    assert endpoints.url("sqs") == "https://sqs.local"
    assert endpoints.url("dynamodb") == "http://all:1"
    assert obstacle(endpoints, "dynamodb") is None
    assert not endpoints.aws


@pytest.mark.parametrize(
    ("service", "variable"),
    [("sqs", "AWS_ENDPOINT_URL_SQS"), ("logs", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"), ("x-y", "AWS_ENDPOINT_URL_X_Y")],
)
def test_without_an_endpoint_the_variable_is_named(service: str, variable: str) -> None:
    endpoints = read_endpoints({"AWS_ENDPOINT_URL_S3": "http://s3", "AWS_ENDPOINT_URL_SNS": ""})
    assert endpoints.url(service) is None
    told = obstacle(endpoints, service) or ""
    assert f"set {variable} (or AWS_ENDPOINT_URL)" in told
    assert "FOGBANK_CALL_AWS=1" in told


def test_aws_itself_is_reached_only_where_that_was_asked_for() -> None:
    assert obstacle(read_endpoints({}), "sqs") is not None
    assert obstacle(read_endpoints({"FOGBANK_CALL_AWS": "0"}), "sqs") is not None
    asked = read_endpoints({"FOGBANK_CALL_AWS": "1"})
    assert (obstacle(asked, "sqs"), asked.url("sqs")) == (None, None)


@pytest.mark.parametrize("url", ["localhost:9324", "ftp://x", "http://", "http://x?y=1", "http://x:y", "http://[", "x"])
def test_what_is_no_endpoint_is_refused_by_its_variable(url: str) -> None:
    with pytest.raises(BadEndpoint, match="AWS_ENDPOINT_URL_SQS"):
        read_endpoints({"AWS_ENDPOINT_URL_SQS": url})
    with pytest.raises(BadEndpoint, match="AWS_ENDPOINT_URL must"):
        read_endpoints({"AWS_ENDPOINT_URL": url})
