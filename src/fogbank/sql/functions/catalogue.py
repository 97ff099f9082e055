"""All functions by name."""

import functools
from collections.abc import Mapping

from fogbank.sql.functions.function import Function


@functools.cache
def functions() -> Mapping[str, Function]:
    """Every function by its lower-case name."""
    from fogbank.sql.functions import collections, encoding, hashes, maths, message, outside, regex, strings, times

    families = (message, maths, strings, regex, collections, hashes, encoding, times, outside)
    return {function.name: function for family in families for function in family.FUNCTIONS}
