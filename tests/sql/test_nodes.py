"""Rows of operators, read from left to right."""

import pytest

from fogbank.sql.nodes import Binary, chain, spine
from fogbank.sql.parser import parse_expression
from fogbank.sql.printer import print_expression


def binary(text: str) -> Binary:
    node = parse_expression(text)
    assert isinstance(node, Binary)
    return node


@pytest.mark.parametrize(
    ("text", "operands"),
    [
        ("a AND b", ["a", "b"]),
        ("a AND b AND c", ["a", "b", "c"]),
        ("a OR b AND c OR d", ["a", "b AND c", "d"]),
        ("a AND b OR c", ["a AND b", "c"]),
        ("a AND (b AND c)", ["a", "b AND c"]),
    ],
)
def test_chain(text: str, operands: list[str]) -> None:
    assert list(map(print_expression, chain(binary(text)))) == operands


@pytest.mark.parametrize(
    ("text", "first", "steps"),
    [
        ("a + b", "a", ["+ b"]),
        ("a + b - c * d = e", "a", ["+ b", "- c * d", "= e"]),
        ("a * b * c + d", "a", ["* b", "* c", "+ d"]),
        ("(a AND b) = c", "a AND b", ["= c"]),
        ("-a + b", "-a", ["+ b"]),
    ],
)
def test_spine(text: str, first: str, steps: list[str]) -> None:
    begin, rest = spine(binary(text))
    assert print_expression(begin) == first
    assert [f"{step.operator} {print_expression(step.right)}" for step in rest] == steps
