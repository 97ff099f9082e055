"""Functions on arrays, objects, Null and Undefined (developer guide: "Functions")."""

from typing import Final

from fogbank.sql.coercion import whole_number
from fogbank.sql.functions.function import Function
from fogbank.sql.values import UNDEFINED, Row, Value, to_json
from fogbank.sql.version import Version

_MAX_TRANSFORMED: Final = 128 * 1024
"""Bytes of the array that `transform` returns (developer guide: "Functions"); a larger one is Undefined."""


def _get(collection: Value, key: Value) -> Value:
    """An item of an Array, a character of a String, a member of an Object; the key of an Object is not converted."""
    if isinstance(key, str) and isinstance(collection, dict):
        return collection.get(key, UNDEFINED)
    index = whole_number(key)
    if index is None:
        return UNDEFINED
    if isinstance(collection, Row):
        return dict(collection) if index == 0 else UNDEFINED
    if isinstance(collection, (list, str)) and 0 <= index < len(collection):
        return collection[index]
    return UNDEFINED


def _is_null(value: Value) -> Value:
    return value is None


def _is_undefined(value: Value) -> Value:
    return value is UNDEFINED


def _get_or_default(value: Value, *default: Value) -> Value:
    if value is not UNDEFINED and value is not None:
        return value
    return default[0] if default else UNDEFINED


def _transform(mode: Value, attributes: Value, array: Value) -> Value:
    """`enrichArray`: every object of `array` gets `attributes`; its own members come first and win."""
    if mode != "enrichArray" or not isinstance(attributes, dict) or not isinstance(array, list):
        return UNDEFINED
    enriched: list[Value] = []
    for item in array:
        if not isinstance(item, dict):
            return UNDEFINED
        enriched.append({**item, **{name: value for name, value in attributes.items() if name not in item}})
    return enriched if len(to_json(enriched)) <= _MAX_TRANSFORMED else UNDEFINED


FUNCTIONS: Final = (
    Function("get", _get, 2, 2, effort=0),
    Function("isnull", _is_null, 1, 1, effort=0),
    Function("isundefined", _is_undefined, 1, 1, Version.V2016_03_23, effort=0),
    Function("get_or_default", _get_or_default, 1, 2, Version.V2016_03_23, catches=True, effort=0),
    Function("transform", _transform, 3, 3, Version.V2016_03_23),
)
