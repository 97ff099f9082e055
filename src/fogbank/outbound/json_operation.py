"""One operation of a service that speaks AWS's JSON protocol, encoded by our own codec and signer.

botocore would do, and does for all other protocols; but actions send thousands of requests a second, and in these its
request objects, its serializer and its signer are three quarters of the work. What it makes of an operation without
parameters is taken over as it is (method, URL, headers): only the body and the signature are new for each call.

Timestamps, event streams and unions have forms of their own in botocore: operations with these are left to it.
"""

import math
from base64 import b64encode
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fogbank.awswire.http import Request
from fogbank.ports import HttpAnswer

Convert = Callable[[Any], Any]


class JsonOperation:
    """Encodes the requests of one operation, and decodes its answers where they are plain."""

    def __init__(self, method: str, url: str, headers: dict[str, str], given: Any, answered: Any) -> None:
        """`given` and `answered` are botocore's shapes of input and output, or None; `takes` has allowed `given`."""
        parts = urlsplit(url)
        self.url = url
        self._method = method
        self._path = parts.path
        self._query = parts.query
        self._headers = {name.lower(): value for name, value in headers.items()} | {"host": _host(url)}
        self._convert = _nothing if given is None else _Encoders().of(given)
        self._restore = _Decoders().of(answered) if answered is not None and _is_plain(answered) else None

    def encode(self, params: dict[str, Any]) -> Request:
        """The call, yet to be signed.

        Raises KeyError, TypeError, ValueError or AttributeError where the parameters are not its own.
        """
        body = msgspec.json.encode(self._convert(params))
        return Request(self._method, self._path, self._query, self._headers, body)

    def decode(self, answer: HttpAnswer) -> dict[str, Any] | None:
        """The members of an answer that is none of an error, as botocore gives them; None: that is to be asked.

        Raises ValueError, AttributeError or TypeError where the answer is not what the operation gives.
        """
        if self._restore is None or answer.status != 200 or not answer.body:
            return None
        members: dict[str, Any] = self._restore(msgspec.json.decode(answer.body))
        metadata: dict[str, Any] = {"HTTPStatusCode": answer.status, "HTTPHeaders": dict(answer.headers)}
        if (request_id := answer.headers.get("x-amzn-requestid")) is not None:
            metadata["RequestId"] = request_id
        members["ResponseMetadata"] = metadata
        return members


def takes(shape: Any) -> bool:
    """Whether the input of this shape can be encoded here; None is no input."""
    return shape is None or all(
        one.type_name != "timestamp" and not one.serialization.get("eventstream") for one in _all(shape)
    )


def _is_plain(shape: Any) -> bool:
    """Whether JSON has the output as it is but for the names of members."""
    return all(
        one.type_name not in ("timestamp", "blob")
        and not one.serialization.get("eventstream")
        and not getattr(one, "is_tagged_union", False)
        for one in _all(shape)
    )


def _all(shape: Any) -> Iterator[Any]:
    """A shape and all within it, each once."""
    seen: set[str] = set()
    open_ = [shape]
    while open_:
        one = open_.pop()
        if one.name not in seen:
            seen.add(one.name)
            yield one
            open_ += _within(one)


def _within(shape: Any) -> list[Any]:
    if shape.type_name == "structure":
        return list(shape.members.values())
    if shape.type_name == "list":
        return [shape.member]
    return [shape.key, shape.value] if shape.type_name == "map" else []


class _Encoders:
    """Converters of parameters to what JSON can say. Shapes may be within themselves (an item of DynamoDB)."""

    def __init__(self) -> None:
        self._structures: dict[str, Convert] = {}

    def of(self, shape: Any) -> Convert:
        kind = shape.type_name
        if kind == "structure":
            return _same if shape.is_document_type else self._structures.get(shape.name) or self._structure(shape)
        if kind == "list":
            return _each(self.of(shape.member))
        if kind == "map":
            return _values(self.of(shape.value))
        return {"blob": _base64, "float": _number, "double": _number}.get(kind, _scalar)

    def _structure(self, shape: Any) -> Convert:
        members: dict[str, tuple[str, Convert]] = {}

        def convert(value: Any) -> dict[str, Any]:
            made = {}
            for name, one in value.items():
                wire, inner = members[name]
                made[wire] = inner(one)
            return made

        self._structures[shape.name] = convert
        members.update(
            {name: (one.serialization.get("name", name), self.of(one)) for name, one in shape.members.items()}
        )
        return convert


class _Decoders:
    """Converters of plain answers: members by their own names, those that are null or unknown left out."""

    def __init__(self) -> None:
        self._structures: dict[str, Convert] = {}

    def of(self, shape: Any) -> Convert:
        kind = shape.type_name
        if kind == "structure":
            return _same if shape.is_document_type else self._structures.get(shape.name) or self._structure(shape)
        if kind == "list":
            return _each(_or_null(self.of(shape.member)))
        return _values(self.of(shape.value)) if kind == "map" else _same

    def _structure(self, shape: Any) -> Convert:
        members: dict[str, tuple[str, Convert]] = {}

        def convert(value: Any) -> dict[str, Any]:
            made = {}
            for wire, one in value.items():
                if one is not None and wire in members:
                    name, inner = members[wire]
                    made[name] = one if inner is _same else inner(one)
            return made

        self._structures[shape.name] = convert
        members.update(
            {one.serialization.get("name", name): (name, self.of(one)) for name, one in shape.members.items()}
        )
        return convert


def _each(inner: Convert) -> Convert:
    return lambda value: [inner(one) for one in value]


def _values(inner: Convert) -> Convert:
    return lambda value: {name: inner(one) for name, one in value.items()}


def _or_null(inner: Convert) -> Convert:
    return lambda value: None if value is None else inner(value)


def _same(value: Any) -> Any:
    return value


def _nothing(_: Any) -> dict[str, Any]:
    return {}


def _scalar(value: Any) -> Any:
    if isinstance(value, (str, int, float)) or value is None:
        return value
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _base64(value: Any) -> str:
    return b64encode(value.encode() if isinstance(value, str) else value).decode()


def _number(value: float | Decimal) -> float | str:
    """JSON has no words for what is not finite; AWS's protocol has these."""
    number = float(value) if isinstance(value, Decimal) else value
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")


def _host(url: str) -> str:
    """The Host header of requests to a URL."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f"{host}:{parts.port}"
