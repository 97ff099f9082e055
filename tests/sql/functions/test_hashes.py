"""Hashes: MD2 against RFC 1319's test suite and its own derivation, the others against the guide (`cases/`)."""

import hashlib
from collections.abc import Iterator

import pytest
from tests.sql.evaluation import evaluate

from fogbank.sql import UNDEFINED
from fogbank.sql.functions import md2

# RFC 1319, section A.5
RFC_1319 = [
    ("", "8350e5a3e24c153df2275c9f80692773"),
    ("a", "32ec01ec4a6dac72c0ab96fb34c0b5d1"),
    ("abc", "da853b0d3f88d99b30283a69e6ded6bb"),
    ("message digest", "ab4f496bfb2a530b219ff33031fe06b0"),
    ("abcdefghijklmnopqrstuvwxyz", "4e8ddff3650292ab5a4108c3aa47940b"),
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "da33def2a42df13975352846c30338cd"),
    ("1234567890" * 8, "d5976f79d83d3a0dc9806c3c66f3efd8"),
]


@pytest.mark.parametrize(("text", "digest"), RFC_1319)
def test_md2(text: str, digest: str) -> None:
    assert evaluate("md2(x)", x=text) == digest


def digits_of_pi(count: int) -> Iterator[int]:
    """By Machin's formula."""
    one: int = 10 ** (count + 10)

    def arctan_of_inverse(x: int) -> int:
        total = term = one // x
        divisor, sign = 3, -1
        while term:
            term //= x * x
            total += sign * (term // divisor)
            divisor, sign = divisor + 2, -sign
        return total

    return map(int, str(4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)))[:count])


def test_the_substitution_of_md2_is_shuffled_by_pi() -> None:
    digits = digits_of_pi(1000)

    def below(limit: int) -> int:
        number: int = next(digits)
        span = 10
        while span < limit:
            number, span = number * 10 + next(digits), span * 10
        return number % limit if number < limit * (span // limit) else below(limit)

    table = list(range(256))
    for at in range(1, 256):
        other = below(at + 1)
        table[at], table[other] = table[other], table[at]
    assert bytes(table) == md2._SUBSTITUTION


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"])
def test_the_others(algorithm: str) -> None:
    assert evaluate(f"{algorithm}('grün')") == hashlib.new(algorithm, "grün".encode()).hexdigest()
    assert evaluate(f"{algorithm}([1, 2])") == hashlib.new(algorithm, b"[1,2]").hexdigest()
    assert evaluate(f"{algorithm}(null)") is UNDEFINED


def test_md2_of_long_texts_is_undefined() -> None:
    assert evaluate("md2(x)", x="x" * 8193) is UNDEFINED
    assert evaluate("md2(missing)") is UNDEFINED
