"""Evaluation in turns: what is asked, when, how often; and that it comes to the same as if all had been known."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.outside.world import World

from fogbank.errors import FogbankError
from fogbank.sql import (
    Answers,
    CannedAnswers,
    Chance,
    Event,
    Outcome,
    Query,
    Version,
    compile_expression,
    compile_statement,
    parse,
)
from fogbank.sql.outside.answers import MAX_REQUESTS

V2016 = Version.V2016_03_23


def query(text: str) -> Query:
    return compile_statement(parse(text, V2016))


def event(payload: object = None, chance: Chance | None = None) -> Event:
    content = json.dumps({} if payload is None else payload).encode()
    return Event(topic="t", payload=content) if chance is None else Event(topic="t", payload=content, chance=chance)


class Echo(World):
    """Its functions return their input."""

    async def invoke(self, function_arn: str, payload: bytes) -> bytes:
        self.asked.append((function_arn, payload))
        return payload


def test_a_query_knows_what_it_asks_and_as_whom() -> None:
    plain = query("SELECT *, upper(a) AS b FROM 't' WHERE a > 1")
    assert (plain.asks, plain.roles) == ((), ())
    asking = query(
        "SET @s = get_thing_shadow(id, 'role-1') SELECT aws_lambda('f', 1) AS a, @s.x AS b FROM 't' "
        "WHERE get_secret('s', 'SecretString', 'role-2') = 'x' AND get_thing_shadow(a, 'role-2').y > 1"
    )
    assert asking.asks == ("aws_lambda", "get_secret", "get_thing_shadow")
    assert asking.roles == ("role-1", "role-2")
    of_template = compile_expression("get_secret('s', 'SecretString', 'role-3')", V2016, statement=asking.statement)
    assert of_template.asks == ("get_secret", "get_thing_shadow")
    assert of_template.roles == ("role-3",)


async def test_in_select_where_and_set() -> None:
    world = World(thing_shadow={"on": True, "level": 5}, invoke={"x": 1})
    text = (
        "SET @s = get_thing_shadow(id, 'r') SELECT aws_lambda('f', {'level': @s.level}).x AS x, @s.level AS level "
        "FROM 't' WHERE @s.on"
    )
    outcome = await query(text).evaluate_asking(event({"id": "d"}), Answers(world, V2016))
    assert outcome == Outcome(True, b'{"x":1,"level":5}')
    assert world.asked == [("thing_shadow", "d", None, "r"), ("invoke", "f", b'{"level":5}')]


async def test_what_is_not_reached_is_not_asked() -> None:
    world = Echo()
    text = "SELECT aws_lambda('f', 1) AS a FROM 't' WHERE a > 1 AND aws_lambda('f', 2) = 2"
    assert await query(text).evaluate_asking(event({"a": 1}), Answers(world, V2016)) == Outcome(False)
    assert world.asked == []
    assert (await query(text).evaluate_asking(event({"a": 2}), Answers(world, V2016))).fires
    assert world.asked == [("f", b"2"), ("f", b"1")]
    chosen = query("SELECT CASE a WHEN 1 THEN aws_lambda('f', 'one') ELSE aws_lambda('f', 'other') END AS r FROM 't'")
    world.asked.clear()
    assert (await chosen.evaluate_asking(event({"a": 1}), Answers(world, V2016))).output == b'{"r":"one"}'
    assert world.asked == [("f", b'"one"')]


async def test_the_same_is_asked_once_also_by_templates() -> None:
    world = Echo()
    text = "SELECT aws_lambda('f', a) AS a, aws_lambda('f', a + 0) AS b FROM 't' WHERE aws_lambda('f', a) = 1"
    answers = Answers(world, V2016)
    assert (await query(text).evaluate_asking(event({"a": 1}), answers)).output == b'{"a":1,"b":1}'
    template = compile_expression("aws_lambda('f', a) + 1", V2016)
    assert await template.evaluate_asking(event({"a": 1}), answers) == 2
    assert world.asked == [("f", b"1")]


async def test_for_every_element_of_a_nested_select() -> None:
    world = Echo()
    text = "SELECT VALUE (SELECT VALUE aws_lambda('f', x * 10) FROM xs AS x) FROM 't'"
    assert (await query(text).evaluate_asking(event({"xs": [1, 2, 1]}), Answers(world, V2016))).output == b"[10,20,10]"
    assert world.asked == [("f", b"10"), ("f", b"20")]
    outcome = await query(text).evaluate_asking(event({"xs": list(range(MAX_REQUESTS + 1))}), Answers(world, V2016))
    assert outcome == Outcome(False, failure="aws_lambda(): one message may cause 100 calls, and has")
    assert (await query(text).evaluate_asking(event({"xs": list(range(100))}), Answers(world, V2016))).fires


async def test_calls_within_calls() -> None:
    text = "SELECT VALUE aws_lambda('f', aws_lambda('g', aws_lambda('h', a) + 1) + 1) + 1 FROM 't'"
    world = Echo()
    assert (await query(text).evaluate_asking(event({"a": 1}), Answers(world, V2016))).output == b"4"
    assert world.asked == [("h", b"1"), ("g", b"2"), ("f", b"3")]


async def test_chance_stays_the_same_while_answers_come_in() -> None:
    uuids, fractions = iter(f"u{n}" for n in range(100)), iter([0.25, 0.5, 0.75])
    chance = Chance(lambda: next(uuids), lambda: next(fractions))
    world = Echo()
    text = "SELECT newuuid() AS a, aws_lambda('f', [newuuid(), rand()]) AS b, newuuid() AS c, rand() AS d FROM 't'"
    answers = Answers(world, V2016, chance)
    outcome = await query(text).evaluate_asking(event(), answers)
    assert outcome.output == b'{"a":"u0","b":["u1",0.25],"c":"u2","d":0.5}'
    assert world.asked == [("f", b'["u1",0.25]')]
    # Another evaluation with the same answers draws anew.
    assert await compile_expression("newuuid()", V2016).evaluate_asking(event(), answers) == "u3"


async def test_a_failure_ends_the_rule_unless_it_is_guarded() -> None:
    world = World(thing_shadow=FogbankError("the role r may not call iot:GetThingShadow"))
    text = "SELECT * FROM 't' WHERE get_thing_shadow('x', 'r').on"
    why = "get_thing_shadow() failed: the role r may not call iot:GetThingShadow"
    answers = Answers(world, V2016)
    assert await query(text).evaluate_asking(event(), answers) == Outcome(False, failure=why)
    assert len(world.asked) == 1
    guarded = query("SELECT * FROM 't' WHERE get_or_default(get_thing_shadow('x', 'r').on, true)")
    assert (await guarded.evaluate_asking(event(), answers)).fires
    assert guarded.explain(event(), answers).fires
    either = query("SELECT * FROM 't' WHERE b AND get_or_default(get_thing_shadow('x', 'r').on, true)")
    await either.evaluate_asking(event({"b": True}), answers)
    assert either.explain(event({"b": True}), answers).fires
    assert len(world.asked) == 1, "a failure is an answer, too"


async def test_errors_of_ours_are_not_taken_for_answers() -> None:
    world = World(invoke=ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        await query("SELECT aws_lambda('f', 1) AS a FROM 't'").evaluate_asking(event(), Answers(world, V2016))


async def test_explanations_use_what_was_answered_and_ask_nothing() -> None:
    world = World(thing_shadow={"state": {"on": False, "level": 3}})
    where = "a > 1 AND get_thing_shadow('x', 'r').state.level > 5 AND get_thing_shadow('y', 'r').state.on"
    asking = query(f"SELECT * FROM 't' WHERE {where}")
    answers = Answers(world, V2016)
    assert not (await asking.evaluate_asking(event({"a": 2}), answers)).fires
    assert len(world.asked) == 1
    assert asking.explain(event({"a": 2}), answers).sentence == (
        "get_thing_shadow('x', 'r').state.level > 5 was not true: get_thing_shadow('x', 'r').state.level is 3"
    )
    assert asking.explain(event({"a": 1}), Answers(world, V2016)).sentence == "a > 1 was not true: a is 1"
    assert len(world.asked) == 1
    early = asking.explain(event({"a": 2}), Answers(world, V2016))
    assert early.sentence == "get_thing_shadow() has not been asked for this message"
    failed = Answers(World(), V2016)
    await asking.evaluate_asking(event({"a": 2}), failed)
    assert asking.explain(event({"a": 2}), failed).sentence == "get_thing_shadow() failed: there is no such thing"


async def test_evaluations_side_by_side_do_not_disturb_each_other() -> None:
    class Slow(Echo):
        async def invoke(self, function_arn: str, payload: bytes) -> bytes:
            await asyncio.sleep(0)
            return await super().invoke(function_arn, payload)

    uuids = iter(f"u{n}" for n in range(100))
    answers = Answers(Slow(), V2016, Chance(lambda: next(uuids), lambda: 0.5))
    template = compile_expression("[newuuid(), aws_lambda('f', aws_lambda('g', newuuid()))]", V2016)
    values = await asyncio.gather(*(template.evaluate_asking(event(), answers) for _ in range(3)))
    assert sorted(uuid for value in values if isinstance(value, list) for uuid in map(str, value)) == [
        f"u{n}" for n in range(6)
    ]


def test_canned_answers_are_known_at_once() -> None:
    known = CannedAnswers({"get_thing_shadow": b'{"on":true}'}, V2016)
    asking = query(
        "SELECT get_or_default(aws_lambda('f', 1), 'none') AS a FROM 't' WHERE get_thing_shadow('x', 'r').on"
    )
    assert asking.evaluate(event(), known) == Outcome(True, b'{"a":"none"}')
    assert asking.explain(event(), known).fires


NAMES = ["a", "b", "c"]
CALLS = st.recursive(
    st.sampled_from([*NAMES, "1", "'x'", "missing", "newuuid()"]),
    lambda inner: st.one_of(
        inner.map(lambda text: f"aws_lambda('f', {text})"),
        st.tuples(inner, inner).map(lambda pair: f"[{pair[0]}, {pair[1]}]"),
        st.tuples(inner, inner).map(lambda pair: f"get_or_default({pair[0]}, 0) + {pair[1]}"),
        st.tuples(inner, inner).map(lambda pair: f"CASE {pair[0]} WHEN 1 THEN {pair[1]} ELSE b END"),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(CALLS, st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2) | st.text(max_size=2)))
async def test_an_echo_changes_nothing(text: str, payload: dict[str, Any]) -> None:
    """A function that returns its input is as good as the input: what is asked in turns comes out as without asking."""
    chance = Chance(lambda: "u", lambda: 0.5)
    text = text.replace("get_or_default", "concat") if "aws_lambda" in text else text  # a default may not ask
    input_itself = text.replace("aws_lambda('f', ", "get_or_default(missing, ")
    expected = query(f"SELECT {input_itself} AS r FROM 't'").evaluate(event(payload, chance))
    asking = query(f"SELECT {text} AS r FROM 't'")
    assert await asking.evaluate_asking(event(payload, chance), Answers(Echo(), V2016, chance)) == expected
