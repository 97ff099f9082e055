import math
from typing import Any

import pytest

from fogbank.awswire.errors import SerializationError
from fogbank.awswire.json_values import JsonValues, Mismatch, decode
from fogbank.awswire.model import Shape, ShapeRef

SHAPES = {
    "String": Shape("string"),
    "Boolean": Shape("boolean"),
    "Integer": Shape("integer"),
    "Double": Shape("double"),
    "Blob": Shape("blob"),
    "Timestamp": Shape("timestamp"),
    "Iso": Shape("timestamp", timestamp_format="iso8601"),
    "Document": Shape("structure", document=True),
    "List": Shape("list", member=ShapeRef("Integer")),
    "Map": Shape("map", key=ShapeRef("String"), value=ShapeRef("Tree")),
    "Tree": Shape(
        "structure",
        members={
            "name": ShapeRef("String", location_name="n"),
            "children": ShapeRef("Map"),
            "elsewhere": ShapeRef("String", location="header"),
        },
    ),
}
VALUES = JsonValues(SHAPES)


@pytest.mark.parametrize(
    ("shape", "wire", "value"),
    [
        ("String", "a", "a"),
        ("Boolean", False, False),
        ("Integer", 2**70, 2**70),
        ("Double", 1.5, 1.5),
        ("Double", "Infinity", math.inf),
        ("Double", "-Infinity", -math.inf),
        ("Blob", "AAE=", b"\x00\x01"),
        ("Timestamp", 1700000000.5, 1700000000.5),
        ("Iso", "2023-11-14T22:13:20.000Z", 1700000000.0),
        ("Document", {"any": [1, None]}, {"any": [1, None]}),
        ("List", [1, None, 2], [1, None, 2]),
        ("Tree", {"n": "a", "children": {"b": {"n": "b"}}}, {"name": "a", "children": {"b": {"name": "b"}}}),
    ],
)
def test_both_ways(shape: str, wire: Any, value: Any) -> None:
    assert VALUES.read(ShapeRef(shape), wire) == value
    written = VALUES.write(ShapeRef(shape), value)
    assert written == (value if shape == "Blob" else wire)  # msgspec encodes bytes as base64 by itself


def test_not_a_number() -> None:
    assert math.isnan(VALUES.read(ShapeRef("Double"), "NaN"))
    assert VALUES.write(ShapeRef("Double"), math.nan) == "NaN"


def test_whole_floats_are_integers_and_integers_are_doubles() -> None:
    assert repr(VALUES.read(ShapeRef("Integer"), 5.0)) == "5"
    assert repr(VALUES.read(ShapeRef("Double"), 5)) == "5.0"


def test_members_that_travel_elsewhere_are_not_in_the_body() -> None:
    assert VALUES.read(ShapeRef("Tree"), {"elsewhere": "a"}) == {}
    assert VALUES.write(ShapeRef("Tree"), {"elsewhere": "a", "name": None}) == {}


@pytest.mark.parametrize(
    ("shape", "wire", "text"),
    [
        ("String", 5, "NUMBER_VALUE can not be converted to String"),
        ("String", None, "NULL_VALUE can not be converted to String"),
        ("Boolean", 1, "NUMBER_VALUE can not be converted to Boolean"),
        ("Integer", True, "TRUE_VALUE can not be converted to Integer"),
        ("Integer", 1.5, "NUMBER_VALUE can not be converted to Integer"),
        ("Integer", "1", "STRING_VALUE can not be converted to Integer"),
        ("Double", "1.5", "STRING_VALUE can not be converted to Double"),
        ("Blob", "not base64", "STRING_VALUE that is not base64 can not be converted to Blob"),
        ("Timestamp", "soon", "STRING_VALUE can not be converted to Timestamp"),
        ("Timestamp", {}, "START_OBJECT can not be converted to Timestamp"),
        ("List", {}, "START_OBJECT can not be converted to List"),
        ("List", [1, "x"], "STRING_VALUE can not be converted to Integer at '2.member'"),
        ("Map", [], "START_ARRAY can not be converted to Map"),
        (
            "Tree",
            {"children": {"a": {"n": []}}},
            "START_ARRAY can not be converted to String at 'children.a.member.name'",
        ),
    ],
)
def test_mismatches_say_where(shape: str, wire: Any, text: str) -> None:
    with pytest.raises(Mismatch) as caught:
        VALUES.read(ShapeRef(shape), wire)
    assert caught.value.error().message == text


def test_members_that_the_model_lacks_are_not_written() -> None:
    with pytest.raises(TypeError, match="has no member 'nme'"):
        VALUES.write(ShapeRef("Tree"), {"children": {"a": {"nme": "a"}}})


@pytest.mark.parametrize("body", [b"", b"{", b"nope", b'"\xff"', b'{"a": 1,}', b"[" * 200_000, b"1 2"])
def test_what_is_not_json_is_told(body: bytes) -> None:
    with pytest.raises(SerializationError, match="The request body is not valid JSON: "):
        decode(body)
