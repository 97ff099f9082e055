"""What devices ask, parsed and checked: from payloads of MQTT, and from members that came over HTTP. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.jobs.errors import InvalidJson
from fogbank.jobs.limits import DETAILS, LONGEST_DETAIL, LONGEST_TIMEOUT
from fogbank.jobs.states import ExecutionStatus

MAX_CLIENT_TOKEN_BYTES = 64
DISCARD = -1
"""The step timeout that takes the step timer away."""

_DETAIL_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}", re.ASCII)


class StartNext(msgspec.Struct, frozen=True):
    """A request to start the next pending execution."""

    details: Mapping[str, str] | None = None
    step_timeout: int | None = None
    """Minutes, or `DISCARD`."""


class Describe(msgspec.Struct, frozen=True):
    """A request for an execution."""

    number: int | None = None
    include_document: bool = True


class Update(msgspec.Struct, frozen=True):
    """A request to move an execution on."""

    status: ExecutionStatus
    details: Mapping[str, str] | None = None
    """None: those there are stay."""
    expected_version: int | None = None
    number: int | None = None
    include_state: bool = False
    include_document: bool = False
    step_timeout: int | None = None


def parse(payload: bytes, limit: int) -> dict[str, Any]:
    """The members of a request; an empty payload has none. Raises InvalidJson, InvalidRequest."""
    if len(payload) > limit:
        raise InvalidRequest(f"The payload is longer than {limit} bytes")
    if not payload.strip():
        return {}
    try:
        members = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidJson("The payload is not valid JSON") from None
    if not isinstance(members, dict):
        raise InvalidJson("The payload is not a JSON object")
    token = members.get("clientToken")
    if token is not None and not _is_token(token):
        raise InvalidRequest(f"clientToken must be a string of at most {MAX_CLIENT_TOKEN_BYTES} bytes")
    return members


def client_token(payload: bytes) -> str | None:
    """The token of a request that may be anything."""
    try:
        members = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    token = members.get("clientToken") if isinstance(members, dict) else None
    return token if _is_token(token) else None


def read_start_next(members: Mapping[str, Any]) -> StartNext:
    """Raises InvalidRequest."""
    return StartNext(_details(members), _step_timeout(members))


def read_describe(members: Mapping[str, Any]) -> Describe:
    """Raises InvalidRequest."""
    return Describe(_number(members, "executionNumber"), _flag(members, "includeJobDocument", default=True))


def read_update(members: Mapping[str, Any]) -> Update:
    """Raises InvalidRequest."""
    status = members.get("status")
    if not isinstance(status, str) or status not in ExecutionStatus.__members__:
        raise InvalidRequest(f"status must be one of {', '.join(ExecutionStatus.__members__)}")
    return Update(
        ExecutionStatus(status),
        _details(members),
        _number(members, "expectedVersion"),
        _number(members, "executionNumber"),
        _flag(members, "includeJobExecutionState"),
        _flag(members, "includeJobDocument"),
        _step_timeout(members),
    )


def check_details(details: Mapping[str, str]) -> Mapping[str, str]:
    """The status details themselves. Raises InvalidRequest where they are too many or not allowed."""
    if len(details) > DETAILS:
        raise InvalidRequest(f"statusDetails holds at most {DETAILS} pairs, not {len(details)}")
    for name, value in details.items():
        if _DETAIL_NAME.fullmatch(name) is None:
            raise InvalidRequest(f"statusDetails: the name {name[:128]!r} must match {_DETAIL_NAME.pattern}")
        if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_DETAIL:
            raise InvalidRequest(f"statusDetails: {name} must be a string of 1 to {LONGEST_DETAIL} characters")
        if any(unicodedata.category(one).startswith("C") for one in value):
            raise InvalidRequest(f"statusDetails: {name} holds a control character")
    return details


def _details(members: Mapping[str, Any]) -> Mapping[str, str] | None:
    details = members.get("statusDetails")
    if details is None:
        return None
    if not isinstance(details, dict):
        raise InvalidRequest("statusDetails must be an object of strings")
    return check_details(details)


def _step_timeout(members: Mapping[str, Any]) -> int | None:
    minutes = _number(members, "stepTimeoutInMinutes")
    if minutes is not None and minutes != DISCARD and not 1 <= minutes <= LONGEST_TIMEOUT:
        raise InvalidRequest(f"stepTimeoutInMinutes must be between 1 and {LONGEST_TIMEOUT}, or {DISCARD}")
    return minutes


def _number(members: Mapping[str, Any], name: str) -> int | None:
    """Devices send numbers as text, too."""
    value = members.get(name)
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        return int(value)
    if type(value) is not int:
        raise InvalidRequest(f"{name} must be a whole number")
    return value


def _flag(members: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = members.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} must be true or false")
    return value


def _is_token(token: Any) -> bool:
    return isinstance(token, str) and len(token.encode()) <= MAX_CLIENT_TOKEN_BYTES
