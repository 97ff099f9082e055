"""Work within nested SELECTs has a bound: payloads that make it explode end the rule at once, all others do not."""

import json

import pytest
from tests.sql.outside.world import World

from fogbank.sql import UNDEFINED, Answers, Event, Outcome, Version, compile_expression, compile_statement, parse, scope
from fogbank.sql.scope import MAX_WORK, Scope, TooMuchWork

V2016 = "2016-03-23"
WHY = "the statement's nested SELECTs take too much work for this message"

MANY = [1] * 3_000
LONG = "x" * 6_000

# Each of these looks at a billion things, or writes gigabytes, if it is let.
EXPLOSIONS = [
    "(SELECT VALUE (SELECT VALUE 1 FROM @b) FROM @a)",
    "(SELECT VALUE (SELECT VALUE 1 FROM @b WHERE false) FROM @a)",
    "(SELECT VALUE (SELECT VALUE x + y FROM @b AS y) FROM @a AS x)",
    "(SELECT VALUE x FROM @a AS x WHERE EXISTS (SELECT * FROM @b AS y WHERE x <> y))",
    "(SELECT VALUE 2 IN @b FROM @a)",
    "(SELECT VALUE @b = @b FROM @a)",
    "(SELECT VALUE CASE @b WHEN 1 THEN 1 WHEN @b THEN 2 END FROM @a)",
    "(SELECT VALUE @b FROM @a)",
    "(SELECT @b AS b FROM @a)",
    "(SELECT VALUE [@b] FROM @a)",
    "(SELECT VALUE {'b': [@b]} FROM @a)",
    "(SELECT VALUE cast(@b AS String) FROM @a)",
    "(SELECT VALUE (-cast(@s AS Int)) FROM @a)",
    "(SELECT VALUE md5(@s) FROM @a)",
    "(SELECT VALUE md2(x) FROM @a AS x)",
    "(SELECT VALUE regexp_matches(@s, '(x|y)*z') FROM @a)",
    "(SELECT VALUE @s + x FROM @a AS x)",
    "(SELECT VALUE @s <> 'x' FROM @a)",
    "(SELECT VALUE transform('enrichArray', {'k': 1}, @b) FROM @a)",
]


def explode(select: str, **payload: object) -> Outcome:
    query = compile_statement(parse(f"SET @a = a, @b = b, @s = s SELECT {select} AS r FROM 't'", V2016))
    return query.evaluate(Event(topic="t", payload=json.dumps(payload).encode()))


@pytest.mark.parametrize("select", EXPLOSIONS)
def test_explosions_end(select: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "MAX_WORK", MAX_WORK // 20)  # as large payloads would need it, in less time
    b = {} if "@s" in select else {"b": MANY}
    assert explode(select, a=MANY, s=LONG, **b) == Outcome(False, failure=WHY)
    assert explode(f"length({select})", a=[1] * 3, b=[1] * 3, s="x").fires


def test_explanations_and_templates_end_too() -> None:
    where = "EXISTS (SELECT VALUE (SELECT VALUE 1 FROM @a) FROM @a)"
    query = compile_statement(parse(f"SET @a = a SELECT 1 AS r FROM 't' WHERE {where}", V2016))
    event = Event(topic="t", payload=json.dumps({"a": MANY}).encode())
    assert query.evaluate(event) == Outcome(False, failure=WHY)
    assert query.explain(event).sentence == WHY
    template = compile_expression("(SELECT VALUE (SELECT VALUE 1 FROM @a) FROM @a)", V2016, statement=query.statement)
    assert template.evaluate(event) is UNDEFINED


async def test_all_turns_of_an_evaluation_that_asks_have_one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "MAX_WORK", 10_000)
    text = "SELECT (SELECT VALUE aws_lambda('f', x) FROM a AS x) AS r FROM 't'"
    query = compile_statement(parse(text, V2016))
    few, many = (Event(topic="t", payload=json.dumps({"a": [*range(count)]}).encode()) for count in (10, 90))
    assert (await query.evaluate_asking(few, Answers(World(invoke=1), query.version))).fires
    assert await query.evaluate_asking(many, Answers(World(invoke=1), query.version)) == Outcome(False, failure=WHY)


# The largest that a message may carry (128 KB), looked at once.
@pytest.mark.parametrize(
    "select",
    [
        "(SELECT VALUE x * 2 + 1 FROM @a AS x WHERE x > 0 AND abs(x) < 5)",
        "(SELECT upper(x) AS a, lower(x) AS b, x + 1 AS c, concat('a', x) AS d FROM @a AS x)",
        "length((SELECT * FROM @a))",
    ],
)
def test_one_look_at_a_large_payload_is_not_too_much(select: str) -> None:
    assert explode(select, a=[1] * 64_000).fires


def test_each_message_has_its_own_account() -> None:
    whole = Scope(Event(topic="t", payload=b""), Version.V2016_03_23, {})
    whole.within(1).within(2).work(MAX_WORK)
    with pytest.raises(TooMuchWork):
        whole.within(3).work(1)
    Scope(Event(topic="t", payload=b""), Version.V2016_03_23, {}).work(MAX_WORK)
