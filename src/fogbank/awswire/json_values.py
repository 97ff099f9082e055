"""JSON documents to and from the values that services see, by the shapes of a model.

Blobs are base64 on the wire and bytes inside; timestamps are numbers of seconds unless the model says otherwise;
members that are null count as absent. Unknown members of a request are ignored, as AWS ignores them; unknown members
of a result are a mistake of ours and say so.
"""

import base64
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.awswire import timestamps
from fogbank.awswire.errors import SerializationError
from fogbank.awswire.model import Shape, ShapeRef

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""JSON has no such numbers; AWS's protocols spell them as strings."""


class Mismatch(Exception):
    """A value that its shape cannot take. The members on the way to it are put in front while it rises."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(found, wanted)
        self._found, self._wanted, self._path = found, wanted, ""

    def within(self, segment: str) -> "Mismatch":
        """The same mismatch, seen from one level above."""
        self._path = f"{segment}.{self._path}" if self._path else segment
        return self

    def error(self) -> SerializationError:
        """What the caller is told."""
        where = f" at '{self._path}'" if self._path else ""
        return SerializationError(f"{self._found} can not be converted to {self._wanted}{where}")


def decode(body: bytes) -> Any:
    """The JSON value of a body. Raises SerializationError with the position of what is wrong."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SerializationError(f"The request body is not valid JSON: {error}") from None
    except RecursionError:
        raise SerializationError("The request body is not valid JSON: it is nested too deeply") from None


class JsonValues:
    """Reads and writes JSON by the shapes of one model."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = shapes

    # --- from the wire ------------------------------------------------------------------------------------------

    def read(self, ref: ShapeRef, value: Any) -> Any:
        """The value of a decoded JSON value. Raises Mismatch where the types do not fit."""
        shape = self._shapes[ref.shape]
        match shape.type:
            case "structure" if not shape.document:
                return self._read_structure(shape, value)
            case "list" if shape.member is not None:
                return self._read_list(shape.member, value)
            case "map" if shape.value is not None:
                return self._read_map(shape.value, value)
            case "structure":
                return value
            case _:
                return _read_scalar(shape, ref, value)

    def _read_structure(self, shape: Shape, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Mismatch(_token(value), "Structure")
        members = {}
        for name, ref in shape.members.items():
            found = value.get(ref.location_name or name)
            if found is not None and ref.location is None:
                try:
                    members[name] = self.read(ref, found)
                except Mismatch as mismatch:
                    raise mismatch.within(name) from None
        return members

    def _read_list(self, member: ShapeRef, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Mismatch(_token(value), "List")
        items = []
        for position, item in enumerate(value, 1):
            try:
                items.append(None if item is None else self.read(member, item))
            except Mismatch as mismatch:
                raise mismatch.within(f"{position}.member") from None
        return items

    def _read_map(self, member: ShapeRef, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Mismatch(_token(value), "Map")
        items = {}
        for key, item in value.items():
            try:
                items[key] = None if item is None else self.read(member, item)
            except Mismatch as mismatch:
                raise mismatch.within(f"{key}.member") from None
        return items

    # --- to the wire --------------------------------------------------------------------------------------------

    def write(self, ref: ShapeRef, value: Any) -> Any:
        """What msgspec encodes for a value. Raises TypeError for members that the model does not know."""
        shape = self._shapes[ref.shape]
        match shape.type:
            case "structure" if not shape.document:
                return self._write_structure(shape, value)
            case "list" if shape.member is not None:
                member = shape.member
                return [None if item is None else self.write(member, item) for item in value]
            case "map" if shape.value is not None:
                member = shape.value
                return {key: self.write(member, item) for key, item in value.items() if item is not None}
            case "timestamp":
                format_ = ref.timestamp_format or shape.timestamp_format or "unixTimestamp"
                return value if format_ == "unixTimestamp" else timestamps.to_text(value, format_)
            case "float" | "double" if not math.isfinite(value):
                return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
            case _:
                return value

    def _write_structure(self, shape: Shape, value: dict[str, Any]) -> dict[str, Any]:
        members = {}
        for name, item in value.items():
            ref = shape.members.get(name)
            if ref is None:
                raise TypeError(f"the model's structure has no member {name!r}")
            if item is not None and ref.location is None:
                members[ref.location_name or name] = self.write(ref, item)
        return members


def _read_scalar(shape: Shape, ref: ShapeRef, value: Any) -> Any:
    match shape.type, value:
        case "string", str():
            return value
        case "boolean", bool():
            return value
        case _, bool():
            pass
        case "integer" | "long", int():
            return value
        case "integer" | "long", float() if value.is_integer():
            return int(value)
        case "float" | "double", int() | float():
            return float(value)
        case "float" | "double", str() if value in _NON_FINITE:
            return _NON_FINITE[value]
        case "blob", str():
            try:
                return base64.b64decode(value, validate=True)
            except ValueError:
                raise Mismatch("STRING_VALUE that is not base64", "Blob") from None
        case "timestamp", int() | float():
            return float(value)
        case "timestamp", str():
            try:
                return timestamps.from_text(value, ref.timestamp_format or shape.timestamp_format or "iso8601")
            except (ValueError, OverflowError):
                pass
    raise Mismatch(_token(value), shape.type.capitalize())


def _token(value: Any) -> str:
    """What AWS's deserialisers call a JSON token."""
    match value:
        case bool():
            return f"{value}_VALUE".upper()
        case str():
            return "STRING_VALUE"
        case int() | float():
            return "NUMBER_VALUE"
        case dict():
            return "START_OBJECT"
        case list():
            return "START_ARRAY"
        case _:
            return "NULL_VALUE"
