"""The operations of AWS Lambda that there are, each a few lines between the API's members and the function service."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from fogbank.arns import Arns
from fogbank.awswire.http import Response, parse_query
from fogbank.errors import Forbidden, InvalidParameterValue, NotImplementedByFogbank
from fogbank.functions.function import Changes, Configuration, Function
from fogbank.functions.names import LATEST
from fogbank.functions.resource_policy import Statement
from fogbank.functions.service import FunctionService
from fogbank.functions.variables import log_group
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.pages import Audience, Page, Visit
from fogbank.ports import InvocationType

CODE_PATH = "/_fogbank/code"
"""Where the gateway serves `LambdaApi.download`, with the query `token=...`."""


class LambdaApi:
    """`base_url` is asked for the address of the gateway, whose port may be chosen late."""

    def __init__(self, functions: FunctionService, arns: Arns, base_url: Callable[[], str]) -> None:
        self._functions = functions
        self._arns = arns
        self._base_url = base_url

    # --- functions ------------------------------------------------------------------------------------------------

    @operation("lambda", "CreateFunction")
    async def create_function(self, call: Call) -> Members:
        params = call.params
        _refuse_unsupported(params)
        changes: Changes = {"runtime": "", "handler": ""}  # without them, the service says that they are mandatory
        changes.update(_changes(params))
        created = await self._functions.create(
            params["FunctionName"],
            _zip_file(params["Code"]),
            msgspec.structs.replace(_DEFAULTS, **changes),
            architecture=_architecture(params) or "x86_64",
            tags=params.get("Tags"),
        )
        return self._describe(created)

    @operation("lambda", "UpdateFunctionCode")
    async def update_function_code(self, call: Call) -> Members:
        params = call.params
        _refuse_unsupported(params)
        updated = await self._functions.update_code(
            params["FunctionName"],
            _zip_file(params),
            architecture=_architecture(params),
            revision_id=params.get("RevisionId"),
            dry_run=params.get("DryRun", False),
        )
        return self._describe(updated)

    @operation("lambda", "UpdateFunctionConfiguration")
    async def update_function_configuration(self, call: Call) -> Members:
        params = call.params
        _refuse_unsupported(params)
        updated = await self._functions.update_configuration(
            params["FunctionName"], revision_id=params.get("RevisionId"), **_changes(params)
        )
        return self._describe(updated)

    @operation("lambda", "GetFunction")
    async def get_function(self, call: Call) -> Members:
        found = self._functions.registry.get(call.params["FunctionName"], call.params.get("Qualifier"))
        location = self._base_url().rstrip("/") + f"{CODE_PATH}?token={self._functions.code_token(found)}"
        return {
            "Configuration": self._describe(found, call),
            "Code": {"RepositoryType": "S3", "Location": location},
            "Tags": dict(found.tags) or None,
        }

    @operation("lambda", "GetFunctionConfiguration")
    async def get_function_configuration(self, call: Call) -> Members:
        found = self._functions.registry.get(call.params["FunctionName"], call.params.get("Qualifier"))
        return self._describe(found, call)

    @operation("lambda", "ListFunctions")
    async def list_functions(self, call: Call) -> Members:
        functions, marker = self._functions.registry.list(call.params.get("Marker"), call.params.get("MaxItems", 50))
        return {"Functions": [self._describe(one) for one in functions], "NextMarker": marker}

    @operation("lambda", "DeleteFunction")
    async def delete_function(self, call: Call) -> Members:
        await self._functions.delete(call.params["FunctionName"], call.params.get("Qualifier"))
        return {"StatusCode": 204}

    @property
    def code_page(self) -> Page:
        """Where a `Code.Location` leads: its token is all that one needs, as with AWS's presigned addresses."""
        return Page(method="GET", path=CODE_PATH, audience=Audience.ANYONE, answer=self._download)

    async def _download(self, visit: Visit) -> Response:
        archive = await self._functions.download(dict(parse_query(visit.request.query)).get("token", ""))
        if archive is None:
            raise Forbidden("The address of this code has expired or was never given; ask GetFunction for a new one.")
        return Response(200, (("content-type", "application/zip"),), archive)

    # --- invocation -----------------------------------------------------------------------------------------------

    @operation("lambda", "Invoke")
    async def invoke(self, call: Call) -> Members:
        params = call.params
        for member in ("DurableExecutionName", "TenantId"):
            if params.get(member) is not None:
                raise NotImplementedByFogbank(f"Fogbank does not support Invoke with {member}")
        result = await self._functions.invoke(
            params["FunctionName"],
            params.get("Payload") or b"",
            type_=_invocation_type(params.get("InvocationType", "RequestResponse")),
            qualifier=params.get("Qualifier"),
            client_context=params.get("ClientContext"),
            log_tail=params.get("LogType") == "Tail",
            request_id=call.request_id,
        )
        answered = result.status == 200
        return {
            "StatusCode": result.status,
            "Payload": result.payload,
            "FunctionError": result.function_error,
            "ExecutedVersion": result.executed_version if answered else None,
            "LogResult": None if result.log_tail is None else base64.b64encode(result.log_tail).decode(),
        }

    # --- who may invoke -------------------------------------------------------------------------------------------

    @operation("lambda", "AddPermission")
    async def add_permission(self, call: Call) -> Members:
        params = call.params
        for member in ("FunctionUrlAuthType", "InvokedViaFunctionUrl", "PrincipalOrgID"):
            if params.get(member) is not None:
                raise NotImplementedByFogbank(f"Fogbank does not support AddPermission with {member}")
        statement = Statement(
            sid=params["StatementId"],
            action=params["Action"],
            principal=params["Principal"],
            source_arn=params.get("SourceArn"),
            source_account=params.get("SourceAccount"),
            event_source_token=params.get("EventSourceToken"),
        )
        text = await self._functions.registry.add_permission(
            params["FunctionName"],
            statement,
            qualifier=params.get("Qualifier"),
            revision_id=params.get("RevisionId"),
        )
        return {"Statement": text}

    @operation("lambda", "GetPolicy")
    async def get_policy(self, call: Call) -> Members:
        policy, revision = self._functions.registry.policy(call.params["FunctionName"], call.params.get("Qualifier"))
        return {"Policy": policy, "RevisionId": revision}

    @operation("lambda", "RemovePermission")
    async def remove_permission(self, call: Call) -> Members:
        params = call.params
        await self._functions.registry.remove_permission(
            params["FunctionName"],
            params["StatementId"],
            qualifier=params.get("Qualifier"),
            revision_id=params.get("RevisionId"),
        )
        return {}

    # --- members --------------------------------------------------------------------------------------------------

    def _describe(self, function: Function, call: Call | None = None) -> Members:
        """The FunctionConfiguration; its ARN carries the version where the caller asked for one."""
        configuration = function.configuration
        arn = self._arns.function(function.name)
        if call is not None:
            arn = self._functions.registry.arn(call.params["FunctionName"], call.params.get("Qualifier"))
        environment = dict(configuration.environment)
        return {
            "FunctionName": function.name,
            "FunctionArn": arn,
            "Runtime": configuration.runtime,
            "Role": configuration.role,
            "Handler": configuration.handler,
            "CodeSize": function.code_size,
            "Description": configuration.description,
            "Timeout": configuration.timeout,
            "MemorySize": configuration.memory_size,
            "LastModified": _timestamp(function.last_modified),
            "CodeSha256": base64.b64encode(bytes.fromhex(function.code_digest)).decode(),
            "Version": LATEST,
            "Environment": {"Variables": environment} if environment else None,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": function.revision_id,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": [function.architecture],
            "EphemeralStorage": {"Size": configuration.ephemeral_storage},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": log_group(function.name)},
        }


_DEFAULTS = Configuration(runtime="", role="", handler="")

_Accepts = Callable[[Any], bool]
_UNSUPPORTED: dict[str, _Accepts] = {
    "Publish": lambda value: not value,
    "PublishTo": lambda value: False,
    "PackageType": lambda value: value == "Zip",
    "VpcConfig": lambda value: not value.get("SubnetIds") and not value.get("SecurityGroupIds"),
    "DeadLetterConfig": lambda value: not value.get("TargetArn"),
    "KMSKeyArn": lambda value: not value,
    "TracingConfig": lambda value: value.get("Mode") in (None, "PassThrough"),
    "Layers": lambda value: not value,
    "FileSystemConfigs": lambda value: not value,
    "CodeSigningConfigArn": lambda value: not value,
    "ImageConfig": lambda value: not value,
    "SnapStart": lambda value: value.get("ApplyOn") in (None, "None"),
    "LoggingConfig": lambda value: value.keys() <= {"LogFormat"} and value.get("LogFormat") in (None, "Text"),
    "TenancyConfig": lambda value: False,
    "CapacityProviderConfig": lambda value: False,
    "DurableConfig": lambda value: False,
    "RuntimeConfig": lambda value: False,
    "AcceleratorConfig": lambda value: False,
}
"""Members of the requests that change nothing yet, each with the values that ask for nothing."""


def _refuse_unsupported(params: Members) -> None:
    for member, accepts in _UNSUPPORTED.items():
        if params.get(member) is not None and not accepts(params[member]):
            raise NotImplementedByFogbank(f"Fogbank does not support {member} of a function: leave it out")


def _zip_file(code: Members) -> bytes:
    for member in ("S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri", "SourceKMSKeyArn"):
        if code.get(member):
            raise NotImplementedByFogbank(f"Fogbank takes a function's code as ZipFile, not by {member}")
    archive: bytes | None = code.get("ZipFile")
    if not archive:
        raise InvalidParameterValue("Please provide a source for function code.")
    return archive


def _changes(params: Members) -> Changes:
    """The members of the configuration that the request gives."""
    given: dict[str, Any] = {
        "runtime": params.get("Runtime"),
        "role": params.get("Role"),
        "handler": params.get("Handler"),
        "description": params.get("Description"),
        "timeout": params.get("Timeout"),
        "memory_size": params.get("MemorySize"),
        "ephemeral_storage": (params.get("EphemeralStorage") or {}).get("Size"),
        "environment": None if params.get("Environment") is None else params["Environment"].get("Variables", {}),
    }
    return {name: value for name, value in given.items() if value is not None}  # type: ignore[return-value]


def _architecture(params: Members) -> str | None:
    architectures: list[str] = params.get("Architectures") or []
    if not architectures:
        return None
    if len(architectures) > 1 or architectures[0] not in ("x86_64", "arm64"):
        raise InvalidParameterValue(f"A function has one of the architectures x86_64 and arm64, not {architectures}")
    return architectures[0]


def _invocation_type(value: str) -> InvocationType:
    try:
        return InvocationType(value)
    except ValueError as error:
        raise InvalidParameterValue(
            f"The invocation type {value!r} is none of {', '.join(one.value for one in InvocationType)}"
        ) from error


def _timestamp(seconds: float) -> str:
    """Lambda's own form, `2026-11-23T06:08:26.123+0000`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
