"""What comes in: payloads of requests, parsed and checked, with AWS's own words for what is wrong. Pure."""

from typing import Any

import msgspec

from fogbank.errors import InvalidRequest, RequestEntityTooLarge
from fogbank.shadows import errors
from fogbank.shadows.document import SECTIONS, Changes, SectionName, State
from fogbank.shadows.limits import ShadowLimits

MAX_CLIENT_TOKEN_BYTES = 64


class UpdateRequest(msgspec.Struct, frozen=True):
    """A checked request to update a shadow."""

    changes: Changes
    version: int | None = None
    """The version which the shadow must have; None: does not matter."""
    client_token: str | None = None
    clears: bool = False
    """The whole state is null, which removes both sections. AWS was seen to take that."""


def parse_update(payload: bytes, limits: ShadowLimits) -> UpdateRequest:
    """`{"state": {"desired": {...}|null, "reported": {...}|null}|null, "clientToken": str, "version": int}`.

    Other members are ignored, as AWS does. Raises InvalidRequest, RequestEntityTooLarge, UnsupportedDocumentEncoding.
    """
    if len(payload) > limits.request_bytes:
        raise RequestEntityTooLarge(errors.TOO_LARGE)
    document = _decode(payload, limits)
    if not isinstance(document, dict) or "state" not in document:
        raise InvalidRequest(errors.MISSING_STATE)
    state = document["state"]
    clears = state is None
    if clears:
        state = dict.fromkeys(SECTIONS)
    if not isinstance(state, dict):
        raise InvalidRequest(errors.STATE_NOT_OBJECT)
    token, version = document.get("clientToken"), document.get("version")
    if token is not None and not _is_token(token):
        raise InvalidRequest(errors.INVALID_CLIENT_TOKEN)
    if version is not None and (type(version) is not int or version < 0):
        raise InvalidRequest(errors.INVALID_VERSION)
    return UpdateRequest(_changes(state, limits), version, token, clears)


class DeleteRequest(msgspec.Struct, frozen=True):
    """What counts of a request to delete a shadow."""

    version: int | None = None
    """The version which the shadow must have; None: does not matter."""
    client_token: str | None = None


def parse_delete(payload: bytes) -> DeleteRequest:
    """`{"version": int, "clientToken": str}`, and whatever else: it never fails of its payload."""
    document = _members(payload)
    version, token = document.get("version"), document.get("clientToken")
    return DeleteRequest(version if type(version) is int else None, token if _is_token(token) else None)


def client_token(payload: bytes) -> str | None:
    """The token of a get, whose payload may otherwise be anything, and of a request that was refused."""
    token = _members(payload).get("clientToken") if payload else None
    return token if _is_token(token) else None


def _members(payload: bytes) -> dict[str, Any]:
    """Of the object in a payload; none where there is no such thing in it."""
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _decode(payload: bytes, limits: ShadowLimits) -> Any:
    try:
        return msgspec.json.decode(payload.decode())
    except UnicodeDecodeError:
        raise errors.UnsupportedDocumentEncoding(errors.UNSUPPORTED_ENCODING) from None
    except msgspec.DecodeError:
        raise InvalidRequest(errors.INVALID_JSON) from None
    except RecursionError:
        raise InvalidRequest(errors.TOO_DEEP.format(depth=limits.depth_told)) from None


def _is_token(token: Any) -> bool:
    return isinstance(token, str) and len(token.encode()) <= MAX_CLIENT_TOKEN_BYTES


def _changes(state: State, limits: ShadowLimits) -> Changes:
    changes: dict[SectionName, State | None] = {}
    for name in SECTIONS:
        if name in state:
            section = state[name]
            if section is not None and not isinstance(section, dict):
                raise InvalidRequest(errors.SECTION_NOT_OBJECT[name])
            _check(section, limits.depth, limits.depth_told, in_array=False)
            changes[name] = section
    return changes


def _check(node: Any, levels: int, told: int, *, in_array: bool) -> None:
    """Refuse more than `levels` further levels, and null in an array, where it can mean no removal."""
    if isinstance(node, dict | list):
        if levels == 0:
            raise InvalidRequest(errors.TOO_DEEP.format(depth=told))
        in_array = in_array or isinstance(node, list)
        for inner in node.values() if isinstance(node, dict) else node:
            if inner is None or isinstance(inner, dict | list):
                _check(inner, levels - 1, told, in_array=in_array)
    elif node is None and in_array:
        raise InvalidRequest(errors.INVALID_NODE)
