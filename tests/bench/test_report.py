"""Medians, ratios and verdicts from runs made up for the purpose."""

from io import StringIO

import msgspec
import pytest
from bench.affinity import Cores
from bench.driver import Cpu, Outcome
from bench.figure import Aim, Bound, Figure, Spread, Tally, spread
from bench.render import amount, show
from bench.report import Report, Result, Run, conclude
from bench.scenario import SCENARIOS, select
from rich.console import Console

STREAMS_QOS_1 = select(["streams-qos1"])[0]
STREAMS_QOS_0 = msgspec.structs.replace(select(["streams-qos0"])[0], aim=Aim(Bound.LEAST, 6))


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


def report(*results: Result, figures: list[Figure] | None = None) -> Report:
    return Report(
        machine="a machine",
        cores=Cores(broker=(1,), generator=0),
        brokers={"fogbank": "1", "mosquitto": "2"},
        seconds=1.0,
        repeat=3,
        results=list(results),
        figures=[*(figure for result in results for figure in result.figures()), *(figures or [])],
    )


def shown(of: Report) -> str:
    out = StringIO()
    show(of, Console(file=out, width=160))
    return out.getvalue()


def test_spread() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(low=1.0, median=2.0, high=3.0)


def test_the_ratio_is_of_medians() -> None:
    ours = runs("fogbank", outcome(1900), outcome(100_000), outcome(1850))
    peer = runs("mosquitto", outcome(90), outcome(100), outcome(110))
    result = conclude(STREAMS_QOS_1, [*ours, *peer])
    assert result.figures()[0].ratio == pytest.approx(19.0)
    assert result.figures()[0].met is True
    assert not report(result).failed


def test_the_cpu_ratio_compares_cost_per_message() -> None:
    ours = runs("fogbank", outcome(1000, cpu=0.5))
    peer = runs("mosquitto", outcome(100, cpu=1.0))
    assert conclude(STREAMS_QOS_1, [*ours, *peer]).cpu_ratio == pytest.approx(20.0)


def test_a_ratio_below_its_aim_is_short_and_no_failure() -> None:
    result = conclude(STREAMS_QOS_1, runs("fogbank", outcome(700)) + runs("mosquitto", outcome(100)))
    assert result.figures()[0].met is False
    assert not report(result).failed
    assert "short" in shown(report(result))


def test_a_run_that_lost_qos_1_messages_is_invalid_and_gives_no_ratio() -> None:
    ours = runs("fogbank", outcome(900), outcome(900, missing=3))
    result = conclude(STREAMS_QOS_1, ours + runs("mosquitto", outcome(100)))
    assert result.figures()[0].ratio is None
    assert result.figures()[0].met is None
    assert report(result).failed
    text = shown(report(result))
    assert "INVALID" in text
    assert "FAILED streams-qos1, fogbank: 3 QoS 1 messages were lost" in text


def test_a_drop_at_qos_0_is_reported_and_lawful() -> None:
    result = conclude(STREAMS_QOS_0, runs("fogbank", outcome(900, missing=100)) + runs("mosquitto", outcome(100)))
    assert result.standings[0].missing_share == pytest.approx(0.1)
    assert result.figures()[0].ratio == pytest.approx(9.0)
    assert not report(result).failed
    assert "10.0%" in shown(report(result))


def test_what_had_no_time_to_arrive_is_remarked_upon() -> None:
    late = msgspec.structs.replace(outcome(900, missing=100), drain_seconds=10.01)
    assert "still on their way" in shown(report(conclude(STREAMS_QOS_0, runs("fogbank", late))))
    assert "still on their way" not in shown(
        report(conclude(STREAMS_QOS_0, runs("fogbank", outcome(900, missing=100))))
    )


def test_a_busy_machine_is_remarked_upon() -> None:
    busy = msgspec.structs.replace(report(), load=3.2)
    assert "busy otherwise (load average 3.2" in shown(busy)
    assert "busy otherwise" not in shown(report())


def test_without_a_peer_there_is_no_ratio_and_no_failure() -> None:
    result = conclude(STREAMS_QOS_1, runs("fogbank", outcome(900)))
    assert result.figures()[0].ratio is None
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


def test_a_latency_is_its_quantiles_and_the_less_the_better() -> None:
    scenario = select(["latency"])[0]
    slow = msgspec.structs.replace(outcome(2000), delay_p50=0.001, delay_p99=0.003)
    fast = msgspec.structs.replace(outcome(2000), delay_p50=0.001, delay_p99=0.0015)
    p50, p99 = conclude(scenario, runs("fogbank", slow) + runs("mosquitto", fast)).figures()
    assert (p50.name, p50.met, p50.ratio) == ("latency-p50", None, 1.0)
    assert (p99.name, p99.met, p99.ratio) == ("latency-p99", False, 2.0)


def figure(aim: Aim | None, **medians: float) -> Figure:
    tally = Tally()
    for broker, median in medians.items():
        tally.add("x", broker, median)
    return tally.figure("x", "a thing", "MB", aim)


@pytest.mark.parametrize(
    ("aim", "ours", "peers", "met"),
    [
        (Aim(Bound.LEAST, 2), 20, 10, True),
        (Aim(Bound.LEAST, 2), 19, 10, False),
        (Aim(Bound.MOST, 2), 20, 10, True),
        (Aim(Bound.MOST, 2), 21, 10, False),
        (Aim(Bound.MOST, 8, None), 8, 1, True),
        (Aim(Bound.MOST, 8, None), 9, 100, False),
        (Aim(Bound.MOST, 0, None), 0, 100, True),
        (Aim(Bound.LEAST, 1, "nats"), 100, 1, None),  # who is not there cannot be compared with
        (None, 1, 1, None),
    ],
)
def test_an_aim_is_reached_or_not(aim: Aim | None, ours: float, peers: float, met: bool | None) -> None:
    assert figure(aim, fogbank=ours, mosquitto=peers).met is met


def test_an_aim_without_a_peer_needs_none() -> None:
    alone = figure(Aim(Bound.MOST, 8, None), fogbank=5)
    assert (alone.met, alone.ratio) == (True, None)


def test_a_failure_leaves_no_figure_to_compare() -> None:
    tally = Tally()
    tally.add("x", "fogbank", 1)
    tally.add("x", "mosquitto", 1)
    tally.fail("fogbank", "it fell over")
    failed = tally.figure("x", "a thing", "MB", Aim(Bound.LEAST, 1))
    assert (failed.met, failed.ratio) == (None, None)
    text = shown(report(figures=[failed]))
    assert "FAILED x, fogbank: it fell over" in text
    assert "INVALID" in text
    assert report(figures=[failed]).failed


def test_figures_stand_beside_what_is_asked() -> None:
    text = shown(report(figures=[figure(Aim(Bound.MOST, 80, None), fogbank=61.2, mosquitto=7.5)]))
    assert "61.2" in text
    assert "<= 80 MB" in text
    assert "8.16x" in text
    assert "met" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (2, "2"), (0.05678, "0.0568"), (5.678, "5.68"), (56.78, "56.8"), (567.8, "568"), (56789.1, "56,789")],
)
def test_amounts(value: float, text: str) -> None:
    assert amount(value) == text


def test_a_report_survives_json() -> None:
    original = report(conclude(STREAMS_QOS_1, runs("fogbank", outcome(900)) + runs("mosquitto", outcome(100))))
    assert msgspec.json.decode(msgspec.json.encode(original), type=Report) == original


def test_scenarios_are_chosen_by_the_beginning_of_their_names() -> None:
    assert [each.name for each in select(["single-500", "fanout-10-qos0"])] == [
        "fanout-10-qos0",
        "single-500-qos0",
        "single-500-qos1",
    ]
    assert select([]) == list(SCENARIOS)


def test_a_window_replaces_only_the_saturating_ones() -> None:
    windows = {each.name: each.window for each in select([], window=100)}
    assert windows["streams-qos1"] == windows["fanout-10-qos1"] == 100
    assert windows["streams-qos0"] == 0
    assert windows["single-1000-qos1"] == 1
