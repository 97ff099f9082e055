"""Nodes to closures, once per statement: what cannot run is refused here, so that evaluation never has to."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NoReturn

from fogbank.sql import nodes
from fogbank.sql.coercion import CASTS, truth
from fogbank.sql.errors import SqlError
from fogbank.sql.functions.catalogue import functions
from fogbank.sql.functions.function import Function
from fogbank.sql.logic import against, conjunction, disjunction
from fogbank.sql.nodes import Expression, chain, spine
from fogbank.sql.operators import ARITHMETIC, TESTS, equal, negate
from fogbank.sql.outside.errors import OutsideFailed
from fogbank.sql.scope import Evaluate, Scope
from fogbank.sql.selection import compile_selection
from fogbank.sql.values import UNDEFINED, Row, Value, weight, whole
from fogbank.sql.version import Version

MAX_DEPTH: Final = 100
"""How deep expressions may nest; evaluation takes one or two frames of Python's stack for each level."""

_ROW: Final = 8
"""Units of work for each element of a nested SELECT, whatever is done with it."""


class Compiler:
    """Compiles the expressions of one statement. `aliases` are those of the nested FROMs around, innermost last."""

    def __init__(self, text: str, version: Version, *, template: bool = False) -> None:
        """`template`: the text is the expression of a substitution template."""
        self.version = version
        self.asks: dict[int, str] = {}
        """Functions that ask the world, by where they stand."""
        self.roles: set[str] = set()
        """The roles that these ask with."""
        self._text = text
        self._questions = 0
        self._template = template
        self._aliases: list[str | None] = []
        self._variables: set[str] = set()
        self._depth = 0

    def declare(self, variable: str) -> None:
        """From here on `@variable` is known."""
        self._variables.add(variable)

    def fail(self, message: str, at: int) -> NoReturn:
        """Raise the error, pointing at the offset `at`."""
        raise SqlError.at(message, self._text, at)

    def require(self, what: str, at: int, since: Version = Version.V2016_03_23) -> None:
        """Refuse `what` where the statement's version is older than `since`."""
        if not self.version.has(since):
            self.fail(f"{what} needs SQL version {since}; this statement is {self.version}", at)

    def compile(self, node: Expression) -> Evaluate:
        """The closure that evaluates `node`, or `SqlError`."""
        if self._depth >= MAX_DEPTH:
            self.fail(f"the expression nests deeper than {MAX_DEPTH} levels", node.at)
        self._depth += 1
        try:
            return _COMPILE[type(node)](self, node)
        finally:
            self._depth -= 1

    @property
    def nested(self) -> bool:
        """Whether a nested SELECT is being compiled."""
        return bool(self._aliases)

    def literal(self, node: nodes.Literal) -> Evaluate:
        value = self._exact(node.value)
        return lambda _: value

    def star(self, _: nodes.Star) -> Evaluate:
        return lambda scope: scope.element

    def name(self, node: nodes.Name) -> Evaluate:
        name = node.name
        for levels, alias in enumerate(reversed(self._aliases)):
            if alias == name:
                return _outward(levels)

        def read(scope: Scope) -> Value:
            element = scope.element
            return element.get(name, UNDEFINED) if isinstance(element, dict) else UNDEFINED

        return read

    def variable(self, node: nodes.Variable) -> Evaluate:
        name = node.name
        if name not in self._variables:
            self.fail(f"@{name} is not assigned by SET before it is used", node.at)
        return lambda scope: scope.variables[name]

    def member(self, node: nodes.Member) -> Evaluate:
        of, name = self.compile(node.of), node.name

        def read(scope: Scope) -> Value:
            container = of(scope)
            return container.get(name, UNDEFINED) if isinstance(container, dict) else UNDEFINED

        return read

    def call(self, node: nodes.Call) -> Evaluate:
        function = self._function(node)
        arguments = [self._argument(function, at, argument) for at, argument in enumerate(node.arguments)]
        count = len(arguments)
        if count < function.least or (function.most is not None and count > function.most):
            return lambda _: UNDEFINED
        constants = [self._exact(one.value) if isinstance(one, nodes.Literal) else UNDEFINED for one in node.arguments]
        if function.check is not None and (complaint := function.check(*constants)) is not None:
            self.fail(f"{node.name}(): {complaint}", node.at)
        if function.asks:
            self._note(function, node, constants)
        if self.nested and function.effort:
            arguments = [_weighed(argument, function.effort) for argument in arguments]
        return self._settled(_invocation(function, arguments))

    def _function(self, node: nodes.Call) -> Function:
        function = functions().get(node.name.lower())
        if function is None:
            self.fail(f"function {node.name}() does not exist", node.at)
        if function.longer is not None and function.most is not None and len(node.arguments) > function.most:
            function = function.longer
        self.require(f"function {node.name}()", node.at, function.since)
        return function

    def _argument(self, function: Function, at: int, node: Expression) -> Evaluate:
        if function.takes_payload and isinstance(node, nodes.Star) and not self.nested:
            return _payload
        before = self._questions
        argument = self.compile(node)
        if function.catches and self._questions > before:
            if at > 0:
                self.fail(f"the default of {function.name}() cannot be what another service answers", node.at)
            return _caught(argument)
        return argument

    def _note(self, function: Function, node: nodes.Call, constants: list[Value]) -> None:
        """Remember that the statement asks the world; refuse what it may not ask."""
        if self._template and not function.in_templates:
            self.fail(f"{node.name}() of this kind cannot stand in a substitution template", node.at)
        if function.role is not None:
            role = constants[function.role]
            if not isinstance(role, str):
                self.fail(f"{node.name}(): the role has to be a string literal", node.arguments[function.role].at)
            self.roles.add(role)
        self._questions += 1
        # By place: explanations compile parts of the statement once more.
        self.asks[node.at] = function.name
        if function.times is not None and sum(name == function.name for name in self.asks.values()) > function.times:
            often = "once" if function.times == 1 else f"{function.times} times"
            self.fail(f"{node.name}() may ask another service {often} in a statement", node.at)

    def cast(self, node: nodes.Cast) -> Evaluate:
        if node.type.lower() not in CASTS:
            self.fail(f"cast knows no type {node.type}; there are {', '.join(sorted(CASTS))}", node.at)
        since, table = CASTS[node.type.lower()]
        self.require(f"cast(.. AS {node.type})", node.at, since)
        value = self._operand(node.value)

        def convert(scope: Scope) -> Value:
            original = value(scope)
            return table[type(original)](original)

        return self._settled(convert)

    def unary(self, node: nodes.Unary) -> Evaluate:
        operand = self._operand(node.operand)
        if node.operator == "-":
            if isinstance(node.operand, nodes.Literal):
                constant = self._exact(negate(node.operand.value))
                return lambda _: constant
            return self._settled(lambda scope: negate(operand(scope)))

        def invert(scope: Scope) -> Value:
            value = truth(operand(scope))
            return UNDEFINED if value is UNDEFINED else not value

        return invert

    def binary(self, node: nodes.Binary) -> Evaluate:
        if node.operator == "AND":
            return conjunction([self.compile(part) for part in chain(node)])
        if node.operator == "OR":
            return disjunction([self.compile(part) for part in chain(node)])
        first, steps = spine(node)
        if len(steps) == 1:
            return self._operation(node.operator, self._operand(node.left), node.right)
        return self._fold(self._operand(first), [(step.operator, self._operand(step.right)) for step in steps])

    def _operand(self, node: Expression) -> Evaluate:
        operand = self.compile(node)
        return _weighed(operand) if self.nested else operand

    def _operation(self, operator: str, left: Evaluate, right_node: Expression) -> Evaluate:
        right = self._operand(right_node)
        if operator not in TESTS:
            operation = ARITHMETIC[operator]
            return self._settled(lambda scope: operation(left(scope), right(scope)))
        if isinstance(right_node, nodes.Literal) and (test := against(operator, left, self._exact(right_node.value))):
            return test
        general = TESTS[operator]
        return lambda scope: general(left(scope), right(scope))

    def _fold(self, first: Evaluate, rest: list[tuple[str, Evaluate]]) -> Evaluate:
        """A long row of operators, from left to right: `a + b - c`."""
        whole_numbers = self.version.whole_numbers_are_int
        steps = [({**TESTS, **ARITHMETIC}[operator], right) for operator, right in rest]

        def fold(scope: Scope) -> Value:
            value = first(scope)
            for operation, right in steps:
                value = operation(value, right(scope))
                if whole_numbers and type(value) is Decimal:
                    value = whole(value)
            return value

        return fold

    def case(self, node: nodes.Case) -> Evaluate:
        value = self._operand(node.value)
        whens = [(self._operand(when.test), self.compile(when.result)) for when in node.whens]
        default = self.compile(node.default) if node.default is not None else None

        def choose(scope: Scope) -> Value:
            wanted = value(scope)
            if wanted is UNDEFINED:
                return UNDEFINED
            for test, result in whens:
                if equal(wanted, test(scope)) is True:
                    return result(scope)
            return UNDEFINED if default is None else default(scope)

        return choose

    def array(self, node: nodes.Array) -> Evaluate:
        self.require("an array literal", node.at)
        items = [self.compile(item) for item in node.items]
        return lambda scope: [value for item in items if (value := item(scope)) is not UNDEFINED]

    def object(self, node: nodes.Object) -> Evaluate:
        self.require("an object literal", node.at)
        pairs = [(pair.name, self.compile(pair.value)) for pair in node.pairs]
        return lambda scope: {name: value for name, item in pairs if (value := item(scope)) is not UNDEFINED}

    def subselect(self, node: nodes.Subselect) -> Evaluate:
        self.require("a nested SELECT", node.at)
        source = self.compile(node.source)
        self._aliases.append(node.alias)
        try:
            where = self.compile(node.where) if node.where is not None else None
            select = _weighed(compile_selection(self, node.selection))
        finally:
            self._aliases.pop()

        def rows(scope: Scope) -> Value:
            elements = source(scope)
            if isinstance(elements, list):
                scope.work(_ROW * len(elements))
                selected = (
                    select(inner) for inner in map(scope.within, elements) if where is None or where(inner) is True
                )
                return [value for value in selected if value is not UNDEFINED]
            if not isinstance(elements, dict):
                return UNDEFINED
            scope.work(_ROW)
            inner = scope.within(elements)
            if where is not None and where(inner) is not True:
                return UNDEFINED
            row = select(inner)
            return Row(row) if isinstance(row, dict) else row

        return rows

    def exists(self, node: nodes.Exists) -> Evaluate:
        rows = self.compile(node.select)

        def any_row(scope: Scope) -> Value:
            result = rows(scope)
            return result is not UNDEFINED and result != []

        return any_row

    def _exact(self, value: Value) -> Value:
        """A constant as the version has it."""
        return whole(value) if self.version.whole_numbers_are_int and isinstance(value, Decimal) else value

    def _settled(self, evaluate: Evaluate) -> Evaluate:
        """In versions where `10.0` is an Int, what is computed is so too."""
        if not self.version.whole_numbers_are_int:
            return evaluate

        def settled(scope: Scope) -> Value:
            value = evaluate(scope)
            return whole(value) if type(value) is Decimal else value

        return settled


def _payload(scope: Scope) -> Any:
    """The bytes of the payload: no value of the language, only an argument."""
    return scope.event.payload


def _outward(levels: int) -> Evaluate:
    """The element that the alias of the nested FROM `levels` out stands for."""
    if levels == 0:
        return lambda scope: scope.element

    def read(scope: Scope) -> Value:
        for _ in range(levels):
            assert scope.outer is not None, "an alias is only seen within its SELECT"
            scope = scope.outer
        return scope.element

    return read


def _invocation(function: Function, arguments: list[Evaluate]) -> Evaluate:
    call = function.call
    if function.contextual:
        return lambda scope: call(scope, *[argument(scope) for argument in arguments])
    if len(arguments) == 1:
        only = arguments[0]
        return lambda scope: call(only(scope))
    return lambda scope: call(*[argument(scope) for argument in arguments])


def _weighed(evaluate: Evaluate, effort: int = 1) -> Evaluate:
    """The operand of an operator or function within a nested SELECT: what is large takes long, for every element."""

    def weigh(scope: Scope) -> Value:
        value = evaluate(scope)
        scope.work(effort * weight(value))
        return value

    return weigh


def _caught(evaluate: Evaluate) -> Evaluate:
    """Undefined in place of what the world would not tell."""

    def catch(scope: Scope) -> Value:
        try:
            return evaluate(scope)
        except OutsideFailed:
            return UNDEFINED

    return catch


_COMPILE: Final[dict[type[Any], Callable[[Compiler, Any], Evaluate]]] = {
    nodes.Literal: Compiler.literal,
    nodes.Star: Compiler.star,
    nodes.Name: Compiler.name,
    nodes.Variable: Compiler.variable,
    nodes.Member: Compiler.member,
    nodes.Call: Compiler.call,
    nodes.Cast: Compiler.cast,
    nodes.Unary: Compiler.unary,
    nodes.Binary: Compiler.binary,
    nodes.Case: Compiler.case,
    nodes.Array: Compiler.array,
    nodes.Object: Compiler.object,
    nodes.Subselect: Compiler.subselect,
    nodes.Exists: Compiler.exists,
}
