"""From method, path and query to the operation, by the `requestUri` templates of a service's model.

Templates live in a tree with one level per path segment. A literal segment wins over a label, a label over the
greedy rest; among operations on one path those whose fixed query parts (`?find=LayerVersion`) are all present win.
Segments are percent-decoded one by one, so an encoded slash stays inside the value of its label.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote

import msgspec

from fogbank.awswire.errors import SerializationError
from fogbank.awswire.model import Operation, ServiceModel

SERVICES: Mapping[str, tuple[str, ...]] = {
    "iot": ("iot",),
    "iotdata": ("iot-data",),
    "iotdevicegateway": ("iot-data", "iot-jobs-data"),
    "iot-jobs-data": ("iot-jobs-data",),
    "lambda": ("lambda",),
    "iam": ("iam",),
    "sts": ("sts",),
}
"""Which models the service name of a credential scope stands for. AWS IoT documents `iotdevicegateway` for the data
plane, botocore signs `iotdata`: both are taken."""

QUERY_SERVICES = ("iam", "sts")
"""Those that speak the query protocol."""

DEVICE_SERVICES = ("iot-data", "iot-jobs-data")
"""The models that a client certificate alone opens."""

_RAW_SLASHES = frozenset({("iot-data", "Publish", "topic")})
"""Labels that take the rest of the path though the model does not say so: people publish with curl to topics whose
slashes they leave as they are, `POST /topics/a/b?qos=1`. UNVERIFIED: the guide asks for a URL-encoded topic."""


class Route(msgspec.Struct, frozen=True):
    """The operation of a request, with the decoded values of the path's labels."""

    operation: Operation
    labels: dict[str, str]


class _Target(msgspec.Struct, frozen=True):
    operation: Operation
    labels: tuple[str, ...]
    fixed: frozenset[tuple[str, str]]


class _Node:
    __slots__ = ("greedy", "label", "literals", "targets")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.label: _Node | None = None
        self.greedy: _Node | None = None
        self.targets: dict[str, list[_Target]] = {}


_Visit: TypeAlias = Callable[[_Node, tuple[str, ...]], Route | None]


class Routes:
    """All operations of one service by where they live."""

    def __init__(self, service: str, model: ServiceModel) -> None:
        self._service = service
        self._root = _Node()
        for operation in model.operations.values():
            self._add(operation)

    def find(self, method: str, path: str, query: Iterable[tuple[str, str]]) -> Route | None:
        """The operation for a request. `path` is as sent, still percent-encoded; `query` comes decoded.

        Raises SerializationError where the path does not encode UTF-8.
        """
        fields = frozenset(query)

        def chosen(node: _Node, values: tuple[str, ...]) -> Route | None:
            for target in node.targets.get(method, ()):
                if target.fixed <= fields:
                    return Route(target.operation, dict(zip(target.labels, values, strict=True)))
            return None

        return _walk(self._root, _decoded(path), 0, (), chosen)

    def methods(self, path: str) -> list[str]:
        """Those by which there are operations at a path, in order."""
        found: set[str] = set()
        _walk(self._root, _decoded(path), 0, (), lambda node, _: found.update(node.targets))
        return sorted(found)

    def _add(self, operation: Operation) -> None:
        path, _, query = operation.http.request_uri.partition("?")
        node, labels = self._root, []
        for segment in _segments(path.rstrip("/")):
            if not segment.startswith("{"):
                node = node.literals.setdefault(segment, _Node())
                continue
            label = segment[1:-1].removesuffix("+")
            labels.append(label)
            if segment.endswith("+}") or (self._service, operation.name, label) in _RAW_SLASHES:
                node.greedy = node = node.greedy or _Node()
            else:
                node.label = node = node.label or _Node()
        fixed = frozenset(parse_qsl(query, keep_blank_values=True))
        targets = node.targets.setdefault(operation.http.method, [])
        targets.append(_Target(operation, tuple(labels), fixed))
        targets.sort(key=lambda target: -len(target.fixed))


def _decoded(path: str) -> list[str]:
    if "%" not in path:
        return _segments(path)
    try:
        return [unquote(segment, errors="strict") for segment in _segments(path)]
    except UnicodeDecodeError:
        raise SerializationError("The path is not percent-encoded UTF-8.") from None


def _segments(path: str) -> list[str]:
    return path.removeprefix("/").split("/")


def _walk(node: _Node, segments: list[str], depth: int, values: tuple[str, ...], visit: _Visit) -> Route | None:
    """Visit all nodes that the segments lead to, with the labels' values, the best first, until there is a result."""
    left = len(segments) - depth
    if left == 0:
        return visit(node, values)
    segment = segments[depth]
    if not segment:
        # Older templates end in a slash and newer ones do not, so one at the end never decides.
        return visit(node, values) if left == 1 else None
    found = None
    if (literal := node.literals.get(segment)) is not None:
        found = _walk(literal, segments, depth + 1, values, visit)
    if found is None and node.label is not None:
        found = _walk(node.label, segments, depth + 1, (*values, segment), visit)
    if found is None and node.greedy is not None:
        for end in range(len(segments), depth, -1):
            found = _walk(node.greedy, segments, end, (*values, "/".join(segments[depth:end])), visit)
            if found is not None:
                break
    return found
