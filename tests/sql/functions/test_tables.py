"""The tables of argument types on the developer guide's page "Functions", cell by cell, in both versions."""

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import pytest

from fogbank.sql import UNDEFINED, Event, SqlError, Value, compile_expression

U = UNDEFINED
V2015, V2016 = "2015-10-08", "2016-03-23"

ARGUMENTS: Final = {
    "Int": ("i", 1),
    "Decimal": ("d", 0.5),
    "Boolean": ("b", True),
    "numeric String": ("n", "0.5"),
    "String": ("s", " Aé\t"),
    "Array": ("a", ["X", 1]),
    "Object": ("o", {"K": "X"}),
    "Null": ("z", None),
    "Undefined": ("u", U),
}
PAYLOAD = json.dumps({name: value for name, value in ARGUMENTS.values() if value is not U}).encode()

TEXTS: Final = {
    "Int": "1",
    "Decimal": "0.5",
    "Boolean": "true",
    "numeric String": "0.5",
    "String": " Aé\t",
    "Array": '["X",1]',
    "Object": '{"K":"X"}',
}
"""What the standard conversion to String makes of them; there is none of Null and Undefined."""


def evaluate(call: str, version: str) -> Value:
    return compile_expression(call, version).evaluate(Event(topic="t", payload=PAYLOAD))


def check(call: str, wanted: Any, version: str) -> None:
    actual = evaluate(call, version)
    if version == V2016 and isinstance(wanted, Decimal) and wanted == wanted.to_integral_value():
        wanted = int(wanted)
    assert (type(actual), actual) == (type(wanted), wanted), call


def double(number: float) -> Decimal:
    return Decimal(repr(number))


# Functions of one number: what they are of the Int 1, and of the Decimal 0.5 and the String "0.5". Of all else they are
# Undefined.
OF_NUMBERS: list[tuple[str, Value, Value]] = [
    ("abs", 1, Decimal("0.5")),
    *(
        (name, double(function(1.0)), double(function(0.5)))
        for name, function in (
            *(("acos", math.acos), ("asin", math.asin), ("atan", math.atan), ("cos", math.cos), ("cosh", math.cosh)),
            *(("exp", math.exp), ("ln", math.log), ("log", math.log10), ("sin", math.sin), ("sinh", math.sinh)),
            *(("sqrt", math.sqrt), ("tan", math.tan), ("tanh", math.tanh)),
        )
    ),
    ("bitnot", -2, -1),
    ("ceil", 1, 1),
    ("floor", 1, 0),
    ("round", 1, 1),
    ("sign", 1, 1),
    ("chr", "\x01", "\x00"),
]


@pytest.mark.parametrize("version", [V2015, V2016])
@pytest.mark.parametrize(("name", "of_int", "of_decimal"), OF_NUMBERS, ids=[row[0] for row in OF_NUMBERS])
def test_functions_of_one_number(name: str, of_int: Value, of_decimal: Value, version: str) -> None:
    for type_, (argument, _) in ARGUMENTS.items():
        wanted = {"Int": of_int, "Decimal": of_decimal, "numeric String": of_decimal}.get(type_, U)
        check(f"{name}({argument})", wanted, version)


# Functions of two numbers: of (1, 0.5) and of (0.5, 1).
OF_TWO_NUMBERS: list[tuple[str, Value, Value]] = [
    ("atan2", double(math.atan2(1, 0.5)), double(math.atan2(0.5, 1))),
    ("bitand", 0, 0),
    ("bitor", 1, 1),
    ("bitxor", 1, 1),
    ("mod", Decimal("0.0"), Decimal("0.5")),
    ("remainder", Decimal("0.0"), Decimal("0.5")),
    ("power", Decimal("1.0"), Decimal("0.5")),
    ("trunc", 1, Decimal("0.5")),
]


@pytest.mark.parametrize("version", [V2015, V2016])
@pytest.mark.parametrize(("name", "int_first", "decimal_first"), OF_TWO_NUMBERS, ids=[row[0] for row in OF_TWO_NUMBERS])
def test_functions_of_two_numbers(name: str, int_first: Value, decimal_first: Value, version: str) -> None:
    check(f"{name}(i, d)", int_first, version)
    check(f"{name}(d, i)", decimal_first, version)
    check(f"{name}(n, i)", decimal_first, version)
    for type_, (argument, _) in ARGUMENTS.items():
        if type_ not in ("Int", "Decimal", "numeric String"):
            check(f"{name}({argument}, i)", U, version)
            check(f"{name}(i, {argument})", U, version)


# Functions of Strings convert all that has a String; the others are Undefined.
OF_TEXTS: list[tuple[str, str, Callable[[str], Any]]] = [
    (V2015, "lower({})", str.lower),
    (V2015, "upper({})", str.upper),
    (V2015, "ltrim({})", str.lstrip),
    (V2015, "rtrim({})", str.rstrip),
    (V2015, "trim({})", str.strip),
    (V2015, "lpad({}, 2)", lambda text: "  " + text),
    (V2015, "rpad({}, 2)", lambda text: text + "  "),
    (V2015, "lpad({}, '2.9')", lambda text: "  " + text),
    (V2015, "substring({}, 1)", lambda text: text[1:]),
    (V2015, "substring({}, 0, 2)", lambda text: text[:2]),
    (V2015, "startswith({}, '1')", lambda text: text.startswith("1")),
    (V2015, "endswith('x0.5', {})", lambda text: "x0.5".endswith(text)),
    (V2015, "replace({}, 'X', 'y')", lambda text: text.replace("X", "y")),
    (V2015, "replace('a0.5b', {}, 'y')", lambda text: "a0.5b".replace(text, "y")),
    (V2015, "replace('abc', 'b', {})", lambda text: "abc".replace("b", text)),
    (V2015, "regexp_matches({}, '[0-9]')", lambda text: any(character.isdigit() for character in text)),
    (V2015, "regexp_replace({}, '[0-9]', '#')", lambda text: "".join("#" if c.isdigit() else c for c in text)),
    (V2015, "concat('>', {})", lambda text: f">{text}"),
    (V2015, "'>' + {}", lambda text: f">{text}"),
    (V2015, "{} + '<'", lambda text: f"{text}<"),
    (V2015, "cast({} AS String)", str),
    (V2016, "length({})", len),
    (V2016, "numbytes({})", lambda text: len(text.encode())),
    (V2016, "indexof({}, '.5')", lambda text: text.find(".5")),
    (V2016, "indexof('x0.5', {})", "x0.5".find),
]


@pytest.mark.parametrize(("since", "call", "model"), OF_TEXTS, ids=[row[1] for row in OF_TEXTS])
def test_functions_of_texts(since: str, call: str, model: Callable[[str], Any]) -> None:
    for version in (V2015, V2016):
        if version < since:
            with pytest.raises(SqlError, match="needs SQL version 2016-03-23"):
                evaluate(call.format("i"), version)
            continue
        for type_, (argument, _) in ARGUMENTS.items():
            if type_ == "Array" and call.startswith("concat"):
                continue  # With an Array it makes an Array.
            check(call.format(argument), model(TEXTS[type_]) if type_ in TEXTS else U, version)


# Functions that ask what something is: the types of which they are true.
OF_TYPES: list[tuple[str, str, set[str]]] = [
    (V2015, "isNull({})", {"Null"}),
    (V2016, "isUndefined({})", {"Undefined"}),
    (V2015, "nanvl({}, 7) = 7", {"Null", "Undefined"}),
    (V2016, "get_or_default({}, 7) = 7", {"Null", "Undefined"}),
]


@pytest.mark.parametrize(("since", "call", "true_of"), OF_TYPES, ids=[row[1] for row in OF_TYPES])
def test_functions_of_types(since: str, call: str, true_of: set[str]) -> None:
    for version in (V2015, V2016)[since == V2016 :]:
        for type_, (argument, _) in ARGUMENTS.items():
            check(call.format(argument), type_ in true_of, version)


# The guide's table of get: the first argument is not converted, the second is to an Int, but not for an Object.
@pytest.mark.parametrize(
    ("collection", "of_int", "of_decimal", "of_key"),
    [
        ("a", 1, 1, U),
        ("s", "A", "A", U),
        ("o", U, U, "X"),
        ("i", U, U, U),
        ("z", U, U, U),
        ("u", U, U, U),
        ("b", U, U, U),
    ],
)
@pytest.mark.parametrize("version", [V2015, V2016])
def test_get(collection: str, of_int: Value, of_decimal: Value, of_key: Value, version: str) -> None:
    check(f"get({collection}, i)", of_int, version)
    check(f"get({collection}, d)", of_decimal, version)  # 0.5 is rounded to 1
    check(f"get({collection}, 'K')", of_key, version)
    for nothing in ("b", "z", "u", "o", "a"):
        check(f"get({collection}, {nothing})", U, version)


def test_concat_by_the_number_of_arguments() -> None:
    """Developer guide: `concat`."""
    check("concat()", U, V2015)
    for argument, value in ARGUMENTS.values():
        wanted = Decimal(str(value)) if isinstance(value, float) else value
        check(f"concat({argument})", wanted, V2015)
    check("concat(a, i)", ["X", 1, 1], V2015)
    check("concat(i, b)", U, V2015)
    check("concat(s, z)", U, V2015)
