"""The environment variables a handler finds (developer guide, "Defined runtime environment variables").

Nothing of the server's own environment is passed on.
"""

import secrets
import time
from collections.abc import Callable, Mapping

from fogbank.functions.function import Function
from fogbank.functions.names import LATEST
from fogbank.ports import RoleCredentials

PlatformVariables = Callable[[], Mapping[str, str]]
"""AWS_ENDPOINT_URL, asked for with each start of an environment."""

_DEFAULTS = {"LANG": "en_US.UTF-8", "TZ": ":UTC"}


def variables(
    function: Function, *, region: str, runtime_api: str, platform: Mapping[str, str], now: float
) -> dict[str, str]:
    """All but those which name places, which are the executor's. What AWS reserves wins over the user's own."""
    configuration = function.configuration
    reserved = {
        "_HANDLER": configuration.handler,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": LATEST,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(function.name),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream(now),
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
    }
    return {**_DEFAULTS, **platform, **configuration.environment, **reserved}


def signing(credentials: RoleCredentials) -> dict[str, str]:
    """The variables from which a handler's SDK takes the keys of its role."""
    token = {} if credentials.token is None else {"AWS_SESSION_TOKEN": credentials.token}
    return {"AWS_ACCESS_KEY_ID": credentials.key_id, "AWS_SECRET_ACCESS_KEY": credentials.secret, **token}


def log_group(name: str) -> str:
    """Where AWS would keep the function's log."""
    return f"/aws/lambda/{name}"


def log_stream(now: float) -> str:
    """One per environment: `2026/11/23/[$LATEST]` and 32 hex digits."""
    return f"{time.strftime('%Y/%m/%d', time.gmtime(now))}/[{LATEST}]{secrets.token_hex(16)}"
