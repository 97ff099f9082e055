"""Regular expressions: the guide's examples are in `cases/functions.json`; here Java's rules and the bounds."""

import pytest
from tests.sql.evaluation import evaluate

from fogbank.sql import UNDEFINED, SqlError, Value

U = UNDEFINED


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("regexp_matches('xaaay', 'a+')", True),
        ("regexp_matches('xaaay', '^a+$')", False),
        ("regexp_matches(12345, '\\d{5}')", True),
        ("regexp_matches(missing, 'a')", U),
        ("regexp_matches('a', null)", U),
        ("regexp_substr('device-17', '[0-9]+')", "17"),
        ("regexp_substr('ÄÖÜ-17é', '[0-9]+.')", "17é"),
        ("regexp_substr('device', '[0-9]+')", U),
        ("regexp_replace('a1b22', '[0-9]+', '#')", "a#b#"),
        ("regexp_replace('äöü', 'ö', 'o')", "äoü"),
        ("regexp_replace('abc', 'x*', '-')", "-a-b-c-"),
        ("regexp_replace('abcd', '(b)(c)', '$2$1')", "acbd"),
        ("regexp_replace('abcd', '(?P<x>b)', '<${x}>')", "a<b>cd"),
        ("regexp_replace('abcd', 'b', '\\$1')", "a$1cd"),
        ("regexp_replace('abcd', '(b)', '$12')", "ab2cd"),
        ("regexp_replace('abcd', '(b)|c', '[$1]')", "a[b][]d"),
        ("regexp_replace('abcd', 'b', '$1')", U),
        ("regexp_replace('abcd', 'b', '$')", U),
        ("regexp_replace('abcd', 'b', '${x}')", U),
        ("regexp_replace('abcd', 'b', 'x\\')", U),
        ("regexp_replace('abcd', 'b', '$0$0')", "abbcd"),
        ("regexp_replace('abcd', 'b', 1)", "a1cd"),
    ],
)
def test_values(text: str, value: Value) -> None:
    assert evaluate(text) == value


@pytest.mark.parametrize("pattern", ["(", "(?=a)", "(?<!a)b", "(a)\\1", "a{1,100000}"])
def test_patterns_beyond_re2_are_refused_by_name_or_undefined(pattern: str) -> None:
    with pytest.raises(SqlError, match=r"regexp_matches\(\): the regular expression .* is not supported: "):
        evaluate(f"regexp_matches('a', '{pattern}')")
    assert evaluate("regexp_matches('a', p)", p=pattern) is UNDEFINED
    assert evaluate("regexp_replace('a', p, 'b')", p=pattern) is UNDEFINED
    assert evaluate("regexp_substr('a', p)", p=pattern) is UNDEFINED


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|aa)+$", "(.*)*x", "^(([a-z])+.)+[A-Z]$", ".*.*.*.*.*b$", "a*a*a*a*a*b"]
)
def test_what_makes_a_backtracking_engine_hang_does_not_here(pattern: str) -> None:
    # 2 to the power of 100 000 steps, or 100 000 to the fifth: whoever tries would never end.
    assert evaluate("regexp_matches(s, p)", s="a" * 100_000 + "!", p=pattern) is False


def test_a_search_for_every_occurrence_has_an_end() -> None:
    # Each search looks for an x to the end of the text: together the square of its length.
    assert evaluate("regexp_replace(s, 'a.*x|a', '')", s="a" * 100_000) is UNDEFINED
    assert evaluate("regexp_replace(s, 'a.*x|a', '')", s="a" * 10_000) == ""


def test_bounds() -> None:
    assert evaluate("regexp_matches('a', p)", p="a" * 5000) is UNDEFINED
    assert evaluate("regexp_replace(s, 'x', 'yyyyyyyyyyy')", s="x" * 100_000) is UNDEFINED
