"""Medians, ratios and verdicts from runs made up for the purpose."""

from io import StringIO

import msgspec
import pytest
from bench.affinity import Cores
from bench.driver import Cpu, Outcome
from bench.footprint import Footprint
from bench.render import show
from bench.report import Report, Result, Run, Spread, conclude, spread
from bench.scenario import SCENARIOS, select
from rich.console import Console

STREAMS_QOS_1 = select(["streams-qos1"])[0]
STREAMS_QOS_0 = select(["streams-qos0"])[0]


def outcome(delivered: int, cpu: float = 1.0, missing: int = 0, generator: float = 0.5) -> Outcome:
    return Outcome(
        seconds=1.0,
        delivered=delivered,
        broker_cpu=Cpu(user=cpu / 4, system=cpu * 3 / 4),
        generator_cpu=Cpu(user=generator, system=0.0),
        published=delivered + missing,
        acknowledged=delivered + missing,
        expected=delivered + missing,
        received=delivered,
        missing=missing,
        duplicated=0,
        out_of_order=0,
        corrupt=0,
        drain_seconds=0.0,
    )


def runs(broker: str, *outcomes: Outcome) -> list[Run]:
    return [Run(broker=broker, outcome=each) for each in outcomes]


def report(*results: Result, footprint: Footprint | None = None) -> Report:
    return Report(
        machine="a machine",
        cores=Cores(broker=1, generator=0),
        brokers={"fogbank": "1", "mosquitto": "2"},
        seconds=1.0,
        repeat=3,
        results=list(results),
        footprint=footprint,
    )


def shown(of: Report) -> str:
    out = StringIO()
    show(of, Console(file=out, width=160))
    return out.getvalue()


def test_spread() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(low=1.0, median=2.0, high=3.0)


def test_the_ratio_is_of_medians() -> None:
    ours = runs("fogbank", outcome(900), outcome(100_000), outcome(850))
    peer = runs("mosquitto", outcome(90), outcome(100), outcome(110))
    result = conclude(STREAMS_QOS_1, [*ours, *peer])
    assert result.ratio == pytest.approx(9.0)
    assert result.met is True
    assert not report(result).failed


def test_the_cpu_ratio_compares_cost_per_message() -> None:
    ours = runs("fogbank", outcome(1000, cpu=0.5))
    peer = runs("mosquitto", outcome(100, cpu=1.0))
    assert conclude(STREAMS_QOS_1, [*ours, *peer]).cpu_ratio == pytest.approx(20.0)


def test_a_ratio_below_its_aim_is_short_and_no_failure() -> None:
    result = conclude(STREAMS_QOS_1, runs("fogbank", outcome(700)) + runs("mosquitto", outcome(100)))
    assert result.met is False
    assert not report(result).failed
    assert "short" in shown(report(result))


def test_a_run_that_lost_qos_1_messages_is_invalid_and_gives_no_ratio() -> None:
    ours = runs("fogbank", outcome(900), outcome(900, missing=3))
    result = conclude(STREAMS_QOS_1, ours + runs("mosquitto", outcome(100)))
    assert result.ratio is None
    assert result.met is None
    assert report(result).failed
    text = shown(report(result))
    assert "INVALID" in text
    assert "FAILED streams-qos1, fogbank: 3 QoS 1 messages were lost" in text


def test_a_drop_at_qos_0_is_reported_and_lawful() -> None:
    result = conclude(STREAMS_QOS_0, runs("fogbank", outcome(900, missing=100)) + runs("mosquitto", outcome(100)))
    assert result.standings[0].missing_share == pytest.approx(0.1)
    assert result.ratio == pytest.approx(9.0)
    assert not report(result).failed
    assert "10.0%" in shown(report(result))


def test_without_a_peer_there_is_no_ratio_and_no_failure() -> None:
    result = conclude(STREAMS_QOS_1, runs("fogbank", outcome(900)))
    assert result.ratio is None
    assert not report(result).failed
    assert "900" in shown(report(result))


def test_a_run_that_did_not_finish_is_a_failure() -> None:
    result = conclude(STREAMS_QOS_1, [Run(broker="fogbank", outcome=None, error="the broker closed the connection")])
    assert result.standings[0].rate is None
    assert report(result).failed
    assert "the broker closed the connection" in shown(report(result))


def test_a_run_that_delivered_nothing_is_a_failure() -> None:
    result = conclude(STREAMS_QOS_0, runs("fogbank", outcome(0)))
    assert report(result).failed


def test_a_full_generator_is_remarked_upon() -> None:
    result = conclude(STREAMS_QOS_0, runs("fogbank", outcome(900, generator=0.99)))
    assert "the generator's core was full" in shown(report(result))


def test_the_footprint_is_shown_beside_its_aims() -> None:
    text = shown(report(footprint=Footprint(first_start_seconds=1.5, start_seconds=0.4, idle_rss_megabytes=61.2)))
    assert "0.40 s" in text
    assert "61.2 MB" in text
    assert text.count("met") == 2
    assert text.count("short") == 1


def test_a_report_survives_json() -> None:
    original = report(conclude(STREAMS_QOS_1, runs("fogbank", outcome(900)) + runs("mosquitto", outcome(100))))
    assert msgspec.json.decode(msgspec.json.encode(original), type=Report) == original


def test_scenarios_are_chosen_by_the_beginning_of_their_names() -> None:
    assert [each.name for each in select(["single", "fanout-qos0"])] == ["fanout-qos0", "single-qos0", "single-qos1"]
    assert select([]) == list(SCENARIOS)


def test_a_window_replaces_only_the_saturating_ones() -> None:
    windows = {each.name: each.window for each in select([], window=100)}
    assert windows["streams-qos1"] == windows["fanout-qos1"] == 100
    assert windows["streams-qos0"] == 0
    assert windows["single-qos1"] == 1
