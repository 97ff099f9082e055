"""`encode` and `decode` (developer guide: "Functions")."""

import base64
import binascii
from typing import Final

from fogbank.sql.coercion import text
from fogbank.sql.functions.function import Function
from fogbank.sql.scope import Scope
from fogbank.sql.values import UNDEFINED, Value, from_json
from fogbank.sql.version import Version

_BASE64: Final = "base64"
_PROTO: Final = "proto"


def _encode(value: "Value | bytes", scheme: Value) -> Value:
    """Base64 of the payload's bytes for `*`, else of the value as String."""
    if scheme != _BASE64:
        return UNDEFINED
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    converted = text(value)
    return UNDEFINED if converted is None else base64.b64encode(converted.encode()).decode()


def _decode(scope: Scope, value: Value, scheme: Value, *more: Value) -> Value:
    """What base64 text holds: JSON as its value, other text as a String; Null where it cannot be decoded."""
    encoded = text(value)
    if scheme != _BASE64 or encoded is None or more:
        return UNDEFINED
    try:
        # As Java does, take text that lacks its padding.
        content = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    parsed = from_json(content, scope.version)
    return content if parsed is UNDEFINED else parsed


def _check_encode(_: object, scheme: Value) -> str | None:
    if isinstance(scheme, str) and scheme != _BASE64:
        return f"encode knows {_BASE64!r} alone, not {scheme!r}"
    return None


def _check_decode(_: object, scheme: Value, *__: Value) -> str | None:
    if scheme == _PROTO:
        return "decoding of Protocol Buffers ('proto') is not supported yet"
    if isinstance(scheme, str) and scheme != _BASE64:
        return f"decode knows {_BASE64!r} and {_PROTO!r}, not {scheme!r}"
    return None


FUNCTIONS: Final = (
    Function("encode", _encode, 2, 2, Version.V2016_03_23, takes_payload=True, check=_check_encode),
    Function("decode", _decode, 2, 6, Version.V2016_03_23, contextual=True, check=_check_decode),
)
