"""Nodes back to text, canonically: what is parsed from it is the same nodes. Explanations quote it."""

from collections.abc import Callable
from typing import Any, Final

from fogbank.sql import nodes
from fogbank.sql.nodes import Expression, Selection, Statement, Subselect

_LADDER: Final = (
    ("OR",),
    ("AND",),
    ("NOT",),
    ("=", "<>", "<", "<=", ">", ">=", "IN"),
    ("+", "-"),
    ("*", "/", "%"),
)
"""Operators by precedence, loosest first, as in `grammar.lark`."""

_RANK: Final = {operator: rank for rank, operators in enumerate(_LADDER) for operator in operators}
_SIGN: Final = len(_LADDER)
_ATOM: Final = _SIGN + 1


def print_statement(statement: Statement) -> str:
    """The statement on one line."""
    clauses = []
    if statement.assignments:
        assigned = (f"@{one.name} = {print_expression(one.value)}" for one in statement.assignments)
        clauses.append(f"SET {', '.join(assigned)}")
    clauses.append(_selection(statement.selection))
    if statement.topic_filter is not None:
        clauses.append(f"FROM {_string(statement.topic_filter)}")
    if statement.where is not None:
        clauses.append(f"WHERE {print_expression(statement.where)}")
    return " ".join(clauses)


def print_expression(node: Expression) -> str:
    """The expression, with only the parentheses it needs."""
    return _PRINT[type(node)](node)


def _rank(node: Expression) -> int:
    if isinstance(node, nodes.Binary):
        return _RANK[node.operator]
    if isinstance(node, nodes.Unary):
        return _RANK["NOT"] if node.operator == "NOT" else _SIGN
    return _ATOM


def _within(node: Expression, rank: int) -> str:
    """`node` as operand of what binds as tight as `rank`."""
    text = print_expression(node)
    return text if _rank(node) >= rank else f"({text})"


def _string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal(node: nodes.Literal) -> str:
    match node.value:
        case str():
            return _string(node.value)
        case bool():
            return "TRUE" if node.value else "FALSE"
        case None:
            return "NULL"
    return str(node.value)


def _unary(node: nodes.Unary) -> str:
    if node.operator == "NOT":
        return f"NOT {_within(node.operand, _RANK['NOT'])}"
    return f"-{_within(node.operand, _SIGN)}"


def _binary(node: nodes.Binary) -> str:
    """A row of operators as tight as this one, however long, from its right end to its left."""
    rank = _RANK[node.operator]
    parts: list[str] = []
    left: Expression = node
    while isinstance(left, nodes.Binary) and _RANK[left.operator] == rank:
        parts.append(f" {left.operator} {_within(left.right, rank + 1)}")
        left = left.left
    return _within(left, rank) + "".join(reversed(parts))


def _case(node: nodes.Case) -> str:
    whens = " ".join(f"WHEN {print_expression(w.test)} THEN {print_expression(w.result)}" for w in node.whens)
    default = f" ELSE {print_expression(node.default)}" if node.default is not None else ""
    return f"CASE {print_expression(node.value)} {whens}{default} END"


def _selection(selection: Selection) -> str:
    items = ", ".join(map(_item, selection.items))
    if not selection.value:
        return f"SELECT {items}"
    first = selection.items[0].expression
    reads_as_name = items.startswith("-") or (
        items.startswith("*") and not isinstance(first, nodes.Star | nodes.Member)
    )
    return f"SELECT VALUE ({items})" if reads_as_name else f"SELECT VALUE {items}"


def _item(item: nodes.Item) -> str:
    return print_expression(item.expression) + (f" AS {'.'.join(item.alias)}" if item.alias else "")


def _subselect(node: Subselect) -> str:
    alias = f" AS {node.alias}" if node.alias is not None else ""
    where = f" WHERE {print_expression(node.where)}" if node.where is not None else ""
    return f"({_selection(node.selection)} FROM {_within(node.source, _ATOM)}{alias}{where})"


def _list(items: tuple[Expression, ...]) -> str:
    return ", ".join(map(print_expression, items))


_PRINT: Final[dict[type[Any], Callable[[Any], str]]] = {
    nodes.Literal: _literal,
    nodes.Star: lambda _: "*",
    nodes.Name: lambda node: node.name,
    nodes.Variable: lambda node: f"@{node.name}",
    nodes.Member: lambda node: f"{_within(node.of, _ATOM)}.{node.name}",
    nodes.Call: lambda node: f"{node.name}({_list(node.arguments)})",
    nodes.Cast: lambda node: f"cast({print_expression(node.value)} AS {node.type})",
    nodes.Unary: _unary,
    nodes.Binary: _binary,
    nodes.Case: _case,
    nodes.Array: lambda node: f"[{_list(node.items)}]",
    nodes.Object: lambda node: (
        "{" + ", ".join(f"{_string(p.name)}: {print_expression(p.value)}" for p in node.pairs) + "}"
    ),
    nodes.Subselect: _subselect,
    nodes.Exists: lambda node: f"EXISTS {_subselect(node.select)}",
}
