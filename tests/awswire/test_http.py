import pytest

from fogbank.awswire.errors import SerializationError
from fogbank.awswire.http import MAX_QUERY_FIELDS, parse_query


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", []),
        ("a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        ("flag", [("flag", "")]),
        ("a=b+c%20d%2B%C3%A4", [("a", "b c d+ä")]),
        ("a=b=c", [("a", "b=c")]),
        ("&&", []),
    ],
)
def test_the_fields_of_a_query(query: str, fields: list[tuple[str, str]]) -> None:
    assert parse_query(query) == fields


@pytest.mark.parametrize("query", ["a=%FF", "%C3=a"])
def test_a_query_is_utf_8(query: str) -> None:
    with pytest.raises(SerializationError, match="not percent-encoded UTF-8"):
        parse_query(query)


def test_a_query_has_only_so_many_fields() -> None:
    assert len(parse_query("&".join(["a=1"] * MAX_QUERY_FIELDS))) == MAX_QUERY_FIELDS
    with pytest.raises(SerializationError, match="more than 200 fields"):
        parse_query("&".join(["a=1"] * (MAX_QUERY_FIELDS + 1)))
