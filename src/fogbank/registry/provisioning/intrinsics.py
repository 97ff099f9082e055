"""The expressions of provisioning templates: `Ref` and the functions `Fn::...` (developer guide, provision-template).

A value of a template is compiled once, when the template is parsed, and evaluated for each device. What devices send is
only ever looked up (`Scope.parameter`) and never looked at again: a value that reads `{"Ref": ...}` or `${...}` is text
like any other. Lengths are bounded after every step, since a short template can ask for one long value many times.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.registry.errors import ResourceRegistrationFailure

LONGEST_TEXT = 65_536
"""Characters of a value: as many as the longest that has a use, a certificate in PEM (API model, CertificatePem)."""
DEEPEST = 32
"""Levels of a template, whose own sections take six and policy documents five more."""

_LONGEST_SHOWN = 256
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_POLICY_ESCAPES = ("*", "?", "$")

Value: TypeAlias = Any
"""What JSON can hold; text and lists of text everywhere but in policy documents."""
Maps = Mapping[str, Mapping[str, Mapping[str, str | Sequence[str]]]]


def malformed(where: str, what: str) -> InvalidRequest:
    """The refusal of a template."""
    return InvalidRequest(f"Invalid registration template. {where[:_LONGEST_SHOWN]}: {what}")


class Scope(msgspec.Struct, frozen=True):
    """What expressions see of one device."""

    given: Mapping[str, str]
    """What parameters are for it."""
    defaults: Mapping[str, str] = {}
    """What they are otherwise, which the template says itself."""
    maps: Maps = {}
    taboo: str = ""
    """Characters that nothing which is given may bring to where it is used."""
    purpose: str = ""
    """Where that is, for the refusal."""

    def parameter(self, name: str) -> str:
        """Raises ResourceRegistrationFailure where there is no value, or not one for this place."""
        value = self.given.get(name)
        if value is None:
            if name not in self.defaults:
                raise ResourceRegistrationFailure(f"Parameter {name} has neither a value nor a default")
            return self.defaults[name]
        if self.taboo and (found := sorted({*value} & {*self.taboo})):
            shown = " ".join(char if char.isprintable() else repr(char)[1:-1] for char in found)
            raise ResourceRegistrationFailure(f"The value of parameter {name} has {shown}, not allowed {self.purpose}")
        return value


class Expression(Protocol):
    """A value of a template."""

    @property
    def references(self) -> frozenset[str]:
        """The parameters it looks at."""
        ...

    def evaluate(self, scope: Scope) -> Value:
        """Its value for one device. Raises ResourceRegistrationFailure."""
        ...


class Literal(msgspec.Struct, frozen=True):
    """What stands there as it is."""

    value: Value

    @property
    def references(self) -> frozenset[str]:
        return frozenset()

    def evaluate(self, scope: Scope) -> Value:
        return self.value


class Ref(msgspec.Struct, frozen=True):
    """`{"Ref": "Name"}`: the value of a parameter."""

    name: str

    @property
    def references(self) -> frozenset[str]:
        return frozenset((self.name,))

    def evaluate(self, scope: Scope) -> Value:
        return scope.parameter(self.name)


class Items(msgspec.Struct, frozen=True):
    """A list whose items are expressions."""

    items: tuple[Expression, ...]

    @property
    def references(self) -> frozenset[str]:
        return _references(*self.items)

    def evaluate(self, scope: Scope) -> Value:
        return [one.evaluate(scope) for one in self.items]


class Members(msgspec.Struct, frozen=True):
    """An object whose values are expressions; its names are as written."""

    members: tuple[tuple[str, Expression], ...]

    @property
    def references(self) -> frozenset[str]:
        return _references(*(one for _, one in self.members))

    def evaluate(self, scope: Scope) -> Value:
        return {name: one.evaluate(scope) for name, one in self.members}


class Join(msgspec.Struct, frozen=True):
    """`{"Fn::Join": [delimiter, [text, ...]]}`."""

    where: str
    delimiter: str
    items: Expression

    @property
    def references(self) -> frozenset[str]:
        return self.items.references

    def evaluate(self, scope: Scope) -> Value:
        return _joined(self.delimiter, _texts(self.items, scope, self.where), self.where)


class Split(msgspec.Struct, frozen=True):
    """`{"Fn::Split": [delimiter, text]}`: a list."""

    where: str
    delimiter: str
    text: Expression

    @property
    def references(self) -> frozenset[str]:
        return self.text.references

    def evaluate(self, scope: Scope) -> Value:
        return evaluate_text(self.text, scope, self.where).split(self.delimiter)


class Select(msgspec.Struct, frozen=True):
    """`{"Fn::Select": [index, list]}`, from 0. An index out of bounds fails the provisioning (provision-template)."""

    where: str
    index: Expression
    items: Expression

    @property
    def references(self) -> frozenset[str]:
        return _references(self.index, self.items)

    def evaluate(self, scope: Scope) -> Value:
        index, items = str(self.index.evaluate(scope)), _texts(self.items, scope, self.where)
        if not (index.isascii() and index.isdecimal() and len(index) < 6 and int(index) < len(items)):
            raise ResourceRegistrationFailure(
                f"{self.where}: there is no item {index[:64]!r} in a list of {len(items)}"
            )
        return items[int(index)]


class FindInMap(msgspec.Struct, frozen=True):
    """`{"Fn::FindInMap": [map, key, key]}`: from the template's `Mappings`."""

    where: str
    map: Expression
    top: Expression
    second: Expression

    @property
    def references(self) -> frozenset[str]:
        return _references(self.map, self.top, self.second)

    def evaluate(self, scope: Scope) -> Value:
        map_, top, second = (evaluate_text(one, scope, self.where) for one in (self.map, self.top, self.second))
        found = scope.maps.get(map_, {}).get(top, {}).get(second)
        if found is None:
            raise ResourceRegistrationFailure(
                f"{self.where}: Mappings has no {map_[:64]!r}, {top[:64]!r}, {second[:64]!r}"
            )
        return found if isinstance(found, str) else list(found)


class Sub(msgspec.Struct, frozen=True):
    """`{"Fn::Sub": text}` or `{"Fn::Sub": [text, {name: text}]}`: `${name}` replaced, once and from left to right.

    `${!name}` is `${name}` itself. Names with a colon that are not AWS's parameters are variables of IoT policies, and
    stay for these to be filled in on every connection; so do `${*}`, `${?}` and `${$}`.
    """

    where: str
    pieces: tuple[Expression, ...]

    @property
    def references(self) -> frozenset[str]:
        return _references(*self.pieces)

    def evaluate(self, scope: Scope) -> Value:
        return _joined("", [evaluate_text(one, scope, self.where) for one in self.pieces], self.where)


def evaluate_text(expression: Expression, scope: Scope, where: str) -> str:
    """The value of an expression that must be text. Raises ResourceRegistrationFailure."""
    value = expression.evaluate(scope)
    if not isinstance(value, str):
        raise ResourceRegistrationFailure(f"{where}: must be a string, and is a {_kind(value)}")
    if len(value) > LONGEST_TEXT:
        raise _too_long(where)
    return value


def evaluate_texts(expression: Expression, scope: Scope, where: str) -> list[str]:
    """The value of an expression that must be a list of text. Raises ResourceRegistrationFailure."""
    return _texts(expression, scope, where)


class Compiler:
    """Makes expressions of what is in a template."""

    def __init__(self, parameters: frozenset[str], maps: Maps) -> None:
        """`parameters` are the names that can be referred to."""
        self._parameters = parameters
        self.maps = maps
        self._functions: Mapping[str, Callable[[Value, str, int], Expression]] = {
            "Ref": self._ref,
            "Fn::Join": self._join,
            "Fn::Split": self._split,
            "Fn::Select": self._select,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Sub": self._sub,
        }

    def compile(self, node: Value, where: str, depth: int = 0) -> Expression:
        """Anything JSON can hold. Raises InvalidRequest."""
        if depth > DEEPEST:
            raise malformed(where, f"nested more than {DEEPEST} levels deep")
        if isinstance(node, list):
            return Items(tuple(self.compile(one, f"{where}[{i}]", depth + 1) for i, one in enumerate(node)))
        if not isinstance(node, dict):
            return Literal(node)
        if function := next((name for name in node if name == "Ref" or name.startswith("Fn::")), None):
            return self._call(function, node, where, depth)
        return Members(tuple((name, self.compile(one, f"{where}.{name}", depth + 1)) for name, one in node.items()))

    def text(self, node: Value, where: str, depth: int = 0) -> Expression:
        """A string, or a function. Raises InvalidRequest."""
        expression = self.compile(node, where, depth)
        if isinstance(expression, (Items, Members)) or not isinstance(getattr(expression, "value", ""), str):
            raise malformed(where, f"must be a string or a function, and is a {_kind(node)}")
        return expression

    def texts(self, node: Value, where: str, depth: int = 0) -> Expression:
        """A list of strings or functions, or a function that makes a list. Raises InvalidRequest."""
        if isinstance(node, list):
            return Items(tuple(self.text(one, f"{where}[{i}]", depth + 1) for i, one in enumerate(node)))
        expression = self.compile(node, where, depth)
        if isinstance(expression, (Split, FindInMap)):
            return expression
        raise malformed(where, f"must be a list or a function that makes one, and is a {_kind(node)}")

    def _call(self, function: str, node: dict[str, Value], where: str, depth: int) -> Expression:
        if len(node) > 1:
            raise malformed(where, f"{function} must be alone in its object")
        compile_ = self._functions.get(function)
        if compile_ is None:
            raise malformed(where, f"there is no function {function[:64]!r}; there are {', '.join(self._functions)}")
        return compile_(node[function], f"{where}.{function}", depth + 1)

    def _ref(self, node: Value, where: str, depth: int) -> Expression:
        if not isinstance(node, str):
            raise malformed(where, f"must be the name of a parameter, and is a {_kind(node)}")
        return self._named(node, where)

    def _named(self, name: str, where: str) -> Ref:
        if name not in self._parameters:
            raise malformed(where, f"{name[:64]!r} is not among the Parameters of the template")
        return Ref(name)

    def _join(self, node: Value, where: str, depth: int) -> Expression:
        delimiter, items = _arguments(node, where, "delimiter", "values")
        return Join(where, _literal(delimiter, where), self.texts(items, f"{where}[1]", depth))

    def _split(self, node: Value, where: str, depth: int) -> Expression:
        delimiter, text = _arguments(node, where, "delimiter", "text")
        if not (separator := _literal(delimiter, where)):
            raise malformed(where, "the delimiter is empty")
        return Split(where, separator, self.text(text, f"{where}[1]", depth))

    def _select(self, node: Value, where: str, depth: int) -> Expression:
        index, items = _arguments(node, where, "index", "list")
        numbered = isinstance(index, int) and not isinstance(index, bool)
        position = Literal(str(index)) if numbered else self.text(index, f"{where}[0]", depth)
        return Select(where, position, self.texts(items, f"{where}[1]", depth))

    def _find_in_map(self, node: Value, where: str, depth: int) -> Expression:
        given = _arguments(node, where, "map", "key", "key")
        map_, top, second = (self.text(one, f"{where}[{i}]", depth) for i, one in enumerate(given))
        if isinstance(map_, Literal) and map_.value not in self.maps:
            raise malformed(where, f"the template has no Mappings {map_.value[:64]!r}")
        return FindInMap(where, map_, top, second)

    def _sub(self, node: Value, where: str, depth: int) -> Expression:
        text, given = _arguments(node, where, "text", "values") if isinstance(node, list) else (node, {})
        if not isinstance(text, str) or not isinstance(given, dict):
            raise malformed(where, "must be a string, or a list of a string and an object")
        local = {name: self.text(one, f"{where}[1].{name}", depth + 1) for name, one in given.items()}
        pieces: list[Expression] = []
        end = 0
        for found in _VARIABLE.finditer(text):
            pieces += [Literal(text[end : found.start()]), self._substituted(found, local, where)]
            end = found.end()
        return Sub(where, (*pieces, Literal(text[end:])))

    def _substituted(self, found: re.Match[str], local: Mapping[str, Expression], where: str) -> Expression:
        name = found[1]
        if name in local:
            return local[name]
        if name in self._parameters:
            return Ref(name)
        if name.startswith("!"):
            return Literal(f"${{{name[1:]}}}")
        if name in _POLICY_ESCAPES or (":" in name and not name.startswith("AWS::")):
            return Literal(found[0])
        return self._named(name, where)


def _references(*expressions: Expression) -> frozenset[str]:
    return frozenset[str]().union(*(one.references for one in expressions))


def _texts(expression: Expression, scope: Scope, where: str) -> list[str]:
    if isinstance(expression, Items):
        return [evaluate_text(one, scope, where) for one in expression.items]
    value = expression.evaluate(scope)
    if not isinstance(value, list):
        raise ResourceRegistrationFailure(f"{where}: must be a list, and is a {_kind(value)}")
    return value


def _joined(delimiter: str, texts: Sequence[str], where: str) -> str:
    """Looks at the length before there is a text of it."""
    if sum(map(len, texts)) + len(delimiter) * len(texts) > LONGEST_TEXT:
        raise _too_long(where)
    return delimiter.join(texts)


def _too_long(where: str) -> ResourceRegistrationFailure:
    return ResourceRegistrationFailure(f"{where}: is longer than {LONGEST_TEXT} characters")


def _arguments(node: Value, where: str, *names: str) -> list[Value]:
    if not isinstance(node, list) or len(node) != len(names):
        raise malformed(where, f"takes a list: [{', '.join(names)}]")
    return node


def _literal(node: Value, where: str) -> str:
    if not isinstance(node, str):
        raise malformed(where, f"the delimiter must be a string, and is a {_kind(node)}")
    return node


def _kind(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "list"
        case _:
            return "object"
