"""JSON as attribute values of DynamoDB ("Data types" of the DynamoDB API): numbers stay as exact as they came."""

from decimal import Decimal
from typing import Any

import msgspec

MAX_DEPTH = 32
"""Levels of arrays and objects that DynamoDB stores ("Quotas in Amazon DynamoDB")."""

_decoder = msgspec.json.Decoder(float_hook=Decimal)


class NotJson(ValueError):
    """A payload is no JSON, or none that can be read here: too deep, or with numbers beyond all measure."""


class TooDeep(ValueError):
    """A value nests deeper than DynamoDB stores it."""


def read_json(document: bytes) -> Any:
    """JSON with decimals instead of floats. Raises NotJson."""
    try:
        return _decoder.decode(document)
    except (msgspec.DecodeError, ArithmeticError, RecursionError) as error:
        raise NotJson(str(error)) from error


def attribute(value: Any, depth: int = 0) -> dict[str, Any]:
    """The attribute value of a JSON value. Raises TooDeep."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, Decimal)):
        return {"N": str(value)}
    if value is None:
        return {"NULL": True}
    if depth == MAX_DEPTH:
        raise TooDeep(f"the payload nests deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {"M": {name: attribute(member, depth + 1) for name, member in value.items()}}
    return {"L": [attribute(element, depth + 1) for element in value]}
