"""What the platform keeps of a function, and the bounds of its configuration (developer guide, "Lambda quotas")."""

import re
from collections.abc import Iterable, Mapping
from typing import TypedDict

import msgspec

from fogbank.errors import InvalidParameterValue
from fogbank.functions.resource_policy import Statement

MAX_TIMEOUT = 900
MIN_MEMORY, MAX_MEMORY = 128, 10240
MIN_STORAGE, MAX_STORAGE = 512, 10240
MAX_ENVIRONMENT_BYTES = 4096

_RUNTIME = re.compile(r"python3\.\d{1,2}")
_ROLE = re.compile(r"arn:aws[a-zA-Z-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")
_HANDLER = re.compile(r"\S{1,128}")
_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_RESERVED = frozenset(
    """
    _HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_REGION AWS_EXECUTION_ENV AWS_LAMBDA_FUNCTION_NAME
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_INITIALIZATION_TYPE
    AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    AWS_SESSION_TOKEN AWS_LAMBDA_RUNTIME_API LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR
    AWS_LAMBDA_MAX_CONCURRENCY
    """.split()  # noqa: SIM905 - a list of names reads best as one
)
"""Developer guide, "Defined runtime environment variables"; the last one would change the runtime client's mode."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What UpdateFunctionConfiguration can change. Timeout in seconds, sizes in MB."""

    runtime: str
    role: str
    handler: str
    description: str = ""
    timeout: int = 3
    memory_size: int = 128
    ephemeral_storage: int = 512
    environment: Mapping[str, str] = {}


class Changes(TypedDict, total=False):
    """Members of `Configuration` to replace; the environment as a whole."""

    runtime: str
    role: str
    handler: str
    description: str
    timeout: int
    memory_size: int
    ephemeral_storage: int
    environment: Mapping[str, str]


class Function(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function as it is stored."""

    name: str
    configuration: Configuration
    code_digest: str
    """SHA-256 of the zip, in hex: its key in the blob store."""
    code_size: int
    architecture: str = "x86_64"
    tags: Mapping[str, str] = {}
    last_modified: float
    """Seconds since the epoch."""
    revision_id: str
    """Changes with every change, of the resource policy too."""
    deployment: str
    """Changes with code and configuration alone: environments of another deployment are stale."""
    policy: tuple[Statement, ...] = ()


def check(configuration: Configuration) -> Configuration:
    """Return `configuration`, or raise InvalidParameterValue naming the member that is out of bounds."""
    if not configuration.runtime or not configuration.handler:
        raise InvalidParameterValue(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    if not _RUNTIME.fullmatch(configuration.runtime):
        raise InvalidParameterValue(
            f"Fogbank does not run the runtime {configuration.runtime}; it runs python3.x with its own interpreter"
        )
    if not _ROLE.fullmatch(configuration.role):
        raise InvalidParameterValue(_violation("role", configuration.role, "be the ARN of an IAM role"))
    if not _HANDLER.fullmatch(configuration.handler):
        raise InvalidParameterValue(_violation("handler", configuration.handler, "be up to 128 characters, no space"))
    if len(configuration.description) > 256:
        raise InvalidParameterValue(
            _violation("description", configuration.description, "have length less than or equal to 256")
        )
    _check_range("timeout", configuration.timeout, 1, MAX_TIMEOUT)
    _check_range("memorySize", configuration.memory_size, MIN_MEMORY, MAX_MEMORY)
    _check_range("ephemeralStorage.size", configuration.ephemeral_storage, MIN_STORAGE, MAX_STORAGE)
    _check_environment(configuration.environment)
    return configuration


def _check_range(member: str, value: int, least: int, most: int) -> None:
    if value < least:
        raise InvalidParameterValue(_violation(member, value, f"have value greater than or equal to {least}"))
    if value > most:
        raise InvalidParameterValue(_violation(member, value, f"have value less than or equal to {most}"))


def _check_environment(variables: Mapping[str, str]) -> None:
    if reserved := sorted(_RESERVED & variables.keys()):
        raise InvalidParameterValue(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name):
            raise InvalidParameterValue(
                _violation("environment.variables", name, "have names that satisfy [a-zA-Z]([a-zA-Z0-9_])+")
            )
        if "\0" in value:
            raise InvalidParameterValue(f"The value of the environment variable {name} holds a null character")
    size = _size(variables.items())
    if size > MAX_ENVIRONMENT_BYTES:
        raise InvalidParameterValue(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the 4KB limit. Actual size: {size} bytes"
        )


def _size(pairs: Iterable[tuple[str, str]]) -> int:
    return sum(len(name.encode()) + len(value.encode("utf-8", "surrogatepass")) for name, value in pairs)


def _violation(member: str, value: object, constraint: str) -> str:
    return (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must {constraint}"
    )
