"""Substitution templates in the parameters of actions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.rules.errors import SqlParse
from fogbank.rules.templates import Template
from fogbank.sql import Event, parse

STATEMENT = parse("SELECT * FROM '#'", "2016-03-23")
EVENT = Event(
    topic="my/iot/topic",
    payload=b'{"deviceid":"iot123","temp":54.98,"on":true,"nothing":null,"coords":{"latitude":47.5}}',
    client_id="c1",
    principal="p1",
    timestamp_ms=1_700_000_000_000,
    account_id="123456789012",
    source_ip=None,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$aws/plain", "$aws/plain"),
        ("a $ b {c}", "a $ b {c}"),
        ("${topic()}/republish", "my/iot/topic/republish"),  # Developer Guide, "Substitution templates"
        ("${topic(1)}/${deviceid}/x/${topic(3)}", "my/iot123/x/topic"),
        ("${timestamp()}", "1700000000000"),
        ("${temp}", "54.98"),
        ("${on}", "true"),
        ("${coords.latitude}", "47.5"),
        ("a${missing}b", "ab"),
        ("a${nothing}b", "anullb"),
        ("a${topic(2)}", "aiot"),
        ("${topic(2)}b", "iotb"),
        ("${clientid() + '}' + \"{\"}", "c1}{"),
        ("${'it''s }'}", "it's }"),
        ("${deviceid}${deviceid}", "iot123iot123"),
    ],
)
def test_rendering(text: str, expected: str) -> None:
    assert Template(text, STATEMENT, "topic").render(EVENT) == expected


@pytest.mark.parametrize("expression", ["deviceid", "temp", "on", "nothing", "coords", "missing", "topic(2)"])
def test_a_single_expression_is_written_as_one_of_several_is(expression: str) -> None:
    alone = Template(f"<${{{expression}}}>", STATEMENT, "topic").render(EVENT)
    twice = Template(f"<${{{expression}}}><${{{expression}}}>", STATEMENT, "topic").render(EVENT)
    assert alone * 2 == twice


def test_variables_of_set_can_be_used() -> None:
    """Developer Guide, "SET": variables are visible in substitution templates."""
    statement = parse("SET @place = topic(3) SELECT * FROM '#'", "2016-03-23")
    assert Template("${@place}/${upper(@place)}", statement, "topic").render(EVENT) == "topic/TOPIC"


def test_an_object_literal_has_braces_of_its_own() -> None:
    assert '"b"' in Template("${ {'a': {'b': 1}} }", STATEMENT, "topic").render(EVENT)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a/${topic()", "column 3 has no closing brace"),
        ("a/${'}", "column 3 has no closing brace"),
        ("${}", "${}"),
        ("${a +}", "${a +}"),
        ("${@nowhere}", "@nowhere"),
        ("${nosuchfunction()}", "nosuchfunction"),
    ],
)
def test_what_is_wrong_is_refused_naming_field_and_place(text: str, told: str) -> None:
    with pytest.raises(SqlParse) as refused:
        Template(text, STATEMENT, 'action "republish": topic')
    assert 'action "republish": topic' in refused.value.message
    assert told in refused.value.message


def test_only_texts_without_expressions_are_constant() -> None:
    assert Template("plain", STATEMENT, "topic").constant
    assert not Template("${topic()}", STATEMENT, "topic").constant


def _quoted(text: str, quote: str) -> str:
    return quote + text.replace(quote, quote * 2) + quote


LITERALS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$"))
EXPRESSIONS = st.tuples(st.text("ab{}'\"$ \\/é"), st.sampled_from("'\""))


@given(st.lists(LITERALS | EXPRESSIONS))
def test_any_mix_of_texts_and_strings_comes_out_as_it_went_in(parts: list[str | tuple[str, str]]) -> None:
    text = "".join(part if isinstance(part, str) else f"${{{_quoted(*part)}}}" for part in parts)
    expected = "".join(part if isinstance(part, str) else part[0] for part in parts)
    assert Template(text, STATEMENT, "topic").render(EVENT) == expected
