"""One service of AWS, spoken by botocore's own serializers, signers and parsers: a pure matter of bytes.

Whatever botocore's model says of a service holds here without a line of ours: which protocol it speaks (JSON, query,
REST), where a parameter travels, how an error looks. Its client is not used, since that blocks a thread per request.
Only what is sent and answered by the thousand, plain calls in the JSON protocol, is `JsonOperation`'s and `Signer`'s.
"""

from importlib.resources import files
from typing import Any

import msgspec

from fogbank.outbound.json_operation import JsonOperation, takes
from fogbank.outbound.signer import Signer
from fogbank.ports import HttpAnswer, HttpRequest, OutboundError

OWN_MODELS = frozenset({"iotanalytics", "iotevents-data"})
"""Services that AWS has closed and botocore dropped. Rules name them still, and compatible endpoints may live on."""

THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
"""Error codes after which the same call may succeed ("Retry behavior" in the AWS SDKs and Tools Reference Guide)."""


TIMEOUT = 10.0
"""Seconds for one call, connecting included."""
MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer; more than any operation that the platform calls gives."""


class Service:
    """A service at one endpoint. Made on a thread, for it loads the model; its methods are quick."""

    def __init__(self, name: str, region: str, endpoint: str | None) -> None:
        """`endpoint` is None for AWS's own."""
        from botocore.auth import S3SigV4Auth, SigV4Auth
        from botocore.model import ServiceModel
        from botocore.parsers import create_parser
        from botocore.serialize import create_serializer

        self.name = name
        self._region = region
        self._model = model = ServiceModel(_load(name), name)
        self._own = endpoint is not None
        self.discovers = not self._own and model.endpoint_discovery_required
        """Whether AWS tells by DescribeEndpoints where the service is for an account (Timestream)."""
        self._endpoint = endpoint or _at_aws(model, region)
        # Without botocore's own validation, which is a quarter of the work: the service validates again, and says it.
        self._serializer = create_serializer(model.resolved_protocol, include_validation=False)
        self._parser = create_parser(model.resolved_protocol)
        self._signer: Any = S3SigV4Auth if name == "s3" else SigV4Auth
        self._json_signer = Signer(region, model.signing_name)
        self._json_operations: dict[str, JsonOperation | None] = {}

    def encode(self, operation: str, params: dict[str, Any], credentials: Any, now: float) -> HttpRequest:
        """The request that calls `operation`, signed for `now` in seconds since the epoch.

        Raises OutboundError for parameters that cannot be sent.
        """
        from botocore.exceptions import BotoCoreError

        try:
            json_operation = self._json_operation(operation)
            if json_operation is None:
                return self._encode(operation, params, credentials)
            request = json_operation.encode(params)
            headers = self._json_signer.sign(request, credentials, now)
        except (BotoCoreError, ValueError, TypeError, AttributeError, KeyError) as error:
            reason = str(error).replace("\n", "; ")
            raise OutboundError(f"{self.name} {operation}: {reason}", code="BadRequest") from error
        return HttpRequest(
            method=request.method,
            url=json_operation.url,
            headers=tuple(headers.items()),
            body=request.body,
            timeout=TIMEOUT,
            limit=MAX_ANSWER,
        )

    def _json_operation(self, operation: str) -> JsonOperation | None:
        """The operation in the JSON protocol; None: it speaks another, or has parameters that are botocore's matter."""
        if operation not in self._json_operations:
            self._json_operations[operation] = self._make_json_operation(operation)
        return self._json_operations[operation]

    def _make_json_operation(self, operation: str) -> JsonOperation | None:
        from botocore.awsrequest import prepare_request_dict

        model = self._model.operation_model(operation)
        if self._model.resolved_protocol != "json" or model.endpoint or not takes(model.input_shape):
            return None
        frame = self._serializer.serialize_to_request({}, model)
        prepare_request_dict(frame, self._endpoint)
        return JsonOperation(frame["method"], frame["url"], frame["headers"], model.input_shape, model.output_shape)

    def _encode(self, operation: str, params: dict[str, Any], credentials: Any) -> HttpRequest:
        """As botocore does it, by its own clock, too."""
        from botocore.awsrequest import create_request_object, prepare_request_dict

        request = self._serializer.serialize_to_request(params, self._model.operation_model(operation))
        if self._own:
            request.pop("host_prefix", None)
        prepare_request_dict(request, self._endpoint)
        signed = create_request_object(request)
        self._signer(credentials, self._model.signing_name, self._region).add_auth(signed)
        prepared = signed.prepare()
        body = prepared.body or b""
        headers = (
            (name, value if isinstance(value, str) else value.decode()) for name, value in prepared.headers.items()
        )
        return HttpRequest(
            method=prepared.method,
            url=prepared.url,
            headers=tuple(headers),
            body=body.encode() if isinstance(body, str) else bytes(body),
            timeout=TIMEOUT,
            limit=MAX_ANSWER,
        )

    def decode(self, operation: str, answer: HttpAnswer) -> dict[str, Any]:
        """The answer's members. Raises OutboundError where it is an error, or no answer of this service at all."""
        from botocore.awsrequest import HeadersDict
        from botocore.parsers import ResponseParserError

        try:
            json_operation = self._json_operation(operation)
            if json_operation is not None and (members := json_operation.decode(answer)) is not None:
                return members
        except (ValueError, TypeError, AttributeError) as error:
            raise self._unreadable(operation, answer) from error
        shape = self._model.operation_model(operation).output_shape
        if answer.status < 300 and self._expects_json(shape) and answer.body.lstrip()[:1] not in (b"{", b""):
            raise self._unreadable(operation, answer)  # botocore's parser would take it for an empty answer
        content = _content_member(shape) if answer.status < 300 else None
        body = answer.body if content is None else b""
        headers = HeadersDict(answer.headers)  # models spell them as they like
        told = {"headers": headers, "status_code": answer.status, "body": body, "context": {}}
        try:
            parsed: dict[str, Any] = self._parser.parse(told, shape)
        except (ResponseParserError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unreadable(operation, answer) from error
        if answer.status >= 300:
            raise _error(self.name, parsed.get("Error", {}), answer.status)
        return parsed if content is None else {**parsed, content: answer.body}

    def _expects_json(self, shape: Any) -> bool:
        """Whether an answer of this shape is a JSON object, and not whatever its payload is."""
        if self._model.resolved_protocol not in ("json", "rest-json"):
            return False
        return shape is not None and "payload" not in shape.serialization

    def _unreadable(self, operation: str, answer: HttpAnswer) -> OutboundError:
        return OutboundError(
            f"{self.name} {operation}: the answer of {self._endpoint} (status {answer.status}) cannot be read",
            code="BadAnswer",
            status=answer.status,
            transient=answer.status >= 500,
        )


def _content_member(shape: Any) -> str | None:
    """The member that is the body of the answer, as S3's GetObject has it: bytes, which botocore would read as text."""
    name: str | None = None if shape is None else shape.serialization.get("payload")
    return name if name is not None and shape.members[name].type_name == "blob" else None


def _error(service: str, error: dict[str, Any], status: int) -> OutboundError:
    code = str(error.get("Code") or status)
    message = error.get("Message") or "no reason given"
    return OutboundError(
        f"{message} (Service: {service}; Status Code: {status}; Error Code: {code})",
        code=code,
        status=status,
        transient=status >= 500 or status == 429 or code in THROTTLES,
    )


def _load(name: str) -> Any:
    if name in OWN_MODELS:
        return msgspec.json.decode(files("fogbank.outbound").joinpath(f"models/{name}.json").read_bytes())
    from botocore.loaders import Loader

    return Loader().load_service_model(name, "service-2")


def _at_aws(model: Any, region: str) -> str:
    from botocore.loaders import Loader
    from botocore.regions import EndpointResolver

    resolver = EndpointResolver(Loader().load_data("endpoints"))
    found = resolver.construct_endpoint(model.endpoint_prefix, region)
    hostname = found["hostname"] if found else f"{model.endpoint_prefix}.{region}.amazonaws.com"
    return f"https://{hostname}"
