"""Service models: botocore's `service-2.json`, decoded straight into frozen nodes.

The document is its own object model: shapes refer to one another by name, and so recursive shapes cost nothing.
Documentation, two thirds of the bytes, is skipped by the decoder and never becomes an object. What a request needs
of an operation is bound once by `rest_json`, so nothing here has to be quick twice.
"""

from typing import Literal

import msgspec

ShapeType = Literal[
    "structure", "list", "map", "string", "blob", "boolean", "integer", "long", "float", "double", "timestamp"
]
Location = Literal["uri", "querystring", "header", "headers", "statusCode"]


class ShapeRef(msgspec.Struct, frozen=True, rename="camel"):
    """How a member, an input or an output uses a shape: its name on the wire and where it travels."""

    shape: str
    location: Location | None = None
    """None: in the body."""
    location_name: str | None = None
    """The name on the wire; for `headers` the prefix. None: the member's own name."""
    timestamp_format: str | None = None
    jsonvalue: bool = False
    """A JSON value as text: base64-encoded in headers."""
    result_wrapper: str | None = None
    """Of an operation's output in the query protocol: the element around it."""


class ErrorTrait(msgspec.Struct, frozen=True, rename="camel"):
    """What an exception shape says of its HTTP answer."""

    http_status_code: int | None = None
    code: str | None = None
    """The code on the wire where it is not the shape's name."""
    sender_fault: bool = False


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """A type with its constraints. `min` and `max` count characters, bytes, items or are the number's own bounds."""

    type: ShapeType
    members: dict[str, ShapeRef] = {}
    required: tuple[str, ...] = ()
    member: ShapeRef | None = None
    key: ShapeRef | None = None
    value: ShapeRef | None = None
    enum: tuple[str, ...] = ()
    min: int | float | None = None
    max: int | float | None = None
    pattern: str | None = None
    payload: str | None = None
    """The member that is the whole body."""
    flattened: bool = False
    """Of a list or map in the query protocol: its items follow one another without an element around them."""
    streaming: bool = False
    timestamp_format: str | None = None
    exception: bool = False
    error: ErrorTrait = ErrorTrait()
    eventstream: bool = False
    document: bool = False
    """A structure without members of its own: any JSON value."""
    sensitive: bool = False
    """The value must not appear in logs or error texts."""


class Http(msgspec.Struct, frozen=True, rename="camel"):
    """Where an operation lives: `request_uri` is a template of labels `{name}` and `{name+}`, perhaps with a query."""

    method: str
    request_uri: str
    response_code: int = 200


class Operation(msgspec.Struct, frozen=True, rename="camel"):
    """One operation of a service."""

    name: str
    http: Http
    input: ShapeRef | None = None
    output: ShapeRef | None = None


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """Who the model speaks for."""

    api_version: str
    protocol: str
    endpoint_prefix: str
    signing_name: str | None = None
    xml_namespace: str | None = None
    """Of the answers in the query protocol."""


class ServiceModel(msgspec.Struct, frozen=True):
    """One service: its operations by name and its shapes by name."""

    metadata: Metadata
    operations: dict[str, Operation]
    shapes: dict[str, Shape]

    def exception_name(self, code: str) -> str | None:
        """The name of the exception shape with this code, where the service models it."""
        shape = self.shapes.get(code)
        if shape is not None and shape.exception:
            return code
        named = (name for name, one in self.shapes.items() if one.exception and one.error.code == code)
        return next(named, None)


_decoder = msgspec.json.Decoder(ServiceModel)


def decode(document: bytes) -> ServiceModel:
    """A service model from the bytes of botocore's `service-2.json`. Raises msgspec.DecodeError."""
    return _decoder.decode(document)
