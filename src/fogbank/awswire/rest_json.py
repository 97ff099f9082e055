"""The rest-json protocol: requests into parameters, results and errors into responses.

Parameters and results bear the member names of the model; blobs are bytes, timestamps are seconds since the epoch.
HTTP cannot tell an absent body from an empty one, so a blob that is the whole body is always there, at least as `b""`.
Values of a wrong type are refused here; whether they keep the model's constraints is for `validate`.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fogbank.awswire import json_values, timestamps
from fogbank.awswire.http import Request, Response
from fogbank.awswire.json_values import JsonValues, Mismatch
from fogbank.awswire.model import Operation, ServiceModel, Shape, ShapeRef
from fogbank.awswire.routes import Route
from fogbank.errors import NotImplementedByFogbank, ServiceError

Members = dict[str, Any]
Fields = Sequence[tuple[str, str]]

_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_JSON = ("content-type", "application/json")


class Located(msgspec.Struct, frozen=True):
    """A member in the path, the query, the headers or the status."""

    name: str
    ref: ShapeRef
    shape: Shape
    key: str
    """What it is called there."""
    is_text: bool
    """It is the text that is found there, and nothing is to be read from it."""


class Binding(msgspec.Struct, frozen=True):
    """How the members of a structure travel when it is a whole request or response."""

    ref: ShapeRef
    shape: Shape
    located: tuple[Located, ...]
    has_body: bool
    """Whether members are left for a JSON object that is the body."""


class RestJson:
    """Parses the requests of one service and writes its responses."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._values = JsonValues(model.shapes)
        self._bindings: dict[str, Binding] = {}

    def parse(self, route: Route, request: Request, query: Fields) -> Members:
        """The parameters of a request by the operation's input shape; `query` are the decoded fields.

        Raises SerializationError naming the member and what was found there.
        """
        if route.operation.input is None:
            return {}
        binding = self._binding(route.operation.input.shape)
        params: Members = {}
        try:
            for member in binding.located:
                if member.is_text and member.ref.location == "uri":
                    params[member.name] = route.labels[member.key]
                elif query or member.ref.location != "querystring":
                    value = self._read_located(member, route.labels, query, request.headers)
                    if value is not None:
                        params[member.name] = value
            if binding.shape.payload is not None:
                self._read_payload(params, binding.shape.payload, binding.shape, request.body)
            elif binding.has_body and request.body:
                params |= self._values.read(binding.ref, json_values.decode(request.body))
        except Mismatch as mismatch:
            raise mismatch.error() from None
        return params

    def serialise(self, operation: Operation, result: Members) -> Response:
        """The response of a call that succeeded. Raises TypeError where the result does not fit the output shape.

        Without an output shape it has no body, or the result as it is: some guides tell of answers that models do not.
        """
        if operation.output is None:
            body = msgspec.json.encode(result) if result else b""
            return Response(operation.http.response_code, (_JSON,) if body else (), body)
        return self._respond(self._binding(operation.output.shape), result, operation.http.response_code)

    def serialise_error(self, error: ServiceError) -> Response:
        """The response of a call that failed: status and members of the exception's shape where the model has one."""
        name = self._model.exception_name(error.code)
        if name is None:
            return unmodelled_error(error)
        binding = self._binding(name)
        shape = binding.shape
        told = {member: value for member, value in error.members.items() if member in shape.members}
        told |= {member: error.message for member in shape.members if member.lower() == "message"}
        if "Type" in shape.members:
            told.setdefault("Type", "User" if shape.error.sender_fault else "Service")
        response = self._respond(binding, told, shape.error.http_status_code or error.status)
        return msgspec.structs.replace(response, headers=(*response.headers, ("x-amzn-errortype", error.code)))

    # --- the parts of a request ---------------------------------------------------------------------------------

    def _read_located(
        self, member: Located, labels: Mapping[str, str], query: Fields, headers: Mapping[str, str]
    ) -> Any:
        ref, shape, key = member.ref, member.shape, member.key
        if ref.location == "headers":
            prefix = key.lower()
            return {field[len(prefix) :]: text for field, text in headers.items() if field.startswith(prefix)} or None
        if ref.location == "uri":
            texts = [labels[key]]
        elif ref.location == "querystring":
            texts = [text for field, text in query if field == key]
        else:
            found = headers.get(key.lower())
            texts = [] if found is None else found.split(",") if shape.type == "list" else [found]
        if not texts:
            return None
        default_format = "rfc822" if ref.location == "header" else "iso8601"
        try:
            if shape.type == "list" and shape.member is not None:
                return [self._read_text(shape.member, text.strip(), default_format) for text in texts]
            return self._read_text(ref, texts[0], default_format)
        except Mismatch as mismatch:
            raise mismatch.within(member.name) from None

    def _read_text(self, ref: ShapeRef, text: str, default_format: str) -> Any:
        shape = self._model.shapes[ref.shape]
        try:
            match shape.type:
                case "string":
                    return msgspec.json.decode(base64.b64decode(text, validate=True)) if ref.jsonvalue else text
                case "boolean":
                    return {"true": True, "false": False}[text.lower()]
                case "integer" | "long" if _INTEGER.fullmatch(text):
                    return int(text)
                case "float" | "double":
                    return float(text)
                case "timestamp":
                    return timestamps.from_text(text, ref.timestamp_format or shape.timestamp_format or default_format)
                case "blob":
                    return base64.b64decode(text, validate=True)
        except (ValueError, KeyError, OverflowError, RecursionError, msgspec.DecodeError):
            pass
        raise Mismatch(f"'{text[:64]}'", "JSON" if ref.jsonvalue else shape.type.capitalize())

    def _read_payload(self, params: Members, name: str, outer: Shape, body: bytes) -> None:
        ref = outer.members[name]
        type_ = self._model.shapes[ref.shape].type
        if type_ == "blob":
            params[name] = body
        elif body and type_ == "string":
            params[name] = body.decode(errors="replace")
        elif body:
            try:
                params[name] = self._values.read(ref, json_values.decode(body))
            except Mismatch as mismatch:
                raise mismatch.within(name) from None

    # --- the parts of a response --------------------------------------------------------------------------------

    def _respond(self, binding: Binding, result: Members, status: int) -> Response:
        if unknown := result.keys() - binding.shape.members.keys():
            raise TypeError(f"{binding.ref.shape} has no member {', '.join(sorted(unknown))}")
        headers: list[tuple[str, str]] = []
        for member in binding.located:
            value, key = result.get(member.name), member.key
            if value is None:
                continue
            if member.ref.location == "statusCode":
                status = int(value)
            elif member.ref.location == "headers":
                headers += [(key + field, text) for field, text in value.items()]
            else:
                headers.append((key, self._write_text(member.ref, value)))
        body = self._write_body(binding, result)
        if body:
            headers.append(_JSON)
        return Response(status, tuple(headers), body)

    def _write_text(self, ref: ShapeRef, value: Any) -> str:
        shape = self._model.shapes[ref.shape]
        match shape.type:
            case "boolean":
                return "true" if value else "false"
            case "timestamp":
                return timestamps.to_text(value, ref.timestamp_format or shape.timestamp_format or "rfc822")
            case "blob":
                return base64.b64encode(value).decode()
            case "string" if ref.jsonvalue:
                return base64.b64encode(msgspec.json.encode(value)).decode()
            case "list" if shape.member is not None:
                return ", ".join(self._write_text(shape.member, item) for item in value)
            case _:
                return str(value)

    def _write_body(self, binding: Binding, result: Members) -> bytes:
        name = binding.shape.payload
        if name is None:
            return msgspec.json.encode(self._values.write(binding.ref, result)) if binding.has_body else b""
        ref, value = binding.shape.members[name], result.get(name)
        shape = self._model.shapes[ref.shape]
        if shape.eventstream:
            raise NotImplementedByFogbank("Fogbank does not answer with event streams yet.")
        if value is None:
            return b""
        if shape.type == "blob":
            return bytes(value)
        return str(value).encode() if shape.type == "string" else msgspec.json.encode(self._values.write(ref, value))

    def _binding(self, name: str) -> Binding:
        binding = self._bindings.get(name)
        if binding is None:
            shape = self._model.shapes[name]
            located = tuple(
                self._located(member, ref) for member, ref in shape.members.items() if ref.location is not None
            )
            has_body = shape.payload is None and len(located) < len(shape.members)
            binding = self._bindings[name] = Binding(ShapeRef(name), shape, located, has_body)
        return binding

    def _located(self, name: str, ref: ShapeRef) -> Located:
        shape = self._model.shapes[ref.shape]
        return Located(name, ref, shape, ref.location_name or name, shape.type == "string" and not ref.jsonvalue)


def unmodelled_error(error: ServiceError) -> Response:
    """An error that no model describes: signature errors, unknown routes, what Fogbank does not implement.

    Clients of AWS's other JSON protocols find the code in the body, so that they too can read what they are told.
    """
    body = msgspec.json.encode({"__type": error.code, "message": error.message})
    return Response(error.status, (("x-amzn-errortype", error.code), _JSON), body)
