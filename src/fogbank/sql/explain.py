"""Why a statement does not fire: the smallest clauses that were to blame, with what stood on each side, as text."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from fogbank.sql import nodes
from fogbank.sql.coercion import number, truth
from fogbank.sql.nodes import Expression, Statement
from fogbank.sql.outside.answers import Pending
from fogbank.sql.outside.errors import OutsideFailed
from fogbank.sql.printer import print_expression
from fogbank.sql.scope import Evaluate, Scope
from fogbank.sql.values import UNDEFINED, Value, to_json

if TYPE_CHECKING:
    from fogbank.sql.compiler import Compiler

_LONGEST: Final = 120
"""Characters of a value, and of a clause, that are quoted."""

_MOST: Final = 5
"""Clauses that are told of; a long list of alternatives is not read to its end."""

_NUMERIC: Final = frozenset(("<", "<=", ">", ">="))


class Explanation(msgspec.Struct, frozen=True):
    """Whether a statement fires for a message, and why, as a sentence for a person."""

    fires: bool
    sentence: str


class Explainer:
    """Explains one statement. Clauses are compiled when they are looked at: who never asks never pays."""

    def __init__(self, compiler: "Compiler", statement: Statement) -> None:
        self._compiler = compiler
        self._where = statement.where
        self._items = [item.expression for item in statement.selection.items]
        self._compiled: dict[int, Evaluate] = {}

    def explain(self, scope: Scope) -> Explanation:
        """Whether WHERE is true, and if so, what SELECT asks for and does not get."""
        if self._where is None or self._value(self._where, scope) is True:
            condition = "there is no WHERE clause" if self._where is None else f"{_clause(self._where)} was true"
            return Explanation(True, "; ".join([condition, *islice(self._lacking(scope), _MOST)]))
        told = list(islice(self._blame(self._where, True, scope), _MOST + 1))
        if len(told) > _MOST:
            told[_MOST] = "and so on"
        # Nothing is to blame where chance decides: looked at again, it was true.
        return Explanation(False, "; ".join(told) or f"{_clause(self._where)} was not true")

    def _lacking(self, scope: Scope) -> Iterator[str]:
        """The items of SELECT that are Undefined, and so not in the output: often a name misspelled."""
        for item in self._items:
            if not isinstance(item, nodes.Star):
                try:
                    value = self._value(item, scope)
                except (Pending, OutsideFailed):
                    continue
                if value is UNDEFINED:
                    yield self._fact(item, scope)

    def _value(self, node: Expression, scope: Scope) -> Value:
        """What `node` is. Nodes belong to the statement, so that each stays what its address says."""
        evaluate = self._compiled.get(id(node))
        if evaluate is None:
            evaluate = self._compiled[id(node)] = self._compiler.compile(node)
        return evaluate(scope)

    def _blame(self, node: Expression, wanted: bool, scope: Scope) -> Iterator[str]:
        """Sentences about the smallest clauses because of which `node` is not `wanted`."""
        match node:
            case nodes.Binary(operator=("AND" | "OR") as operator):
                # Where every part has to hold, each one that does not is to blame; where one is enough, all are.
                # What AND and OR never look at (what follows an Undefined part) could not have helped either way.
                for part in nodes.chain(node):
                    try:
                        value = truth(self._value(part, scope))
                    except (Pending, OutsideFailed):
                        continue  # Evaluation never came as far as this: what came before decided.
                    if value is not wanted:
                        yield from self._blame(part, wanted, scope)
                        if value is UNDEFINED and (operator == "OR") is wanted:
                            return
            case nodes.Unary(operator="NOT", operand=operand):
                yield from self._blame(operand, not wanted, scope)
            case _:
                clause = _clause(node) if wanted else f"NOT {_clause(node)}"
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
        yield from told or [f"{_clause(node)} is {_quote(self._value(node, scope))}"]
        if isinstance(node, nodes.Binary) and node.operator in _NUMERIC:
            for operand in operands:
                value = self._value(operand, scope)
                if value is not UNDEFINED and number(value) is None:
                    yield f"{_quote(value)} is not a number"

    def _fact(self, node: Expression, scope: Scope) -> str:
        value = self._value(node, scope)
        if value is not UNDEFINED:
            return f"{_clause(node)} is {_quote(value)}"
        missing = [path for path in _paths(node) if self._value(path, scope) is UNDEFINED]
        if missing:
            reason = "not in the payload" if scope.element is not UNDEFINED else "the payload is not JSON"
            names = list(dict.fromkeys(map(_clause, missing)))
            return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} undefined ({reason})"
        return f"{_clause(node)} is undefined"


def _quote(value: Value) -> str:
    return "undefined" if value is UNDEFINED else _cut(to_json(value).decode())


def _clause(node: Expression) -> str:
    return _cut(print_expression(node))


def _cut(text: str) -> str:
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
        case nodes.Binary():
            first, steps = nodes.spine(node)
            yield from _paths(first)
            for step in steps:
                yield from _paths(step.right)
        case nodes.Case(value=operand):
            yield from _paths(operand)


def _root(node: Expression) -> Expression:
    while isinstance(node, nodes.Member):
        node = node.of
    return node
