"""Holds parameters against the constraints of the model, with AWS's words where they break one.

1 validation error detected: Value 'a b' at 'thingName' failed to satisfy constraint:
Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+

Nearly all parameters are as they should be. Whether they are is asked of functions made once for each shape, and only
where those say no is looked for what is wrong.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from fogbank.awswire.errors import ValidationError
from fogbank.awswire.model import Operation, ServiceModel, Shape, ShapeRef
from fogbank.awswire.patterns import compile_pattern
from fogbank.errors import InvalidRequest, ServiceError

_ERRORS: Mapping[str, type[ServiceError]] = {
    "iot": InvalidRequest,
    "iot-data": InvalidRequest,
    "iot-jobs-data": InvalidRequest,
    "lambda": ValidationError,
}
"""How each service calls a parameter that its model forbids."""

_MOST_ERRORS = 10
_MOST_SHOWN = 256
_LONGEST_MATCHED = 65_536
"""Characters that a pattern is tried on where the model gives no maximum of its own."""


_Fits: TypeAlias = Callable[[Any], bool]
"""Whether a value is there and keeps the constraints of a shape and of all that it holds."""


class Validator:
    """Checks parameters of one service's operations."""

    def __init__(self, service: str, model: ServiceModel) -> None:
        self._error = _ERRORS.get(service, ValidationError)
        self._shapes = model.shapes
        self._patterns: dict[str, re.Pattern[str] | None] = {}
        self._fitting: dict[str, _Fits] = {}

    def check(self, operation: Operation, params: dict[str, Any]) -> None:
        """Raises the service's validation error, listing what is wrong, where the model does not allow `params`."""
        if operation.input is None or self._fits(operation.input)(params):
            return
        problems = list(self._problems(operation.input, params, ""))
        if problems:
            count = len(problems)
            told = "; ".join(problems[:_MOST_ERRORS])
            raise self._error(f"{count} validation error{'s' if count > 1 else ''} detected: {told}")

    # --- whether something is wrong ---

    def _fits(self, ref: ShapeRef) -> _Fits:
        name = ref.shape

        def fits_as_it_will(value: Any) -> bool:
            return self._fitting[name](value)

        if name not in self._fitting:
            self._fitting[name] = fits_as_it_will  # for shapes that hold themselves
            self._fitting[name] = self._made(self._shapes[name])
        return self._fitting[name]

    def _made(self, shape: Shape) -> _Fits:
        match shape.type:
            case "structure":
                return self._made_of_structure(shape)
            case "list" if shape.member is not None:
                holds = self._fits(shape.member)
                return lambda items: self._keeps(shape, items) and all(map(holds, items))
            case "map" if shape.key is not None and shape.value is not None:
                named, holds = self._fits(shape.key), self._fits(shape.value)
                return lambda items: (
                    self._keeps(shape, items) and all(map(named, items)) and all(map(holds, items.values()))
                )
        if (shape.min, shape.max, shape.pattern) == (None, None, None) and not shape.enum:
            return lambda value: value is not None
        return lambda value: self._keeps(shape, value)

    def _made_of_structure(self, shape: Shape) -> _Fits:
        required = frozenset(shape.required)
        members = {name: self._fits(ref) for name, ref in shape.members.items() if not ref.jsonvalue}

        def fits(value: dict[str, Any]) -> bool:
            if value is None or not required <= value.keys():
                return False
            for name, item in value.items():
                if (member := members.get(name)) is not None and not member(item):
                    return False
            return True

        return fits

    def _keeps(self, shape: Shape, value: Any) -> bool:
        return next(self._broken(shape, value), None) is None

    # --- what is wrong ---

    def _problems(self, ref: ShapeRef, value: Any, path: str) -> Iterator[str]:
        shape = self._shapes[ref.shape]
        if path:
            for constraint in self._broken(shape, value):
                yield _problem(shape, value, path, constraint)
        match shape.type:
            case "structure":
                yield from self._structure_problems(shape, value, path)
            case "list" if shape.member is not None:
                for position, item in enumerate(value, 1):
                    yield from self._item_problems(shape.member, item, f"{path}.{position}.member")
            case "map" if shape.key is not None and shape.value is not None:
                yield from self._map_problems(shape, shape.key, shape.value, value, path)

    def _structure_problems(self, shape: Shape, value: dict[str, Any], path: str) -> Iterator[str]:
        for name in shape.required:
            if name not in value:
                yield _problem(None, None, _join(path, name), "Member must not be null")
        for name, item in value.items():
            if (ref := shape.members.get(name)) is not None and not ref.jsonvalue:
                yield from self._problems(ref, item, _join(path, name))

    def _map_problems(
        self, shape: Shape, key: ShapeRef, value: ShapeRef, items: dict[str, Any], path: str
    ) -> Iterator[str]:
        key_shape, value_shape = self._shapes[key.shape], self._shapes[value.shape]
        if any(True for name in items for _ in self._broken(key_shape, name)):
            yield _problem(shape, items, path, f"Map keys must satisfy constraint: [{_all(key_shape)}]")
        if value_shape.type in ("structure", "list", "map"):
            for name, item in items.items():
                yield from self._item_problems(value, item, f"{path}.{name}.member")
        elif any(True for item in items.values() for _ in self._broken(value_shape, item)):
            yield _problem(shape, items, path, f"Map value must satisfy constraint: [{_all(value_shape)}]")

    def _item_problems(self, ref: ShapeRef, item: Any, path: str) -> Iterator[str]:
        if item is None:
            yield _problem(None, None, path, "Member must not be null")
        else:
            yield from self._problems(ref, item, path)

    def _broken(self, shape: Shape, value: Any) -> Iterator[str]:
        """The constraints of the shape itself that the value breaks."""
        if value is None:
            yield "Member must not be null"
            return
        if shape.min is not None or shape.max is not None:
            measure = value if isinstance(value, int | float) else len(value)
            if shape.max is not None and measure > shape.max:
                yield _maximum(shape)
            if shape.min is not None and measure < shape.min:
                yield _minimum(shape)
        if shape.enum and value not in shape.enum:
            yield _enum(shape)
        if shape.pattern is not None and isinstance(value, str) and not self._matches(shape, shape.pattern, value):
            yield _pattern(shape)

    def _matches(self, shape: Shape, pattern: str, value: str) -> bool:
        if len(value) > (_LONGEST_MATCHED if shape.max is None else shape.max):
            return True
        if pattern not in self._patterns:
            self._patterns[pattern] = compile_pattern(pattern)
        compiled = self._patterns[pattern]
        return compiled is None or compiled.fullmatch(value) is not None


def _join(path: str, name: str) -> str:
    """AWS's texts spell members in lower camel case, Lambda's too."""
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _problem(shape: Shape | None, value: Any, path: str, constraint: str) -> str:
    if shape is not None and shape.sensitive:
        shown = "Value"
    elif value is None:
        shown = "Value null"
    else:
        text = str(value)
        shown = f"Value '{text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + '...'}'"
    return f"{shown} at '{path}' failed to satisfy constraint: {constraint}"


def _all(shape: Shape) -> str:
    texts = []
    if shape.max is not None:
        texts.append(_maximum(shape))
    if shape.min is not None:
        texts.append(_minimum(shape))
    if shape.enum:
        texts.append(_enum(shape))
    if shape.pattern is not None:
        texts.append(_pattern(shape))
    return ", ".join(texts) or "Member must not be null"


def _minimum(shape: Shape) -> str:
    return f"Member must have {_measured(shape)} greater than or equal to {shape.min}"


def _maximum(shape: Shape) -> str:
    return f"Member must have {_measured(shape)} less than or equal to {shape.max}"


def _enum(shape: Shape) -> str:
    return f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"


def _pattern(shape: Shape) -> str:
    return f"Member must satisfy regular expression pattern: {shape.pattern}"


def _measured(shape: Shape) -> str:
    return "value" if shape.type in ("integer", "long", "float", "double") else "length"
