"""Why WHERE was not true: the smallest clauses that were to blame, with what stood on each side, as one sentence."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from fogbank.sql import nodes
from fogbank.sql.coercion import number, truth
from fogbank.sql.nodes import Expression
from fogbank.sql.printer import print_expression
from fogbank.sql.scope import Scope
from fogbank.sql.values import UNDEFINED, Value, to_json

if TYPE_CHECKING:
    from fogbank.sql.compiler import Compiler

_LONGEST: Final = 120
"""Characters of a value that are quoted."""

_NUMERIC: Final = frozenset(("<", "<=", ">", ">="))


class Explanation(msgspec.Struct, frozen=True):
    """Whether a statement fires for a message, and why, as a sentence for a person."""

    fires: bool
    sentence: str


class WhereExplainer:
    """Explains one WHERE clause. Clauses are compiled when they are looked at: who never asks never pays."""

    def __init__(self, compiler: "Compiler", where: Expression) -> None:
        self._compiler = compiler
        self._where = where

    def explain(self, scope: Scope) -> Explanation:
        if self._value(self._where, scope) is True:
            return Explanation(True, f"{print_expression(self._where)} was true")
        return Explanation(False, "; ".join(self._blame(self._where, True, scope)))

    def _value(self, node: Expression, scope: Scope) -> Value:
        return self._compiler.compile(node)(scope)

    def _blame(self, node: Expression, wanted: bool, scope: Scope) -> Iterator[str]:
        """Sentences about the smallest clauses because of which `node` is not `wanted`."""
        match node:
            case nodes.Binary(operator=("AND" | "OR") as operator, left=left, right=right):
                # Where every side has to hold, each one that does not is to blame; where one is enough, all are.
                # What AND and OR never look at (the right of an Undefined left) could not have helped either way.
                for side in (left, right):
                    value = truth(self._value(side, scope))
                    if value is not wanted:
                        yield from self._blame(side, wanted, scope)
                        if value is UNDEFINED and (operator == "OR") is wanted:
                            return
            case nodes.Unary(operator="NOT", operand=operand):
                yield from self._blame(operand, not wanted, scope)
            case _:
                clause = f"NOT {print_expression(node)}" if not wanted else print_expression(node)
                yield f"{clause} was not true: {', '.join(self._facts(node, scope))}"

    def _facts(self, node: Expression, scope: Scope) -> Iterator[str]:
        """What the operands of the clause are."""
        operands = [node.left, node.right] if isinstance(node, nodes.Binary) else [node]
        told: list[str] = []
        for operand in operands:
            if (
                not isinstance(operand, (nodes.Literal, nodes.Array))
                and (fact := self._fact(operand, scope)) not in told
            ):
                told.append(fact)
        yield from told or [f"{print_expression(node)} is {_quote(self._value(node, scope))}"]
        if isinstance(node, nodes.Binary) and node.operator in _NUMERIC:
            for operand in operands:
                value = self._value(operand, scope)
                if value is not UNDEFINED and number(value) is None:
                    yield f"{_quote(value)} is not a number"

    def _fact(self, node: Expression, scope: Scope) -> str:
        value = self._value(node, scope)
        if value is not UNDEFINED:
            return f"{print_expression(node)} is {_quote(value)}"
        missing = [path for path in _paths(node) if self._value(path, scope) is UNDEFINED]
        if missing:
            reason = "not in the payload" if scope.element is not UNDEFINED else "the payload is not JSON"
            names = " and ".join(dict.fromkeys(map(print_expression, missing)))
            return f"{names} {'is' if len(missing) == 1 else 'are'} undefined ({reason})"
        return f"{print_expression(node)} is undefined"


def _quote(value: Value) -> str:
    if value is UNDEFINED:
        return "undefined"
    text = to_json(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _paths(node: Expression) -> Iterator[Expression]:
    """The members of the payload that `node` reads, nested SELECTs aside: their names mean something else."""
    match node:
        case nodes.Name():
            yield node
        case nodes.Member():
            if isinstance(_root(node), nodes.Name | nodes.Star):
                yield node
            else:
                yield from _paths(_root(node))
        case nodes.Call(arguments=operands) | nodes.Array(items=operands):
            for operand in operands:
                yield from _paths(operand)
        case nodes.Cast(value=operand) | nodes.Unary(operand=operand):
            yield from _paths(operand)
        case nodes.Binary(left=left, right=right):
            yield from _paths(left)
            yield from _paths(right)
        case nodes.Case(value=operand):
            yield from _paths(operand)


def _root(node: Expression) -> Expression:
    while isinstance(node, nodes.Member):
        node = node.of
    return node
