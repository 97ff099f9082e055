"""An event on its way to a function, and what became of it."""

import secrets
import uuid

import msgspec

from fogbank.functions.failures import Failure


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """One event for a function."""

    request_id: str
    payload: bytes
    function_arn: str
    """The ARN the caller named, with its qualifier: the handler's `invoked_function_arn`."""
    client_context: str | None = None
    """JSON text."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an invocation came to: the function's answer, or the failure's error document."""

    payload: bytes
    failure: Failure | None = None
    duration_ms: float = 0.0
    log_tail: bytes = b""


def new_request_id() -> str:
    """A random UUID, as AWS's are."""
    return str(uuid.uuid4())


def new_trace_id(now: float) -> str:
    """An X-Ray trace header that is not sampled; `now` in seconds since the epoch."""
    return f"Root=1-{int(now):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"
