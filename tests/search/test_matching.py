"""What queries find: the guide's examples, and the rules that it only tells."""

import pytest
from tests.search.cases import EXAMPLES, Example, Values

from fogbank.search import Fields, Value, matches, parse


def finds(query: str, values: Values) -> bool:
    return matches(parse(query), Fields.of(values))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.query)
def test_the_guides_examples(example: Example) -> None:
    for values in example.finds:
        assert finds(example.query, values), values
    for values in example.misses:
        assert not finds(example.query, values), values


@pytest.mark.parametrize(
    ("query", "value", "expected"),
    [
        # words are separated by white space as Java has it
        ("f:york", "New York", True),
        ("f:new-york", "new york", False),
        ("f:a", "a\u00a0b", False),
        ("f:a", "a\u2003b", True),
        ("f:a", "a\x1cb", True),
        ("f:a", "a\x85b", False),
        # phrases
        ('f:"new york"', "in New  York City", True),
        ('f:"york new"', "new york", False),
        ('f:"new city"', "new york city", False),
        ('f:"new"', "NEW", True),
        ('f:"n*w"', "new", False),
        ('f:"a \\" b"', 'a " b', True),
        # without case
        ("f:STRASSE", "straße", True),
        ("f:Στο", "στο", True),
        # numbers are JSON's
        ("f:75", 75, True),
        ("f:75.0", 75, True),
        ("f:7.5e1", 75, True),
        ('f:"75"', 75, True),
        ("f:75", "75", True),
        ("f:75.0", "75", False),
        ("f:[75 TO 75]", "75", False),
        ("f:7*", 75, False),
        ("f<0", -0.0, False),
        ("f>=0", -0.0, True),
        ("f:-5", -5, True),
        ("f<-3", -5, True),
        ("f:[-10 TO -1]", -5, True),
        ("f>9007199254740990", 2**53 - 1, True),
        ("f>9007199254740990", 2**53, False),
        ("f:9007199254740992", 2**53, True),
        ("f:true", True, True),
        ("f:1", True, False),
        ("f>=0", True, False),
        # ranges
        ("f:[* TO 5]", 5, True),
        ("f:{* TO 5}", 5, False),
        ("f:[5 TO *]", 5, True),
        ("f:[* TO *]", "anything", True),
        ("f:[10 TO 9]", 9.5, False),
        ('f:["10" TO "9"]', "5", True),
        ("f:[10 TO z]", "5", True),
        ("f:{abcd TO abcf}", "abcd", False),
        ("f:{abcd TO abcf}", "abce", True),
        ("f>abc", "abd", True),
        ("f<=abc", "ABC", True),
        ("f:>5", 6, True),
        ("f : >= 6", 6, True),
        # wildcards
        ("f:*", "", True),
        ("f:a*c*e", "abcde", True),
        ("f:a*c*e", "ace", True),
        ("f:a*b*b", "ab", False),
        ("f:a??d", "abcd", True),
        ("f:?*", "", False),
        ("f:*?", "a", True),
        ("f:a\\*", "a*", True),
        ("f:a\\*", "ab", False),
        ("f:n*k", "new york", False),
        ("f:ß?", "ssx", True),
        # what has to be escaped or put in quotes
        ("f:a\\:b", "a:b", True),
        ("f:a\\/b", "a/b", True),
        ('f:"a/b"', "a/b", True),
        ("f:\\-a", "-a", True),
        ("f:a-b", "a-b", True),
        ("f:\\AND", "and", True),
        ("f:and", "and", True),
        ('f:"AND"', "and", True),
    ],
)
def test_terms(query: str, value: Value, expected: bool) -> None:
    assert finds(query, {"f": [value]}) is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a b OR c", "(a AND b) OR c"),
        ("a OR b c", "a OR (b AND c)"),
        ("a OR b AND c", "a OR (b AND c)"),
        ("NOT a b", "(NOT a) AND b"),
        ("NOT (a b)", "NOT (a AND b)"),
        ("-a OR b", "(NOT a) OR b"),
        ("NOT NOT a", "a"),
        ("NOT -a", "a"),
        ("((a))", "a"),
        ("f:(a OR b)", "f:a OR f:b"),
        ("f:(a b)", "f:a AND f:b"),
        ("f:(a OR g:b)", "f:a OR g:b"),
        ('f:(a -"b c")', 'f:a AND NOT f:"b c"'),
        ("f:a\tg:b\nh:c", "f:a AND g:b AND h:c"),
        ("registry.thingTypeName:x", "thingTypeName:x"),
        ("registry.thingGroupNames:x", "thingGroupNames:x"),
        ("f:[1 TO 2]g:x", "f:[1 TO 2] AND g:x"),
        ('"a""b"', "a AND b"),
    ],
)
def test_two_ways_to_say_the_same(query: str, expected: str) -> None:
    assert parse(query) == parse(expected)


def test_names_of_fields_have_a_case() -> None:
    assert not finds("attributes.Model:x", {"attributes.model": ["x"]})


def test_a_name_may_hold_what_is_escaped() -> None:
    assert finds("attributes.a\\:b\\#c:x", {"attributes.a:b#c": ["x"]})
    assert finds("shadow.reported.my\\ key:x", {"shadow.reported.my key": ["x"]})


def test_a_term_without_field_does_not_look_into_versions() -> None:
    assert not finds(
        "7", {"registry.version": [7], "shadow.version": [7], "shadow.name.x.version": [7], "version": [7]}
    )
    assert finds("7", {"shadow.reported.version": [7]})


def test_attributes_that_spell_numbers_are_both() -> None:
    assert finds("attributes.a:[75 TO 80]", {"attributes.a": ["75"]})
    assert finds("attributes.a:7*", {"attributes.a": ["75"]})
    for text in ("075", "+75", "75.", ".75", "0x4b", "75 ", "NaN", "Infinity", "1e999"):
        assert not finds("attributes.a>0", {"attributes.a": [text]}), text
