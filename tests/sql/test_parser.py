"""Text to nodes: keywords, names, numbers, and errors that point at what is wrong."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.expressions import unplaced

from fogbank.sql import SqlError, compile_statement, nodes, parse
from fogbank.sql.parser import MAX_LENGTH, parse_expression
from fogbank.sql.printer import print_statement

V2016 = "2016-03-23"


def test_keywords_and_functions_in_any_case() -> None:
    lower = parse("select value newUUID() from 'a' where not a and b in [true] or exists(select * from c as d)")
    upper = parse("SELECT VALUE newUUID() FROM 'a' WHERE NOT a AND b IN [TRUE] OR EXISTS (SELECT * FROM c AS d)")
    assert unplaced(msgspec.structs.replace(lower, text="")) == unplaced(msgspec.structs.replace(upper, text=""))


@pytest.mark.parametrize("word", ["value", "end", "from", "where", "in", "set", "as", "when", "timestamp", "exists"])
def test_keywords_are_names_where_a_name_stands(word: str) -> None:
    statement = parse(f"SELECT a.{word} AS {word}, {word}.b AS x.{word} FROM 'a'")
    first, second = statement.selection.items
    assert unplaced(first) == nodes.Item(nodes.Member(nodes.Name("a"), word), (word,))
    assert unplaced(second) == nodes.Item(nodes.Member(nodes.Name(word), "b"), ("x", word))


@pytest.mark.parametrize(
    ("text", "selects_value"),
    [
        ("SELECT value FROM 'a'", False),
        ("SELECT value, a FROM 'a'", False),
        ("SELECT value.a FROM 'a'", False),
        ("SELECT value AS a FROM 'a'", False),
        ("SELECT value + 1 AS a FROM 'a'", False),
        ("SELECT value - 1 AS a FROM 'a'", False),
        ("SELECT value * 2 AS a FROM 'a'", False),
        ("SELECT value *.5 AS a FROM 'a'", False),
        ("SELECT value in [1] AS a FROM 'a'", False),
        ("SELECT value = 1 AS a FROM 'a'", False),
        ("SELECT VALUE a FROM 'a'", True),
        ("SELECT VALUE value FROM 'a'", True),
        ("SELECT VALUE inside FROM 'a'", True),
        ("SELECT VALUE\n*\nFROM 'a'", True),
        ("SELECT VALUE *.a FROM 'a'", True),
        ("SELECT VALUE *", True),
        ("SELECT VALUE(a) FROM 'a'", True),
        ("SELECT VALUE [a] FROM 'a'", True),
        ("SELECT VALUE 'a' FROM 'a'", True),
        ("SELECT VALUE not a FROM 'a'", True),
        ("SELECT VALUE case a when 1 then 2 end FROM 'a'", True),
    ],
)
def test_value_is_a_keyword_only_where_a_value_follows(text: str, selects_value: bool) -> None:
    assert parse(text, V2016).selection.value is selects_value


@pytest.mark.parametrize(
    ("text", "filter_"),
    [
        ("SELECT * FROM 'a/+/#'", "a/+/#"),
        ('SELECT * FROM "a/b"', "a/b"),
        ("SELECT * FROM a/+/#", "a/+/#"),
        ("SELECT * FROM $aws/things/+/shadow/update/accepted WHERE a", "$aws/things/+/shadow/update/accepted"),
        ("SELECT * FROM 'it''s'", "it's"),
        ("SELECT *", None),
    ],
)
def test_topic_filter(text: str, filter_: str | None) -> None:
    assert parse(text).topic_filter == filter_


def test_numbers() -> None:
    def value(text: str) -> object:
        expression = parse_expression(text)
        assert isinstance(expression, nodes.Literal)
        return expression.value

    assert [value("7"), value("1.50"), value(".5"), value("1E3"), value("2.411e-7")] == [
        *(7, Decimal("1.50"), Decimal("0.5"), Decimal("1E+3"), Decimal("2.411E-7"))
    ]
    assert type(value("7")) is int
    assert value("1" * 40) == Decimal("1.111111111111111111111111111111111E+39")


ERRORS = [
    ("", 1, 1, "the statement ends where SELECT, SELECT VALUE or SET should follow"),
    ("DELETE FROM 'a'", 1, 1, "unexpected 'DELETE'; expected SELECT, SELECT VALUE or SET"),
    ("SELECT", 1, 7, "the statement ends where an expression should follow"),
    ("SELECT a FRM 'x'", 1, 10, "unexpected 'FRM'; expected ',', AS, FROM, WHERE, an operator or the end"),
    ("SELECT a\nFROM 'x'\nWHERE", 3, 6, "the statement ends where an expression should follow"),
    ("SELECT a\n  FROM 'x' WHERE a >", 2, 21, "the statement ends where an expression should follow"),
    ("SELECT 'a FROM x", 1, 8, "the string that begins here is not closed by '"),
    ("SELECT a[0] FROM 'x'", 1, 9, "[ cannot follow here; the item of an array is read with get(array, index)"),
    ("SELECT 1abc FROM 'x'", 1, 8, "a name cannot begin with a digit; such a member is read with get(object, 'name')"),
    ("SELECT a FROM 'x' WHERE a ~ 1", 1, 27, "unexpected '~'; expected an operator or the end"),
    (
        "SELECT `a b` FROM 'x'",
        1,
        8,
        "names are not quoted; a member whose name is none is read with get(object, 'name')",
    ),
    ("SELECT a /* all */ FROM 'x'", 1, 13, "there are no comments in this language"),
    ("SELECT a FROM 'x' // all", 1, 19, "there are no comments in this language"),
    ("// all\nSELECT a FROM 'x'", 1, 1, "there are no comments in this language"),
    ("SELECT abs(a FROM 'x'", 1, 14, "unexpected 'FROM'; expected ')', ',' or an operator"),
    ("SELECT {'a' 1} AS o", 1, 13, "unexpected '1'; expected ':'"),
    ("SELECT\tCASE a\n\tTHEN 1 END", 2, 2, "unexpected 'THEN'; expected WHEN or an operator"),
    ("SELECT a FROM 'x';", 1, 18, "unexpected ';'; expected WHERE or the end"),
    ("SELECT foo(a) FROM 'x'", 1, 8, "function foo() does not exist"),
    ("SELECT abs(foo(1), 2) AS a FROM 'x'", 1, 12, "function foo() does not exist"),
    ("SELECT 1 + 1 FROM 'x'", 1, 8, "this item has no name of its own; add AS name"),
    ("SELECT VALUE a, b FROM 'x'", 1, 17, "SELECT VALUE takes one item"),
    ("SELECT VALUE a AS b FROM 'x'", 1, 14, "SELECT VALUE gives the value itself"),
    ("SELECT a FROM 'x/#/y'", 1, 15, "FROM: the topic filter 'x/#/y' has levels after '#'"),
    ("SELECT a FROM ''", 1, 15, "FROM: the topic filter is empty"),
    ("SELECT @a AS a FROM 'x'", 1, 8, "@a is not assigned by SET before it is used"),
    ("SET @a = 1, @a = 2 SELECT @a", 1, 13, "@a is assigned twice"),
    ("SET @a = @b, @b = 2 SELECT @a", 1, 10, "@b is not assigned by SET before it is used"),
    ("SELECT cast(a AS money) FROM 'x'", 1, 8, "cast knows no type money"),
    ("SELECT encode(a, 'hex') FROM 'x'", 1, 8, "encode(): encode knows 'base64' alone"),
    ("SELECT regexp_matches(a, '(?=b)') FROM 'x'", 1, 8, "regexp_matches(): the regular expression '(?=b)' is not"),
    ("SELECT parse_time('QQ', 1) FROM 'x'", 1, 8, "parse_time(): the pattern letter 'Q' is not one of Joda-Time's"),
    ("SELECT parse_time('y', 1, 'Mars/Base') FROM 'x'", 1, 8, "parse_time(): there is no time zone 'Mars/Base'"),
    ("SELECT time_to_epoch(a, 'yyyy ''x') FROM 'x'", 1, 8, "time_to_epoch(): the quotation that begins"),
    ("SELECT 1E1000 AS a FROM 'x'", 1, 8, "the number is beyond 9.99E999"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), ERRORS)
def test_errors_point_at_what_is_wrong(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(SqlError) as caught:
        compile_statement(parse(text, V2016))
    error = caught.value
    assert error.message.startswith(message)
    assert (error.line, error.column) == (line, column)
    assert error.text == text
    shown, caret = str(error).split("\n")[1:]
    assert shown == "  " + text.split("\n")[line - 1].replace("\t", " ")
    assert caret == " " * (column + 1) + "^"


OLD_ERRORS = [
    ("SELECT length(a) FROM 'x'", 8, "function length()"),
    ("SELECT isUndefined(a) FROM 'x'", 8, "function isUndefined()"),
    ("SELECT [1] AS a FROM 'x'", 8, "an array literal"),
    ("SELECT {'a': 1} FROM 'x'", 8, "an object literal"),
    ("SELECT (SELECT * FROM a) AS b FROM 'x'", 9, "a nested SELECT"),
    ("SET @a = 1 SELECT @a FROM 'x'", 5, "SET"),
    ("SELECT cast(a AS decimal) FROM 'x'", 8, "cast(.. AS decimal)"),
    ("SELECT encode(*, 'base64') AS a FROM 'x'", 8, "function encode()"),
]


@pytest.mark.parametrize(("text", "column", "what"), OLD_ERRORS)
def test_what_came_with_2016_is_refused_in_2015(text: str, column: int, what: str) -> None:
    compile_statement(parse(text, V2016))
    compile_statement(parse(text, "beta"))
    with pytest.raises(SqlError) as caught:
        compile_statement(parse(text))
    assert caught.value.message == f"{what} needs SQL version 2016-03-23; this statement is 2015-10-08"
    assert (caught.value.line, caught.value.column) == (1, column)


def test_unknown_version() -> None:
    with pytest.raises(SqlError, match="the SQL version '2017' does not exist; there are 2015-10-08, 2016-03-23, beta"):
        parse("SELECT 1 AS a", "2017")


def test_bounds() -> None:
    with pytest.raises(SqlError, match=f"longer than {MAX_LENGTH} characters"):
        parse(" " * MAX_LENGTH + "SELECT *")
    with pytest.raises(SqlError, match="nests deeper than 100 levels"):
        compile_statement(parse("SELECT " + "-" * 5000 + "a AS b"))
    with pytest.raises(SqlError, match="nests deeper than 100 levels"):
        compile_statement(parse("SELECT a" + ".a" * 5000 + " AS b"))
    with pytest.raises(SqlError, match="nests deeper than 100 levels"):
        compile_statement(parse("SELECT " + "1 + (" * 5000 + "1" + ")" * 5000 + " AS b"))
    with pytest.raises(SqlError, match="not valid Unicode"):
        parse("SELECT '\ud800' AS a")
    with pytest.raises(SqlError, match="more than 10 variables"):
        compile_statement(parse("SET " + ", ".join(f"@v{n} = {n}" for n in range(11)) + " SELECT *", V2016))
    with pytest.raises(SqlError, match="longer than 64 characters"):
        compile_statement(parse(f"SET @{'v' * 65} = 1 SELECT *", V2016))


TOKENS = """
    SELECT VALUE value FROM WHERE AS AND NOT IN CASE WHEN THEN ELSE END SET EXISTS cast ( ) [ ] { } , . : * - = <>
    1 1.5E9 1e999 'a' "b" ' a @v @ topic/# a/b # ~ \0 é ٣ 99999999999999999999999999999999999999999999999999
"""


def place_of_error(text: str) -> tuple[int, int] | None:
    try:
        statement = parse(text, V2016)
    except SqlError as error:
        return error.line, error.column
    assert unplaced(parse(print_statement(statement), V2016).selection) == unplaced(statement.selection)
    return None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*TOKENS.split(), "\n"]), max_size=14), st.sampled_from([" ", ""]))
def test_any_text_is_a_statement_or_an_sql_error(tokens: list[str], space: str) -> None:
    for text in (space.join(tokens), f"SELECT {space.join(tokens)} FROM 'a'"):
        if place := place_of_error(text):
            line, column = place
            assert 1 <= column <= len(text.split("\n")[line - 1]) + 1


HOSTILE = [
    ("SELECT a" + " + a" * 15_000 + " AS b", None),
    ("SELECT " + "(" * 30_000 + "a" + ")" * 30_000 + " AS b", None),
    ("SELECT '" + "x" * 60_000 + "' AS b", None),
    ("SELECT " + " " * 60_000 + "a", None),
    ("SELECT VALUE" + " " * 60_000 + "FROM 'x'", None),
    ("SELECT " + ", ".join(f"a.b AS c{n}" for n in range(4000)), None),
    ("SELECT CASE a " + "WHEN 1 THEN 2 " * 4000 + "END AS x", None),
    ("SELECT " + "-" * 60_000 + "a AS b", "the expression nests deeper than 100 levels"),
    ("SELECT a WHERE " + "NOT " * 15_000 + "a", "the expression nests deeper than 100 levels"),
    ("SELECT " + "abs(" * 10_000 + "a" + ")" * 10_000 + " AS b", "the expression nests deeper than 100 levels"),
    ("SELECT " + "(SELECT * FROM " * 3000 + "a" + ")" * 3000 + " AS b", "the expression nests deeper than 100 levels"),
    ("SELECT " + "[" * 60_000, "the statement ends where ']' or an expression should follow"),
    ("SELECT " + "(SELECT VALUE " * 4000, "the statement ends where"),
    ("SELECT '" + "x" * 60_000, "the string that begins here is not closed by '"),
    ("SELECT " + "'" * 60_001, "the string that begins here is not closed by '"),
    ("SELECT " + "1" * 60_000 + " AS a", "the number is beyond 9.99E999"),
    ("SELECT " + "1" * 60_000 + "a AS a", "a name cannot begin with a digit"),
    ("SELECT *, " * 10_000, "the statement is longer than 65536 characters"),
]


@pytest.mark.parametrize(("text", "message"), HOSTILE, ids=[text[:20] for text, _ in HOSTILE])
def test_large_texts_end_soon(text: str, message: str | None) -> None:
    """Parsing takes as long as the text is, whatever it holds: about 10 microseconds a character at the most."""
    if message is None:
        compile_statement(parse(text, V2016))
        return
    with pytest.raises(SqlError) as caught:
        compile_statement(parse(text, V2016))
    assert caught.value.message.startswith(message)
    assert len(str(caught.value)) < 500
