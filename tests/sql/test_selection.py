"""What SELECT makes: names, places and values; more examples are in `cases/`."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.sql import UNDEFINED, Event, SqlError, compile_statement, parse

PAYLOAD = b'{"a":{"b":1},"o":{"x":1,"y":2},"n":null}'


def output(text: str, payload: bytes = PAYLOAD) -> bytes | None:
    return (
        compile_statement(parse(f"SELECT {text} FROM 't'", "2016-03-23"))
        .evaluate(Event(topic="t", payload=payload))
        .output
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a", b'{"a":{"b":1}}'),
        ("(a.b)", b'{"b":1}'),
        ("get(a, 'b')", b'{"get":1}'),
        ("get(*, 'a').b", b'{"b":1}'),
        ("n, missing", b'{"n":null}'),
        ("missing", b"{}"),
        ("a.b AS n, n AS a.b", b'{"n":1,"a":{"b":null}}'),
        ("1 AS x, 2 AS x.y", b'{"x":{"y":2}}'),
        ("1 AS x.y, 2 AS x", b'{"x":2}'),
        ("*, a.b AS n", b'{"a":{"b":1},"o":{"x":1,"y":2},"n":1}'),
        ("1 AS n, *", b'{"n":null,"a":{"b":1},"o":{"x":1,"y":2}}'),
        ("*, 9 AS o.y", b'{"a":{"b":1},"o":{"x":1,"y":9},"n":null}'),
        ("{'k-1': a.b, 'm': missing}, n", b'{"k-1":1,"n":null}'),
        ("{'k': a.b} AS o", b'{"o":{"k":1}}'),
        ("* AS all.of.it, o.x AS all.x", b'{"all":{"of":{"it":' + PAYLOAD + b'},"x":1}}'),
        ("VALUE a.b", b"1"),
        ("VALUE {'k': n}", b'{"k":null}'),
        ("VALUE *", PAYLOAD),
        ("VALUE missing", None),
    ],
)
def test_output(text: str, wanted: bytes | None) -> None:
    assert output(text) == wanted


def test_the_payload_is_never_changed() -> None:
    event = Event(topic="t", payload=PAYLOAD)
    for text in ("*, 9 AS o.y, 8 AS a.b.c", "* AS x, 1 AS x.a", "{'o': o}, 1 AS o.x"):
        compile_statement(parse(f"SELECT {text} FROM 't'", "2016-03-23")).evaluate(event)
    assert compile_statement(parse("SELECT * FROM 't'", "2016-03-23")).evaluate(event).output == PAYLOAD


@pytest.mark.parametrize(
    "text", ["1", "'x'", "a + 1", "-a", "NOT a", "[a]", "CASE a WHEN 1 THEN 2 END", "(SELECT * FROM a)", "a = 1"]
)
def test_what_has_no_name_needs_one(text: str) -> None:
    with pytest.raises(SqlError, match="this item has no name of its own; add AS name"):
        output(text)
    assert output(f"{text} AS x") is not None


ROWS = st.lists(
    st.one_of(
        st.fixed_dictionaries({}, optional={"n": st.sampled_from(["t", "h"]), "v": st.integers(-3, 3)}),
        st.integers(-3, 3),
        st.none(),
        st.sampled_from(["", "a", "é"]),  # none that is a number: those compare like numbers
    ),
    max_size=6,
)


def member(row: object, name: str) -> object:
    return row.get(name, UNDEFINED) if isinstance(row, dict) else UNDEFINED


@settings(deadline=None)
@given(ROWS, st.integers(-3, 3))
def test_nested_selects_agree_with_a_naive_model(rows: list[object], least: int) -> None:
    """Developer guide: "Nested object queries"."""
    payload = json.dumps({"e": rows}).encode()
    matching = [row for row in rows if isinstance(v := member(row, "v"), int) and v > least]
    objects = [{name: row[name] for name in ("n", "v") if name in row} for row in matching if isinstance(row, dict)]
    wanted = {
        "all": rows,
        "values": [member(row, "n") for row in matching if member(row, "n") is not UNDEFINED],
        "objects": objects,
        "scalars": [row for row in rows if isinstance(row, int) and row > least],
        "any": bool(matching),
    }
    made = output(
        f"(SELECT * FROM e) AS all, (SELECT VALUE n FROM e WHERE v > {least}) AS values, "
        f"(SELECT n, v FROM e WHERE v > {least}) AS objects, "
        f"(SELECT VALUE x FROM e AS x WHERE x > {least}) AS scalars, "
        f"EXISTS (SELECT * FROM e WHERE v > {least}) AS any",
        payload,
    )
    assert json.loads(made or b"") == wanted
