"""Nodes to text: what is printed parses to the same nodes."""

import msgspec
import pytest
from hypothesis import given, settings
from tests.sql.expressions import EXPRESSIONS, unplaced

from fogbank.sql import parse
from fogbank.sql.nodes import Expression
from fogbank.sql.parser import parse_expression
from fogbank.sql.printer import print_expression, print_statement

V2016 = "2016-03-23"


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
def test_printed_expressions_parse_to_the_same_nodes(expression: Expression) -> None:
    assert unplaced(parse_expression(print_expression(expression))) == expression


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM 'a/b'",
        "SELECT a, b.c AS d.e, * AS m FROM '#' WHERE NOT (a OR b) AND c",
        "SELECT VALUE *.messages FROM 'a'",
        "SELECT VALUE (-1) FROM 'a'",
        "SELECT VALUE (* * 2) FROM 'a'",
        "SELECT value, value * 2 AS x FROM 'a'",
        "SET @a = 1, @b = @a.c SELECT @b FROM 'a'",
        "SELECT (SELECT VALUE a FROM b AS c WHERE d) AS e WHERE EXISTS (SELECT * FROM *)",
        "SELECT CASE a WHEN 1 THEN 'x' ELSE 'it''s' END AS b FROM 'a'",
        "SELECT {'a': [1, 2.50, 1E+3]}, cast(a AS int) FROM 'a'",
        "SELECT a - (b - c) - d AS x, -(-a) AS y, --a AS z FROM 'a'",
    ],
)
def test_printed_statements_parse_to_the_same_nodes(text: str) -> None:
    statement = parse(text, V2016)
    printed = print_statement(statement)
    again = parse(printed, V2016)
    assert print_statement(again) == printed
    assert unplaced(msgspec.structs.replace(again, text=text)) == unplaced(statement)
