"""Hash functions: lower-case hexadecimal digests of strings (developer guide: "Hashing functions")."""

import hashlib
from collections.abc import Callable
from typing import Final

from fogbank.sql.coercion import text
from fogbank.sql.functions.function import Function
from fogbank.sql.functions.md2 import md2
from fogbank.sql.values import UNDEFINED, Value

_ALGORITHMS: Final = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")

_MAX_MD2: Final = 8 * 1024
"""Bytes of which MD2 is computed: it is slow in Python, and messages of others wait meanwhile. Above: Undefined."""


def _hash(algorithm: str) -> Callable[[Value], Value]:
    def call(value: Value) -> Value:
        content = text(value)
        if content is None:
            return UNDEFINED
        return hashlib.new(algorithm, content.encode(), usedforsecurity=False).hexdigest()

    return call


def _md2(value: Value) -> Value:
    converted = text(value)
    content = b"" if converted is None else converted.encode()
    return UNDEFINED if converted is None or len(content) > _MAX_MD2 else md2(content).hex()


_EFFORT_OF_MD2: Final = 400
"""It takes 100 microseconds for the shortest text."""

FUNCTIONS: Final = (
    Function("md2", _md2, 1, 1, effort=_EFFORT_OF_MD2),
    *(Function(name, _hash(name), 1, 1) for name in _ALGORITHMS),
)
