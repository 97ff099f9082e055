"""`encode` and `decode` (developer guide: "Functions"; "Decoding protobuf message payloads")."""

import base64
import binascii
from typing import Final

from fogbank.sql import protobuf
from fogbank.sql.coercion import text
from fogbank.sql.functions.function import Function
from fogbank.sql.functions.outside import ask
from fogbank.sql.outside.errors import OutsideFailed
from fogbank.sql.outside.requests import Object
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


def _decode(scope: Scope, value: Value, scheme: Value) -> Value:
    """What base64 text holds: JSON as its value, other text as a String; Null where it cannot be decoded."""
    encoded = text(value)
    if scheme != _BASE64 or encoded is None:
        return UNDEFINED
    content = _from_base64(encoded)
    if content is None:
        return None
    try:
        plain = content.decode()
    except UnicodeDecodeError:
        return None
    parsed = from_json(content, scope.version)
    return plain if parsed is UNDEFINED else parsed


def _decode_protobuf(
    scope: Scope,
    value: "Value | bytes",
    scheme: Value,
    bucket: Value,
    key: Value,
    file: Value,
    type_: Value,
) -> Value:
    """The message of Protocol Buffers that the payload (`*`) or base64 text holds, by descriptors kept in S3."""
    encoded = value if isinstance(value, bytes) else text(value)
    names = [text(one) for one in (bucket, key, file, type_)]
    if scheme != _PROTO or encoded is None or None in names:
        return UNDEFINED
    content = encoded if isinstance(encoded, bytes) else _from_base64(encoded)
    if content is None:
        raise OutsideFailed("decode() failed: the value is not base64")
    in_bucket, with_key, file_name, type_name = (name for name in names if name is not None)
    descriptors: bytes = ask(scope, Object(in_bucket, with_key))
    try:
        return protobuf.decode(content, descriptors, file_name, type_name, scope.version)
    except protobuf.ProtobufError as error:
        raise OutsideFailed(f"decode() failed: {error}") from None


def _from_base64(encoded: str) -> bytes | None:
    try:
        # As Java does, take text that lacks its padding.
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _check_encode(_: object, scheme: Value) -> str | None:
    if isinstance(scheme, str) and scheme != _BASE64:
        return f"encode knows {_BASE64!r} alone, not {scheme!r}"
    return None


def _check_decode(_: object, scheme: Value) -> str | None:
    if scheme == _PROTO:
        return f"{_PROTO!r} needs a bucket, a key, the name of the .proto file and a message type besides"
    if isinstance(scheme, str) and scheme != _BASE64:
        return f"decode knows {_BASE64!r} and {_PROTO!r}, not {scheme!r}"
    return None


def _check_decode_protobuf(_: object, scheme: Value, *__: Value) -> str | None:
    if isinstance(scheme, str) and scheme != _PROTO:
        return f"decode takes six arguments for {_PROTO!r} alone, not for {scheme!r}"
    protobuf.load()
    return None


_MAX_PROTOBUF: Final = 2
"""Decodings of Protocol Buffers in one statement (developer guide: "Decoding protobuf message payloads")."""

FUNCTIONS: Final = (
    Function("encode", _encode, 2, 2, Version.V2016_03_23, takes_payload=True, check=_check_encode),
    Function(
        "decode",
        _decode,
        2,
        2,
        Version.V2016_03_23,
        contextual=True,
        check=_check_decode,
        longer=Function(
            "decode",
            _decode_protobuf,
            6,
            6,
            Version.V2016_03_23,
            contextual=True,
            takes_payload=True,
            check=_check_decode_protobuf,
            asks=True,
            times=_MAX_PROTOBUF,
            in_templates=False,
        ),
    ),
)
