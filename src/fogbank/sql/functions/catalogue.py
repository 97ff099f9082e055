"""All functions by name, and those that are known but not there yet."""

import functools
from collections.abc import Mapping
from typing import Final

from fogbank.sql.functions.function import Function

UNSUPPORTED: Final[Mapping[str, str]] = {
    "aws_lambda": "functions that call services",
    "get_dynamodb": "functions that call services",
    "get_registry_data": "functions that call services",
    "get_secret": "functions that call services",
    "get_thing_shadow": "functions that call services",
    "machinelearning_predict": "functions that call services",
}
"""AWS's functions that this platform refuses by name, and what they are."""


@functools.cache
def functions() -> Mapping[str, Function]:
    """Every function by its lower-case name."""
    from fogbank.sql.functions import collections, encoding, hashes, maths, message, regex, strings, times

    families = (message, maths, strings, regex, collections, hashes, encoding, times)
    return {function.name: function for family in families for function in family.FUNCTIONS}
