"""Random expressions and payloads for the property tests: any tree the grammar can hold."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from fogbank.sql import nodes
from fogbank.sql.functions.catalogue import functions
from fogbank.sql.nodes import Expression

NAMES = st.sampled_from(["a", "b", "c", "value", "end", "missing", "Über", "x_1"])
TEXTS = st.one_of(
    st.sampled_from(["", "12", "-1.5", "true", "FALSE", "base64", "a|b", "(a+)+$", "$1", "yyyy-MM-dd", "UTC", "aGk="]),
    st.text(max_size=6),
)
NUMBERS = st.one_of(
    st.integers(0, 10**34 - 1),
    st.integers(0, 20),
    st.decimals(min_value=0, max_value=Decimal("1E30"), places=3, allow_nan=False, allow_infinity=False).map(abs),
)
OPERATORS = ("OR", "AND", "=", "<>", "<", "<=", ">", ">=", "IN", "+", "-", "*", "/", "%")
FUNCTIONS = sorted(functions())

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
PAYLOADS = st.one_of(
    st.dictionaries(NAMES, JSON, max_size=5).map(lambda value: json.dumps(value).encode()),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=10),
)


def _leaves() -> st.SearchStrategy[Expression]:
    literal = st.one_of(st.none(), st.booleans(), TEXTS, NUMBERS).map(nodes.Literal)
    return st.one_of(literal, NAMES.map(nodes.Name), st.just(nodes.Star()))


def _branches(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    some = st.lists(inner, max_size=3).map(tuple)
    item = st.builds(nodes.Item, inner, st.lists(NAMES, min_size=1, max_size=2).map(tuple))
    everything = nodes.Selection((nodes.Item(nodes.Star()),))
    selection = st.one_of(
        st.builds(nodes.Selection, st.lists(item, min_size=1, max_size=2).map(tuple)),
        st.builds(lambda value: nodes.Selection((nodes.Item(value),), value=True), inner),
        st.just(everything),
    )
    subselect = st.builds(nodes.Subselect, selection, inner, st.none() | NAMES, st.none() | inner)
    when = st.builds(nodes.When, inner, inner)
    return st.one_of(
        st.builds(nodes.Member, inner.filter(lambda node: not isinstance(node, nodes.Literal)), NAMES),
        st.builds(nodes.Call, st.sampled_from(FUNCTIONS), some),
        st.builds(nodes.Cast, inner, st.sampled_from(["String", "int", "Double", "decimal", "BOOL"])),
        st.builds(nodes.Unary, st.sampled_from(["-", "NOT"]), inner),
        st.builds(nodes.Binary, st.sampled_from(OPERATORS), inner, inner),
        st.builds(nodes.Case, inner, st.lists(when, min_size=1, max_size=2).map(tuple), st.none() | inner),
        st.builds(nodes.Array, some),
        st.builds(nodes.Object, st.lists(st.builds(nodes.Pair, TEXTS, inner), max_size=2).map(tuple)),
        subselect,
        st.builds(nodes.Exists, subselect),
    )


EXPRESSIONS: st.SearchStrategy[Any] = st.recursive(_leaves(), _branches, max_leaves=12)
"""Any expression whose nodes stand at 0, as the printer does not say where they stood."""


def unplaced(node: Any) -> Any:
    """The node without where it stood."""
    if isinstance(node, tuple):
        return tuple(map(unplaced, node))
    if not isinstance(node, nodes.Node):
        return node
    fields = {name: unplaced(getattr(node, name)) for name in node.__struct_fields__ if name not in ("at", "filter_at")}
    return type(node)(**fields)
