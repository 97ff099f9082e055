"""Messages of Protocol Buffers as values, by the `FileDescriptorSet` that describes them.

The wire format is read by Google's own library: it has met every malformed message there is, in C, and it knows proto2,
proto3 and editions. It is large, so that it is loaded when the first statement that needs it is compiled. Values are as
the canonical JSON mapping of Protocol Buffers has them: names in lowerCamelCase, 64-bit integers and bytes (base64) as
strings, enums by name, fields that are not set left out (UNVERIFIED: AWS documents no mapping).
"""

import functools
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from fogbank.sql.values import Value, whole
from fogbank.sql.version import Version

MAX_DESCRIPTORS: Final = 32 * 1024
"""Bytes of a FileDescriptorSet (developer guide: "Decoding protobuf message payloads")."""

_KEPT: Final = 32
"""Message types kept ready, the least used dropped first."""


class ProtobufError(ValueError):
    """Descriptors that cannot be used, or a message that does not follow them; the text says what is wrong."""


def load() -> None:
    """Import the library now, rather than when the first message waits for it."""
    from google.protobuf import descriptor_pb2, json_format, message_factory  # type: ignore[import-untyped]  # noqa: F401


def decode(content: bytes, descriptors: bytes, file: str, type_: str, version: Version) -> Value:
    """The message in `content` as an Object, or `ProtobufError`. Numbers as `version` has them.

    `file` is the .proto file that declares the type, without its extension; `type_` the type's name within it.
    """
    return _decoder(descriptors, file, type_)(content, version)


@functools.lru_cache(maxsize=_KEPT)
def _decoder(descriptors: bytes, file: str, type_: str) -> Callable[[bytes, Version], Value]:
    from google.protobuf import json_format, message_factory
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    descriptor = _descriptor(descriptors, file, type_)
    message_class = message_factory.GetMessageClass(descriptor)

    def decode_message(content: bytes, version: Version) -> Value:
        message = message_class()
        try:
            message.ParseFromString(content)
            return _value(json_format.MessageToDict(message, descriptor_pool=descriptor.file.pool), version)
        except (DecodeError, json_format.Error, TypeError, ValueError, RecursionError) as error:
            # TypeError: an Any that holds what the descriptors do not describe.
            raise ProtobufError(f"the data is no message of the type {type_}: {error}") from None

    return decode_message


def _descriptor(descriptors: bytes, file: str, type_: str) -> Any:
    """The descriptor of the message type."""
    from google.protobuf import descriptor_pb2, descriptor_pool
    from google.protobuf.message import DecodeError

    if len(descriptors) > MAX_DESCRIPTORS:
        raise ProtobufError(f"the descriptors have {len(descriptors)} bytes; {MAX_DESCRIPTORS} are allowed")
    try:
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptors)
    except DecodeError:
        raise ProtobufError("the descriptors are no FileDescriptorSet") from None
    declaring = [one for one in files.file if one.name.removesuffix(".proto") in (file, file.removesuffix(".proto"))]
    if not declaring:
        known = ", ".join(one.name for one in files.file) or "nothing"
        raise ProtobufError(f"the descriptors describe {known}, not {file}.proto")
    pool = descriptor_pool.DescriptorPool()
    try:
        for one in files.file:
            pool.Add(one)
        package = declaring[0].package
        names = [f"{package}.{type_}", type_] if package else [type_]
        for name in names:
            try:
                found = pool.FindMessageTypeByName(name)
            except KeyError:
                continue
            if found.file.name == declaring[0].name:
                return found
    except TypeError as error:
        raise ProtobufError(f"the descriptors do not fit together: {error}") from None
    raise ProtobufError(f"{declaring[0].name} declares no message type {type_}")


def _value(plain: Any, version: Version) -> Value:
    """What the JSON mapping made, with Decimals for its floats."""
    if isinstance(plain, dict):
        return {name: _value(member, version) for name, member in plain.items()}
    if isinstance(plain, list):
        return [_value(item, version) for item in plain]
    if isinstance(plain, float):
        assert math.isfinite(plain), "the mapping writes NaN and the infinities as strings"
        number = Decimal(repr(plain))
        return whole(number) if version.whole_numbers_are_int else number
    value: Value = plain
    return value
