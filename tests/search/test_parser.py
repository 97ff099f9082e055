"""What is no query: where it says so, and what it expected there; limits; hostile input."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.search import InvalidQuery, parse
from fogbank.search.parser import DEEPEST


@pytest.mark.parametrize(
    ("query", "character", "told"),
    [
        ("", 1, "expected a term, found the end"),
        ("   ", 4, "expected a term, found the end"),
        ("thingName:thing1 AND", 21, "expected a term, found the end"),
        ("thingName:thing1 OR", 20, "expected a term, found the end"),
        ("NOT", 4, "expected a term, found the end"),
        ("-", 2, "expected a term, found the end"),
        ("AND a", 1, "expected a term, found 'AND'"),
        ("OR a", 1, "expected a term, found 'OR'"),
        ("a AND OR b", 7, "found 'OR'"),
        ("a NOT AND b", 7, "found 'AND'"),
        ("(a", 3, "a ) for the ( at character 1, found the end"),
        ("(a f:(b", 8, "a ) for the ( at character 6"),
        ("a)", 2, "expected AND, OR or the end of the query, found ')'"),
        (")a", 1, "expected a term, found ')'"),
        ("()", 2, "expected a term, found ')'"),
        ("f:()", 4, "expected a term for f, found ')'"),
        ("f:", 3, "expected a value for f, found the end"),
        ("f: AND a", 4, "expected a value for f, found 'AND'"),
        (":a", 1, "expected a term, found ':'"),
        ("a:b:c", 4, "found ':'"),
        ('"a":b', 1, "expected the name of a field, found 'a'"),
        ("a*:b", 1, "expected the name of a field, found 'a*'"),
        ('a "b', 3, 'no closing "'),
        ('a"', 2, 'no closing "'),
        ('"\\"', 1, 'no closing "'),
        ('""', 1, "no words"),
        ('" "', 1, "no words"),
        ("f:a\\", 4, "nothing follows this \\"),
        ("f<", 3, "a value to compare f with, found the end"),
        ("f<<5", 3, "a value to compare f with, found '<'"),
        ("<5", 1, "expected a term"),
        ("f>(1 2)", 3, "a value to compare f with"),
        ("f>5*", 3, "wildcards"),
        ("f:[1 2]", 6, "expected TO, found '2'"),
        ("f:[1 TO]", 8, "a bound of the range, found ']'"),
        ("f:[TO 2]", 4, "a bound of the range, found 'TO'"),
        ("f:[1 TO 2", 10, "] or } at the end of the range"),
        ("f:[1 to 2]", 6, "expected TO, found 'to'"),
        ("f:[1 TO 2*]", 9, "wildcards"),
        ("[1 TO 2]", 1, "expected a term"),
        ("f:]", 3, "expected a value for f"),
        ("f:a@b", 4, "'@' is not supported"),
        ("a,b", 2, "',' is not supported"),
        ("a;b", 2, "';' is not supported"),
        ("a'b", 2, "put the term in quotes"),
        ("/a.*b/", 1, "regular expressions"),
        ("a~2", 2, "fuzzy"),
        ("a^2", 2, "boosting"),
        ("+a", 1, "use AND"),
        ("a && b", 3, "use AND"),
        ("a || b", 3, "use OR"),
        ("!a", 1, "use NOT"),
        ("f:a*b*c*", 3, "more than 2 wildcards *"),
        ("f:a??????", 3, "5 wildcards ?"),
        ("a:*x b:*y", 8, "a second term begins with a wildcard"),
        ("a:*x " + "b" * 100, 3, "limited to 100 characters, this one has 105"),
        ("registry.version:1", 1, "cannot be searched"),
        ("shadow.name.x.version:1", 1, "cannot be searched"),
        ("deviceDefender.p.b.inViolation:false", 32, "can be true alone"),
        ("f:geo_distance,1,2", 3, "geo_distance,47.6204"),
        ("f:geo_distance,91,2,1km", 3, "geo_distance,47.6204"),
        ("f:geo_distance,1,181,1km", 3, "geo_distance,47.6204"),
        ("f:geo_distance,1,2,1parsec", 3, "geo_distance,47.6204"),
        ("f:geo_distance,x,2,1km", 3, "geo_distance,47.6204"),
        ("f:geo_distance,1,2,-1km", 3, "geo_distance,47.6204"),
    ],
)
def test_what_is_no_query_is_pointed_at(query: str, character: int, told: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse(query)
    assert (caught.value.code, caught.value.status) == ("InvalidQueryException", 400)
    assert told in caught.value.message
    assert f"at character {character}: " in caught.value.message


def test_twelve_terms_and_no_more() -> None:
    """General reference, fleet indexing quotas."""
    parse(" ".join(f"f:{i}" for i in range(12)))
    parse("f:(" + " OR ".join("abcdefghijkl") + ")")
    with pytest.raises(InvalidQuery, match=r"at character 61: this is term 13, the limit is 12"):
        parse(" OR ".join("abcdefghijklm"))
    with pytest.raises(InvalidQuery, match="term 6, the limit is 5"):
        parse("a b c d e f", most_terms=5)


def test_a_thousand_characters_and_no_more() -> None:
    parse("a" * 1000)
    with pytest.raises(InvalidQuery, match="1001 characters, the limit is 1000"):
        parse("a" * 1001)


def test_leading_wildcards_of_a_short_query() -> None:
    parse("thingName:*my")
    parse("a:" + "b" * 89 + " c:*y?x*")
    parse("a:* b:* *", most_terms=3)


def test_depth_is_bounded() -> None:
    parse("(" * DEEPEST + "a" + ")" * DEEPEST)
    with pytest.raises(InvalidQuery, match=f"more than {DEEPEST} parentheses"):
        parse("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1))
    parse(" ".join("(" * 6 + "a" + ")" * 6 for _ in range(12)))
    parse("NOT " * 249 + "a")
    parse("-" * 999 + "a")


@pytest.mark.parametrize(
    "text",
    ["(" * 10**6, '"' * 10**6, "a OR " * 10**5, "a:" * 10**6, "*" * 10**6, "\\" * 10**6, "-" * 10**6, "[" * 10**6],
)
def test_what_is_huge_is_refused_at_once(text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(InvalidQuery):
        parse(text)
    with pytest.raises(InvalidQuery):
        parse(text[:999])
    assert time.perf_counter() - began < 1


@given(st.text('ab:()[]{}<>="*?\\- ,/~TOANDRNg_1.9\x1f\u2003ß', max_size=40) | st.text(max_size=40))
def test_any_text_is_a_query_or_an_error_with_its_place(text: str) -> None:
    told = None
    try:
        parse(text)
    except InvalidQuery as error:
        told = error.message
    assert told is None or "at character " in told
