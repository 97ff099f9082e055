"""The query protocol of IAM and STS: forms into parameters, results and errors into XML.

    Action=CreateRole&Version=2010-05-08&RoleName=r&Tags.member.1.Key=k&Tags.member.1.Value=v

Names of fields are paths into the parameters: members by their names, items of lists by `member.N` (a flattened list
by `N`), entries of maps by `entry.N.key` and `entry.N.value`. Where the items of a list are numbered with gaps they
close up, as AWS closes them. Parameters and results are those of `rest_json`: the model's member names, timestamps as
seconds since the epoch, blobs as bytes. Source: the Smithy specification, "AWS query protocol".
"""

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from fogbank.awswire import timestamps, xml
from fogbank.awswire.errors import InvalidAction, MalformedQueryString
from fogbank.awswire.http import Request, Response
from fogbank.awswire.json_values import Mismatch
from fogbank.awswire.model import Operation, ServiceModel, Shape, ShapeRef
from fogbank.awswire.routes import Route
from fogbank.errors import ServiceError

Members = dict[str, Any]
Fields = Iterable[tuple[str, str]]

MAX_FIELDS = 2000
"""Of a form; no operation has as many."""
MAX_DEPTH = 16
"""Segments of a field's name; the models nest half as deep."""

_ACTION = "Action"
_VERSION = "Version"
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_POSITION = re.compile(r"[0-9]{1,6}")
_XML = ("content-type", "text/xml")

_CODES: Mapping[str, str] = {
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "ExpiredTokenException": "ExpiredToken",
    "ValidationException": "ValidationError",
    "SerializationException": "MalformedInput",
    "UnknownOperationException": "InvalidAction",
    "NotImplementedException": "NotImplemented",
}
"""What the older services call errors of the wire (IAM API reference, "Common errors"); of the others they leave out
the `Exception` at the end."""


class Query:
    """Parses the requests of one service and writes its responses."""

    def __init__(self, service: str, model: ServiceModel) -> None:
        self._service = service
        self._model = model
        self._namespace = model.metadata.xml_namespace or ""

    def fields(self, request: Request) -> list[tuple[str, str]]:
        """The decoded fields of a request's query and body. Raises MalformedQueryString."""
        found: list[tuple[str, str]] = []
        try:
            for text in (request.query, request.body.decode()):
                if text:
                    found += parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
        except UnicodeDecodeError:
            raise MalformedQueryString("The form is not percent-encoded UTF-8.") from None
        except ValueError:
            raise MalformedQueryString(f"The form has more than {MAX_FIELDS} fields.") from None
        return found

    def find(self, fields: Fields) -> Route:
        """The operation that a form asks for. Raises InvalidAction."""
        named = dict(fields)
        action, version = named.get(_ACTION), named.get(_VERSION, self._model.metadata.api_version)
        if not action:
            raise InvalidAction(f"The request names no {_ACTION}: name an operation of {self._service}.")
        operation = self._model.operations.get(action)
        if operation is None or version != self._model.metadata.api_version:
            raise InvalidAction(f"Could not find operation {action[:128]} for version {version[:32]}")
        return Route(operation, {})

    def parse(self, route: Route, request: Request, fields: Fields) -> Members:
        """The parameters of a form by the operation's input shape.

        Raises MalformedQueryString, and SerializationError naming the member and what was found there.
        """
        if route.operation.input is None:
            return {}
        try:
            members: Members = self._structure(self._shape(route.operation.input), _tree(fields))
        except Mismatch as mismatch:
            raise mismatch.error() from None
        return members

    def serialise(self, operation: Operation, result: Members, request_id: str) -> Response:
        """The response of a call that succeeded. Raises TypeError where the result does not fit the output shape."""
        inner = ""
        if operation.output is not None:
            inner = self._write_structure(self._shape(operation.output), result)
            wrapper = operation.output.result_wrapper
            inner = xml.element(wrapper, inner) if wrapper else inner
        elif result:
            raise TypeError(f"{operation.name} has no output, and so no {', '.join(sorted(result))}")
        inner += xml.element("ResponseMetadata", xml.element("RequestId", xml.text(request_id)))
        return _response(
            operation.http.response_code, xml.document(f"{operation.name}Response", self._namespace, inner)
        )

    def serialise_error(self, error: ServiceError, request_id: str) -> Response:
        """The response of a call that failed, with the status that the model has for it."""
        name = self._model.exception_name(error.code)
        if name is None:
            return _error(error, _code(error), error.status, request_id, self._namespace)
        status = self._model.shapes[name].error.http_status_code or error.status
        return _error(error, error.code, status, request_id, self._namespace)

    # --- from the wire ------------------------------------------------------------------------------------------

    def _read(self, ref: ShapeRef, node: "_Node") -> Any:
        shape = self._shape(ref)
        match shape.type:
            case "structure":
                return self._structure(shape, node)
            case "list" if shape.member is not None:
                return self._list(shape, shape.member, node)
            case "map" if shape.key is not None and shape.value is not None:
                return self._map(shape, shape.key, shape.value, node)
            case _:
                return _scalar(ref, shape, node)

    def _structure(self, shape: Shape, node: "_Node") -> Members:
        members: Members = {}
        for name, ref in shape.members.items():
            found = node.children.get(ref.location_name or name)
            if found is not None:
                try:
                    members[name] = self._read(ref, found)
                except Mismatch as mismatch:
                    raise mismatch.within(name) from None
        return members

    def _list(self, shape: Shape, member: ShapeRef, node: "_Node") -> list[Any]:
        holder = node if shape.flattened else node.children.get(member.location_name or "member", _Node())
        items = []
        for position, item in holder.numbered():
            try:
                items.append(self._read(member, item))
            except Mismatch as mismatch:
                raise mismatch.within(f"{position}.member") from None
        return items

    def _map(self, shape: Shape, key: ShapeRef, value: ShapeRef, node: "_Node") -> dict[str, Any]:
        holder = node if shape.flattened else node.children.get("entry", _Node())
        entries: dict[str, Any] = {}
        for position, entry in holder.numbered():
            named = entry.children.get(key.location_name or "key")
            if named is None or named.text is None:
                raise Mismatch("an entry without a key", "Map").within(f"{position}.entry")
            try:
                entries[named.text] = self._read(value, entry.children.get(value.location_name or "value", _Node()))
            except Mismatch as mismatch:
                raise mismatch.within(f"{named.text}.member") from None
        return entries

    # --- to the wire --------------------------------------------------------------------------------------------

    def _write_structure(self, shape: Shape, members: Members) -> str:
        if unknown := members.keys() - shape.members.keys():
            raise TypeError(f"the model's structure has no member {', '.join(sorted(unknown))}")
        return "".join(
            self._write(ref.location_name or name, ref, members[name])
            for name, ref in shape.members.items()
            if members.get(name) is not None
        )

    def _write(self, name: str, ref: ShapeRef, value: Any) -> str:
        shape = self._shape(ref)
        match shape.type:
            case "structure":
                return xml.element(name, self._write_structure(shape, value))
            case "list" if shape.member is not None:
                member = shape.member
                tag = member.location_name or (name if shape.flattened else "member")
                items = "".join(self._write(tag, member, item) for item in value)
                return items if shape.flattened else xml.element(name, items)
            case "map" if shape.key is not None and shape.value is not None:
                tags = (shape.key.location_name or "key", shape.value.location_name or "value")
                key, of_value = shape.key, shape.value
                tag = name if shape.flattened else "entry"
                entries = "".join(
                    xml.element(tag, self._write(tags[0], key, one) + self._write(tags[1], of_value, item))
                    for one, item in value.items()
                )
                return entries if shape.flattened else xml.element(name, entries)
            case _:
                return xml.element(name, xml.text(_text(ref, shape, value)))

    def _shape(self, ref: ShapeRef) -> Shape:
        return self._model.shapes[ref.shape]


def unmodelled_error(error: ServiceError, request_id: str) -> Response:
    """An error before it is known whose model describes it: signatures, unknown keys."""
    return _error(error, _code(error), error.status, request_id)


class _Node:
    """The fields whose names begin alike, taken apart at the dots."""

    __slots__ = ("children", "text")

    def __init__(self) -> None:
        self.text: str | None = None
        self.children: dict[str, _Node] = {}

    def numbered(self) -> list[tuple[int, "_Node"]]:
        """Items in the order of their numbers. Raises Mismatch where there is something else."""
        for name in self.children:
            if not _POSITION.fullmatch(name):
                raise Mismatch(f"'{name[:64]}'", "the number of an item")
        return sorted((int(name), child) for name, child in self.children.items())


def _tree(fields: Fields) -> _Node:
    root = _Node()
    for name, value in fields:
        segments = name.split(".")
        if len(segments) > MAX_DEPTH:
            raise MalformedQueryString(f"The field {name[:128]} is nested too deeply.")
        node = root
        for segment in segments:
            node = node.children.setdefault(segment, _Node())
        node.text = value
    return root


def _scalar(ref: ShapeRef, shape: Shape, node: _Node) -> Any:
    text = node.text
    if text is None:
        raise Mismatch("a structure", shape.type.capitalize())
    try:
        match shape.type:
            case "string":
                return text
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case "integer" | "long" if _INTEGER.fullmatch(text):
                return int(text)
            case "float" | "double":
                return float(text)
            case "timestamp":
                return timestamps.from_text(text, ref.timestamp_format or shape.timestamp_format or "iso8601")
            case "blob":
                return base64.b64decode(text, validate=True)
    except (ValueError, KeyError, OverflowError):
        pass
    raise Mismatch(f"'{text[:64]}'", shape.type.capitalize())


def _text(ref: ShapeRef, shape: Shape, value: Any) -> str:
    match shape.type:
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            return timestamps.to_text(value, ref.timestamp_format or shape.timestamp_format or "iso8601")
        case "blob":
            return base64.b64encode(value).decode()
        case _:
            return str(value)


def _code(error: ServiceError) -> str:
    return _CODES.get(error.code, error.code.removesuffix("Exception"))


def _error(error: ServiceError, code: str, status: int, request_id: str, namespace: str = "") -> Response:
    told = xml.element("Type", "Sender" if status < 500 else "Receiver")
    told += xml.element("Code", xml.text(code)) + xml.element("Message", xml.text(error.message))
    inner = xml.element("Error", told) + xml.element("RequestId", xml.text(request_id))
    return _response(status, xml.document("ErrorResponse", namespace, inner))


def _response(status: int, body: str) -> Response:
    return Response(status, (_XML,), body.encode())
