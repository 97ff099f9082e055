"""The parsed statement: frozen nodes. `at` is where a node begins, in characters of the statement's text."""

from decimal import Decimal
from typing import TypeAlias

import msgspec

from fogbank.sql.version import Version


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What every node has."""

    at: int = 0


class Literal(Node, frozen=True):
    """A number, string, Boolean or NULL as written; `1E3` is a Decimal until a version makes it an Int."""

    value: bool | int | Decimal | str | None


class Star(Node, frozen=True):
    """`*`: the whole payload, or the whole element within a nested SELECT."""


class Name(Node, frozen=True):
    """A member of the payload, of the element within a nested SELECT, or the alias of a nested FROM."""

    name: str


class Variable(Node, frozen=True):
    """`@name`, assigned by SET."""

    name: str


class Member(Node, frozen=True):
    """`of.name`."""

    of: "Expression"
    name: str


class Call(Node, frozen=True):
    """`name(arguments)`, the name as written."""

    name: str
    arguments: tuple["Expression", ...]


class Cast(Node, frozen=True):
    """`cast(value AS type)`, the type as written."""

    value: "Expression"
    type: str


class Unary(Node, frozen=True):
    """`-operand` or `NOT operand`."""

    operator: str
    operand: "Expression"


class Binary(Node, frozen=True):
    """`left operator right`; the operator in capitals, `!=` as `<>`. `at` is where the operator stands."""

    operator: str
    left: "Expression"
    right: "Expression"


class When(Node, frozen=True):
    """`WHEN test THEN result`."""

    test: "Expression"
    result: "Expression"


class Case(Node, frozen=True):
    """`CASE value WHEN .. THEN .. [ELSE default] END`."""

    value: "Expression"
    whens: tuple[When, ...]
    default: "Expression | None"


class Array(Node, frozen=True):
    """`[a, b]`."""

    items: tuple["Expression", ...]


class Pair(Node, frozen=True):
    """`"name": value` of an object literal."""

    name: str
    value: "Expression"


class Object(Node, frozen=True):
    """`{"a": b}`."""

    pairs: tuple[Pair, ...]


class Item(Node, frozen=True):
    """One item of a SELECT. `alias` is the path `AS a.b` names, empty without."""

    expression: "Expression"
    alias: tuple[str, ...] = ()


class Selection(Node, frozen=True):
    """What SELECT selects: items that make an object, or with VALUE the one item itself."""

    items: tuple[Item, ...]
    value: bool = False


class Subselect(Node, frozen=True):
    """`SELECT .. FROM source [AS alias] [WHERE where]` within an expression."""

    selection: Selection
    source: "Expression"
    alias: str | None = None
    where: "Expression | None" = None


class Exists(Node, frozen=True):
    """`EXISTS (SELECT ..)`."""

    select: Subselect


Expression: TypeAlias = (
    Literal
    | Star
    | Name
    | Variable
    | Member
    | Call
    | Cast
    | Unary
    | Binary
    | Case
    | Array
    | Object
    | Subselect
    | Exists
)


def spine(node: Binary) -> tuple[Expression, list[Binary]]:
    """Operators that follow one another without parentheses, left to right, but for AND and OR: `a + b - c = d`.

    They nest to the left, as deep as the row is long; walked like this they take no depth at all.
    """
    steps = [node]
    left = node.left
    while isinstance(left, Binary) and left.operator not in ("AND", "OR"):
        steps.append(left)
        left = left.left
    return left, steps[::-1]


def chain(node: Binary) -> list[Expression]:
    """The operands of a row of ANDs or of ORs, left to right: `a OR b OR c` has three."""
    operands = [node.right]
    left = node.left
    while isinstance(left, Binary) and left.operator == node.operator:
        operands.append(left.right)
        left = left.left
    operands.append(left)
    return operands[::-1]


class Assignment(Node, frozen=True):
    """`@name = value` of SET."""

    name: str
    value: Expression


class Statement(Node, frozen=True):
    """A whole statement. `topic_filter` is None where there is no FROM: a rule for Basic Ingest alone."""

    text: str
    version: Version
    assignments: tuple[Assignment, ...]
    selection: Selection
    topic_filter: str | None = None
    where: Expression | None = None
    filter_at: int = 0
    """Where the filter of FROM stands."""
