"""From the parser's tree to nodes: one method per rule of `grammar.lark`."""

from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
from lark import Token, v_args
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from fogbank.sql import nodes
from fogbank.sql.errors import SqlError
from fogbank.sql.nodes import Expression, Selection, Statement, Subselect
from fogbank.sql.values import DIGITS, PRECISION
from fogbank.sql.version import Version


class Filter(msgspec.Struct, frozen=True):
    """The FROM clause of a statement."""

    topic_filter: str | None
    at: int


class Where(msgspec.Struct, frozen=True):
    """The WHERE clause of a statement or of a nested SELECT."""

    condition: Expression


Part: TypeAlias = Any


def _unquote(token: Token) -> str:
    """The content of a string literal: a doubled quote stands for one, a backslash for itself."""
    quote = token[0]
    return token[1:-1].replace(quote * 2, quote)


@v_args(meta=True)
class Build(Transformer_NonRecursive[Token, Any]):
    """Bottom-up: children are nodes already, tokens otherwise."""

    def __init__(self, text: str, version: Version) -> None:
        """For a statement of that text and version."""
        super().__init__()
        self._text = text
        self._version = version

    def statement(self, _: Meta, parts: list[Part]) -> Statement:
        where = parts.pop().condition if isinstance(parts[-1], Where) else None
        filter_ = parts.pop() if isinstance(parts[-1], Filter) else Filter(None, 0)
        *assignments, selection = parts
        return Statement(
            text=self._text,
            version=self._version,
            assignments=assignments[0] if assignments else (),
            selection=selection,
            topic_filter=filter_.topic_filter,
            filter_at=filter_.at,
            where=where,
        )

    def set_clause(self, _: Meta, parts: list[Part]) -> tuple[nodes.Assignment, ...]:
        return tuple(parts[1:])

    def assignment(self, meta: Meta, parts: list[Part]) -> nodes.Assignment:
        variable, value = parts
        return nodes.Assignment(variable[1:], value, at=meta.start_pos)

    def select(self, meta: Meta, parts: list[Part]) -> Selection:
        keyword, *items = parts
        return Selection(tuple(items), keyword.type == "SELECT_VALUE", at=meta.start_pos)

    def item(self, meta: Meta, parts: list[Part]) -> nodes.Item:
        return nodes.Item(parts[0], parts[2] if len(parts) == 3 else (), at=meta.start_pos)

    def alias(self, _: Meta, parts: list[Token]) -> tuple[str, ...]:
        return tuple(map(str, parts))

    def from_clause(self, _: Meta, parts: list[Token]) -> Filter:
        filter_ = parts[1]
        return Filter(_unquote(filter_) if filter_.type == "STRING" else str(filter_), filter_.start_pos or 0)

    def where_clause(self, _: Meta, parts: list[Part]) -> Where:
        return Where(parts[1])

    def subselect(self, meta: Meta, parts: list[Part]) -> Subselect:
        selection, _, source, *rest = parts
        where = rest.pop().condition if rest and isinstance(rest[-1], Where) else None
        return Subselect(selection, source, str(rest[1]) if rest else None, where, at=meta.start_pos)

    def binary(self, _: Meta, parts: list[Part]) -> nodes.Binary:
        left, operator, right = parts
        name = "<>" if operator == "!=" else operator.upper()
        return nodes.Binary(name, left, right, at=operator.start_pos)

    def unary(self, meta: Meta, parts: list[Part]) -> nodes.Unary:
        operator, operand = parts
        return nodes.Unary(operator.upper(), operand, at=meta.start_pos)

    def member(self, meta: Meta, parts: list[Part]) -> nodes.Member:
        return nodes.Member(parts[0], str(parts[1]), at=meta.start_pos)

    def number(self, meta: Meta, parts: list[Token]) -> nodes.Literal:
        token = str(parts[0])
        exact = int(token) if token.isdigit() and len(token) <= DIGITS else PRECISION.create_decimal(token)
        if isinstance(exact, Decimal) and not exact.is_finite():
            text = "the number is beyond 9.99E999, the highest that a Decimal can be"
            raise SqlError.at(text, self._text, meta.start_pos)
        return nodes.Literal(exact, at=meta.start_pos)

    def string(self, meta: Meta, parts: list[Token]) -> nodes.Literal:
        return nodes.Literal(_unquote(parts[0]), at=meta.start_pos)

    def true(self, meta: Meta, _: list[Token]) -> nodes.Literal:
        return nodes.Literal(True, at=meta.start_pos)

    def false(self, meta: Meta, _: list[Token]) -> nodes.Literal:
        return nodes.Literal(False, at=meta.start_pos)

    def null(self, meta: Meta, _: list[Token]) -> nodes.Literal:
        return nodes.Literal(None, at=meta.start_pos)

    def name(self, meta: Meta, parts: list[Token]) -> nodes.Name:
        return nodes.Name(str(parts[0]), at=meta.start_pos)

    def variable(self, meta: Meta, parts: list[Token]) -> nodes.Variable:
        return nodes.Variable(parts[0][1:], at=meta.start_pos)

    def star(self, meta: Meta, _: list[Token]) -> nodes.Star:
        return nodes.Star(at=meta.start_pos)

    def call(self, meta: Meta, parts: list[Part]) -> nodes.Call:
        return nodes.Call(str(parts[0]), parts[1] if len(parts) == 2 else (), at=meta.start_pos)

    def arguments(self, _: Meta, parts: list[Expression]) -> tuple[Expression, ...]:
        return tuple(parts)

    def cast(self, meta: Meta, parts: list[Part]) -> nodes.Cast:
        _, value, _, type_ = parts
        return nodes.Cast(value, str(type_), at=meta.start_pos)

    def exists(self, meta: Meta, parts: list[Part]) -> nodes.Exists:
        return nodes.Exists(parts[1], at=meta.start_pos)

    def case(self, meta: Meta, parts: list[Part]) -> nodes.Case:
        _, value, *rest = parts
        whens = tuple(part for part in rest if isinstance(part, nodes.When))
        after = rest[len(whens) :]
        return nodes.Case(value, whens, after[1] if len(after) == 3 else None, at=meta.start_pos)

    def when(self, meta: Meta, parts: list[Part]) -> nodes.When:
        return nodes.When(parts[1], parts[3], at=meta.start_pos)

    def array(self, meta: Meta, parts: list[Expression]) -> nodes.Array:
        return nodes.Array(tuple(parts), at=meta.start_pos)

    def object(self, meta: Meta, parts: list[nodes.Pair]) -> nodes.Object:
        return nodes.Object(tuple(parts), at=meta.start_pos)

    def pair(self, meta: Meta, parts: list[Part]) -> nodes.Pair:
        return nodes.Pair(_unquote(parts[0]), parts[1], at=meta.start_pos)

    def parenthesised(self, _: Meta, parts: list[Expression]) -> Expression:
        return parts[0]
