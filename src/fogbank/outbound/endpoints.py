"""How the environment says where the services are that the platform calls.

`FOGBANK_CALL_AWS` is ours, all else AWS's own convention ("Service-specific endpoints" in the AWS SDKs and Tools
Reference Guide): `AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL_DYNAMODB`, ... for one service, `AWS_ENDPOINT_URL` for all
that have none.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from fogbank.errors import FogbankError
from fogbank.settings import Endpoints

VARIABLE = "AWS_ENDPOINT_URL"
CALL_AWS = "FOGBANK_CALL_AWS"
"""Set to 1: services without an endpoint are those of AWS, in the platform's region."""

SERVICES: Mapping[str, str] = {
    "cloudwatch": "CLOUDWATCH",
    "dynamodb": "DYNAMODB",
    "firehose": "FIREHOSE",
    "iotanalytics": "IOTANALYTICS",
    "iotevents-data": "IOT_EVENTS_DATA",
    "iotsitewise": "IOTSITEWISE",
    "kinesis": "KINESIS",
    "lambda": "LAMBDA",
    "location": "LOCATION",
    "logs": "CLOUDWATCH_LOGS",
    "machinelearning": "MACHINE_LEARNING",
    "opensearch": "OPENSEARCH",
    "s3": "S3",
    "secretsmanager": "SECRETS_MANAGER",
    "sns": "SNS",
    "sqs": "SQS",
    "stepfunctions": "SFN",
    "timestream-write": "TIMESTREAM_WRITE",
}
"""Botocore's names of the services, and how environment variables spell them (the model's serviceId)."""


class BadEndpoint(FogbankError):
    """An endpoint is not the URL of an HTTP server."""


def read_endpoints(environment: Mapping[str, str]) -> Endpoints:
    """From environment variables. Raises BadEndpoint, naming the variable."""
    urls = {
        service: _check(variable(service), environment[variable(service)])
        for service in SERVICES
        if environment.get(variable(service))
    }
    default = environment.get(VARIABLE) or None
    return Endpoints(
        urls=urls,
        default=None if default is None else _check(VARIABLE, default),
        aws=environment.get(CALL_AWS, "") in ("1", "true", "yes"),
    )


def obstacle(endpoints: Endpoints, service: str) -> str | None:
    """Why `service` cannot be called; None: it can."""
    if endpoints.aws or endpoints.url(service) is not None:
        return None
    return (
        f"there is no endpoint for {service}: set {variable(service)} (or {VARIABLE}) to the URL of one, "
        f"or {CALL_AWS}=1 to call AWS itself"
    )


def variable(service: str) -> str:
    """The environment variable that holds the endpoint of `service`."""
    return f"{VARIABLE}_{SERVICES.get(service, service.replace('-', '_').upper())}"


def _check(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.query and (parts.port or 1)
    except ValueError:
        good = False
    if not good:
        raise BadEndpoint(f"{name} must be the URL of an HTTP server, like http://localhost:9324, and is {url!r}")
    return url.rstrip("/")
