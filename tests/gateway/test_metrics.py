"""Metrics in the text format of Prometheus, and who may read them."""

import msgspec
import pytest
from tests.broker.test_metrics import NOTHING
from tests.gateway.toy import ARNS, Toy, send, serving

from fogbank.awswire.http import Request
from fogbank.broker.metrics import Metrics
from fogbank.gateway.metrics import ACTIONS, BROKER, CONTENT_TYPE, NOT_FOUND, RULES, MetricsPage
from fogbank.ports import Identity
from fogbank.rules.counters import Counters


def page(metrics: Metrics = NOTHING, rules: dict[str, Counters] | None = None, not_found: int = 0) -> MetricsPage:
    return MetricsPage(lambda: metrics, lambda: rules or {}, lambda: not_found)


def samples(text: bytes) -> dict[str, int]:
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {name: int(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_each_count_of_the_broker_has_its_place() -> None:
    fields = Metrics.__struct_fields__
    numbered = Metrics(**{field: number for number, field in enumerate(fields, 1)})
    found = samples(page(numbered).text())
    assert {family.field for family in BROKER} == set(fields)
    for family in BROKER:
        assert found[f"fogbank_{family.name}"] == fields.index(family.field) + 1


def test_rules_are_told_apart_by_a_label() -> None:
    found = samples(page(rules={"a": Counters(matched=3, fired=2, unparsed=1), "b": Counters(throttled=4)}).text())
    assert found['fogbank_rule_topic_match_total{rule="a"}'] == 3
    assert found['fogbank_rule_executed_total{rule="a"}'] == 2
    assert found['fogbank_rule_executed_total{rule="b"}'] == 0
    assert found['fogbank_rule_parse_error_total{rule="a"}'] == 1
    assert found['fogbank_rule_message_throttled_total{rule="b"}'] == 4
    assert samples(page(not_found=7).text())["fogbank_rule_not_found_total"] == 7


def test_actions_are_told_apart_by_their_kind_as_well() -> None:
    counters = Counters()
    counters.of("sqs").success = 5
    counters.of("sqs").failure = 1
    counters.of("lambda").error_action_success = 2
    counters.of("lambda").error_action_failure = 3
    found = samples(page(rules={"a": counters}).text())
    assert found['fogbank_rule_success_total{rule="a",action_type="sqs"}'] == 5
    assert found['fogbank_rule_failure_total{rule="a",action_type="sqs"}'] == 1
    assert found['fogbank_rule_success_total{rule="a",action_type="lambda"}'] == 0
    assert found['fogbank_rule_error_action_success_total{rule="a",action_type="lambda"}'] == 2
    assert found['fogbank_rule_error_action_failure_total{rule="a",action_type="lambda"}'] == 3


def test_each_metric_of_a_rule_in_aws_has_its_place() -> None:
    """Developer Guide, "Rule metrics" and "Rule action metrics"."""
    told = {family.help.partition(":")[0] for family in (*RULES, *ACTIONS, NOT_FOUND)}
    assert told >= {"TopicMatch", "ParseError", "RulesExecuted", "RuleMessageThrottled", "RuleNotFound"}
    assert told >= {"Success", "Failure", "ErrorActionSuccess", "ErrorActionFailure"}


def test_the_format() -> None:
    lines = page(msgspec.structs.replace(NOTHING, dropped_messages=5)).text().decode().split("\n")
    at = lines.index("# TYPE fogbank_dropped_messages_total counter")
    assert lines[at - 1].startswith("# HELP fogbank_dropped_messages_total Messages lost")
    assert lines[at + 1] == "fogbank_dropped_messages_total 5"
    assert "# TYPE fogbank_connections gauge" in lines
    assert lines[-1] == ""


@pytest.fixture(params=[None, Identity("c", ARNS.iot("cert", "c"), active=True)], ids=["nobody", "a device"])
def stranger(request: pytest.FixtureRequest) -> Identity | None:
    identity: Identity | None = request.param
    return identity


def test_fleet_metrics() -> None:
    told = MetricsPage(lambda: NOTHING, dict, int, lambda: {"warm": {"count": 2.0, "p95": 38.5}}).text().decode()
    assert 'fogbank_fleet_metric{metric="warm",aggregation_type="count"} 2.0\n' in told
    assert 'fogbank_fleet_metric{metric="warm",aggregation_type="p95"} 38.5\n' in told
    assert "# TYPE fogbank_fleet_metric gauge\n" in told


async def test_an_access_key_reads_them() -> None:
    async with serving(pages=[page().page]) as toy:
        answer = await send(toy.port, toy.signed("GET", "/_fogbank/metrics", service="fogbank"))
        assert (answer.status, answer.body) == (200, page().text())
        assert answer.headers["content-type"] == CONTENT_TYPE.lower()


async def test_nobody_else_does(stranger: Identity | None) -> None:
    async with serving(stranger, pages=[page().page]) as toy:
        answer = await send(toy.port, Request("GET", "/_fogbank/metrics", headers={"host": "x"}))
        assert answer.status in (403, 404)
        assert b"fogbank_connections" not in answer.body


async def test_without_any_there_is_nothing() -> None:
    async with serving() as toy:
        assert await status(toy) == 404


async def status(toy: Toy) -> int:
    return (await send(toy.port, toy.signed("GET", "/_fogbank/metrics", service="fogbank"))).status
