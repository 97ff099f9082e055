"""The tables of conversions, cell by cell (developer guide: "Data types", "Conversions"; "Functions", `cast`)."""

from decimal import Decimal

import pytest

from fogbank.sql import UNDEFINED
from fogbank.sql.coercion import CASTS, TO_BOOLEAN, TO_DECIMAL, TO_INT, TO_STRING, Conversion
from fogbank.sql.values import Value

U = UNDEFINED
D = Decimal

# value, to Decimal, to Int, to Boolean, to String
IMPLICIT: list[tuple[Value, Value, Value, Value, Value]] = [
    (7, 7, 7, U, "7"),
    (10**33, 10**33, 10**33, U, "1" + "0" * 33),
    (D("2.5"), D("2.5"), 3, U, "2.5"),
    (D("-2.5"), D("-2.5"), -3, U, "-2.5"),
    (D("2.4"), D("2.4"), 2, U, "2.4"),
    (D("1E+40"), D("1E+40"), D("1E+40"), U, "1E+40"),
    (True, U, U, True, "true"),
    (False, U, U, False, "false"),
    ("5.9", D("5.9"), 5, U, "5.9"),
    ("-5.9", D("-5.9"), -5, U, "-5.9"),
    ("5E-12", D("5E-12"), 0, U, "5E-12"),
    ("1e3", D("1E+3"), 1000, U, "1e3"),
    ("+5", U, U, U, "+5"),
    (".5", U, U, U, ".5"),
    ("5.", U, U, U, "5."),
    ("1E+3", U, U, U, "1E+3"),
    (" 5", U, U, U, " 5"),
    ("5\n", U, U, U, "5\n"),
    ("٥", U, U, U, "٥"),
    ("1E1000", U, U, U, "1E1000"),
    ("1E99999999999999999999", U, U, U, "1E99999999999999999999"),
    ("NaN", U, U, U, "NaN"),
    ("", U, U, U, ""),
    ("TRUE", U, U, True, "TRUE"),
    ("fAlse", U, U, False, "fAlse"),
    ("yes", U, U, U, "yes"),
    ([1, "a"], U, U, U, '[1,"a"]'),
    ({"a": D("1.50")}, U, U, U, '{"a":1.50}'),
    (None, None, None, U, U),
    (U, U, U, U, U),
]

# value, cast to Decimal, to Int, to Boolean, to String
EXPLICIT: list[tuple[Value, Value, Value, Value, Value]] = [
    (7, D(7), 7, True, "7"),
    (0, D(0), 0, False, "0"),
    (D("2.9"), D("2.9"), 2, True, "2.9"),
    (D("-2.1"), D("-2.1"), -3, True, "-2.1"),
    (D("0.0"), D("0.0"), 0, False, "0.0"),
    (True, D("1.0"), 1, True, "true"),
    (False, D("0.0"), 0, False, "false"),
    ("5.9", D("5.9"), 5, U, "5.9"),
    ("-5.1", D("-5.1"), -6, U, "-5.1"),
    ("true", U, U, True, "true"),
    ("1", D(1), 1, U, "1"),
    ([1], U, U, U, "[1]"),
    ({"a": 1}, U, U, U, '{"a":1}'),
    (None, U, U, U, U),
    (U, U, U, U, U),
]


def check(table: Conversion, value: Value, wanted: Value) -> None:
    converted = table[type(value)](value)
    assert (type(converted), converted) == (type(wanted), wanted)


@pytest.mark.parametrize(("value", "decimal", "integer", "boolean", "string"), IMPLICIT)
def test_implicit(value: Value, decimal: Value, integer: Value, boolean: Value, string: Value) -> None:
    check(TO_DECIMAL, value, decimal)
    check(TO_INT, value, integer)
    check(TO_BOOLEAN, value, boolean)
    check(TO_STRING, value, string)


@pytest.mark.parametrize(("value", "decimal", "integer", "boolean", "string"), EXPLICIT)
def test_cast(value: Value, decimal: Value, integer: Value, boolean: Value, string: Value) -> None:
    check(CASTS["decimal"][1], value, decimal)
    check(CASTS["int"][1], value, integer)
    check(CASTS["boolean"][1], value, boolean)
    check(CASTS["string"][1], value, string)


def test_names_of_types() -> None:
    assert sorted(name for name, (since, _) in CASTS.items() if since == "2015-10-08") == [
        *("double", "int", "integer", "ntext", "nvarchar", "string", "text", "varchar")
    ]
    assert sorted(name for name, (since, _) in CASTS.items() if since == "2016-03-23") == ["bool", "boolean", "decimal"]
    assert CASTS["varchar"] is CASTS["string"]
    assert CASTS["bool"] is CASTS["boolean"]
