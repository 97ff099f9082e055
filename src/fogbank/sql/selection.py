"""What SELECT makes of a message or an element: an object of its items, or with VALUE the one item itself."""

from typing import TYPE_CHECKING, Any, Final

from fogbank.sql import nodes
from fogbank.sql.nodes import Expression, Item, Selection
from fogbank.sql.scope import Evaluate, Scope
from fogbank.sql.values import UNDEFINED, Value
from fogbank.sql.version import Version

if TYPE_CHECKING:
    from fogbank.sql.compiler import Compiler

_SPREAD: Final[tuple[str, ...]] = ()
"""The place of an item whose members join the output's: `*` or an object literal without alias."""


def is_everything(selection: Selection) -> bool:
    """Whether it is `*` and nothing else: what it is applied to passes as it is."""
    first = selection.items[0]
    return len(selection.items) == 1 and isinstance(first.expression, nodes.Star) and not first.alias


def compile_selection(compiler: "Compiler", selection: Selection) -> Evaluate:
    """The closure that makes the output, or `SqlError`."""
    if selection.value:
        return _compile_value(compiler, selection)
    if is_everything(selection):
        return lambda scope: scope.element
    items = [(_place(compiler, item), compiler.compile(item.expression)) for item in selection.items]

    def select(scope: Scope) -> Value:
        output: dict[str, Any] = {}
        for place, evaluate in items:
            value = evaluate(scope)
            if value is UNDEFINED:
                continue
            if len(place) == 1:
                output[place[0]] = value
            elif place is _SPREAD:
                if isinstance(value, dict):
                    output.update(value)
            else:
                _nest(output, place, value)
        return output

    return select


def _compile_value(compiler: "Compiler", selection: Selection) -> Evaluate:
    if len(selection.items) > 1:
        compiler.fail("SELECT VALUE takes one item", selection.items[1].at)
    item = selection.items[0]
    if item.alias:
        compiler.fail("SELECT VALUE gives the value itself, which has no name: leave out AS", item.at)
    evaluate = compiler.compile(item.expression)
    if compiler.version is not Version.V2015_10_08 or isinstance(item.expression, nodes.Star):
        return evaluate

    def scalar(scope: Scope) -> Value:
        value = evaluate(scope)
        return UNDEFINED if isinstance(value, (list, dict)) else value

    return scalar


def _place(compiler: "Compiler", item: Item) -> tuple[str, ...]:
    """The path of the item in the output."""
    if item.alias:
        return item.alias
    if isinstance(item.expression, (nodes.Star, nodes.Object)):
        return _SPREAD
    name = item_name(item.expression)
    if name is None:
        compiler.fail("this item has no name of its own; add AS name", item.at)
    return (name,)


def item_name(expression: Expression) -> str | None:
    """The name of an item without AS: the last part of a path, the name of a function; nothing else has one."""
    match expression:
        case nodes.Name() | nodes.Member() | nodes.Variable() | nodes.Call():
            return expression.name
        case nodes.Cast():
            return "cast"
    return None


def _nest(output: dict[str, Any], path: tuple[str, ...], value: Value) -> None:
    """Put `value` at `path`. Objects on the way are copied: they may belong to the payload that others read too."""
    *parents, last = path
    for name in parents:
        existing = output.get(name)
        output[name] = inner = dict(existing) if isinstance(existing, dict) else {}
        output = inner
    output[last] = value
