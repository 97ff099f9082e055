"""AND, OR, and comparisons with a constant as closures: what WHERE clauses are mostly made of, so made to be quick."""

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from fogbank.sql.coercion import truth
from fogbank.sql.operators import TESTS
from fogbank.sql.scope import Evaluate, Scope
from fogbank.sql.values import Value

_NUMERIC: Final = (int, Decimal)
_TEXT: Final = (str,)

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def conjunction(parts: list[Evaluate]) -> Evaluate:
    """AND: the first part that is not true ends it; parts have to be Booleans or say so in words, else Undefined."""

    def evaluate(scope: Scope) -> Value:
        for part in parts:
            value = part(scope)
            if value is not True:
                value = truth(value)
                if value is not True:
                    return value
        return True

    return evaluate


def disjunction(parts: list[Evaluate]) -> Evaluate:
    """OR: the first part that is not false ends it; an Undefined one makes it Undefined, whatever follows."""

    def evaluate(scope: Scope) -> Value:
        for part in parts:
            value = part(scope)
            if value is not False:
                value = truth(value)
                if value is not False:
                    return value
        return False

    return evaluate


def against(name: str, left: Evaluate, constant: Value) -> Evaluate | None:
    """The operator with a constant on its right, where both sides having the constant's type makes it simple."""
    if name not in _COMPARE or not (type(constant) in _NUMERIC or (type(constant) is str and name in ("=", "<>"))):
        return None
    general, compare = TESTS[name], _COMPARE[name]
    types = _TEXT if isinstance(constant, str) else _NUMERIC

    def evaluate(scope: Scope) -> Value:
        value = left(scope)
        return compare(value, constant) if type(value) in types else general(value, constant)

    return evaluate
